"""Changes to frames in training, for a whole batch at once and on its device.

Random numbers come from torch's global generator. Frames are float ``[n, frames, d]`` and the
lengths of the recordings int64 ``[n]``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from speechnet.models.training.sequences import within


class Mixing(NamedTuple):
    """Which recording is mixed with which: ``share x_i + (1 - share) x_order[i]`` in row ``i``.

    Attributes:
        order: int64 ``[n]``.
        share: float32 scalar, from 0 to 1.
    """

    order: Tensor
    share: Tensor


def draw_mixing(rows: int, alpha: float, device: torch.device) -> Mixing:
    """A share of ``Beta(alpha, alpha)`` for the batch (Zhang et al., "mixup", 2018)."""
    share = torch.distributions.Beta(alpha, alpha).sample()
    return Mixing(torch.randperm(rows, device=device), share.to(device))


def mix(x: Tensor, lengths: Tensor, mixing: Mixing) -> tuple[Tensor, Tensor]:
    """Mix recordings, the shorter one as if zeros followed; each is as long as the longer one."""
    x = x * within(lengths, x.shape[1]).to(x.dtype)
    order, share = mixing
    return share * x + (1 - share) * x[order], torch.maximum(lengths, lengths[order])


def uniform(like: Tensor, spread: float) -> Tensor:
    """Factors between ``1 - spread`` and ``1 + spread``, float32 of a tensor's shape."""
    return 1 + spread * (2 * torch.rand(like.shape, device=like.device) - 1)


def resample(x: Tensor, lengths: Tensor, stretch: Tensor, warp: Tensor) -> tuple[Tensor, Tensor]:
    """Stretch recordings in time and along the columns, with linear interpolation.

    Of a recording's ``n`` frames ``m = round(stretch n)`` are made, frame ``i`` from place
    ``i (n - 1) / (m - 1)``. Column ``j`` is taken at ``j / warp``, or else is the last one.

    Args:
        x: frames.
        lengths: of the recordings.
        stretch: float ``[n]``; 1.1 makes a recording a tenth longer.
        warp: float ``[n]``; 1.1 moves what is in column 10 to column 11.

    Returns:
        The frames, of which those behind a recording's end mean nothing, and the lengths.
    """
    after = (lengths * stretch).round().long().clamp_min(1)
    frames, columns = x.shape[1:]
    steps = (lengths - 1) / (after - 1).clamp_min(1)
    rows = torch.arange(int(after.max()), device=x.device) * steps[:, None]
    places = torch.arange(columns, device=x.device) / warp[:, None]
    # From -1 for the first to 1 for the last.
    down = rows * (2 / max(frames - 1, 1)) - 1
    across = places * (2 / max(columns - 1, 1)) - 1
    shape = (len(x), rows.shape[1], columns)
    grid = torch.stack([across[:, None].expand(shape), down[..., None].expand(shape)], dim=-1)
    taken = nn.functional.grid_sample(
        x[:, None], grid.to(x.dtype), padding_mode="border", align_corners=True
    )
    return taken[:, 0], after


def spans(sizes: Tensor, count: int, widest: float, places: int) -> Tensor:
    """Random spans within sizes, each up to a share of its size wide.

    Args:
        sizes: int64 ``[n]``.
        count: spans in each.
        widest: share of a size.
        places: the longest size.

    Returns:
        Whether a place is in any of the spans, bool ``[n, places]``.
    """
    drawn = torch.rand(2, len(sizes), count, device=sizes.device)
    widths = (drawn[0] * ((widest * sizes).floor() + 1)[:, None]).floor()
    starts = (drawn[1] * (sizes[:, None] - widths + 1)).floor()
    position = torch.arange(places, device=sizes.device)[:, None, None]
    inside = (position >= starts) & (position < starts + widths)
    return inside.any(dim=2).T


def mask(x: Tensor, lengths: Tensor, hidden: Tensor) -> Tensor:
    """Put each recording's mean, column by column, where ``hidden`` is true.

    As in Park et al., "SpecAugment", 2019. ``hidden`` is bool ``[n, frames, 1]`` or ``[n, 1, d]``.
    """
    inside = within(lengths, x.shape[1]).to(x.dtype)
    mean = (x * inside).sum(dim=1, keepdim=True) / lengths[:, None, None]
    return torch.where(hidden, mean, x)
