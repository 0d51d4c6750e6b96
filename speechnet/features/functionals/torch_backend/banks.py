"""Windows, filters and other constant tables: librosa's to the last bit, kept per device.

Importing librosa itself, with its compiler numba, takes seconds.

References:
    M. Slaney, "Auditory Toolbox", version 2, 1998: the mel scale, and filters of one area each.
    D. Ellis, "Chroma feature analysis and synthesis", 2007: Gaussian bumps around each semitone,
    weighed by octave.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Final

import numpy as np
import scipy.fft
import torch
from torch import Tensor

from speechnet.core.types import Float32, Float64

TUNINGS: Final[Float64] = np.linspace(-0.5, 0.5, 101)
"""Edges of the tuning histogram, in semitones; ``librosa.pitch_tuning`` gives a bin's lower one."""

# Up to the break a mel is as many Hz everywhere; above, mels are logarithmic.
_HZ_A_MEL: Final = 200.0 / 3
_BREAK_HZ: Final = 1_000.0
_BREAK_MEL: Final = _BREAK_HZ / _HZ_A_MEL
_LOG_STEP: Final = np.log(6.4) / 27.0

_SEMITONES: Final = 12
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0
_FROM_A_TO_C: Final = 3
_LOWEST_PITCH, _HIGHEST_PITCH = 150.0, 4_000.0

# Mel filters to a matrix product on a CPU: a filter spans few bins, all of them together all.
_MEL_GROUP_CPU = 32


def fft_frequencies(sr: int, n_fft: int) -> Float64:
    """The centre of each bin of a real FFT in Hz: float64 ``[bins]``."""
    return np.asarray(np.fft.rfftfreq(n_fft, 1.0 / sr), dtype=np.float64)


def hann_window(length: int) -> Float64:
    """A periodic Hann window, as SciPy's to the last bit: float64 ``[length]``."""
    if length == 1:
        return np.ones(1)
    return 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, length + 1)[:-1])


def mel_bank(sr: int, n_fft: int, n_mels: int, fmax: float) -> Float32:
    """Triangles between neighbours on Slaney's mel scale, from 0 Hz to ``fmax``, each of one area.

    Returns:
        float32 ``[n_mels, bins]``.
    """
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(fmax), n_mels + 2))
    widths = np.diff(edges)
    ramps = np.subtract.outer(edges, fft_frequencies(sr, n_fft))
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    # Rounded to float32 before it is weighed, as librosa has it.
    bank = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    bank *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    if not ((edges[:-2] == 0) | (bank.max(axis=1) > 0)).all():
        warnings.warn(
            "some mel filters lie between two bins and are empty: lower n_mels", stacklevel=2
        )
    return bank


def _hz_to_mel(hertz: float) -> float:
    if hertz < _BREAK_HZ:
        return hertz / _HZ_A_MEL
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HZ) / _LOG_STEP)


def _mel_to_hz(mels: Float64) -> Float64:
    linear = _HZ_A_MEL * mels
    curved = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.asarray(np.where(mels >= _BREAK_MEL, curved, linear))


