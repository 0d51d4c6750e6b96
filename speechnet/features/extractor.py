"""The contract of a feature extractor, and the registry of all of them.

An extractor describes sounds by numbers: a recording by one row (a vector), or by one row per frame
(a sequence). It is a dataclass whose fields are its settings, registered under the name by which
``data.features`` asks for it; ``examples/plugin`` has one of either kind.

Its module is imported whenever a command line is read, so it imports NumPy, torch and the like in
the functions that compute. What is worth keeping between calls, such as a network's weights, it
keeps itself (``functools.lru_cache``): every worker process has its own instances.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, cast

from speechnet.core.columns import feature_of
from speechnet.core.errors import Excluded
from speechnet.core.registry import Registry, settings_lack

if TYPE_CHECKING:
    from speechnet.core.types import Float32

version = cache(metadata.version)
"""The version of an installed package; each look-up reads a file."""


@dataclass(frozen=True)
class Sound:
    """What all clips of a call have in common: the rate in Hz, and the device to compute on.

    Denoising leaves nothing in a clip below the share ``floor`` of its largest sample; 0 where
    nothing was denoised.
    """

    sample_rate: int
    floor: float = 0.0
    device: str = "cpu"


class Named(NamedTuple):
    """A recording by its name, for extractors that go by it.

    Attributes:
        file: as it is named to the user: its row of the corpus table.
        path: relative to the corpus's root; elsewhere absolute.
        start: of a part of it, in seconds; NaN for its beginning.
        end: of a part of it, in seconds; NaN for its end.
    """

    file: str
    path: str
    start: float
    end: float


@dataclass(frozen=True)
class Provenance:
    """Where something that an extractor computes with comes from, such as pretrained weights.

    Attributes:
        what: what it is, with its version: ``the speaker encoder of resemblyzer 0.1.4``.
        licence: what may be done with it.
        source: where it is to be found.
        seen: the corpora that its weights were trained on, by their usual names. A run warns
            beside its scores if one of them is its own corpus. An entry that ends with ``not
            listed`` stands for what isn't known; a run notes that as well.
    """

    what: str
    licence: str
    source: str
    seen: tuple[str, ...] = ()


class Extractor(ABC):
    """A feature of a recording, or one over time; subclasses are dataclasses of settings.

    Attributes:
        kind: ``vector``, one row per recording, or ``sequence``, one row per frame.
        sample_rate: the rate in Hz that it wants; None takes ``data.audio.sample_rate``.
        code_version: raised whenever the same settings give other numbers than before. An edit of a
            module outside ``speechnet`` counts without it.
        packages: the installed packages that decide its numbers.
        stored_type: how the cache keeps its numbers.
        by_name: whether it goes by the names of recordings, which ``look_up`` takes, and never
            hears them. It is a vector.
        paths: the settings that are files or folders, kept absolute; text or None each.
        uses_gpu: whether ``extract`` computes on ``Sound.device``.
    """

    kind: ClassVar[Literal["vector", "sequence"]] = "vector"
    sample_rate: ClassVar[int | None] = None
    code_version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("numpy",)
    stored_type: ClassVar[Literal["float32", "float16"]] = "float32"
    by_name: ClassVar[bool] = False
    paths: ClassVar[tuple[str, ...]] = ()
    uses_gpu: bool = False

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The names of the ``d`` columns, such as ``mfcc_07_mean``, each in this extractor only."""

    @abstractmethod
    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """Describe some clips: float32 mono ``[n_samples]`` each, finite, not empty, denoised.

        Returns:
            For each clip float32 ``[d]`` (vector) or ``[frames, d]`` (sequence), finite, or why
            there is none; ``stored`` instead of ``d`` where an extractor has one. No clip changes
            another's numbers.
        """

    def look_up(self, recordings: Sequence[Named]) -> list[Float32 | Excluded]:
        """What ``extract`` gives, by the names of recordings; only where ``by_name``."""
        raise NotImplementedError(f"{type(self).__name__} doesn't go by name")

    def release(self) -> None:  # noqa: B027 - most keep nothing
        """Let go of what it keeps in memory from call to call, such as a network."""

    @property
    def stored(self) -> int:
        """How many numbers the cache keeps of a row, of which ``choose`` makes the columns.

        Those that settings only choose among are computed once, so they don't belong into the
        fingerprint.
        """
        return len(self.columns)

    def choose(self, rows: Float32) -> Float32:
        """The columns of rows from the cache: float32 ``[m, stored] -> [m, d]``."""
        return rows

    @property
    def n_layers(self) -> int:
        """How many layers of an encoder the columns hold, one after the other, all as wide.

        A network learns the weight of each of several layers; other models take their mean, or one.
        """
        return 1

    @property
    def frame_rate(self) -> float:
        """Frames per second; only sequences have it."""
        raise NotImplementedError(f"{type(self).__name__} isn't a sequence")

    @property
    def provenance(self) -> Provenance | None:
        """Whose weights or program it computes with; None where they are speechnet's own."""
        return None

    def group(self, column: str) -> str:
        """The group that a column belongs to: by default ``mfcc`` for ``mfcc_07_mean``.

        Columns of a group are left out or shuffled together. Where a recording is unlike the
        training data, only the farthest of a group is named.
        """
        return feature_of(column)

    def highest_frequency(self, sample_rate: int) -> float:
        """The highest frequency in Hz that it looks at, of sounds of a sample rate."""
        return sample_rate / 2

    def check(self, sample_rate: int) -> None:  # noqa: B027 - most have nothing to refuse
        """Refuse settings that are wrong whatever the recordings are.

        Raises:
            ConfigError: a setting is out of its range, or unknown.
        """

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:  # noqa: ARG002 - some need it
        """All that decides the numbers at a sample rate and nothing else, as plain types.

        By default every setting, the columns, ``code_version`` and the versions of ``packages``.
        """
        return {
            "code": self.code_version,
            "settings": dataclasses.asdict(cast("Any", self)),
            "columns": list(self.columns),
            "versions": {name: version(name) for name in self.packages},
        }


def foreign_source(extractor: Extractor) -> dict[str, str]:
    """The hash of a plugin's module, so that an edit computes again; ours have ``code_version``."""
    kind = type(extractor)
    if kind.__module__.partition(".")[0] == "speechnet":
        return {}
    try:
        source = Path(inspect.getsourcefile(kind) or "").read_bytes()
    except (OSError, TypeError):  # of a class that was typed in
        return {}
    return {"source": hashlib.blake2b(source, digest_size=16).hexdigest()}


def _missing(thing: Any) -> str:
    """What a class lacks of the contract; an empty text if nothing."""
    if not (isinstance(thing, type) and issubclass(thing, Extractor)):
        return "the base class speechnet.features.extractor.Extractor"
    if absent := sorted(thing.__abstractmethods__):
        return " and ".join(absent)
    if thing.kind == "sequence" and thing.frame_rate is Extractor.frame_rate:
        return "frame_rate, which a sequence needs"
    if thing.by_name and thing.look_up is Extractor.look_up:
        return "look_up, which an extractor that goes by name needs"
    return settings_lack(thing)


EXTRACTORS: Final[Registry[type[Extractor]]] = Registry(
    "feature extractor",
    group="speechnet.features",
    modules=("speechnet.features",),
    missing=_missing,
)
