"""Networks of one shape trained as one, on the same rows; each ends as if it were trained alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from speechnet.core.types import Float32, Int64
from speechnet.models.training.layers import seed_epoch
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.objective import count_hits, make_optimizer, make_schedule, recall

PER_MEMBER = frozenset({"dropout", "lr", "momentum", "noise", "patience", "weight_decay"})
"""Settings in which networks that are trained together may differ; noise and dropout if not 0."""

_SCALING = ("centre", "scale")

_ROWS = 256
"""Dev rows predicted at once, at least: they need no more memory than training does."""


@dataclass
class Member:
    """One of the networks trained together.

    Attributes:
        network: with its scaling and class weights; gets the weights of its best epoch.
        epoch: the best; -1 before there is one.
        diverged: the epoch in which its loss became NaN or infinite, if it did.
    """

    network: LightningNetwork
    epoch: int = -1
    diverged: int | None = None

    def ended(self, epoch: int) -> bool:
        """Whether this epoch was its last, as ``EarlyStopping`` would have it."""
        patience = self.network.config.patience
        waited = patience is not None and epoch - self.epoch >= max(patience, 1)
        return waited or self.diverged is not None


def train_together(
    members: Sequence[Member],
    X: Float32,
    labels: Int64,
    *,
    train: Int64,
    dev: Int64,
    seed: int,
    epochs: int,
    device: torch.device,
) -> None:
    """Train networks that draw the same batches, noise and dropout.

    Args:
        members: networks whose settings differ in ``PER_MEMBER`` alone; not for ``plateau``, whose
            rate depends on each one's own score.
        X: features of all rows, float32 ``[n, d]``, raw.
        labels: of all rows, int64 ``[n, targets]``, -1 where there is no label.
        train: rows to fit on.
        dev: rows for early stopping and the best epoch, by UAR; none keeps the last epoch.
        seed: of the batches, the noise and the dropout.
        epochs: at most.
        device: where to compute.
    """
    table, dev_table = (
        (torch.tensor(X[rows], device=device), torch.tensor(labels[rows], device=device))
        for rows in (train, dev)
    )
    size = members[0].network.config.batch_size
    stack = _Stack(members, device, steps=epochs * -(-len(train) // size))
    orders = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        seed_epoch(seed, epoch)
        order = torch.randperm(len(train), generator=orders).to(device)
        losses = [stack.step(*(one[rows] for one in table)) for rows in torch.split(order, size)]
        stack.note(epoch, torch.stack(losses).isfinite().all(dim=0), *dev_table)
        if not stack.left:
            return


class _Stack:
    """The members' tensors, stacked, and one optimizer of each member's part of them.

    Attributes:
        left: the members that go on.
    """

    def __init__(self, members: Sequence[Member], device: torch.device, *, steps: int) -> None:
        self.left = list(members)
        self._template = deepcopy(members[0].network).to(device)
        parameters, buffers = stack_module_state([one.network for one in members])
        self._parameters = {
            name: one.detach().to(device).requires_grad_(one.requires_grad)
            for name, one in parameters.items()
        }
        self._buffers = {name: one.to(device) for name, one in buffers.items()}
        self._best = torch.full((len(members),), -math.inf, device=device)
        views = zip(*(one.detach() for one in self._learnt()), strict=True)
        self._own = [list(own) for own in views]
        self._bind()
        groups: dict[tuple[float, ...], dict[str, Any]] = {}
        for own, member in zip(self._own, members, strict=True):
            config = member.network.config
            rates = {name: getattr(config, name) for name in ("lr", "weight_decay", "momentum")}
            groups.setdefault(tuple(rates.values()), {"params": [], **rates})["params"] += own
        shared = self._template.config
        self._optimizer = make_optimizer(shared, groups.values(), fused=True)
        self._schedule = make_schedule(shared.schedule, self._optimizer, steps=steps)

    def step(self, X: Tensor, labels: Tensor) -> Tensor:
        """One step of the optimizer; returns the losses before it, float32 ``[m]``."""
        losses = self._template.loss(self._each(X), labels)
        losses.sum().backward()  # type: ignore[no-untyped-call] # torch's own
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        for parameter in self._learnt():
            parameter.grad.zero_()  # type: ignore[union-attr] # see _bind
        return losses.detach()

    @torch.no_grad()
    def note(self, epoch: int, finite: Tensor, X: Tensor, labels: Tensor) -> None:
        """Score the dev rows, keep what is better, and leave out members that have ended."""
        scores = self._scores(X, labels) if len(X) else self._best
        better = finite & ((scores > self._best) | (not len(X)))
        self._best = torch.where(better, scores, self._best)
        # The one time in an epoch that the device is waited for.
        flags = torch.stack([finite, better]).tolist()
        for place, (member, ok, improved) in enumerate(zip(self.left, *flags, strict=True)):
            if not ok:
                member.diverged = epoch
            if improved:
                member.epoch = epoch
                self._write(member.network, place)
        self._leave([place for place, one in enumerate(self.left) if not one.ended(epoch)])

    def _scores(self, X: Tensor, labels: Tensor) -> Tensor:
        """Each member's dev UAR, float32 ``[m]``."""
        self._template.eval()
        size = max(_ROWS, self._template.config.batch_size)
        pieces = [
            {target: scores.argmax(dim=2) for target, scores in self._each(rows).items()}
            for rows in torch.split(X, size)
        ]
        self._template.train()
        recalls = []
        for (target, classes), truth in zip(self._template.targets.items(), labels.T, strict=True):
            predicted = torch.cat([piece[target] for piece in pieces], dim=1)
            recalls.append(recall(*count_hits(predicted, truth, len(classes))))
        return torch.stack(recalls).nanmean(dim=0)

    def _each(self, X: Tensor) -> dict[str, Tensor]:
        """Each member's logits: ``[n, d]`` -> ``[m, n, k]`` by target."""

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Any:
            return functional_call(self._template, (parameters, buffers), (X,))

        # All have the same scaling. Of many layers, rows scaled once are worth the exception.
        shared = _SCALING if self._template.mix.stacks else ()
        buffers = self._buffers | {name: self._buffers[name][0] for name in shared}
        each = {name: None if name in shared else 0 for name in buffers}
        logits: dict[str, Tensor] = vmap(one, in_dims=(0, each), randomness="same")(
            self._parameters, buffers
        )
        return logits

    def _learnt(self) -> list[Tensor]:
        return [one for one in self._parameters.values() if one.requires_grad]

    def _bind(self) -> None:
        """Make each member's parameters and gradients parts of the stacked ones."""
        for column, stacked in enumerate(self._learnt()):
            stacked.grad = torch.zeros_like(stacked)  # to which ``backward`` adds in place
            for own, value, gradient in zip(self._own, stacked.detach(), stacked.grad, strict=True):
                own[column].data, own[column].grad = value, gradient

    def _write(self, network: LightningNetwork, place: int) -> None:
        stacked = self._parameters | self._buffers
        for name, own in chain(network.named_parameters(), network.named_buffers()):
            own.copy_(stacked[name][place])

    def _leave(self, places: list[int]) -> None:
        """Go on with these members alone."""
        if len(places) == len(self.left):
            return
        for place in set(range(len(self.left))) - set(places):
            for parameter in self._own[place]:  # without a gradient the optimizer skips it
                parameter.grad, parameter.data = None, parameter.new_empty(0)
        self.left = [self.left[place] for place in places]
        self._own = [self._own[place] for place in places]
        self._best = self._best[places]
        self._buffers = {name: one[places] for name, one in self._buffers.items()}
        self._parameters = {
            name: one.detach()[places].requires_grad_(one.requires_grad)
            for name, one in self._parameters.items()
        }
        self._bind()
