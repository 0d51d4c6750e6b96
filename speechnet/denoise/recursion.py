"""The floor of the non-stationary gate: a one-pole filter run forwards and backwards over frames.

noisereduce smooths each bin's magnitudes ``x`` over time with ``scipy.signal.filtfilt``,
``y[n] = b x[n] + q y[n-1]`` with ``q = 1 - b``. Its first pass starts as if ``x[0]`` had always
been there and its second as if the first pass had kept its last value ``z`` for ever. Both passes
together are a two-sided kernel, with ``c = b / (1 + q)`` and ``T`` frames::

    floor[n] = c (sum over m of q^|n-m| x[m]  +  q^(n+1) x[0] / b  +  q^(T-n) z / b)

The sums are taken by blocks of frames: a matrix product within each, and carries between them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

# Frames a block. Larger ones take more arithmetic within a block, smaller ones more carries.
BLOCK = 16


class Extent(NamedTuple):
    """Where each clip of a batch ends, in frames counted from the first that is computed."""

    last: Tensor  # the last frame that the clip reaches into, int64 [b]
    begin: int  # the grid's first frame, 0 or less: frames of zeros precede the computed ones
    end: Tensor  # the grid's end, after the frames of zeros that follow the clip, int64 [b]


def decay(time_constant_s: float, sr: int, hop: int) -> float:
    """The pole ``q`` of the filter whose squared response has a time constant in seconds.

    It is ``1 - b``, 0 to 1, where ``b = (sqrt(1 + 4 t^2) - 1) / (2 t^2)`` for ``t`` frames of
    ``hop`` samples (noisereduce 3.0.3, ``get_time_smoothed_representation``).
    """
    t = time_constant_s * sr / hop
    return 1 - (math.sqrt(1 + 4 * t**2) - 1) / (2 * t**2)


def noise_floor(blocks: Tensor, extent: Extent, q: float) -> Tensor:
    """Smooth magnitudes over time, each clip as if it stood alone in its grid of frames.

    All in float64: it costs a tenth of a millisecond a clip, and torch's settings for the precision
    of float32 products don't touch it.

    Args:
        blocks: magnitudes, float64 ``[b, n_blocks, BLOCK + 2, bins]``, zero beyond each clip; the
            last two rows of each block are overwritten with its carries.
        extent: where each clip ends.
        q: the pole, from ``decay``.

    Returns:
        The floor, float64 ``[b, n_blocks, BLOCK, bins]``; it means nothing beyond a clip's grid.
    """
    k = _kernels(q, blocks.shape[1], blocks.device)
    sums = k.to_edges @ blocks[:, :, :BLOCK]  # -> [b, n_blocks, 2, bins]
    past, future = sums[:, :, 0], sums[:, :, 1]
    ahead, behind = k.before @ past, k.before.T @ future
    # What the forward pass holds at the clip's last frame, from the blocks' sums: [b, 1, bins].
    final = _power(q, extent.last[:, None] - k.stops)[:, None] @ past
    if extent.begin == 0:
        eternal = blocks[:, 0, :1] / (1 - q)
        ahead += _power(q, k.stops - (BLOCK - 1))[:, None] * eternal
        final += _power(q, extent.last + 1)[:, None, None] * eternal
    # From the last frame through the zeros after the clip, and from their end back to each block.
    back = (2 * extent.end - extent.last - 2)[:, None] - k.stops
    behind += _power(q, back)[:, :, None] * final
    blocks[:, :, BLOCK], blocks[:, :, BLOCK + 1] = ahead, behind
    return k.within @ blocks


class _Kernels(NamedTuple):
    within: Tensor  # [BLOCK, BLOCK + 2]: magnitudes and carries to the floor
    to_edges: Tensor  # [2, BLOCK]: a block's sums as seen from its last and its first frame
    before: Tensor  # [n_blocks, n_blocks]: the sums of the blocks before each
    stops: Tensor  # int64 [n_blocks]: each block's last frame


@lru_cache(maxsize=64)
def _kernels(q: float, n_blocks: int, device: torch.device) -> _Kernels:
    i, m = torch.arange(BLOCK), torch.arange(n_blocks)
    within = torch.cat(
        [_power(q, (i[:, None] - i).abs()), _power(q, torch.stack([i + 1, BLOCK - i], 1))], 1
    )
    lag = m[:, None] - m - 1
    before = torch.where(lag >= 0, _power(q, BLOCK * lag.clamp(min=0)), 0)
    return _Kernels(
        (within * ((1 - q) / (1 + q))).to(device),
        _power(q, torch.stack([BLOCK - 1 - i, i])).to(device),
        before.to(device),
        (m * BLOCK + BLOCK - 1).to(device),
    )


def _power(q: float, exponent: Tensor) -> Tensor:
    # A block that holds a clip's end has negative exponents, down to 1 - BLOCK. Lower ones belong
    # to blocks beyond it, whose magnitudes are 0 or whose floor is not used: 0 must not meet inf.
    return torch.pow(q, exponent.clamp(min=1 - BLOCK).double())
