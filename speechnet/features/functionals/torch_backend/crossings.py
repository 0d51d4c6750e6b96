"""Sign changes of the samples (``librosa.zero_crossings``)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.torch_backend import kernels
from speechnet.features.functionals.torch_backend.frames import Block, Clips

_ZERO = 1e-10
"""Samples up to this count as zero, which has no sign."""

_CHUNK = 2**20


def crossings(clips: Clips) -> Tensor:
    """How often each clip changes its sign: float32 ``[b, 1, 1]``."""
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
