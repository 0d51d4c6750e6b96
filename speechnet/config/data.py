"""The configuration from recordings to folds (``data``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from speechnet.audio.config import AudioConfig
from speechnet.augment.config import AugmentConfig
from speechnet.config.mapping import chosen, mapping_class
from speechnet.core.bounds import Number, Written
from speechnet.core.columns import ANSWERS, SIGNAL_STATISTICS
from speechnet.core.errors import ConfigError
from speechnet.core.targets import TargetSetting, parse_targets
from speechnet.core.wording import listing
from speechnet.corpus.config import CorpusConfig, SynthConfig
from speechnet.denoise.config import DenoiseConfig
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import EXTRACTORS
from speechnet.splits.config import SplitConfig

_LONGEST: Final = 80

FeaturesConfig: Any = mapping_class(
    # Sorted: this is the order of their columns, whichever of them was imported first.
    "FeaturesConfig",
    dict(sorted(EXTRACTORS.items())),
    default=("functionals",),
)
FeaturesConfig.__module__ = __name__


def default_cache() -> str:
    """``$SPEECHNET_CACHE``, else ``$XDG_CACHE_HOME/speechnet``, else ``~/.cache/speechnet``.

    An empty variable counts as not set (XDG Base Directory Specification).
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return os.environ.get("SPEECHNET_CACHE") or f"{base}/speechnet"


@dataclass
class DataConfig:
    """From recordings to folds.

    Attributes:
        corpus: the recordings, and the names of their labels.
        corpora: instead of ``corpus``, several of them as one; see ``speechnet.corpus.union``.
            ``split: {protocol: predefined, column: corpus}`` tests on each and trains on the rest.
        synthetic: the synthetic corpus that is made when its ``root`` is not given.
        targets: what is predicted, each with its ordered classes; null takes the classes found.
            Rows of other classes are left out, and counted. A value on a scale is written
            ``{kind: continuous, range: [1, 5]}``, with a ``unit`` if it has one; no model here can
            learn it yet.
        audio: how recordings are read.
        augment: changed copies of the training recordings.
        denoise: spectral gating.
        features: the extractors by name, each with its settings; the vectors of several are joined
            column by column. Those that a YAML names replace the default, functionals.
        scaling: how columns are scaled, always fitted on training rows: to 0..1, to mean 0 and
            variance 1, to median 0 and interquartile range 1, or not at all.
        per_speaker: first standardise each speaker's recordings by themselves. This uses all of a
            speaker's recordings, without labels: the scores hold for speakers of whom several
            recordings are available.
        split: the training and the scored recordings.
        device: where torch denoises and computes features: cpu, cuda, cuda:1 and so on; auto takes
            a GPU if there is one. Features from either serve on the other.
        cache_dir: the folder where features are kept; null for the user's cache folder.
        verify: read every recording to see whether it changed; otherwise one with the same size,
            times and inode counts as unchanged.
        max_bad_share: the share of unusable recordings above which the run ends.
    """

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    corpora: list[CorpusConfig] = field(default_factory=list)
    synthetic: SynthConfig = field(default_factory=lambda: SynthConfig(speakers=40, sentences=5))
    targets: Annotated[
        dict[str, list[str] | dict[str, Any] | None],
        Written("a mapping such as {emotion: [angry, happy]}"),
    ] = field(default_factory=lambda: {"gender": None, "emotion": None})
    audio: AudioConfig = field(default_factory=AudioConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    denoise: DenoiseConfig = field(default_factory=DenoiseConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    scaling: Literal["minmax", "standard", "robust", "none"] = "standard"
    per_speaker: bool = False
    split: SplitConfig = field(default_factory=SplitConfig)
    device: str = "auto"
    cache_dir: str | None = None
    verify: bool = False
    max_bad_share: Annotated[float, Number(ge=0, le=1)] = 0.1

    def __post_init__(self) -> None:
        if self.corpora and self.corpus != CorpusConfig():
            raise ConfigError(
                f"data.corpus ({self.corpus.name}) and data.corpora "
                f"({', '.join(one.name for one in self.corpora)}) are both given; list all corpora "
                "in data.corpora, or leave it out"
            )

    @property
    def recipe(self) -> Recipe:
        """All settings that decide the features of a recording."""
        return Recipe(self.audio, self.denoise, chosen(self.features))

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return Path(self.cache_dir or default_cache()).expanduser()


def check_features(data: DataConfig) -> None:
    """Refuse the extractors' settings, and numbers of your own that are a target's answers.

    Raises:
        ConfigError: see ``Recipe.check``; or features looked up by name have a target's name.
    """
    data.recipe.check()
    targets = {name.casefold() for name in data.targets}
    for name in data.recipe.by_name:
        own = (column.removeprefix(f"{name}_") for column in data.recipe.extractors[name].columns)
        if answers := [column for column in own if column.casefold() in targets]:
            raise ConfigError(
                f"data.features.{name} has the columns {listing(answers)}, and data.targets too: "
                "no feature may hold the answers; leave them out of the table"
            )


def check_names(targets: Mapping[str, TargetSetting]) -> None:
    """Refuse names of targets and classes that can't serve as names of columns and files.

    A table of answers has a column for each target and, named ``<target>_<class>``, for each class;
    a model's file may be named after its target. ``corpus.csv`` has the signal statistics too.

    Raises:
        ConfigError: a name contains a separator of paths or can't be printed, or two columns would
            have the same name.
    """
    meant = dict.fromkeys(ANSWERS, "a column that tables of answers have")
    for target, kind in parse_targets(targets).items():
        if not 0 < len(target) <= _LONGEST or not target.isprintable() or set(target) & {*"/\\:"}:
            raise ConfigError(
                f"data.targets: the name {target!r:.99} can't be used, expected 1 to {_LONGEST} "
                "printable characters other than / \\ and :, since files are named after it; in "
                "YAML a blank stands after a colon"
            )
        if target in SIGNAL_STATISTICS:
            raise ConfigError(
                f"data.targets: {target!r} is a signal statistic that speechnet measures of each "
                "recording; choose another name, and set data.corpus.columns.NAME to the table's "
                "column"
            )
        for column, meaning in kind.columns(target).items():
            if column in meant:
                raise ConfigError(
                    f"data.targets: {meaning} would have the column {column!r} in tables of "
                    f"answers, which is also {meant[column]}; rename one of them"
                )
            meant[column] = meaning
