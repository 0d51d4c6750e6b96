"""A network that takes a sequence: only its layers are written, the rest is speechnet's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from speechnet.models.model import MODELS
from speechnet.models.training.sequence_model import SequenceModel


@MODELS.register("gru")
@dataclass
class GRU(SequenceModel):
    """A gated recurrent network, whose last state describes the recording.

    Attributes:
        features: the sequence that it takes.
        units: width of its state.
    """

    label = "GRU"

    features: str | None = "envelope"
    units: int = 16

    def layers(self, width: int) -> tuple[Any, int]:
        """From frames ``[n, frames, width]`` and their lengths ``[n]`` to states ``[n, units]``."""
        from torch import nn
        from torch.nn.utils.rnn import pack_padded_sequence

        class LastState(nn.Module):
            def __init__(self, units: int) -> None:
                super().__init__()
                self.gru = nn.GRU(width, units, batch_first=True)

            def forward(self, frames: Any, lengths: Any) -> Any:
                packed = pack_padded_sequence(frames, lengths.cpu(), True, False)
                return self.gru(packed)[1][0]

        return LastState(self.units), self.units
