"""The multi-layer perceptron."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from speechnet.core.bounds import Number
from speechnet.models.model import MODELS
from speechnet.models.training.model import NetworkModel

if TYPE_CHECKING:
    from torch import nn


@MODELS.register("mlp")
@dataclass
class MLP(NetworkModel):
    """Multi-layer perceptron: fully connected layers on the vector of a recording.

    Attributes:
        hidden: widths of the trunk's layers.
        activation: after each layer of the trunk.
        norm: normalisation of each layer of the trunk.
    """

    label = "MLP (network)"
    default = True
    stackable = True
    exportable = True

    hidden: list[Annotated[int, Number(ge=1)]] = field(default_factory=lambda: [512])
    activation: Literal["relu", "gelu", "tanh", "silu"] = "relu"
    norm: Literal["batch", "layer", "none"] = "batch"

    def trunk(self, width: int) -> tuple[nn.Module, int]:
        """See ``NetworkModel``."""
        from speechnet.models.training.layers import dense

        made = dense(
            width,
            self.hidden,
            norm=self.norm,
            activation=self.activation,
            dropout=self.dropout,
            rows=self.batch_size,
        )
        return made, self.hidden[-1] if self.hidden else width
