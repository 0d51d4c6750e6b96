"""The search of the network's hyper-parameters: one by one, or many at once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import torch
from lightning.pytorch import seed_everything

from speechnet.core.errors import SpeechnetError
from speechnet.core.types import Int64
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.joint_training import Member, Table, train_together
from speechnet.models.training.lightning_fit import diverged, quietly, threads
from speechnet.models.training.model import NetworkModel
from speechnet.models.training.trainer import NetworkTrainer
from speechnet.models.tuning.grid import Candidate
from speechnet.models.tuning.search import InnerFolds, score

_LOG = logging.getLogger(__name__)

_CPU_BYTES: Final = 2**25
"""Of a stack: more would no longer fit into a processor's cache, and the next step starts cold."""

_GPU_SHARE: Final = 0.25
"""Of a GPU's memory, for a stack."""


@dataclass(frozen=True)
class FitAndScoreNetwork:
    """Trains one candidate on some rows, stopping by the dev part, and scores it on others.

    The score is the mean over the targets. ``folder`` holds the checkpoints for the time being.
    """

    trainer: NetworkTrainer
    base: NetworkModel
    dev: Int64
    metric: str
    seed: int
    folder: Path

    def __call__(self, candidate: Candidate, fit: Int64, held: Int64) -> float:
        """The score of one candidate on one inner fold."""
        config = replace(self.base, **candidate)
        name = uuid.uuid4().hex
        path, _ = self.trainer.fit(
            config, train=fit, dev=self.dev, seed=self.seed, folder=self.folder, name=name
        )
        network = FittedNetworks.from_checkpoints([path])
        path.unlink()
        return self.score(network, held)

    def score(self, network: FittedNetworks, held: Int64) -> float:
        """The score of a trained candidate on some rows."""
        probabilities = network.predict_proba(self.trainer.rows.X[held])
        scores = []
        for column, target in enumerate(self.trainer.targets):
            truth = self.trainer.rows.labels[held, column]
            known = truth >= 0
            predicted = probabilities[target].argmax(axis=1)
            scores.append(score(truth[known], predicted[known], self.metric))
        return float(np.mean(scores))


@dataclass(frozen=True)
class _Task:
    """One candidate on one inner fold, by their numbers."""

    candidate: int
    fold: int
    config: NetworkModel


@dataclass(frozen=True)
class FitAndScoreTogether:
    """Gives out the scores of candidates that were trained together, and trains the others.

    Attributes:
        alone: trains one.
        candidates: those of the search.
        folds: its inner folds.
        outcomes: the score by numbers of candidate and fold, or why there is none.
    """

    alone: FitAndScoreNetwork
    candidates: Sequence[Candidate]
    folds: InnerFolds
    outcomes: dict[tuple[int, int], float | str] = field(default_factory=dict)

    def train(self, *, parallel: bool, on_done: Callable[[int], None]) -> None:
        """Train all that can be trained together.

        Args:
            parallel: every stack as a task of joblib; else one after the other.
            on_done: told how many were trained, each candidate counted for each fold.
        """
        where = self.alone.trainer.stackable()
        if where is None:
            return
        epochs, device = where
        stacks = list(self._stacks(device))
        done = joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(
            joblib.delayed(_fit_stack)(self.alone, stack, self.folds, epochs, device)
            for stack in stacks
        )
        for stack, outcomes in zip(stacks, done, strict=True):
            for task, outcome in zip(stack, outcomes, strict=True):
                if outcome is not None:
                    self.outcomes[task.candidate, task.fold] = outcome
            on_done(len(stack))

    def __call__(self, candidate: Candidate, fit: Int64, held: Int64) -> float:
        """The score of one candidate on one inner fold, all three as given at first.

        Raises:
            SpeechnetError: it could not be trained.
        """
        number = next(i for i, one in enumerate(self.candidates) if one is candidate)
        fold = next(i for i, (rows, _) in enumerate(self.folds) if rows is fit)
        outcome = self.outcomes.get((number, fold))
        if outcome is None:
            return self.alone(candidate, fit, held)
        if isinstance(outcome, str):
            raise SpeechnetError(outcome)
        return outcome

    def _stacks(self, device: torch.device) -> Iterator[list[_Task]]:
        """Tasks whose networks have one shape, as many as the memory allows."""
        groups: dict[str, list[_Task]] = {}
        has_dev = bool((self.alone.trainer.rows.labels[self.alone.dev] >= 0).any())
        for number, candidate in enumerate(self.candidates):
            config = replace(self.alone.base, **candidate)
            if config.schedule == "plateau" and not has_dev:
                continue
            groups.setdefault(_shape(config), []).extend(
                _Task(number, fold, config)
                for fold, (fit, _) in enumerate(self.folds)
                if len(fit) > 1
            )
        width = self.alone.trainer.rows.X.shape[1]
        for tasks in groups.values():
            size = _members_at_once(tasks[0].config, width, device) if tasks else 1
            yield from (tasks[start : start + size] for start in range(0, len(tasks), size))


