"""Training of a stack: each member on its own rows, stopped by its own dev score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speechnet.core.types import Float32, Int64
from speechnet.models.training.layers import epoch_seed
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.rates import MemberRates
from speechnet.models.training.recall import count_hits, recall
from speechnet.models.training.stacked import Batch, Rates, Stack


@dataclass
class Member:
    """One network of a stack.

    Attributes:
        network: with its scaling and class weights; is trained.
        fit: rows to fit on. Members with the same rows share the array.
        epoch: after which it was as it is kept.
        diverged: the epoch in which its loss became NaN or infinite, if it did.
    """

    network: LightningNetwork
    fit: Int64
    epoch: int = -1
    diverged: int | None = None


@dataclass(frozen=True)
class Table:
    """All rows, where they are computed with.

    Attributes:
        X: raw features, float32 ``[n, d]``.
        labels: int64 ``[n, targets]``, -1 where there is no label.
    """

    X: Tensor
    labels: Tensor

    @classmethod
    def of(cls, X: Float32, labels: Int64, device: torch.device) -> Table:
        """A copy of these rows."""
        return cls(torch.tensor(X, device=device), torch.tensor(labels, device=device))


def train_together(
    members: Sequence[Member], table: Table, *, dev: Int64, seed: int, epochs: int
) -> None:
    """Train networks as they would be one by one, all from the same seed.

    A member ends by itself: its epoch is chosen and it stops as ``ModelCheckpoint`` and
    ``EarlyStopping`` would have it, with a higher dev UAR being better.

    Args:
        members: networks as ``Stack`` takes them, with the same schedule.
        table: all rows.
        dev: rows for early stopping and the best epoch; none keeps the last epoch.
        seed: of the batches, the noise and the dropout.
        epochs: at most.
    """
    batches = _StackedBatches(members, table, seed)
    course = _Course(members, table.X.device, batches.steps, epochs)
    for epoch in range(epochs):
        torch.manual_seed(epoch_seed(seed, epoch))
        finite = course.run(batches.epoch(course.left))
        course.note(epoch, finite, table.X[dev], table.labels[dev])
        if not course.left:
            return


class _StackedBatches:
    """Every member's batches, those of members with fewer rows filled up."""

    def __init__(self, members: Sequence[Member], table: Table, seed: int) -> None:
        device = table.X.device
        folds = {id(one.fit): one.fit for one in members}
        numbers = {key: number for number, key in enumerate(folds)}
        self._fold_of = [numbers[id(one.fit)] for one in members]
        # A last row without a label fills up.
        self._X = torch.cat([table.X, torch.zeros_like(table.X[:1])])
        self._labels = torch.cat([table.labels, torch.full_like(table.labels[:1], -1)])
        self._fits = [torch.tensor(fit) for fit in folds.values()]
        self._orders = [torch.Generator().manual_seed(seed) for _ in folds]
        self._size = members[0].network.config.batch_size
        lengths = torch.tensor([len(fit) for fit in folds.values()])
        self._padded = -(-int(lengths.max()) // self._size) * self._size
        self.steps = [-(-len(one.fit) // self._size) for one in members]
        taken = (torch.arange(self._padded) < lengths[:, None]).view(len(folds), -1, self._size)
        rows = taken.sum(dim=2, keepdim=True)
        self._rows = rows.float().to(device)
        self._share = (taken / rows.clamp_min(1)).to(device)

    def epoch(self, left: Sequence[int]) -> Iterator[Batch]:
        """The batches of one epoch.

        Args:
            left: the members that are left.
        """
        order = torch.full((len(self._fits), self._padded), len(self._X) - 1)
        for number, (fit, orders) in enumerate(zip(self._fits, self._orders, strict=True)):
            order[number, : len(fit)] = fit[torch.randperm(len(fit), generator=orders)]
        device = self._X.device
        order = order.to(device).view(*self._share.shape)
        fold_of = torch.tensor([self._fold_of[member] for member in left], device=device)
        for step in range(order.shape[1]):
            rows = order[fold_of, step]
            yield Batch(
                self._X[rows],
                self._labels[rows],
                share=self._share[fold_of, step][:, :, None],
                rows=self._rows[fold_of, step][:, :, None],
            )


class _Course:
    """Where each member stands.

    Attributes:
        left: positions of the members that go on.
    """

    def __init__(
        self, members: Sequence[Member], device: torch.device, steps: Sequence[int], epochs: int
    ) -> None:
        configs = [one.network.config for one in members]
        self.left = list(range(len(members)))
        self._members = members
        self._stack = Stack([one.network for one in members], device)
        self._rates = MemberRates(configs, steps, epochs)
        self._steps = np.array(steps)
        self._last = epochs - 1
        self._taken = 0 * self._steps
        self._best = torch.full((len(members),), -math.inf, device=device)
        self._kept = self._stack.weights()

    def run(self, batches: Iterator[Batch]) -> Tensor:
        """One epoch; returns whether each member's losses were finite, ``[m]``."""
        losses = [
            self._stack.step(batch, rates)
            for batch, rates in zip(batches, self._epoch_rates(), strict=True)
        ]
        return torch.stack(losses).isfinite().all(dim=0)

    def _epoch_rates(self) -> list[Rates]:
        lr, momentum = self._rates.epoch(self.left, self._steps.max())
        steps = self._steps[self.left]
        active = np.arange(len(lr))[:, None] < steps
        taken = self._taken[self.left]
        self._taken[self.left] += steps
        device = self._best.device
        return Rates.each(lr, momentum, active=active, taken=taken, device=device)

    def note(self, epoch: int, finite: Tensor, X: Tensor, labels: Tensor) -> None:
        """Score the dev rows, keep what is better, and leave out those that have ended."""
        scores = self._scores(X, labels)
        better = finite & ((scores > self._best) | (not len(X)))
        self._best = torch.where(better, scores, self._best)
        for name, now in self._stack.weights().items():
            mask = better.view(-1, *[1] * (now.dim() - 1))
            self._kept[name] = torch.where(mask, now, self._kept[name])
        # The one time in an epoch that the device is waited for.
        told = torch.stack([finite, better, scores]).tolist()
        ended = []
        for place, (ok, improved, score) in enumerate(zip(*told, strict=True)):
            member = self._members[self.left[place]]
            if improved:
                member.epoch = epoch
            if not ok:
                member.diverged = epoch
            self._rates.scored(self.left[place], score)
            patience = member.network.config.patience
            waited = epoch - member.epoch if len(X) and patience is not None else 0
            if not ok or epoch == self._last or (waited and waited >= (patience or 0)):
                self._stack.write(member.network, self._kept, place)
                ended.append(place)
        self._leave_out(ended)

    def _scores(self, X: Tensor, labels: Tensor) -> Tensor:
        """Each member's dev UAR, float32 ``[m]``; 0 where there are no dev rows."""
        if not len(X):
            return torch.zeros_like(self._best)
        recalls = [
            recall(*count_hits(predicted, truth, k))
            for predicted, truth, k in zip(
                self._stack.predict(X), labels.T, self._stack.classes, strict=True
            )
        ]
        return torch.stack(recalls).nanmean(dim=0)

    def _leave_out(self, ended: Sequence[int]) -> None:
        if not ended:
            return
        places = [place for place in range(len(self.left)) if place not in ended]
        self.left = [self.left[place] for place in places]
        keep = torch.tensor(places, dtype=torch.int64, device=self._best.device)
        self._stack.keep(keep)
        self._best = self._best[keep]
        self._kept = {name: one[keep] for name, one in self._kept.items()}
