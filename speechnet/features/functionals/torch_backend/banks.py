"""Constant tables, made once and kept per device."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import scipy.fft
import torch
from torch import Tensor

from speechnet.core.types import Float32, Float64
from speechnet.features.functionals.torch_backend.filters import (
    chroma_bank,
    fft_frequencies,
    hann_window,
    mel_bank,
)

TUNINGS: Final[Float64] = np.linspace(-0.5, 0.5, 101)
"""Edges of the tuning histogram, in semitones; ``librosa.pitch_tuning`` gives a bin's lower one."""

_LOWEST_PITCH, _HIGHEST_PITCH = 150.0, 4_000.0

_MEL_GROUP_CPU = 32
"""Mel filters to a matrix product on a CPU: a filter spans few bins, all of them together all."""


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
    bank = chroma_bank(sr, n_fft, float(TUNINGS[tuning]))
    return _on(device, bank.T)


@lru_cache(maxsize=16)
def pitch_bins(sr: int, n_bins: int) -> tuple[int, int]:
    """The bins ``librosa.piptrack`` looks for pitches in: the first, and after the last.

    It takes the length of a frame from the number of bins, and so an odd one for one less; the
    bins on either side of these always exist.
    """
    freq = fft_frequencies(sr, 2 * (n_bins - 1))
    low, high = np.searchsorted(freq, [_LOWEST_PITCH, min(_HIGHEST_PITCH, sr / 2)])
    return int(low), int(high)


def _on(
    device: torch.device, values: Float32 | Float64, dtype: torch.dtype = torch.float32
) -> Tensor:
    # A tensor made under inference mode could not be used outside of it.
    with torch.inference_mode(mode=False):
        return torch.tensor(np.ascontiguousarray(values), dtype=dtype, device=device)
