"""Features by librosa, which is what defines them; one STFT serves all that stand on one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from speechnet.core.errors import Excluded
from speechnet.core.librosa_loader import librosa
from speechnet.core.types import Float32, Float64
from speechnet.features.functionals.config import CONTRAST_LOWEST, Functionals, contrast_edges

_DELTA_WIDTH = 9
"""Frames that librosa fits a local slope over."""


class Frames:
    """One clip's representations, each computed at most once.

    Shapes are ``[rows, frames]`` with ``frames = 1 + n_samples // hop_length``.
    """

    def __init__(self, y: Float32, sr: int, config: Functionals, floor: float) -> None:
        self.y = y
        self.sr = sr
        self.config = config
        self.floor = floor

    @cached_property
    def magnitude(self) -> Float32:
        """``|STFT|``, periodic Hann, centred, zero-padded: ``[1 + n_fft / 2, frames]``."""
        spectrum = librosa.stft(self.y, n_fft=self.config.n_fft, hop_length=self.config.hop_length)
        return np.asarray(np.abs(spectrum), dtype=np.float32)

    @cached_property
    def power(self) -> Float32:
        """The squared magnitude."""
        return self.magnitude**2

    @cached_property
    def band(self) -> Float32:
        """The magnitude up to ``fmax``: ``[bins, frames]``."""
        return self.magnitude[: self.config.bins(self.sr)]

    @cached_property
    def frequencies(self) -> Float64:
        """The centre of each bin of ``band`` in Hz: ``[bins]``."""
        every = librosa.fft_frequencies(sr=self.sr, n_fft=self.config.n_fft)
        return np.asarray(every[: len(self.band)])

    @cached_property
    def mel_db(self) -> Float32:
        """Mel spectrogram in dB, cut 80 dB below this clip's own maximum: ``[n_mels, frames]``."""
        config = self.config
        bank = _mel_bank(self.sr, config.n_fft, config.n_mels, config.highest_frequency(self.sr))
        mel = np.einsum("ft,mf->mt", self.power, bank, optimize=True)
        return np.asarray(librosa.power_to_db(mel), dtype=np.float32)

    @cached_property
    def mfcc(self) -> Float32:
        """Mel-frequency cepstral coefficients: ``[n_mfcc, frames]``."""
        out = librosa.feature.mfcc(S=self.mel_db, sr=self.sr, n_mfcc=self.config.mfcc_count())
        return np.asarray(out, dtype=np.float32)


@lru_cache(maxsize=4)
def _mel_bank(sr: int, n_fft: int, n_mels: int, fmax: float) -> Float32:
    """The mel filters; librosa would make them anew for every clip."""
    bank = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmax=fmax)
    return np.asarray(bank, dtype=np.float32)


def extract(y: Float32, sr: int, config: Functionals, *, floor: float = 0.0) -> Float32:
    """Compute one row of the feature matrix.

    Args:
        y: float32 mono ``[n_samples]``.
        sr: rate in Hz.
        config: features and statistics.
        floor: contrasts are those of magnitudes no lower than a sine's whose amplitude is this
            share of the largest sample.

    Returns:
        float32 ``[d]``, in the order of ``config.columns``. A value that came out NaN or infinite
        is left in.

    Raises:
        Excluded: the clip is too short for a feature.
    """
    frames = Frames(y, sr, config, floor)
    parts: list[Float32] = []
    for feature, statistics in config.groups().items():
        parts.extend(_summarise(np.atleast_2d(_COMPUTE[feature](frames)), statistics))
    return np.concatenate(parts).astype(np.float32)


def _summarise(values: Float32, statistics: Sequence[str]) -> list[Float32]:
    """Statistics over time: ``[rows, frames] -> [rows]`` for each."""
    percents = [name for name in statistics if name not in _STATISTICS]
    # One partial sort serves all percentiles.
    levels = np.percentile(values, [float(name[1:]) for name in percents], axis=1)
    percentiles = dict(zip(percents, levels, strict=True))
    return [
        percentiles[name] if name in percentiles else _STATISTICS[name](values)
        for name in statistics
    ]


