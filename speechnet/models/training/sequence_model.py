"""The contract of a network over time: what all of them share beside ``NetworkModel``."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from speechnet.core.bounds import Number
from speechnet.models.training.model import NetworkModel

if TYPE_CHECKING:
    from torch import Tensor, nn

_Share = Annotated[float, Number(ge=0, lt=1)]


@dataclass
class SequenceModel(NetworkModel):
    """A network over the frames of a recording; subclasses say what its layers are.

    ``data.per_speaker`` standardises by speaker, for networks over time as for all other models.
    What changes the columns' order of frequency (``warp``, ``frequency_masks``) suits columns such
    as those of log_mel, of which neighbours are alike.

    Attributes:
        features: the sequence that it takes, by the name of its extractor; null for the only one in
            ``data.features``, or log_mel where there is none.
        normalise: the frames: ``corpus`` scales each column as ``data.scaling`` says; ``recording``
            then takes each recording's own mean and standard deviation out of each column.
        crop_seconds: longer recordings are cut: trained on a part that begins anywhere, and
            recognised by the mean over several parts; null takes all of every recording.
        crops: parts of a longer recording that are averaged; one is its middle.
        stretch: in training, recordings become longer or shorter by up to this share.
        warp: in training, columns move up or down in frequency by up to this share.
        time_masks: spans of frames hidden in training.
        time_mask: share of a recording that one of them hides at most.
        frequency_masks: spans of columns hidden in training.
        frequency_mask: share of the columns that one of them hides at most.
        mixup: recordings are mixed in pairs in training, labels too, with a share drawn from the
            beta distribution of this parameter; 0 mixes nothing.
        averaging: decay per step of the moving average of the weights, which is what is scored,
            kept and applied; 0 takes the weights as they are.
    """

    takes = "sequence"

    features: str | None = None
    normalise: Literal["corpus", "recording"] = "corpus"
    crop_seconds: Annotated[float, Number(gt=0)] | None = None
    crops: Annotated[int, Number(ge=1)] = 5
    stretch: _Share = 0.0
    warp: _Share = 0.0
    time_masks: Annotated[int, Number(ge=0)] = 0
    time_mask: _Share = 0.2
    frequency_masks: Annotated[int, Number(ge=0)] = 0
    frequency_mask: _Share = 0.2
    mixup: Annotated[float, Number(ge=0)] = 0.0
    averaging: _Share = 0.0

    def trunk(self, width: int) -> tuple[nn.Module, int]:
        """See ``NetworkModel``."""
        from speechnet.models.training.over_time import OverTime

        layers, out = self.layers(width)
        return OverTime(self, layers), out

    @abstractmethod
    def layers(self, width: int) -> tuple[nn.Module, int]:
        """Make the network's own layers, untrained.

        Args:
            width: of a frame, ``d``.

        Returns:
            A module that takes frames, float ``[n, frames, d]``, and their lengths, int64 ``[n]``,
            ignores what lies behind the end of each, and gives ``[n, k]``; and ``k``.
        """

    def callbacks(self) -> list[Any]:
        """See ``NetworkSettings``."""
        from lightning.pytorch.callbacks import WeightAveraging

        # Lightning's own average is a closure, which can't be sent to the processes of devices.
        update = partial(_moved, self.averaging)
        return [WeightAveraging(avg_fn=update)] if self.averaging else []


def _moved(decay: float, average: Tensor, current: Tensor, _: object) -> Tensor:
    """The moving average after another step."""
    return decay * average + (1 - decay) * current
