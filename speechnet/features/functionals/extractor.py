"""The extractor ``functionals``: statistics over time of classic features of speech.

librosa defines what the numbers mean. ``torch_backend`` computes the same numbers several times as
fast, on a CPU or a GPU; the tests hold the one against the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from speechnet.core.errors import Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Sound, version
from speechnet.features.functionals.config import FunctionalsConfig

if TYPE_CHECKING:
    from torch import Tensor

    from speechnet.core.types import Float32

_OF_MEL: Final = frozenset({"mfcc", "delta", "tempogram"})
_OF_BAND: Final = frozenset({"contrast", "centroid", "bandwidth", "rolloff", "flatness"})

_READERS: Final[dict[str, frozenset[str]]] = {
    "n_mfcc": frozenset({"mfcc", "delta"}),
    "n_mels": _OF_MEL,
    "fmax": _OF_BAND | _OF_MEL,
    "contrast_bands": frozenset({"contrast"}),
    "roll_percent": frozenset({"rolloff"}),
    "f0_min": frozenset({"f0"}),
    "f0_max": frozenset({"f0"}),
    "tempogram_lags": frozenset({"tempogram"}),
}
"""Settings that a few features read. Every feature of frames reads all others."""


@EXTRACTORS.register("functionals")
@dataclass
class Functionals(FunctionalsConfig, Extractor):
    """Statistics over time of classic features: MFCC, chroma, spectral shape, energy, pitch."""

    @property
    def uses_gpu(self) -> bool:  # type: ignore[override] # it depends on a setting
        """Whether torch computes."""
        return self.backend == "torch"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``mfcc_07_mean``, in the order of the matrix.

        Rows of a feature count from 0, as librosa's do: ``mfcc_00`` is the overall level.
        """
        sizes = self.dimensions()
        names: list[str] = []
        for feature, statistics in self.groups().items():
            size = sizes[feature]
            rows = [feature] if size == 1 else [f"{feature}_{i:02d}" for i in range(size)]
            names += [f"{row}_{statistic}" for statistic in statistics for row in rows]
        return tuple(names)

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``; columns in the order of ``columns``."""
        whys = [self.too_short(len(clip)) for clip in clips]
        usable = [clip for clip, why in zip(clips, whys, strict=True) if why is None]
        compute = self._by_torch if self.backend == "torch" else self._by_librosa
        rows = iter(compute(usable, sound))
        return [why or next(rows) for why in whys]

    def _by_librosa(self, clips: Sequence[Float32], sound: Sound) -> list[Float32]:
        from speechnet.features.functionals.librosa_backend import extract

        return [extract(clip, sound.sample_rate, self, floor=sound.floor) for clip in clips]

    def _by_torch(self, clips: Sequence[Float32], sound: Sound) -> list[Float32]:
        from speechnet.core.clip_batches import clip_batches
        from speechnet.features.functionals.torch_backend import extract

        def rows(y: Tensor, lengths: Tensor) -> list[Float32]:
            found = extract(y, lengths, sound.sample_rate, self, floor=sound.floor)
            return [row.copy() for row in found.cpu().numpy()]

        return clip_batches(sound.device).map(clips, rows)

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:
        """See ``Extractor``. The lags of a tempogram that is not computed decide nothing."""
        settings = asdict(self) | {
            "n_mfcc": self.mfcc_count(),
            "fmax": self.highest_frequency(sample_rate),
        }
        for shown in ("backend", "preset", "include"):  # the two last decide the columns alone
            del settings[shown]
        computed = self.groups().keys()
        framed = computed != {"zero_crossings"}  # which alone is of the samples, not of frames
        read = {
            name: value
            for name, value in settings.items()
            if framed and not computed.isdisjoint(_READERS.get(name, computed))
        }
        packages = ["librosa", "numpy", "scipy"] + ["torch"] * self.uses_gpu
        return {
            "code": self.code_version,
            "settings": {"backend": self.backend, **read},
            "columns": list(self.columns),
            "versions": {name: version(name) for name in packages},
        }
