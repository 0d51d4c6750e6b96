"""The extractor ``functionals``: statistics over time of classic features of speech."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Sound, version

if TYPE_CHECKING:
    from speechnet.core.types import Float32

_KEY: Final = "data.features.functionals"

_FUNCTIONALS: Final = ["mean", "std", "p10", "p50", "p90"]

PRESETS: Final[dict[str, dict[str, list[str]]]] = {
    # The original experiment's 65 values; needs n_mfcc: 50.
    "original": {
        "mfcc": ["mean"],
        "chroma": ["mean"],
        "rolloff": ["mean"],
        "centroid": ["mean"],
        "zero_crossings": ["count"],
    },
    "functionals": {
        "mfcc": _FUNCTIONALS,
        "delta": ["mean", "std"],
        "chroma": ["mean"],
        "contrast": ["mean", "std"],
        "centroid": _FUNCTIONALS,
        "bandwidth": _FUNCTIONALS,
        "rolloff": _FUNCTIONALS,
        "flatness": _FUNCTIONALS,
        "zero_crossing_rate": _FUNCTIONALS,
        "energy": _FUNCTIONALS,
        "f0": _FUNCTIONALS,
    },
}

_PRESET_N_MFCC: Final = {"original": 50, "functionals": 20}
_PRESET_FMAX: Final = {"functionals": 7_000.0}
"""What recordings at 16 kHz hold whatever resampled them. With all up to half the rate, columns of
recordings with less lie up to 32 standard deviations off those of recordings with more."""

_BELOW_FADING: Final = 7 / 8
"""Share of half the rate above which resamplers fade out, each in its own way."""

CONTRAST_LOWEST: Final = 200.0
"""Hz. The spectral contrast's first band ends here, and each further one an octave higher."""

_OF_BAND: Final = frozenset({"contrast", "centroid", "bandwidth", "rolloff", "flatness"})

_READERS: Final[dict[str, frozenset[str]]] = {
    "n_mfcc": frozenset({"mfcc", "delta"}),
    "n_mels": frozenset({"mfcc", "delta", "tempogram"}),
    "fmax": _OF_BAND | {"mfcc", "delta", "tempogram"},
    "contrast_bands": frozenset({"contrast"}),
    "roll_percent": frozenset({"rolloff"}),
    "f0_min": frozenset({"f0"}),
    "f0_max": frozenset({"f0"}),
    "tempogram_lags": frozenset({"tempogram"}),
}
"""Settings that a few features read. All others are read by every one that looks at frames."""

_FRAMELESS: Final = frozenset({"zero_crossings"})
"""Features of the samples, not of frames."""

_STATISTIC: Final = re.compile(r"mean|std|min|max|p(100|\d{1,2})")


