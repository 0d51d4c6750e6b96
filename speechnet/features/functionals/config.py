"""Which features ``functionals`` computes, and with which parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Final, Literal

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError, Excluded

KEY: Final = "data.features.functionals"

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
# What recordings at 16 kHz hold whatever resampled them. With all up to half the rate, columns of
# recordings with less lie up to 32 standard deviations off those of recordings with more.
_PRESET_FMAX: Final = {"functionals": 7_000.0}
# The share of half the rate above which resamplers fade out, each in its own way.
_BELOW_FADING: Final = 7 / 8

CONTRAST_LOWEST: Final = 200.0
"""Hz. The spectral contrast's first band ends here, and each further one an octave higher."""

DELTA_WIDTH: Final = 9
"""Frames that a delta fits a slope over."""

_STATISTIC: Final = re.compile(r"mean|std|min|max|p(100|\d{1,2})")


@dataclass
class FunctionalsConfig:
    """Which features are computed, and how.

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

    def dimensions(self) -> dict[str, int]:
        """Every feature that can be computed, with its number of rows."""
        several = {
            "mfcc": self.mfcc_count(),
            "delta": self.mfcc_count(),
            "chroma": 12,
            "contrast": self.contrast_bands + 1,
        }
        single = "centroid bandwidth rolloff flatness zero_crossing_rate zero_crossings energy f0"
        return several | dict.fromkeys(single.split(), 1) | {"tempogram": self.tempogram_lags}

    def groups(self) -> dict[str, list[str]]:
        """Features with their statistics, preset and ``include`` together, in column order.

        Raises:
            ConfigError: an unknown feature or statistic, a number out of its range, or nothing to
                compute.
        """
        if not 1 <= self.mfcc_count() <= self.n_mels:
            raise ConfigError(
                f"{KEY}.n_mfcc is {self.mfcc_count()}, expected 1 to n_mels ({self.n_mels})"
            )
        groups = (PRESETS[self.preset] if self.preset else {}) | self.include
        known = list(self.dimensions())
        for feature, statistics in groups.items():
            if feature not in known:
                near = get_close_matches(feature, known, n=1, cutoff=0)[0]
                raise ConfigError(
                    f"{KEY}.include: unknown feature {feature!r}; did you mean {near!r}? "
                    f"Known: {', '.join(known)}"
                )
            _check_statistics(feature, statistics)
        groups = {feature: statistics for feature, statistics in groups.items() if statistics}
        if not groups:
            raise ConfigError(f"{KEY}: nothing to compute; set a preset or include features")
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
        """How many bins of a frame's spectrum lie up to the highest frequency."""
        return int(self.highest_frequency(sr) * self.n_fft / sr) + 1

    def frame_count(self, n_samples: int) -> int:
        """Frames of a clip: an odd frame is padded by one sample less than it is long."""
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length

    def too_short(self, n_samples: int) -> Excluded | None:
        """Why a clip of at least one sample is too short for a feature; None if it isn't."""
        found = self.frame_count(n_samples)
        if "delta" in self.groups() and found < DELTA_WIDTH:
            return Excluded("too_short", f"{found} frames, a delta needs {DELTA_WIDTH}")
        return None

    def contrast_edges(self, sr: int) -> list[float]:
        """Where the bands of the spectral contrast end, in Hz, the highest one not cut off yet.

        Raises:
            ConfigError: the rate or ``fmax`` leaves no room for the highest band.
        """
        edges = [CONTRAST_LOWEST * 2.0**k for k in range(self.contrast_bands + 1)]
        highest = self.highest_frequency(sr)
        if edges[-2] >= highest:
            raise ConfigError(
                f"contrast at {sr} Hz: its highest band begins at {edges[-2]:g} Hz, and "
                f"{highest:g} Hz is the highest frequency there is; lower {KEY}.contrast_bands, "
                f"raise data.audio.sample_rate or {KEY}.fmax, or leave contrast out"
            )
        return edges

    def check(self, sample_rate: int) -> None:
        """Refuse settings that are wrong whatever the recordings are.

        Raises:
            ConfigError: see ``groups``; or ``fmax`` or ``f0_max`` is above half the sample rate, or
                a period of ``f0_min`` is no shorter than a frame.
        """
        half = sample_rate / 2
        if self.fmax is not None and self.fmax > half:
            raise ConfigError(
                f"{KEY}.fmax is {self.fmax:g} Hz, expected at most "
                f"{half:g} Hz, half of data.audio.sample_rate ({sample_rate} Hz)"
            )
        if not self.f0_min < self.f0_max:
            raise ConfigError(
                f"{KEY}.f0_min is {self.f0_min:g} Hz, expected below f0_max ({self.f0_max:g} Hz)"
            )
        if "f0" not in self.groups():
            return
        if self.f0_max > half:
            raise ConfigError(
                f"{KEY}.f0_max is {self.f0_max:g} Hz, expected at most half the rate ({half:g} Hz)"
            )
        if sample_rate / self.f0_min >= self.n_fft - 1:
            raise ConfigError(
                f"{KEY}.f0_min is {self.f0_min:g} Hz, expected above "
                f"{sample_rate / (self.n_fft - 1):g} Hz at {sample_rate} Hz with n_fft "
                f"{self.n_fft}; raise either"
            )


def _check_statistics(feature: str, statistics: list[str]) -> None:
    counted = feature == "zero_crossings"
    expected = "count" if counted else "mean, std, min, max, p0 to p100"
    for statistic in statistics:
        if not (statistic == "count" if counted else _STATISTIC.fullmatch(statistic)):
            raise ConfigError(
                f"{KEY}.include.{feature}: unknown statistic {statistic!r}; expected {expected}"
            )
    if len(set(statistics)) < len(statistics):
        raise ConfigError(f"{KEY}.include.{feature}: a statistic is listed twice")
