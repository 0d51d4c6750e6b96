"""What depends on a clip's own maximum: decibels, and what is computed from decibels."""

from __future__ import annotations

import torch
from torch import Tensor

from speechnet.features.functionals.torch_backend import banks
from speechnet.features.functionals.torch_backend.frames import Clips

_FLOOR = 1e-10
_RANGE_DB = 80.0

DELTA_WIDTH = 9
"""Frames that a local slope is fitted over."""


def in_db(power: Tensor, mask: Tensor | None) -> Tensor:
    """``librosa.power_to_db``: ``10 log10``, cut 80 dB below each clip's own maximum.

    Args:
        power: float32 ``[b, frames, rows]``; changed.
        mask: the frames that count, bool ``[b, frames]``; None for all.

    Returns:
        float32 ``[b, frames, rows]``, in dB.
    """
    level = power.clamp_(min=_FLOOR).log10_().mul_(10)
    own = level if mask is None else level.masked_fill(~mask[..., None], -torch.inf)
    return level.clamp_(min=own.amax(dim=(1, 2), keepdim=True) - _RANGE_DB)


def contrast_in_db(extremes: Tensor, mask: Tensor | None) -> Tensor:
    """Peaks over valleys in dB: ``[b, frames, 2 * bands] -> [b, frames, bands]``."""
    peaks, valleys = extremes.chunk(2, dim=-1)
    return in_db(peaks, mask) - in_db(valleys, mask)


def mfcc(mel_db: Tensor, n_mfcc: int) -> Tensor:
    """Cepstral coefficients: ``[b, frames, mels] -> [b, frames, n_mfcc]``."""
    return mel_db @ banks.dct(n_mfcc, mel_db.shape[-1], mel_db.device)


def delta(values: Tensor, clips: Clips) -> Tensor:
    """Slopes of a straight line fitted over nine frames (``librosa.feature.delta``).

    The four frames at either end of a clip take the slope of its first and last nine frames, which
    is what ``mode="interp"`` of a Savitzky-Golay filter of order 1 comes to.

    Args:
        values: float32 ``[b, frames, rows]``.
        clips: each at least nine frames long.

    Returns:
        float32 ``[b, frames, rows]``, per frame.
    """
    half = DELTA_WIDTH // 2
    n = values.shape[1] - half
    slopes = torch.zeros_like(values[:, half:n])
    for k in range(1, half + 1):
        slopes.add_(values[:, half + k : n + k] - values[:, half - k : n - k], alpha=k)
    slopes /= 2 * sum(k**2 for k in range(1, half + 1))
    centre = torch.arange(clips.n_frames, device=values.device)
    centre = torch.minimum(centre.clamp(min=half), clips.last - half) - half
    return slopes.gather(1, centre[..., None].expand(-1, -1, slopes.shape[-1]))
