"""Layers over frames of recordings of several lengths, whose output padding doesn't change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from speechnet.core.types import Float32, Int64

_STRIDE: Final = 2
EPS: Final = 1e-5

PADDED: Final = 2**16
"""Frames of a batch, padding included, of one layer: 64 recordings of ten seconds."""


class FrameCNN(nn.Module):
    """Convolutions over time, each followed by a norm, ReLU and dropout; then mean and spread.

    The norm is that of a frame's channels (Ba, Kiros, Hinton, "Layer Normalization", 2016), so that
    neither other frames nor other recordings change it.

    Args:
        width: of a frame, ``d``.
        channels: of each layer.
        kernel: frames that a layer sees at once.
        dropout: share of a layer's channels, and of the pooled values, dropped.
    """

    def __init__(self, width: int, channels: Sequence[int], *, kernel: int, dropout: float) -> None:
        super().__init__()
        sizes = [width, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride=_STRIDE, padding=(kernel - 1) // 2)
            for before, after in pairwise(sizes)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in channels)
        self.kernel = kernel
        self.drop_channels = nn.Dropout1d(dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Describe each recording.

        Args:
            x: float ``[n, frames, d]``; frames behind a recording's end are ignored.
            lengths: frames of each, int64 ``[n]``, 1 or more.

        Returns:
            float ``[n, 2 k]``: mean and standard deviation of each of the last layer's ``k``
            channels over the recording's frames.
        """
        x = x * within(lengths, x.shape[1])
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # As many frames for an even kernel as for an odd one.
            x = nn.functional.pad(x.transpose(1, 2), (0, 1 - self.kernel % 2))
            x = norm(convolution(x).transpose(1, 2)).relu()
            x = self.drop_channels(x.transpose(1, 2)).transpose(1, 2)
            lengths = (lengths + _STRIDE - 1).div(_STRIDE, rounding_mode="floor")
            x = x * within(lengths, x.shape[1])
        pooled: Tensor = self.drop(mean_and_spread(x, lengths))
        return pooled


class AttentiveStatistics(nn.Module):
    """Mean and standard deviation over time, each frame weighted by what it says.

    ``e_t = v tanh(W x_t + b)``, the weights ``softmax(e)`` over a recording's frames, then
    ``weighted_statistics`` (Okabe, Koshinaka, Shinoda, "Attentive Statistics Pooling for Deep
    Speaker Embedding", 2018).

    Args:
        width: of a frame, ``k``.
        hidden: width of the layer that weighs the frames.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Pool each recording.

        Args:
            x: float ``[n, frames, k]``, finite; frames behind a recording's end are ignored.
            lengths: frames of each, int64 ``[n]``, 1 or more.

        Returns:
            float32 ``[n, 2 k]``.
        """
        scores = self.score(self.hidden(x).tanh()).float()
        outside = within(lengths, x.shape[1]) == 0
        weights = scores.masked_fill(outside, -torch.inf).softmax(dim=1)
        return weighted_statistics(x.float(), weights)


class AttentiveFrames(nn.Module):
    """A norm and a projection of each frame, then ``AttentiveStatistics``.

    Args:
        width: of a frame, ``d``.
        hidden: width of the projection.
        dropout: share of the projected, and of the pooled values, dropped.
    """

    def __init__(self, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)
        )
        self.pool = AttentiveStatistics(hidden, hidden)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Float ``[n, frames, d]`` and int64 ``[n]`` -> float32 ``[n, 2 hidden]``."""
        pooled: Tensor = self.drop(self.pool(self.project(x), lengths))
        return pooled


def pad(recordings: Sequence[Float32]) -> tuple[Tensor, Tensor]:
    """Recordings side by side, with zeros behind the end of each.

    Args:
        recordings: float32 ``[frames, d]`` each.

    Returns:
        float32 ``[b, t, d]``, ``t`` the longest one's frames, and their lengths, int64 ``[b]``.
    """
    frames = [torch.tensor(one) for one in recordings]
    return pad_sequence(frames, batch_first=True), torch.tensor([len(one) for one in frames])


def by_length(lengths: Int64, *, rows: int, frames: int) -> list[Int64]:
    """The positions of recordings in batches of similar lengths, the shortest first.

    So a batch that holds a long recording holds few, and ``pad`` makes none larger than a bound.

    Args:
        lengths: frames of each, int64 ``[n]``.
        rows: the most recordings of a batch.
        frames: the most frames of a batch, padding included; a longer recording is alone.
    """
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for end in range(1, len(order) + 1):
        size = end - start + 1
        if end == len(order) or size > rows or size * lengths[order[end]] > frames:
            batches.append(order[start:end])
            start = end
    return batches


def within(lengths: Tensor, frames: int) -> Tensor:
    """Which frames belong to each recording: float ``[n, frames, 1]``, 1 or 0."""
    positions = torch.arange(frames, device=lengths.device)
    return (positions < lengths[:, None]).unsqueeze(-1).float()


def mean_and_spread(x: Tensor, lengths: Tensor) -> Tensor:
    """Mean and standard deviation over each recording's frames; see ``weighted_statistics``.

    Args:
        x: float ``[n, frames, k]``.
        lengths: int64 ``[n]``.
    """
    inside = within(lengths, x.shape[1]).to(x.dtype)
    return weighted_statistics(x, inside / lengths[:, None, None].to(x.dtype))


def weighted_statistics(x: Tensor, weights: Tensor) -> Tensor:
    """Mean and standard deviation over the frames, each with a weight.

    ``m = sum_t w_t x_t`` and ``sqrt(sum_t w_t (x_t - m)^2 + eps)``, whose gradient is finite where
    nothing varies.

    Args:
        x: float ``[n, frames, k]``, finite.
        weights: float ``[n, frames, 1]``, of each recording with the sum 1, 0 behind its end.

    Returns:
        float ``[n, 2 k]``.
    """
    mean = (weights * x).sum(dim=1)
    spread = ((weights * (x - mean[:, None]).square()).sum(dim=1) + EPS).sqrt()
    return torch.cat([mean, spread], dim=1)
