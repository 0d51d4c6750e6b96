"""A light network over the frames of an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from speechnet.core.bounds import Number
from speechnet.models.model import MODELS
from speechnet.models.training.sequence_model import SequenceModel

if TYPE_CHECKING:
    from torch import nn


@MODELS.register("attention_pooling")
@dataclass
class AttentionPooling(SequenceModel):
    """Attentive statistics of an encoder's frames: a projection, then attention over time.

    Attributes:
        hidden: width of the projection of each frame.
        dropout: share of the projected, and of the pooled values, dropped.
    """

    label = "Attention pooling"

    hidden: Annotated[int, Number(ge=1)] = 256
    dropout: Annotated[float, Number(ge=0, lt=1)] = 0.3

    def layers(self, width: int) -> tuple[nn.Module, int]:
        """See ``SequenceModel``."""
        from speechnet.models.training.sequences import AttentiveFrames

        return AttentiveFrames(width, self.hidden, dropout=self.dropout), 2 * self.hidden
