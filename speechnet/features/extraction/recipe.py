"""Everything that decides what features are: how sounds are read, denoised and described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from speechnet.audio.config import AudioConfig
from speechnet.augment.config import Copy
from speechnet.core.columns import averaged_names
from speechnet.core.errors import ConfigError
from speechnet.denoise.config import DenoiseConfig
from speechnet.features.extractor import Extractor, foreign_source, version

# Raised whenever sounds are read differently, or the layout of a shard changes.
_CODE_VERSION: Final = 8


@dataclass(frozen=True)
class Recipe:
    """Audio and denoise settings, and the extractors by name; of a changed copy, its effects, too.

    The device isn't part of it: a row from a GPU stands for the same row from a CPU.
    """

    audio: AudioConfig
    denoise: DenoiseConfig
    extractors: Mapping[str, Extractor]
    copy: Copy | None = None

    @property
    def rates(self) -> dict[str, int]:
        """The sample rate in Hz that each extractor wants."""
        own = self.audio.sample_rate
        return {name: one.sample_rate or own for name, one in self.extractors.items()}

    @property
    def vectors(self) -> list[str]:
        """The extractors that describe a recording by one row."""
        return [name for name, one in self.extractors.items() if one.kind == "vector"]

    @property
    def by_name(self) -> list[str]:
        """The extractors that go by the names of recordings."""
        return [name for name, one in self.extractors.items() if one.by_name]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all vectors, joined."""
        return tuple(c for name in self.vectors for c in self.extractors[name].columns)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group that each of ``columns`` belongs to; several layers of an encoder are one."""
        return tuple(
            _group(name, self.extractors[name], column)
            for name in self.vectors
            for column in self.extractors[name].columns
        )

    @property
    def averaged(self) -> dict[str, str]:
        """The group of each column by name where layers are averaged; see ``FeatureMatrix``."""
        found = {}
        for name in self.vectors:
            extractor = self.extractors[name]
            for column in averaged_names(extractor.columns, extractor.n_layers):
                found[column] = _group(name, extractor, column)
        return found

    def highest_frequency(self) -> float:
        """The highest frequency in Hz that any extractor looks at."""
        rates = self.rates
        return max(one.highest_frequency(rates[name]) for name, one in self.extractors.items())

    def describe(self, name: str) -> dict[str, Any]:
        """All that an extractor's numbers depend on, library versions included; nothing else."""
        import soundfile  # takes a while, which nobody who only reads a recipe need wait

        rate = self.rates[name]
        found = self.extractors[name].fingerprint(rate)
        packages = ("numpy", "soundfile", "soxr", *self.denoise.packages)
        versions = {package: version(package) for package in packages}
        versions["libsndfile"] = soundfile.__libsndfile_version__
        return {
            "reading": _CODE_VERSION,
            "audio": asdict(self.audio) | {"sample_rate": rate},
            "denoise": self.denoise.deciding(),
            **found,
            **foreign_source(self.extractors[name]),
            "versions": versions | found.get("versions", {}),
            **({} if self.copy is None else {"augment": self.copy.describe()}),
        }

    def check(self) -> None:
        """Refuse settings that are wrong whatever the recordings are.

        Raises:
            ConfigError: a setting is out of its range or unknown, no extractor is named, or two
                columns have one name.
        """
        self.audio.check()
        if not self.extractors:
            raise ConfigError(
                "data.features names no extractor, expected at least one, such as functionals: {}"
            )
        rates, owner = self.rates, dict[str, str]()
        for name, extractor in self.extractors.items():
            extractor.check(rates[name])
            if repeated := [c for c, n in Counter(extractor.columns).items() if n > 1]:
                raise ConfigError(
                    f"the extractor {name} has several columns {repeated[0]!r}; give "
                    "each a name of its own"
                )
            for column in extractor.columns:
                if owner.setdefault(column, name) != name:
                    raise ConfigError(
                        f"data.features: {owner[column]} and {name} both have a column {column!r}; "
                        "leave one of them out"
                    )

    def on_device(self, device: str) -> list[str]:
        """The extractors computed in the one process that has a GPU; none where that is the cpu."""
        if device == "cpu" or not self.denoise.uses_gpu:
            return []
        return [name for name, one in self.extractors.items() if one.uses_gpu]


def _group(name: str, extractor: Extractor, column: str) -> str:
    return name if extractor.n_layers > 1 else extractor.group(column)
