"""Residual convolutions over time and frequency, and a recurrent layer; padding changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from speechnet.models.training.sequences import AttentiveStatistics, within

_TIME_STRIDES: Final = 2
"""Blocks, counted from the first, that halve the frames; all halve the columns."""


class ConvRecurrent(nn.Module):
    """Residual convolutions over a recording as a picture, a recurrent layer, and pooling.

    Args:
        width: of a frame, ``d``.
        channels: of the stem, then of each residual block; each halves the columns.
        recurrent: ``lstm`` or ``gru``.
        hidden: width of the recurrent layer, in each direction.
        dropout: share of a block's channels, and of the values after it, dropped.
    """

    def __init__(
        self, width: int, channels: Sequence[int], *, recurrent: str, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        stem, *others = channels
        # Without a norm: across channels, it would take away how loud a place is.
        self.stem = nn.Conv2d(1, stem, 3, stride=2, padding=1)
        width = -(-width // 2)
        self.blocks = nn.ModuleList()
        for number, size in enumerate(others):
            stride = (2 if number < _TIME_STRIDES else 1, 2)
            self.blocks.append(ResidualBlock(stem, size, stride=stride, dropout=dropout))
            stem, width = size, -(-width // 2)
        self.recurrent = BothWays(stem * width, hidden, kind=recurrent)
        self.pool = AttentiveStatistics(2 * hidden, hidden)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Describe each recording.

        Args:
            x: float ``[n, frames, d]``; frames behind a recording's end are ignored.
            lengths: frames of each, int64 ``[n]``, 1 or more.

        Returns:
            float ``[n, 4 hidden]``.
        """
        x = x * within(lengths, x.shape[1]).to(x.dtype)
        # Channels side by side: a convolution on a CPU then takes half the time.
        x = x.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x, lengths = self.stem(x).relu(), halved(lengths, 2)
        x = x * inside(lengths, x)
        for block in self.blocks:
            x, lengths = block(x, lengths)
        x = x.permute(0, 2, 3, 1).flatten(2)
        x = self.recurrent(self.drop(x), lengths)
        pooled: Tensor = self.drop(self.pool(self.drop(x), lengths))
        return pooled


class MaskedConvolution(nn.Module):
    """A convolution of 3 by 3 and a norm; zeros stay behind each recording's end."""

    def __init__(self, before: int, after: int, *, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm = nn.LayerNorm(after)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Float ``[n, before, frames, columns]``, and the frames of each, int64 ``[n]``."""
        lengths = halved(lengths, self.stride[0])
        x = self.convolution(x).permute(0, 2, 3, 1)
        x = self.norm(x).permute(0, 3, 1, 2)
        return x * inside(lengths, x), lengths


def inside(lengths: Tensor, x: Tensor) -> Tensor:
    """Which frames of ``[n, channels, frames, columns]`` belong to each recording, 1 or 0."""
    return within(lengths, x.shape[2]).unsqueeze(1).to(x.dtype)


def halved(lengths: Tensor, stride: int) -> Tensor:
    """How many frames a stride leaves: ``ceil(n / stride)``."""
    return (lengths + stride - 1).div(stride, rounding_mode="floor")


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al., "Deep Residual Learning", 2015)."""

    def __init__(self, before: int, after: int, *, stride: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.stride = stride
        self.first = MaskedConvolution(before, after, stride=stride)
        self.second = MaskedConvolution(after, after, stride=(1, 1))
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
        self.drop = nn.Dropout2d(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Float ``[n, before, frames, columns]``, and the frames of each, int64 ``[n]``."""
        inner, after = self.first(x, lengths)
        inner, _ = self.second(self.drop(inner.relu()), after)
        return (inner + self.shortcut(x)).relu(), after


class BothWays(nn.Module):
    """A recurrent layer forward and one backward, from each recording's own last frame.

    As a bidirectional layer on packed sequences, in half the time: each recording is turned round
    within its own frames, and what is behind them comes last in both directions.

    Args:
        width: of a frame.
        hidden: width in each direction.
        kind: ``lstm`` or ``gru``.
    """

    def __init__(self, width: int, hidden: int, *, kind: str) -> None:
        super().__init__()
        made = nn.LSTM if kind == "lstm" else nn.GRU
        self.forth = made(width, hidden, batch_first=True)
        self.back = made(width, hidden, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Float ``[n, frames, width]`` -> ``[n, frames, 2 hidden]``."""
        positions = torch.arange(x.shape[1], device=x.device)
        mirrored = lengths[:, None] - 1 - positions
        turn = torch.where(mirrored >= 0, mirrored, positions).unsqueeze(-1)
        turned = x.gather(1, turn.expand_as(x))
        forth, back = self.forth(x)[0], self.back(turned)[0]
        return torch.cat([forth, back.gather(1, turn.expand_as(back))], dim=2)
