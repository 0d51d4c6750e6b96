"""The optimizers and the schedules of their learning rates, all torch's own."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)


def make_optimizer(
    name: str,
    parameters: Any,
    *,
    lr: float,
    weight_decay: float,
    momentum: float,
    fused: bool = False,
) -> torch.optim.Optimizer:
    """An optimizer.

    Args:
        name: ``adamw``, ``adam`` or ``sgd``.
        parameters: as any optimizer takes them.
        lr: learning rate.
        weight_decay: decoupled from the gradient in ``adamw``.
        momentum: of ``sgd``.
        fused: one kernel a step.
    """
    common: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "fused": fused}
    match name:
        case "adamw":
            return torch.optim.AdamW(parameters, **common)
        case "adam":
            return torch.optim.Adam(parameters, **common)
    return torch.optim.SGD(parameters, **common, momentum=momentum)


def make_schedule(
    name: str, optimizer: torch.optim.Optimizer, *, steps: int
) -> LRScheduler | ReduceLROnPlateau | None:
    """A schedule of the learning rate that the optimizer has.

    Args:
        name: ``cosine`` and ``onecycle`` go on with every step, ``plateau`` with every epoch and
            its dev UAR; ``none`` is none.
        optimizer: whose learning rate it is.
        steps: of the whole training.
    """
    match name:
        case "cosine":
            return CosineAnnealingLR(optimizer, steps)
        case "onecycle":
            # One more: the scheduler steps once after the optimiser's last step.
            highest = [group["lr"] for group in optimizer.param_groups]
            return OneCycleLR(optimizer, highest, steps + 1)
        case "plateau":
            return ReduceLROnPlateau(optimizer, mode="max")
    return None
