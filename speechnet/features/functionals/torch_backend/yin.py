"""The fundamental frequency by YIN (de Cheveigné and Kawahara 2002), as ``librosa.yin``."""

from __future__ import annotations

from math import ceil, floor

import scipy.fft
import torch
from torch import Tensor

from speechnet.core.errors import ConfigError
from speechnet.features.functionals.config import Functionals
from speechnet.features.functionals.torch_backend import kernels
from speechnet.features.functionals.torch_backend.frames import Block

_DIP = 0.1
"""What a dip must lie below to be taken for the period: librosa's ``trough_threshold``."""

_PART_CPU = 64
"""Frames at a time on a CPU: twice as long as those of the spectra, they leave the cache sooner."""

_TINY = torch.finfo(torch.float32).tiny


def check_range(sr: int, config: Functionals) -> None:
    """Refuse frequencies that can't be found at this rate in frames of this length.

    Raises:
        ConfigError: the highest is above half the rate, or a period of the lowest is no shorter
            than a frame.
    """
    if config.f0_max > sr / 2:
        raise ConfigError(
            f"data.features.functionals.f0_max is {config.f0_max:g} Hz, expected at most half the "
            f"rate ({sr / 2:g} Hz)"
        )
    if sr / config.f0_min >= config.n_fft - 1:
        raise ConfigError(
            f"data.features.functionals.f0_min is {config.f0_min:g} Hz, expected above "
            f"{sr / (config.n_fft - 1):g} Hz at {sr} Hz with n_fft {config.n_fft}; raise either"
        )


def fundamental(block: Block) -> Tensor:
    """The fundamental frequency of each frame in Hz: float32 ``[b, t, 1]``."""
    config = block.config
    shortest = floor(block.sr / config.f0_max)
    longest = min(ceil(block.sr / config.f0_min), config.n_fft - 1)
    frames = block.clips.frames(block.start, block.stop)
    size = _PART_CPU if block.device.type == "cpu" else frames.shape[1]
    curves = (_curve(part, shortest, longest) for part in torch.split(frames, size, dim=1))
    return block.sr / (shortest + torch.cat([_period(curve) for curve in curves], dim=1))


def _curve(frames: Tensor, shortest: int, longest: int) -> Tensor:
    """The cumulative mean normalised difference, lags ``shortest`` to ``longest``."""
    difference = _difference(frames, longest)
    lags = torch.arange(1, longest + 1, device=frames.device, dtype=torch.float32)
    mean = difference.cumsum(dim=-1).div_(lags)[..., shortest - 1 :]
    return difference[..., shortest - 1 :] / mean.add_(_TINY)


def _difference(frames: Tensor, longest: int) -> Tensor:
    """Squared difference between a frame and itself moved: ``[b, t, n] -> [b, t, longest]``.

    Lags 1 to ``longest``; by librosa's formula ``2 (r(0) - r(k)) - sum of the first k squares``,
    whose sum is left out at lag 1.
    """
    # No more zeros than keep these lags from wrapping around.
    n = scipy.fft.next_fast_len(frames.shape[-1] + longest, real=True)
    spectrum = torch.fft.rfft(frames, n=n)
    correlation: Tensor = torch.fft.irfft(spectrum * spectrum.conj(), n=n)
    head = frames[..., :longest].square().cumsum(dim=-1)
    head[..., 0] = 0
    moved = correlation[..., 1 : longest + 1]
    return (correlation[..., :1] - moved).mul_(2).sub_(head)


def _period(curve: Tensor) -> Tensor:
    """The first dip below the threshold, or else the lowest point, refined by a parabola.

    Args:
        curve: normalised difference, ``[b, t, lags]``.

    Returns:
        Lags from the first one, ``[b, t, 1]``.
    """
    # falls[k]: lower at lag k + 1 than at k.
    falls = kernels.less(curve[..., 1:], curve[..., :-1])
    dip = kernels.less(curve, _DIP)
    dip[..., 0] &= curve[..., 0] < curve[..., 1]
    dip[..., -1] &= falls[..., -1]
    dip[..., 1:-1] &= falls[..., :-1] & ~falls[..., 1:]
    # The lowest value of all is the first dip, where there is one.
    period = kernels.argmin_last(curve.masked_fill(dip, -torch.inf))
    if curve.shape[-1] < 3:
        return period.float()
    inner = period.clamp(1, curve.shape[-1] - 2)
    left, centre, right = (curve.gather(-1, inner + k).double() for k in (-1, 0, 1))
    curvature = left + right - 2 * centre
    slope = (right - left) / 2
    refined = (period == inner) & (slope.abs() < curvature.abs())
    return (period + torch.where(refined, -slope / curvature, 0.0)).float()
