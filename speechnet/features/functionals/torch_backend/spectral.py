"""Features of single frames, from the magnitude of their spectra.

Each function takes a block and gives float32 ``[b, t, rows]``, as librosa's function of its name
gives ``[rows, t]``; Hz where that gives Hz.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from speechnet.core.errors import ConfigError
from speechnet.features.functionals.config import KEY
from speechnet.features.functionals.torch_backend import banks, kernels
from speechnet.features.functionals.torch_backend.frames import Block

_FLATNESS_FLOOR = 1e-10
_CONTRAST_QUANTILE = 0.02


def mel(block: Block) -> Tensor:
    """Power in mel bands, not in dB yet."""
    config = block.config
    fmax = config.highest_frequency(block.sr)
    groups = banks.mel_groups(block.sr, config.n_fft, config.n_mels, fmax, block.device)
    return torch.cat([block.power[..., bins] @ filters for bins, filters in groups], dim=-1)


def centroid(block: Block) -> Tensor:
    """Mean frequency, weighted by magnitude."""
    total, weighted = block.moments
    return weighted / kernels.or_one(total)


def bandwidth(block: Block) -> Tensor:
    """Root of the mean squared distance from the centroid, weighted by magnitude."""
    freq = banks.frequencies(block.sr, block.config.n_fft, block.device)[: block.bins]
    spread = (freq - centroid(block)).square_().mul_(block.band)
    return (spread.sum(dim=-1, keepdim=True) / kernels.or_one(block.moments[0])).sqrt_()


def rolloff(block: Block, shares: Sequence[float] = ()) -> Tensor:
    """The lowest frequency up to which a share of the magnitude lies.

    By default it is ``roll_percent``; ``shares`` asks for several: a row for each.
    """
    cumulative = block.band.cumsum(dim=-1)
    asked = torch.tensor(shares or [block.config.roll_percent], device=block.device)
    # A NaN is found beyond the last bin.
    found = torch.searchsorted(cumulative, cumulative[..., -1:] * asked)
    found.clamp_(max=cumulative.shape[-1] - 1)
    return banks.frequencies(block.sr, block.config.n_fft, block.device).take(found)


def flatness(block: Block) -> Tensor:
    """Geometric over arithmetic mean of the power."""
    power = block.power[..., : block.bins].clamp(min=_FLATNESS_FLOOR)
    arithmetic = power.mean(dim=-1, keepdim=True)
    return power.log_().mean(dim=-1, keepdim=True).exp_() / arithmetic


def energy(block: Block) -> Tensor:
    """Root mean square of the windowed frame, by Parseval's theorem."""
    n_fft, power = block.config.n_fft, block.power
    # The two halves of a real spectrum share bin 0, and the last one if n_fft is even.
    shared = power[..., :1] + power[..., -1:] if n_fft % 2 == 0 else power[..., :1]
    total = power.sum(dim=-1, keepdim=True) - shared / 2
    return (total * (2 / n_fft**2)).sqrt_()


def contrast(block: Block) -> Tensor:
    """The highest and the lowest magnitudes of each band: ``[b, t, 2 * rows]``, peaks first.

    Not in dB yet: the level they are cut at depends on the whole clip (``contrast_in_db``).
    """
    lowest = block.clips.lowest
    peaks, valleys = [], []
    edges = tuple(block.config.contrast_edges(block.sr))
    for bins, n_extreme in _contrast_bands(block.sr, block.config.n_fft, block.bins, edges):
        ordered = kernels.sort_last(block.magnitude[..., bins])
        peaks.append(ordered[..., -n_extreme:].maximum(lowest).mean(dim=-1))
        valleys.append(ordered[..., :n_extreme].maximum(lowest).mean(dim=-1))
    return torch.stack(peaks + valleys, dim=-1)


@lru_cache(maxsize=16)
def _contrast_bands(
    sr: int, n_fft: int, n_bins: int, edges: tuple[float, ...]
) -> tuple[tuple[slice, int], ...]:
    """The bins of each octave band, and how many of them count as its peak and its valley."""
    freq = banks.fft_frequencies(sr, n_fft)[:n_bins]
    bands = []
    for k, (low, high) in enumerate(zip([0.0, *edges[:-1]], edges, strict=True)):
        inside = np.flatnonzero((freq >= low) & (freq <= high))
        if inside.size + (k > 0) < 2:
            raise ConfigError(
                f"contrast with n_fft {n_fft} at {sr} Hz: no bin between {low:g} and {high:g} Hz; "
                f"raise {KEY}.n_fft or leave contrast out"
            )
        # Each band takes the bin below it in; all but the highest leave out their last one.
        first = inside[0] - (k > 0)
        highest = k == len(edges) - 1
        end = freq.size if highest else inside[-1] + 1
        n_extreme = max(int(np.rint(_CONTRAST_QUANTILE * (end - first))), 1)
        bands.append((slice(int(first), int(end if highest else end - 1)), n_extreme))
    return tuple(bands)