def chroma_bank(sr: int, n_fft: int, tuning: float) -> Float32:
    """A bump around each of the twelve semitones in every octave, C first.

    Args:
        sr: Hz.
        n_fft: samples of a frame.
        tuning: deviation from A440, in semitones.

    Returns:
        float32 ``[12, bins]``.
    """
    hertz = np.linspace(0, sr, n_fft, endpoint=False)[1:]
    octave_0 = 440.0 * 2.0 ** (tuning / _SEMITONES) / 16
    semitones = _SEMITONES * np.log2(hertz / octave_0)
    # 0 Hz has no pitch: one and a half octaves below the first bin it is half a turn away.
    semitones = np.concatenate(([semitones[0] - 1.5 * _SEMITONES], semitones))
    widths = np.concatenate((np.maximum(np.diff(semitones), 1.0), [1]))
    away = np.subtract.outer(semitones, np.arange(_SEMITONES, dtype=np.float64)).T
    half = _SEMITONES / 2
    away = np.remainder(away + half + 10 * _SEMITONES, _SEMITONES) - half
    bank = np.exp(-0.5 * (2 * away / widths) ** 2)
    length = np.sqrt(np.sum(np.abs(bank) ** 2, axis=0, keepdims=True))
    bank /= np.where(length < np.finfo(np.float64).tiny, 1.0, length)
    octave = (semitones / _SEMITONES - _CENTRE_OCTAVE) / _OCTAVE_WIDTH
    bank *= np.exp(-0.5 * octave**2)
    bank = np.roll(bank, -_FROM_A_TO_C, axis=0)[:, : 1 + n_fft // 2]
    return np.ascontiguousarray(bank, dtype=np.float32)


def _on(
    device: torch.device, values: Float32 | Float64, dtype: torch.dtype = torch.float32
) -> Tensor:
    # A tensor made under inference mode could not be used outside of it.
    with torch.inference_mode(mode=False):
        return torch.tensor(np.ascontiguousarray(values), dtype=dtype, device=device)


@lru_cache(maxsize=16)
def hann(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A periodic Hann window, computed in float64: ``[length]``."""
    return _on(device, hann_window(length), dtype)


@lru_cache(maxsize=16)
def frequencies(sr: int, n_fft: int, device: torch.device) -> Tensor:
    """The centre of each bin in Hz: float32 ``[bins]``."""
    return _on(device, fft_frequencies(sr, n_fft))


@lru_cache(maxsize=16)
def moment_weights(sr: int, n_fft: int, device: torch.device) -> Tensor:
    """Ones beside the bins' frequencies: float32 ``[bins, 2]``."""
    freq = fft_frequencies(sr, n_fft)
    return _on(device, np.stack([np.ones_like(freq), freq], axis=1))


@lru_cache(maxsize=16)
def mel_groups(
    sr: int, n_fft: int, n_mels: int, fmax: float, device: torch.device
) -> tuple[tuple[slice, Tensor], ...]:
    """Slaney's mel filters in groups of neighbours.

    Returns:
        For each group, in order, the bins where any of its filters is above zero, and the filters
        there: float32 ``[bins of the group, filters of the group]``.
    """
    bank = mel_bank(sr, n_fft, n_mels, fmax)
    size = _MEL_GROUP_CPU if device.type == "cpu" else n_mels
    groups = []
    for start in range(0, n_mels, size):
        filters = bank[start : start + size]
        bins = np.flatnonzero(filters.any(axis=0))
        span = slice(int(bins[0]), int(bins[-1]) + 1) if bins.size else slice(0, 1)
        groups.append((span, _on(device, filters[:, span].T)))
    return tuple(groups)


@lru_cache(maxsize=16)
def dct(n_mfcc: int, n_mels: int, device: torch.device) -> Tensor:
    """The orthonormal DCT-II's first rows, to multiply with from the right: ``[mels, mfcc]``."""
    return _on(device, scipy.fft.dct(np.eye(n_mels), axis=1, norm="ortho")[:, :n_mfcc])


@lru_cache(maxsize=256)
def chroma(sr: int, n_fft: int, tuning: int, device: torch.device) -> Tensor:
    """Chroma filters for the tuning at a position of ``TUNINGS``: float32 ``[bins, 12]``."""
    return _on(device, chroma_bank(sr, n_fft, float(TUNINGS[tuning])).T)


@lru_cache(maxsize=16)
def pitch_bins(sr: int, n_bins: int) -> tuple[int, int]:
    """The bins in which ``librosa.piptrack`` looks for pitches: the first, and after the last.

    It infers a frame's length from the number of bins, so an odd length counts as one less; the
    bins on either side of these always exist.
    """
    freq = fft_frequencies(sr, 2 * (n_bins - 1))
    low, high = np.searchsorted(freq, [_LOWEST_PITCH, min(_HIGHEST_PITCH, sr / 2)])
    return int(low), int(high)
