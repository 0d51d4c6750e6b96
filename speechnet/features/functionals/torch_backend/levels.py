"""What depends on a clip's own maximum: decibels, and what is computed from decibels."""

from __future__ import annotations

import scipy.fft
import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.config import DELTA_WIDTH
from speechnet.features.functionals.torch_backend import banks, kernels
from speechnet.features.functionals.torch_backend.frames import Clips

_FLOOR = 1e-10
_RANGE_DB = 80.0


def in_db(power: Tensor, mask: Tensor | None) -> Tensor:
    """``librosa.power_to_db``: ``10 log10``, cut 80 dB below each clip's own maximum.

    ``power``, float32 ``[b, frames, rows]``, is changed; ``mask``, bool ``[b, frames]``, says which
    frames count, None all of them.
    """
    level = power.clamp_(min=_FLOOR).log10_().mul_(10)
    own = level if mask is None else level.masked_fill(~mask[..., None], -torch.inf)
    return level.clamp_(min=own.amax(dim=(1, 2), keepdim=True) - _RANGE_DB)


def contrast_in_db(extremes: Tensor, mask: Tensor | None) -> Tensor:
    """Peaks over valleys in dB: ``[b, frames, 2 * bands] -> [b, frames, bands]``."""
    peaks, valleys = extremes.chunk(2, dim=-1)
    return in_db(peaks, mask) - in_db(valleys, mask)


def delta(values: Tensor, clips: Clips) -> Tensor:
    """Slopes of a straight line fitted over nine frames (``librosa.feature.delta``).

    The four frames at either end of a clip take the slope of its first and last nine frames, which
    is what ``mode="interp"`` of a Savitzky-Golay filter of order 1 comes to.

    ``[b, frames, rows]`` to slopes per frame of the same shape; each clip has at least nine frames.
    """
    half = DELTA_WIDTH // 2
    slopes = _slopes(values, half)
    centre = torch.arange(clips.n_frames, device=values.device)
    centre = torch.minimum(centre.clamp(min=half), clips.last - half) - half
    return slopes.gather(1, centre[..., None].expand(-1, -1, slopes.shape[-1]))


def slopes(values: Tensor, clips: Clips, width: int) -> Tensor:
    """Slopes per frame of a straight line fitted over ``width`` frames, an odd number.

    Beyond a clip's ends its first and last frame are repeated, so that a clip may be shorter than
    that (``librosa.feature.delta`` with ``mode="nearest"``). ``[b, frames, rows]`` to the same.
    """
    half = width // 2
    position = torch.arange(-half, clips.n_frames + half, device=values.device)
    nearest = torch.minimum(position.clamp(min=0), clips.last)
    return _slopes(values.gather(1, nearest[..., None].expand(-1, -1, values.shape[-1])), half)


def _slopes(values: Tensor, half: int) -> Tensor:
    """Slopes over ``half`` frames to either side: ``[b, t + 2 * half, rows] -> [b, t, rows]``."""
    n = values.shape[1] - half
    found = torch.zeros_like(values[:, half:n])
    for k in range(1, half + 1):
        found.add_(values[:, half + k : n + k] - values[:, half - k : n - k], alpha=k)
    return found.div_(2 * sum(k**2 for k in range(1, half + 1)))


def tempogram(mel_db: Tensor, clips: Clips) -> Tensor:
    """Local autocorrelation of the onset strength (``librosa.feature.tempogram``).

    ``[b, frames, mels]`` in dB to ``[b, frames, lags]``, the largest value of each frame 1.
    """
    lags = clips.config.tempogram_lags
    # The onset strength is the mean rise from one frame to the next, moved to a frame's centre.
    rise = mel_db.diff(dim=1).clamp_(min=0).mean(dim=-1)
    moved = 1 + clips.config.n_fft // (2 * clips.config.hop_length)
    onsets = pad(rise, (moved, 0))[:, : clips.n_frames]
    onsets = _with_ramps(onsets, clips, lags // 2)
    window = banks.hann(lags, torch.float32, mel_db.device)
    frames = onsets.unfold(1, lags, 1)[:, : clips.n_frames] * window
    n = scipy.fft.next_fast_len(2 * lags - 1, real=True)
    spectrum = torch.fft.rfft(frames, n=n)
    correlation: Tensor = torch.fft.irfft(spectrum * spectrum.conj(), n=n)[..., :lags]
    return correlation / kernels.or_one(correlation.abs().amax(dim=-1, keepdim=True))


def _with_ramps(onsets: Tensor, clips: Clips, width: int) -> Tensor:
    """Each clip's onsets with a straight line from and to zero at its ends, then zeros.

    ``[b, frames] -> [b, frames + 2 * width]``, as ``np.pad(mode="linear_ramp")`` does.
    """
    if not width:
        return onsets
    position = torch.arange(-width, clips.n_frames + width, device=onsets.device)
    nearest = torch.minimum(position.clamp(min=0), clips.last)
    distance = (position - nearest).abs()
    return onsets.gather(1, nearest) * (1 - distance / width).clamp_(min=0)
