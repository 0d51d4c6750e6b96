"""Features by librosa, which is what defines them; all spectral features share one STFT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from speechnet.core.librosa_loader import librosa
from speechnet.core.types import Float32, Float64
from speechnet.features.functionals.config import CONTRAST_LOWEST, DELTA_WIDTH, FunctionalsConfig


@dataclass
class Frames:
    """One clip's representations, each computed at most once.

    Shapes are ``[rows, frames]`` with ``frames = 1 + n_samples // hop_length``.
    """

    y: Float32
    sr: int
    config: FunctionalsConfig
    floor: float

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
    """The mel filters; librosa would make them again for every clip."""
    bank = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmax=fmax)
    return np.asarray(bank, dtype=np.float32)


def extract(y: Float32, sr: int, config: FunctionalsConfig, *, floor: float = 0.0) -> Float32:
    """Compute one row of the feature matrix: float32 ``[d]``, in the order of ``config.columns``.

    A value that came out NaN or infinite is left in.

    Args:
        y: float32 mono ``[n_samples]``, which ``config.too_short`` does not refuse.
        sr: rate in Hz.
        config: features and statistics.
        floor: contrasts are those of magnitudes no lower than a sine's whose amplitude is this
            share of the largest sample.
    """
    frames = Frames(y, sr, config, floor)
    parts: list[Float32] = []
    for feature, statistics in config.groups().items():
        values = np.atleast_2d(_COMPUTE[feature](frames))
        percents = [name for name in statistics if name not in _STATISTICS]
        # One partial sort serves all percentiles.
        levels = np.percentile(values, [float(name[1:]) for name in percents], axis=1)
        found = dict(zip(percents, levels, strict=True))
        parts += [
            found[name] if name in found else _STATISTICS[name](values, axis=1)
            for name in statistics
        ]
    return np.concatenate(parts).astype(np.float32)


_STATISTICS: Final[dict[str, Callable[..., Float32]]] = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "count": np.sum,
}


def _contrast(frames: Frames) -> Float32:
    config = frames.config
    config.contrast_edges(frames.sr)  # librosa would see the rate, and not fmax
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
    config = frames.config
    onsets = librosa.onset.onset_strength(
        S=frames.mel_db,
        sr=frames.sr,
        n_fft=config.n_fft,  # frames are moved back by half of it
        hop_length=config.hop_length,
    )
    return np.asarray(
        librosa.feature.tempogram(
            onset_envelope=onsets, sr=frames.sr, win_length=config.tempogram_lags
        )
    )


# ``n_fft`` is said wherever librosa would otherwise infer it from the spectrum's height, which
# forgets whether it was odd.
_F = librosa.feature
_COMPUTE: Final[dict[str, Callable[[Frames], Float32]]] = {
    "mfcc": lambda f: f.mfcc,
    "delta": lambda f: _F.delta(f.mfcc, width=DELTA_WIDTH),
    # The tuning is estimated from the clip itself, as librosa does by default.
    "chroma": lambda f: _F.chroma_stft(S=f.power, sr=f.sr, n_fft=f.config.n_fft),
    "contrast": _contrast,
    "centroid": lambda f: _F.spectral_centroid(S=f.band, freq=f.frequencies),
    "bandwidth": lambda f: _F.spectral_bandwidth(S=f.band, freq=f.frequencies),
    "rolloff": lambda f: _F.spectral_rolloff(
        S=f.band, freq=f.frequencies, roll_percent=f.config.roll_percent
    ),
    "flatness": lambda f: _F.spectral_flatness(S=f.band),
    "zero_crossing_rate": lambda f: _F.zero_crossing_rate(
        f.y, frame_length=f.config.n_fft, hop_length=f.config.hop_length
    ),
    # pad=False: the first sample has nothing before it to cross from.
    "zero_crossings": lambda f: librosa.zero_crossings(f.y, pad=False).astype(np.float32),
    "energy": lambda f: _F.rms(S=f.magnitude, frame_length=f.config.n_fft),
    "f0": _f0,
    "tempogram": _tempogram,
}