@EXTRACTORS.register("functionals")
@dataclass
class Functionals(Extractor):
    """Statistics over time of classic features: MFCC, chroma, spectral shape, energy, pitch.

    Attributes:
        backend: what computes them: ``torch``, or ``reference``, which is librosa itself: the same
            numbers, several times as slow.
        preset: a named set of features and statistics; null to use ``include`` alone.
        include: feature to statistics (mean, std, min, max, p0 to p100; ``count`` for
            zero_crossings). Added to the preset, or replacing the preset's entry of that name.
        n_mfcc: number of coefficients; null for the preset's own (20 without a preset).
        n_mels: mel bands below the MFCC, the deltas and the tempogram.
        fmax: highest frequency in Hz of the mel bands, and that contrast, centroid, bandwidth,
            rolloff and flatness look at; null for the preset's own (7,000 of functionals, or 7/8 of
            half the sample rate if that is less; else half the rate, beyond which none reaches).
        contrast_bands: octaves of the spectral contrast above 200 Hz, the last up to ``fmax``.
        n_fft: length of a frame in samples.
        hop_length: samples from one frame to the next.
        roll_percent: the share of the magnitude that lies below the rolloff frequency.
        f0_min: lowest fundamental frequency that is looked for, in Hz.
        f0_max: highest fundamental frequency that is looked for, in Hz.
        tempogram_lags: lags of the tempogram, in frames.
    """

    backend: Literal["torch", "reference"] = "torch"
    preset: Literal["original", "functionals"] | None = "functionals"
    include: dict[str, list[str]] = field(default_factory=dict)
    n_mfcc: int | None = None
    n_mels: Annotated[int, Number(ge=1)] = 128
    fmax: Annotated[float, Number(gt=0)] | None = None
    contrast_bands: Annotated[int, Number(ge=1)] = 5
    n_fft: Annotated[int, Number(ge=1)] = 2048
    hop_length: Annotated[int, Number(ge=1)] = 512
    roll_percent: Annotated[float, Number(gt=0, lt=1)] = 0.85
    f0_min: Annotated[float, Number(gt=0)] = 65.0
    f0_max: float = 600.0
    tempogram_lags: Annotated[int, Number(ge=1)] = 64

    @property
    def uses_gpu(self) -> bool:  # type: ignore[override] # it depends on a setting
        """Whether torch computes."""
        return self.backend == "torch"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``mfcc_07_mean``, in the order of the matrix.

        Rows of a feature count from 0, as librosa's do: ``mfcc_00`` is the overall level.
        """
        sizes = dimensions(self)
        names: list[str] = []
        for feature, statistics in self.groups().items():
            for statistic in statistics:
                size = sizes[feature]
                rows = [feature] if size == 1 else [f"{feature}_{i:02d}" for i in range(size)]
                names.extend(f"{row}_{statistic}" for row in rows)
        return tuple(names)

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``; columns in the order of ``columns``."""
        from speechnet.features.functionals import compute

        if self.backend == "reference":
            return compute.by_librosa(clips, sound, self)
        return compute.by_torch(clips, sound, self)

    def check(self, sample_rate: int) -> None:
        """See ``Extractor``."""
        self.groups()
        if self.fmax is not None and self.fmax > sample_rate / 2:
            raise ConfigError(
                f"{_KEY}.fmax is {self.fmax:g} Hz, expected at most "
                f"{sample_rate / 2:g} Hz, half of data.audio.sample_rate ({sample_rate} Hz)"
            )

    def groups(self) -> dict[str, list[str]]:
        """Features with their statistics, preset and ``include`` together, in column order.

        Raises:
            ConfigError: an unknown feature or statistic, a number out of its range, or nothing to
                compute.
        """
        _check_numbers(self)
        groups = dict(PRESETS[self.preset]) if self.preset else {}
        groups.update(self.include)
        known = list(dimensions(self))
        for feature, statistics in groups.items():
            if feature not in known:
                near = get_close_matches(feature, known, n=1, cutoff=0)[0]
                raise ConfigError(
                    f"{_KEY}.include: unknown feature {feature!r}; did you mean {near!r}? "
                    f"Known: {', '.join(known)}"
                )
            _check_statistics(feature, statistics)
        groups = {feature: groups[feature] for feature in groups if groups[feature]}
        if not groups:
            raise ConfigError(f"{_KEY}: nothing to compute; set a preset or include features")
        return groups

    def mfcc_count(self) -> int:
        """The number of MFCC, the preset's own unless set."""
        default = _PRESET_N_MFCC.get(self.preset or "", 20)
        return default if self.n_mfcc is None else self.n_mfcc

    def highest_frequency(self, sample_rate: int) -> float:
        """The highest frequency in Hz that ``fmax`` leaves of half the sample rate."""
        if self.fmax is not None:
            return min(self.fmax, sample_rate / 2)
        own = _PRESET_FMAX.get(self.preset or "")
        return sample_rate / 2 if own is None else min(own, _BELOW_FADING * sample_rate / 2)

    def bins(self, sr: int) -> int:
        """How many bins of a frame's spectrum lie up to ``highest``."""
        return int(self.highest_frequency(sr) * self.n_fft / sr) + 1

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:
        """See ``Extractor``. The lags of a tempogram that is not computed decide nothing."""
        settings = asdict(self) | {
            "n_mfcc": self.mfcc_count(),
            "fmax": self.highest_frequency(sample_rate),
        }
        for shown in ("backend", "preset", "include"):  # the two last decide the columns alone
            del settings[shown]
        computed = self.groups().keys()
        framed = not computed <= _FRAMELESS
        read = {
            name: value
            for name, value in settings.items()
            if framed and not computed.isdisjoint(_READERS.get(name, computed))
        }
        packages = ["librosa", "numpy", "scipy"] + ["torch"] * (self.backend == "torch")
        return {
            "code": self.code_version,
            "settings": {"backend": self.backend, **read},
            "columns": list(self.columns),
            "versions": {name: version(name) for name in packages},
        }


def dimensions(config: Functionals) -> dict[str, int]:
    """Every feature that can be computed, with its number of rows."""
    return {
        "mfcc": config.mfcc_count(),
        "delta": config.mfcc_count(),
        "chroma": 12,
        "contrast": config.contrast_bands + 1,
        "centroid": 1,
        "bandwidth": 1,
        "rolloff": 1,
        "flatness": 1,
        "zero_crossing_rate": 1,
        "zero_crossings": 1,
        "energy": 1,
        "f0": 1,
        "tempogram": config.tempogram_lags,
    }


def contrast_edges(sr: int, config: Functionals) -> list[float]:
    """Where the bands of the spectral contrast end, in Hz, the highest one not cut off yet.

    Raises:
        ConfigError: the rate or ``fmax`` leaves no room for the highest band.
    """
    edges = [CONTRAST_LOWEST * 2.0**k for k in range(config.contrast_bands + 1)]
    if edges[-2] >= config.highest_frequency(sr):
        raise ConfigError(
            f"contrast at {sr} Hz: its highest band begins at {edges[-2]:g} Hz, and "
            f"{config.highest_frequency(sr):g} Hz is the highest frequency there is; lower {_KEY}."
            "contrast_bands, raise data.audio.sample_rate or {_KEY}.fmax, or leave "
            "contrast out"
        )
    return edges


def _check_numbers(config: Functionals) -> None:
    if not 1 <= config.mfcc_count() <= config.n_mels:
        raise ConfigError(
            f"{_KEY}.n_mfcc is {config.mfcc_count()}, expected 1 to n_mels ({config.n_mels})"
        )
    if not config.f0_min < config.f0_max:
        raise ConfigError(
            f"{_KEY}.f0_min is {config.f0_min:g} Hz, expected below f0_max ({config.f0_max:g} Hz)"
        )


def _check_statistics(feature: str, statistics: list[str]) -> None:
    for statistic in statistics:
        expected = "count" if feature == "zero_crossings" else "mean, std, min, max, p0 to p100"
        counted = feature == "zero_crossings"
        known = statistic == "count" if counted else bool(_STATISTIC.fullmatch(statistic))
        if not known:
            raise ConfigError(
                f"{_KEY}.include.{feature}: unknown statistic {statistic!r}; expected {expected}"
            )
    if len(set(statistics)) < len(statistics):
        raise ConfigError(f"{_KEY}.include.{feature}: a statistic is listed twice")
