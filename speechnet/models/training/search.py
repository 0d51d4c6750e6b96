"""The search of a network's settings: one by one, or those of one shape at once."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from lightning.pytorch import seed_everything

from speechnet.core.errors import SpeechnetError
from speechnet.core.types import Int64
from speechnet.models.model import Rows
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.joint_training import PER_MEMBER, Member, train_together
from speechnet.models.training.lightning_fit import diverged, quietly, threads
from speechnet.models.training.model import NetworkModel
from speechnet.models.training.trainer import NetworkTrainer
from speechnet.models.tuning.grid import Candidate
from speechnet.models.tuning.search import Scorer, score

_FEWEST: Final = 3
"""Networks that are trained faster together than one by one."""

_PARAMETERS: Final = 2**23
"""Of all networks trained together: more take memory, and no less time."""


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
        probabilities = network.predict_proba(
            Rows(self.trainer.rows, held, self.base.extractor).features
        )
        scores = []
        for column, target in enumerate(self.trainer.targets):
            truth = self.trainer.rows.labels[held, column]
            known = truth >= 0
            predicted = probabilities[target].argmax(axis=1)
            scores.append(score(truth[known], predicted[known], self.metric))
        return float(np.mean(scores))


@dataclass(frozen=True)
class NetworkSearch:
    """Scores of networks that are trained together where they may be.

    Attributes:
        alone: trains and scores one candidate.
    """

    alone: FitAndScoreNetwork

    def groups(self, candidates: Sequence[Candidate]) -> list[list[int]]:
        """See ``Sharing``: networks that differ in ``PER_MEMBER`` alone are trained together."""
        shared: dict[str, list[int]] = defaultdict(list)
        for position, candidate in enumerate(candidates):
            shared[self._shape(candidate) or f"alone {position}"].append(position)
        groups = [[group] if len(group) >= _FEWEST else [[one] for one in group]
                  for group in shared.values()]  # fmt: skip
        return [one for several in groups for one in several]

    def scorer(self, group: Sequence[Candidate], fit: Int64, held: Int64) -> Scorer:
        """See ``Sharing``."""
        where = self.alone.trainer.stackable()
        if where is None or len(group) == 1 or len(fit) < 2:
            return lambda candidate: self.alone(candidate, fit, held)
        return _OneFold(self.alone, group, where, fit=fit, held=held)

    def _shape(self, candidate: Candidate) -> str:
        """What networks trained together have in common; empty where one is trained alone."""
        config = replace(self.alone.base, **candidate)
        together = config.stackable and config.schedule != "plateau"
        if not (together and self.alone.trainer.stackable()):
            return ""
        shared = {key: value for key, value in asdict(config).items() if key not in PER_MEMBER}
        return repr((shared, config.dropout > 0, config.noise > 0))


class _OneFold:
    """Trains a group of candidates on one inner fold, when the first score is asked for."""

    def __init__(
        self,
        alone: FitAndScoreNetwork,
        group: Sequence[Candidate],
        where: tuple[int, torch.device],
        *,
        fit: Int64,
        held: Int64,
    ) -> None:
        self._alone = alone
        self._group = list(group)
        self._epochs, self._device = where
        self._fit = fit
        self._held = held
        self._members: list[Member] = []

    def __call__(self, candidate: Candidate) -> float:
        """The score of one candidate.

        Raises:
            SpeechnetError: its training diverged.
        """
        if not self._members:
            self._members = self._trained()
        member = self._members[self._group.index(candidate)]
        if member.diverged is not None:
            raise SpeechnetError(diverged(member.diverged))
        return self._alone.score(FittedNetworks([member.network], []), self._held)

    def _trained(self) -> list[Member]:
        trainer, seed, dev = self._alone.trainer, self._alone.seed, self._alone.dev
        rows = trainer.rows
        members = []
        for candidate in self._group:
            seed_everything(seed, workers=True, verbose=False)
            config = replace(self._alone.base, **candidate)
            members.append(Member(trainer.network(config, self._fit)))
        first = members[0].network
        size = max(1, _PARAMETERS // sum(one.numel() for one in first.parameters()))
        for start in range(0, len(members), size):
            some = members[start : start + size]
            with quietly(), threads(len(some), first, first.config.batch_size):
                train_together(
                    some,
                    rows.X,
                    rows.labels,
                    train=self._fit,
                    dev=dev if (rows.labels[dev] >= 0).any() else dev[:0],
                    seed=seed,
                    epochs=self._epochs,
                    device=self._device,
                )
        return members