_STATISTICS: Final[dict[str, Callable[[Float32], Float32]]] = {
    "mean": lambda values: values.mean(axis=1),
    "std": lambda values: values.std(axis=1),
    "min": lambda values: values.min(axis=1),
    "max": lambda values: values.max(axis=1),
    "count": lambda values: values.sum(axis=1),
}


def _delta(frames: Frames) -> Float32:
    found = frames.mfcc.shape[1]
    if found < _DELTA_WIDTH:
        raise Excluded("too_short", f"{found} frames, a delta needs {_DELTA_WIDTH}")
    return np.asarray(librosa.feature.delta(frames.mfcc, width=_DELTA_WIDTH), dtype=np.float32)


# ``n_fft`` is said wherever librosa would otherwise infer it from the spectrum's height, which
# forgets whether it was odd.


def _chroma(frames: Frames) -> Float32:
    # The tuning is estimated from the clip itself, as librosa does by default.
    return np.asarray(
        librosa.feature.chroma_stft(S=frames.power, sr=frames.sr, n_fft=frames.config.n_fft)
    )


def _of_band(feature: Callable[..., Float32]) -> Callable[[Frames], Float32]:
    """One of librosa's ``spectral_`` features that take the magnitude and nothing of their own."""
    return lambda f: np.asarray(feature(S=f.band, freq=f.frequencies))


def _contrast(frames: Frames) -> Float32:
    config = frames.config
    contrast_edges(frames.sr, config)  # librosa would see the rate, and not fmax
    lowest = frames.floor * np.abs(frames.y).max() * config.n_fft / 4
    return np.asarray(
        librosa.feature.spectral_contrast(
            S=np.maximum(frames.band, lowest),
            sr=frames.sr,
            freq=frames.frequencies,
            fmin=CONTRAST_LOWEST,
            n_bands=config.contrast_bands,
        )
    )


def _rolloff(frames: Frames) -> Float32:
    return np.asarray(
        librosa.feature.spectral_rolloff(
            S=frames.band, freq=frames.frequencies, roll_percent=frames.config.roll_percent
        )
    )


def _flatness(frames: Frames) -> Float32:
    return np.asarray(librosa.feature.spectral_flatness(S=frames.band))


def _zero_crossing_rate(frames: Frames) -> Float32:
    return np.asarray(
        librosa.feature.zero_crossing_rate(
            frames.y, frame_length=frames.config.n_fft, hop_length=frames.config.hop_length
        )
    )


def _zero_crossings(frames: Frames) -> Float32:
    # pad=False: the first sample has nothing before it to cross from.
    return np.asarray(librosa.zero_crossings(frames.y, pad=False), dtype=np.float32)


def _energy(frames: Frames) -> Float32:
    return np.asarray(librosa.feature.rms(S=frames.magnitude, frame_length=frames.config.n_fft))


def _f0(frames: Frames) -> Float32:
    config = frames.config
    return np.asarray(
        librosa.yin(
            frames.y,
            fmin=config.f0_min,
            fmax=config.f0_max,
            sr=frames.sr,
            frame_length=config.n_fft,
            hop_length=config.hop_length,
        )
    )


def _tempogram(frames: Frames) -> Float32:
    onsets = librosa.onset.onset_strength(
        S=frames.mel_db,
        sr=frames.sr,
        n_fft=frames.config.n_fft,  # frames are moved back by half of it
        hop_length=frames.config.hop_length,
    )
    lags = frames.config.tempogram_lags
    return np.asarray(
        librosa.feature.tempogram(onset_envelope=onsets, sr=frames.sr, win_length=lags)
    )


_COMPUTE: Final[dict[str, Callable[[Frames], Float32]]] = {
    "mfcc": lambda f: f.mfcc,
    "delta": _delta,
    "chroma": _chroma,
    "contrast": _contrast,
    "centroid": _of_band(librosa.feature.spectral_centroid),
    "bandwidth": _of_band(librosa.feature.spectral_bandwidth),
    "rolloff": _rolloff,
    "flatness": _flatness,
    "zero_crossing_rate": _zero_crossing_rate,
    "zero_crossings": _zero_crossings,
    "energy": _energy,
    "f0": _f0,
    "tempogram": _tempogram,
}
