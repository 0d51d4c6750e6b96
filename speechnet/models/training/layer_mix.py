"""The layers of an encoder, mixed by weights that a network learns.

For each stack of ``L`` layers ``mix = sum_l w_l x_l`` with ``w = softmax(a)``, as SUPERB has it.
The ``x_l`` are scaled, each column by itself, so that no layer counts for more because its numbers
are larger. ``a`` starts at 0: the mix is the layers' mean at first.

References:
    S. Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021.
    Z. Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and
    Benchmark", Interspeech 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from speechnet.core.types import Stack

_GAIN: Final = 30.0
"""``a`` is this many times a parameter of the network. Adam moves each parameter by about the
learning rate in a step, and few hundred steps of 0.001 would hardly change a softmax."""


class LayerMix(nn.Module):
    """Each stack's layers become as many columns as one of them has; other columns stay.

    Args:
        width: of the input, ``d``.
        stacks: ``Stack`` or its three numbers, in rising order.

    Attributes:
        width: of the input.
        out: the width of the output.
    """

    def __init__(self, width: int, stacks: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.width = width
        self.stacks = [Stack(*one) for one in stacks]
        self.logits = nn.ParameterList(torch.zeros(one.layers) for one in self.stacks)
        self.out = width - sum((one.layers - 1) * one.width for one in self.stacks)

    def weights(self) -> list[Tensor]:
        """Of each stack's layers, float ``[layers]``, with the sum 1."""
        return [torch.softmax(_GAIN * one, dim=0) for one in self.logits]

    def forward(self, x: Tensor) -> Tensor:
        """Float ``[..., d]``, scaled, to ``[..., out]``; the same tensor where nothing is mixed."""
        if not self.stacks:
            return x
        pieces, end = [], 0
        for stack, weights in zip(self.stacks, self.weights(), strict=True):
            shape = (*x.shape[:-1], stack.layers, stack.width)
            layers = x[..., stack.start : stack.end].reshape(shape)
            mixed = torch.einsum("l,...lw->...w", weights.to(x.dtype), layers)
            pieces += [x[..., end : stack.start], mixed]
            end = stack.end
        return torch.cat([*pieces, x[..., end:]], dim=-1)
