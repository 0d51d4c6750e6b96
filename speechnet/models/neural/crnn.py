"""A convolutional recurrent network over time and frequency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from speechnet.core.bounds import Number, Values
from speechnet.models.model import MODELS
from speechnet.models.training.sequence_model import SequenceModel

if TYPE_CHECKING:
    from torch import nn


@MODELS.register("crnn")
@dataclass
class CRNN(SequenceModel):
    """Residual convolutions over time and frequency, a recurrent layer, attentive pooling.

    The columns are taken for a frequency axis: neighbours belong together, as in log_mel.

    Attributes:
        channels: of the first convolution, then of each residual block. All halve the columns, the
            first three the frames as well.
        recurrent: the kind of recurrent layer, forward and backward in time.
        hidden: its width in each direction.
        dropout: share of a block's channels, and of the values behind the blocks, dropped.
        lr: learning rate.
    """

    label = "CRNN"
    exportable = True

    channels: Annotated[list[Annotated[int, Number(ge=1)]], Values()] = field(
        default_factory=lambda: [24, 48, 64, 96]
    )
    recurrent: Literal["lstm", "gru"] = "lstm"
    hidden: Annotated[int, Number(ge=1)] = 64
    dropout: Annotated[float, Number(ge=0, lt=1)] = 0.15
    stretch: Annotated[float, Number(ge=0, lt=1)] = 0.1
    warp: Annotated[float, Number(ge=0, lt=1)] = 0.08
    time_masks: Annotated[int, Number(ge=0)] = 1
    frequency_masks: Annotated[int, Number(ge=0)] = 1
    averaging: Annotated[float, Number(ge=0, lt=1)] = 0.99
    lr: Annotated[float, Number(ge=0)] = 0.003
    schedule: Literal["none", "cosine", "onecycle", "plateau"] = "onecycle"
    batch_size: Annotated[int, Number(ge=1)] = 32

    def layers(self, width: int) -> tuple[nn.Module, int]:
        """See ``SequenceModel``."""
        from speechnet.models.training.residual import ConvRecurrent

        made = ConvRecurrent(
            width,
            self.channels,
            recurrent=self.recurrent,
            hidden=self.hidden,
            dropout=self.dropout,
        )
        return made, 4 * self.hidden
