"""A small convolutional network over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from speechnet.core.bounds import Number, Values
from speechnet.models.model import MODELS
from speechnet.models.training.sequence_model import SequenceModel

if TYPE_CHECKING:
    from torch import nn


@MODELS.register("cnn")
@dataclass
class CNN(SequenceModel):
    """Convolutional network: layers over the frames of a recording, then their mean and spread.

    Attributes:
        channels: of each layer; each layer halves the frames.
        kernel: frames that a layer sees at once.
        dropout: share of the channels, and of the pooled values, dropped.
        lr: learning rate.
    """

    label = "CNN"

    channels: Annotated[list[Annotated[int, Number(ge=1)]], Values()] = field(
        default_factory=lambda: [64, 64, 128]
    )
    kernel: Annotated[int, Number(ge=1)] = 5
    dropout: Annotated[float, Number(ge=0, lt=1)] = 0.3
    lr: Annotated[float, Number(ge=0)] = 0.002

    def layers(self, width: int) -> tuple[nn.Module, int]:
        """See ``SequenceModel``."""
        from speechnet.models.training.sequences import FrameCNN

        made = FrameCNN(width, self.channels, kernel=self.kernel, dropout=self.dropout)
        return made, 2 * self.channels[-1]
