"""Learning rates of several networks at once, by torch's own schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from speechnet.core.types import Float64
from speechnet.models.training.model import NetworkModel
from speechnet.models.training.optimizers import make_optimizer, make_schedule


class MemberRates:
    """Each member's learning rate and momentum, step by step.

    A schedule only sees an optimizer and counts: here one of a single weight that nobody has.
    Members with the same rate and as many steps share theirs, but for ``plateau``, which goes by
    each member's own score.

    Args:
        configs: of each member; the same optimizer and the same schedule.
        steps: of an epoch, for each member.
        epochs: of the whole training.
    """

    def __init__(self, configs: Sequence[NetworkModel], steps: Sequence[int], epochs: int) -> None:
        self._plateau = configs[0].schedule == "plateau"
        self._steps: list[int] = []
        self._optimizers: list[torch.optim.Optimizer] = []
        self._schedules: list[Any] = []
        known: dict[tuple[float, ...], int] = {}
        self._of = []
        for member, (config, count) in enumerate(zip(configs, steps, strict=True)):
            key = (config.lr, config.momentum, count, member if self._plateau else -1)
            if key not in known:
                known[key] = len(known)
                self._add(config, count, epochs)
            self._of.append(known[key])

    def _add(self, config: NetworkModel, steps: int, epochs: int) -> None:
        optimizer = make_optimizer(
            config.optimizer,
            [torch.nn.Parameter(torch.zeros(1))],
            lr=config.lr,
            weight_decay=0.0,
            momentum=config.momentum,
        )
        self._steps.append(steps)
        self._optimizers.append(optimizer)
        self._schedules.append(make_schedule(config.schedule, optimizer, steps=steps * epochs))
        optimizer.step()  # a schedule warns if its optimizer has never taken a step

    def epoch(self, members: Sequence[int], steps: int) -> tuple[Float64, Float64]:
        """The next epoch's rates and momenta.

        Args:
            members: whose.
            steps: of the longest epoch.

        Returns:
            float64 ``[steps, members]`` each; the rate is 0 where a member takes no step.
        """
        rates = np.zeros((2, steps, len(self._optimizers)))
        for one, optimizer in enumerate(self._optimizers):
            (group,) = optimizer.param_groups
            for step in range(self._steps[one]):
                momentum = group["betas"][0] if "betas" in group else group["momentum"]
                rates[:, step, one] = group["lr"], momentum
                if self._schedules[one] is not None and not self._plateau:
                    self._schedules[one].step()
        lr, momentum = rates[:, :, [self._of[member] for member in members]]
        return lr, momentum

    def scored(self, member: int, score: float) -> None:
        """Tell a ``plateau`` of its member's score."""
        if self._plateau:
            self._schedules[self._of[member]].step(score)