def _shape(config: Any) -> str:
    """What networks of one stack have in common."""
    alike = (config.hidden, config.activation, config.norm, config.optimizer, config.schedule)
    return repr((*alike, config.batch_size, config.noise > 0, config.dropout > 0))


def _members_at_once(config: Any, width: int, device: torch.device) -> int:
    """How many networks fill the cache of a processor, or a good part of a GPU."""
    widths: list[int] = [width, *config.hidden]
    parameters = sum(before * after for before, after in pairwise(widths))
    # Weights, gradient, two moments, what is kept, and what is in between; a batch likewise.
    member: int = 4 * 8 * (parameters + config.batch_size * sum(widths))
    if device.type != "cuda":
        return max(1, _CPU_BYTES // member)
    return max(1, int(_GPU_SHARE * torch.cuda.get_device_properties(device).total_memory) // member)


def _fit_stack(
    alone: FitAndScoreNetwork,
    stack: Sequence[_Task],
    folds: InnerFolds,
    epochs: int,
    device: torch.device,
) -> list[float | str | None]:
    """The score of each task, or why there is none; None where it has to be trained alone."""
    try:
        return [*_fit_at_once(alone, stack, folds, epochs, device)]
    except torch.OutOfMemoryError:
        pass  # what the failed attempt holds is let go with the exception
    torch.cuda.empty_cache()  # without a GPU it does nothing
    if len(stack) == 1:
        return [None]
    half = len(stack) // 2
    _LOG.warning("%d networks at once are too many for the memory: trying %d", len(stack), half)
    pieces = (stack[:half], stack[half:])
    return [one for piece in pieces for one in _fit_stack(alone, piece, folds, epochs, device)]


def _fit_at_once(
    alone: FitAndScoreNetwork,
    stack: Sequence[_Task],
    folds: InnerFolds,
    epochs: int,
    device: torch.device,
) -> list[float | str]:
    trainer = alone.trainer
    rows = trainer.rows
    members = []
    for task in stack:
        seed_everything(alone.seed, workers=True, verbose=False)
        fit = folds[task.fold][0]
        members.append(Member(trainer.network(task.config, fit), fit))
    dev = alone.dev if (rows.labels[alone.dev] >= 0).any() else alone.dev[:0]
    with quietly(), threads(len(members), members[0].network, stack[0].config.batch_size):
        table = Table.of(rows.X, rows.labels, device)
        train_together(members, table, dev=dev, seed=alone.seed, epochs=epochs)
    return [
        _score(alone, member, folds[task.fold][1])
        for task, member in zip(stack, members, strict=True)
    ]


def _score(alone: FitAndScoreNetwork, member: Member, held: Int64) -> float | str:
    if member.diverged is not None:
        return diverged(member.diverged)
    try:
        return alone.score(FittedNetworks([member.network], []), held)
    except (ValueError, ArithmeticError, SpeechnetError) as error:
        return f"{type(error).__name__}: {error}"
