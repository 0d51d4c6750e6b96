"""What networks are trained for: the loss of a head, UAR, optimizers and their schedules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from speechnet.models.training.settings import NetworkSettings

_OPTIMIZERS: Final[dict[str, Any]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


def head_loss(scores: Tensor, truth: Tensor, weights: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy, the mean over labelled rows, each weighted by its class.

    ``sum_i w[y_i] ce_i / sum_i w[y_i]``, as ``torch.nn.CrossEntropyLoss`` has it; 0 where no row
    has a label, with a gradient of 0.

    Args:
        scores: logits, float ``[n, k]``, or ``[m, n, k]`` of several networks.
        truth: int64 ``[n]``, -1 where there is no label.
        weights: of the classes, float32 ``[k]``.
        smoothing: of the labels, from 0 to 1.

    Returns:
        float32 scalar, or ``[m]``.
    """
    several = scores.dim() == 3
    summed = nn.functional.cross_entropy(
        scores.float().permute(1, 2, 0) if several else scores.float(),
        truth[:, None].expand(-1, len(scores)) if several else truth,
        weight=weights,
        ignore_index=-1,
        reduction="none" if several else "sum",
        label_smoothing=smoothing,
    ).sum(dim=0)
    # -1 takes the last one, which is 0.
    rows = nn.functional.pad(weights, (0, 1))[truth].sum()
    return summed / rows.clamp_min(torch.finfo(torch.float32).tiny)


def count_hits(predicted: Tensor, truth: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """How many rows of each class are recognised, and how many there are.

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
    """
    return (hits / rows).nanmean(dim=-1)


def make_optimizer(
    config: NetworkSettings, parameters: Iterable[Any], *, fused: bool
) -> torch.optim.Optimizer:
    """The optimizer of a network's parameters, or of groups; one kernel per step if fused."""
    momentum = {"momentum": config.momentum} if config.optimizer == "sgd" else {}
    made: torch.optim.Optimizer = _OPTIMIZERS[config.optimizer](
        parameters, lr=config.lr, weight_decay=config.weight_decay, fused=fused, **momentum
    )
    return made


def make_schedule(name: str, optimizer: torch.optim.Optimizer, *, steps: int) -> LRScheduler | None:
    """A schedule of the optimizer's learning rate over the steps of a training.

    None for ``none``, and for ``plateau``, which follows the dev UAR of each epoch.
    """
    if name == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    if name == "onecycle":
        # One more: the scheduler steps once after the optimizer's last step.
        highest = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, highest, steps + 1)
    return None
