"""Features of the samples themselves: changes of sign, and the fundamental frequency by YIN.

References:
    A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency estimator for speech and music",
    J. Acoust. Soc. Am. 111(4), 2002.
    P. McLeod and G. Wyvill, "A smarter way to find pitch", ICMC 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import scipy.fft
import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.torch_backend import kernels
from speechnet.features.functionals.torch_backend.frames import Block, Clips

_ZERO = 1e-10  # samples up to this count as zero, which has no sign
_CHUNK = 2**20
_DIP = 0.1  # only a dip below it can be the period: librosa's trough_threshold
# Samples of the frames at a time on a CPU: transforms of twice their length leave the cache sooner
# than those of the spectra.
_PART_CPU = 64 * 2_048


def crossings(clips: Clips) -> Tensor:
    """How often each clip changes its sign (``librosa.zero_crossings``): float32 ``[b, 1, 1]``."""
    n = clips.y.shape[1]
    total = torch.zeros(len(clips.y), dtype=torch.int64, device=clips.y.device)
    for start in range(0, n - 1, _CHUNK):
        changes = _changes(clips, start, min(start + _CHUNK + 1, n))
        total += changes.view(torch.uint8).sum(dim=1, dtype=torch.int32)
    return total[:, None, None].float()


def crossing_rate(block: Block) -> Tensor:
    """The share of a frame's samples at which the sign changes: float32 ``[b, t, 1]``.

    A frame's first sample never counts. Beyond the ends of a clip its first and last sample are
    repeated, and don't change.
    """
    clips, n_fft, hop = block.clips, block.config.n_fft, block.config.hop_length
    last = clips.lengths[:, None] - 1
    first = torch.arange(block.start, block.stop, device=block.device) * hop - n_fft // 2
    begin = max(block.start * hop - n_fft // 2, 0)
    end = min((block.stop - 1) * hop - n_fft // 2 + n_fft, clips.y.shape[1])
    # counted[:, i]: changes after sample `begin` up to and with sample `begin + i`.
    counted = pad(_changes(clips, begin, end).cumsum(dim=1, dtype=torch.int32), (1, 0))
    low = torch.minimum(first.clamp(min=0), last) - begin
    high = torch.minimum((first + n_fft - 1).clamp(min=0), last) - begin
    changes = counted.gather(1, high.clamp(min=0)) - counted.gather(1, low.clamp(min=0))
    return (changes / n_fft)[..., None]


def _changes(clips: Clips, start: int, stop: int) -> Tensor:
    """Whether the sign differs from the sample before: bool ``[b, stop - start - 1]``."""
    negative = kernels.less(clips.y[:, start:stop], -_ZERO)
    changes = negative[:, 1:] ^ negative[:, :-1]
    if not clips.equal:
        position = torch.arange(start + 1, stop, device=clips.y.device)
        changes &= position < clips.lengths[:, None]
    return changes


def fundamental(block: Block) -> Tensor:
    """The fundamental frequency of each frame in Hz (``librosa.yin``): float32 ``[b, t, 1]``."""
    shortest, longest = _lags(block)
    parts = _parts(block)
    periods = [_period(_yin(part, _correlation(part, longest), shortest)) for part in parts]
    return block.sr / (shortest + torch.cat(periods, dim=1))


def voicing(block: Block) -> Tensor:
    """``fundamental`` beside how periodic the frame is: float32 ``[b, t, 2]``.

    That is ``2 r(k) / (sum of squares of the frame without its last k samples, and without its
    first k)`` with ``r`` the autocorrelation and ``k`` the period rounded to samples: 1 for a
    periodic frame, about 0 for noise, 0 for zeros (the normalised square difference function of
    McLeod and Wyvill 2005).
    """
    shortest, longest = _lags(block)
    found = []
    for part in _parts(block):
        correlation = _correlation(part, longest)
        period = shortest + _period(_yin(part, correlation, shortest))
        lag = period.round().long()
        squares = part.square()
        head = squares[..., :longest].cumsum(dim=-1).gather(-1, lag - 1)
        tail = squares[..., -longest:].flip(-1).cumsum(dim=-1).gather(-1, lag - 1)
        both = kernels.or_one(2 * correlation[..., :1] - head - tail)
        periodic = (2 * correlation.gather(-1, lag) / both).clamp_(-1, 1)
        found.append(torch.cat((block.sr / period, periodic), dim=-1))
    return torch.cat(found, dim=1)


def _lags(block: Block) -> tuple[int, int]:
    """The shortest and the longest period that is looked for, in samples."""
    config = block.config
    longest = min(ceil(block.sr / config.f0_min), config.n_fft - 1)
    return floor(block.sr / config.f0_max), longest


def _parts(block: Block) -> Sequence[Tensor]:
    """The block's frames, ``[b, t, n_fft]``, as many at a time as a CPU's cache holds."""
    frames = block.clips.frames(block.start, block.stop)
    size = max(_PART_CPU // frames.shape[2], 1)
    if block.device.type != "cpu":
        size = frames.shape[1]
    return torch.split(frames, size, dim=1)


def _correlation(frames: Tensor, longest: int) -> Tensor:
    """Autocorrelation of each frame at lags 0 to ``longest``: ``[b, t, n] -> [b, t, lags]``."""
    # No more zeros than keep these lags from wrapping around.
    n = scipy.fft.next_fast_len(frames.shape[-1] + longest, real=True)
    spectrum = torch.fft.rfft(frames, n=n)
    found: Tensor = torch.fft.irfft(spectrum * spectrum.conj(), n=n)[..., : longest + 1]
    return found


def _yin(frames: Tensor, correlation: Tensor, shortest: int) -> Tensor:
    """Cumulative mean normalised difference at lags from ``shortest``: float32 ``[b, t, lags]``.

    The difference between a frame and itself moved is librosa's ``2 (r(0) - r(k)) - sum of the
    first k squares``, whose sum is left out at lag 1.
    """
    longest = correlation.shape[-1] - 1
    head = frames[..., :longest].square().cumsum(dim=-1)
    head[..., 0] = 0
    difference = (correlation[..., :1] - correlation[..., 1:]).mul_(2).sub_(head)
    lags = torch.arange(1, longest + 1, device=frames.device, dtype=torch.float32)
    mean = difference.cumsum(dim=-1).div_(lags)[..., shortest - 1 :]
    return difference[..., shortest - 1 :] / mean.add_(kernels.TINY)


def _period(curve: Tensor) -> Tensor:
    """The first dip below the threshold, or else the lowest point, refined by a parabola.

    Cumulative mean normalised difference ``[b, t, lags]`` to lags from the first, ``[b, t, 1]``.
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
