"""UAR on the device, from counts that can be added up."""

from __future__ import annotations

import torch
from torch import Tensor


def count_hits(predicted: Tensor, truth: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """How many rows of each class there are, and how many of these are recognised.

    Args:
        predicted: int64 ``[..., n]``.
        truth: int64 ``[n]``, -1 where there is no label.
        k: number of classes.

    Returns:
        Recognised float32 ``[..., k]``, and all float32 ``[k]``.
    """
    classes = (truth[:, None] == torch.arange(k, device=truth.device)).float()
    hits = ((predicted == truth)[..., None] * classes).sum(dim=-2)
    return hits, classes.sum(dim=0)


def recall(hits: Tensor, rows: Tensor) -> Tensor:
    """UAR: the mean recall over the classes that have rows; NaN where none has.

    Args:
        hits: rows recognised, ``[..., k]``.
        rows: all rows, ``[k]``.

    Returns:
        ``[...]``.
    """
    return (hits / rows).nanmean(dim=-1)
