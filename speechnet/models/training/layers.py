"""The layers of a network's trunk, and what they draw at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor, nn

_ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
}


def dense(
    width: int, hidden: Sequence[int], *, norm: str, activation: str, dropout: float, rows: int
) -> nn.Sequential:
    """Linear layers, each followed by a norm, an activation and dropout.

    Args:
        width: of the input.
        hidden: width of each layer.
        norm: ``batch``, ``layer`` or ``none``.
        activation: ``relu``, ``gelu``, ``tanh`` or ``silu``.
        dropout: share of the activations dropped.
        rows: of a whole batch.
    """
    layers: list[nn.Module] = []
    for size in hidden:
        linear = nn.Linear(width, size)
        layers.append(linear)
        if norm == "batch":
            # The normalisation cancels the bias. All its gradient is rounding, which Adam would
            # blow up to whole steps.
            nn.init.zeros_(linear.bias).requires_grad_(False)
            layers.append(BatchNorm(size))
        elif norm == "layer":
            layers.append(nn.LayerNorm(size))
        layers += [_ACTIVATIONS[activation](), Dropout(dropout, rows)]
        width = size
    return nn.Sequential(*layers)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that takes the running statistics for a batch of one row."""

    def forward(self, x: Tensor) -> Tensor:
        """Float ``[n, k]``."""
        if len(x) > 1 or not self.training:
            return super().forward(x)
        return nn.functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class Dropout(nn.Module):
    """As ``nn.Dropout``, several times faster on a CPU: four rows of random bits at a time.

    The share dropped is ``p`` to within 2^-16.

    Args:
        p: share of the activations dropped.
        rows: of a whole batch; a shorter one draws as much, and leaves the same for what follows.
    """

    below: Tensor
    gain: Tensor

    def __init__(self, p: float, rows: int) -> None:
        super().__init__()
        self.p = p
        self.rows = rows
        # Tensors, so that networks trained together may each have their own; int32, as int16 can't
        # be sent to other processes.
        below = min(round(p * 2**16), 2**16 - 1) - 2**15
        self.register_buffer("below", torch.tensor(below, dtype=torch.int32), persistent=False)
        self.register_buffer("gain", torch.tensor(1 / (1 - p)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float ``[n, k]``, of which some are 0 in training and the rest ``1 / (1 - p)`` larger."""
        if not self.training or not self.p:
            return x
        bits = random_bits(max(len(x), self.rows), x.shape[1], x.device)
        return x * ((bits[: len(x)] >= self.below.to(torch.int16)).to(x.dtype) * self.gain)


def random_bits(rows: int, width: int, device: torch.device) -> Tensor:
    """Evenly distributed int16 ``[rows, width]``, drawn four at a time."""
    numbers = rows * width
    words = torch.empty(-(-numbers // 4), dtype=torch.int64, device=device)
    words.random_(-(2**63), None)
    return words.view(torch.int16)[:numbers].view(rows, width)


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed an epoch's noise and dropout, differently for each seed below 2^32 and each epoch."""
    number = (seed % 2**32 << 20) + epoch
    if torch.accelerator.is_available():
        torch.manual_seed(number)
    else:  # else torch records the call stack in case a GPU appears: a tenth of a small epoch
        torch.default_generator.manual_seed(number)
