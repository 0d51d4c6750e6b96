"""How contours move: together, after a while, in rhythm; and the runs of voiced frames.

Each function but the last takes contours float32 ``[b, frames, rows]`` from which the mean has been
subtracted and which are zero where a frame doesn't count.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.torch_backend import banks, kernels
from speechnet.features.functionals_large.layout import (
    FRAME_RATE,
    LAGS,
    MODULATION_EDGES,
    MODULATION_WINDOW,
)

# Squared units of a contour. What rounding leaves of one that stands still is far less.
_STILL: Final = 1e-6
_HOP: Final = MODULATION_WINDOW // 4
_LEAST_SHARE: Final = 1e-3


def correlation(moving: Tensor, counts: Tensor) -> Tensor:
    """Pearson's correlation of each pair of rows: ``[b, rows * (rows - 1) / 2]``.

    ``counts``, int64 ``[b]``, are the frames that count. 0 where a row stands still.
    """
    n_rows = moving.shape[-1]
    covariance = moving.mT @ moving / counts.clamp(min=1)[:, None, None]
    sd = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    both = covariance / (sd[:, :, None] * sd[:, None, :] + _STILL)
    first, second = torch.triu_indices(n_rows, n_rows, offset=1, device=both.device)
    return both[:, first, second]


def autocorrelation(moving: Tensor, counts: Tensor) -> Tensor:
    """Each row's with itself ``LAGS`` later, over its sum of squares: ``[b, lags * rows]``.

    0 where a row stands still, and at lags that a clip is too short for.
    """
    power = moving.square().sum(dim=1) + _STILL * counts[:, None]
    lagged = [(moving[:, lag:] * moving[:, : max(moving.shape[1] - lag, 0)]).sum(1) for lag in LAGS]
    return torch.cat([one / power for one in lagged], dim=-1)


def modulation(moving: Tensor, counts: Tensor) -> Tensor:
    """The power of each row in bands of slow frequencies, as a share of that in all of them.

    The spectra are those of Hann windows of 1.28 s, each a quarter later, averaged (Welch 1967);
    a clip that is shorter is filled up with zeros.

    ``counts``, int64 ``[b]``, are each clip's frames. Returns dB ``[b, bands * rows]``, no lower
    than -30, which is also what a row has that stands still.
    """
    length = MODULATION_WINDOW
    short = length - moving.shape[1]
    windows = pad(moving, (0, 0, 0, max(short, 0))).unfold(1, length, _HOP)  # [b, w, rows, length]
    spectra = torch.fft.rfft(windows * banks.hann(length, torch.float32, moving.device))
    power = kernels.magnitude(spectra).square_() @ _bands(moving.device)  # [b, w, rows, bands]
    n_windows = 1 + (counts - length).clamp(min=0).div(_HOP, rounding_mode="floor")
    own = torch.arange(power.shape[1], device=power.device) < n_windows[:, None]
    mean = (power * own[..., None, None]).sum(dim=1) / n_windows[:, None, None]
    share = mean / (mean.sum(dim=-1, keepdim=True) + _STILL)
    return (share + _LEAST_SHARE).log10_().mul_(10).transpose(1, 2).flatten(1)


@lru_cache(maxsize=4)
def _bands(device: torch.device) -> Tensor:
    """Which bins of a window's spectrum are in which band: float32 ``[bins, bands]``."""
    hertz = torch.from_numpy(banks.fft_frequencies(FRAME_RATE, MODULATION_WINDOW))
    edges = torch.tensor(MODULATION_EDGES)
    return ((hertz[:, None] >= edges[:-1]) & (hertz[:, None] < edges[1:])).float().to(device)


def runs(voiced: Tensor, counts: Tensor) -> Tensor:
    """Share of voiced frames; runs a second; their mean and longest seconds; those of pauses.

    A pause lies between two voiced runs. ``voiced`` is bool ``[b, frames]``, ``counts`` int64
    ``[b]`` the frames of each clip; float32 ``[b, 6]``, 0 where there is no run or no pause.
    """
    total = voiced.sum(dim=1)
    n_runs = (voiced & ~pad(voiced, (1, 0))[:, :-1]).sum(dim=1)
    position = torch.arange(1, voiced.shape[1] + 1, device=voiced.device).expand_as(voiced)
    last_voiced = (position * voiced).cummax(dim=1).values
    last_unvoiced = (position * ~voiced).cummax(dim=1).values
    longest = (position - last_unvoiced).amax(dim=1)
    # Where a run begins, the pause before it ends; the first run has none before it.
    before = pad(last_voiced, (1, 0))[:, :-1]
    begins = voiced & (before > 0)
    pauses = (position - 1 - before) * begins
    n_pauses = (n_runs - 1).clamp(min=1)
    seconds = torch.stack(
        (
            total / n_runs.clamp(min=1),
            longest,
            pauses.sum(dim=1) / n_pauses,
            pauses.amax(dim=1),
        ),
        dim=-1,
    )
    shares = torch.stack((total / counts, n_runs * FRAME_RATE / counts), dim=-1)
    return torch.cat((shares, seconds / FRAME_RATE), dim=-1)
