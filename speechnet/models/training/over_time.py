"""What every network over time does with frames before its own layers see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from speechnet.models.training import augmentation
from speechnet.models.training.augmentation import Mixing, draw_mixing
from speechnet.models.training.sequences import mean_and_spread

if TYPE_CHECKING:
    from speechnet.models.training.sequence_model import SequenceModel


class OverTime(nn.Module):
    """Normalises, crops and, in training, changes the frames; then come the network's layers.

    In training a crop begins anywhere. Otherwise the crops are spread evenly, a single one in
    the middle, and their outputs are averaged.

    Args:
        config: the network's settings.
        layers: take frames and lengths, as ``SequenceModel.layers`` says.

    Attributes:
        rate: frames per second.
    """

    rate: Tensor

    def __init__(self, config: SequenceModel, layers: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.layers = layers
        self.register_buffer("rate", torch.tensor(1.0))

    def mixing(self, rows: int) -> Mixing | None:
        """How a batch of some rows is mixed in training, if it is."""
        alpha = self.config.mixup
        return draw_mixing(rows, alpha, self.rate.device) if alpha else None

    def forward(self, x: Tensor, lengths: Tensor, mixing: Mixing | None = None) -> Tensor:
        """Describe each recording.

        Args:
            x: float ``[n, frames, d]``, scaled; frames behind a recording's end are ignored.
            lengths: frames of each, int64 ``[n]``, 1 or more.
            mixing: how the recordings are mixed.

        Returns:
            float ``[n, k]``.
        """
        if self.config.normalise == "recording":
            x = standardised(x, lengths)
        rows = len(x)
        if (size := self.crop_frames) is not None and size < x.shape[1]:
            x, lengths = self._cut(x, lengths, size)
        if self.training:
            x, lengths = self._changed(x, lengths, mixing)
        described: Tensor = self.layers(x, lengths)
        return described.view(rows, -1, described.shape[1]).mean(dim=1)

    @property
    def crop_frames(self) -> int | None:
        """The frames of a crop; None where recordings are taken whole."""
        seconds = self.config.crop_seconds
        return None if seconds is None else max(round(seconds * float(self.rate)), 1)

    def _cut(self, x: Tensor, lengths: Tensor, size: int) -> tuple[Tensor, Tensor]:
        if self.training:
            shares = torch.rand(len(x), 1, device=x.device)
        else:
            shares = crop_shares(self.config.crops).to(x.device).expand(len(x), -1)
        return crop(x, lengths, shares, size)

    def _changed(self, x: Tensor, lengths: Tensor, mixing: Mixing | None) -> tuple[Tensor, Tensor]:
        config = self.config
        if config.stretch or config.warp:
            stretch = augmentation.uniform(lengths, config.stretch)
            warp = augmentation.uniform(lengths, config.warp)
            x, lengths = augmentation.resample(x, lengths, stretch, warp)
        if mixing is not None:
            x, lengths = augmentation.mix(x, lengths, mixing)
        frames, columns = x.shape[1:]
        if config.time_masks:
            hidden = augmentation.spans(lengths, config.time_masks, config.time_mask, frames)
            x = augmentation.mask(x, lengths, hidden[..., None])
        if config.frequency_masks:
            sizes = torch.full_like(lengths, columns)
            hidden = augmentation.spans(
                sizes, config.frequency_masks, config.frequency_mask, columns
            )
            x = augmentation.mask(x, lengths, hidden[:, None])
        return x, lengths


def standardised(x: Tensor, lengths: Tensor) -> Tensor:
    """Each recording's columns to mean 0 and standard deviation 1 over its own frames.

    The deviation is ``sqrt(var + eps)``, as in ``weighted_statistics``.
    """
    mean, spread = mean_and_spread(x, lengths).chunk(2, dim=1)
    return (x - mean[:, None]) / spread[:, None]


def crop_shares(crops: int) -> Tensor:
    """Where each of some crops begins, float32 ``[crops]``; see ``crop``. One is the middle."""
    return torch.linspace(0, 1, crops) if crops > 1 else torch.tensor([0.5])


def crop(x: Tensor, lengths: Tensor, shares: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cut ``k`` parts of up to ``size`` frames out of each recording.

    Args:
        x: float ``[n, frames, d]``.
        lengths: int64 ``[n]``.
        shares: where a part begins, float ``[n, k]``: 0 at the first frame, 1 so that it ends with
            the last. A shorter recording is taken whole.
        size: frames.

    Returns:
        float ``[n k, size, d]``, all parts of the first recording first, and their lengths.
    """
    starts = (shares * (lengths - size).clamp_min(0)[:, None]).round().long()
    places = (starts[..., None] + torch.arange(size, device=x.device)).flatten(1)
    places = places.clamp_max(x.shape[1] - 1)[..., None].expand(-1, -1, x.shape[2])
    cut = x.gather(1, places).view(-1, size, x.shape[2])
    return cut, lengths.clamp_max(size).repeat_interleave(shares.shape[1])
