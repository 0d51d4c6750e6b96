"""The search of a network's settings: one by one, or those of one shape at once."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from lightning.pytorch import seed_everything

from speechnet.core.errors import SpeechnetError
from speechnet.core.types import Int64
from speechnet.models.model import Candidate, Rows
from speechnet.models.search import Scorer, score
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.joint_training import PER_MEMBER, Member, train_together
from speechnet.models.training.lightning_fit import diverged, quietly, threads
from speechnet.models.training.settings import NetworkSettings
from speechnet.models.training.trainer import NetworkTrainer

_FEWEST: Final = 3
"""Networks that are trained faster together than one by one."""

_PARAMETERS: Final = 2**23
"""Of all networks trained together: more take memory, and no less time."""


@dataclass(frozen=True)
class FitAndScoreNetwork:
    """Trains one candidate on some rows, stopping by the dev part, and scores it on others.

    The score is the mean over the targets. ``folder`` holds the checkpoints meanwhile.
    """

    trainer: NetworkTrainer
    base: NetworkSettings
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
        rows = Rows(self.trainer.rows, held, self.base.extractor)
        predicted = network.predict(rows.features)
        scores = []
        for truth, found in zip(rows.labels.T, predicted.T, strict=True):
            known = truth >= 0
            scores.append(score(truth[known], found[known], self.metric))
        return float(np.mean(scores))


@dataclass(frozen=True)
class NetworkSearch:
    """Scores of networks that are trained together where possible; see ``Sharing``.

    Attributes:
        alone: trains and scores a candidate by itself.
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
        """See ``Sharing``: all are trained when the first score is asked for."""
        alone = self.alone
        if not alone.trainer.limits.stackable or len(group) == 1 or len(fit) < 2:
            return lambda candidate: alone(candidate, fit, held)
        members = cache(lambda: self._trained(group, fit))

        def score(candidate: Candidate) -> float:
            member = members()[group.index(candidate)]
            if member.diverged is not None:
                raise SpeechnetError(diverged(member.diverged))
            return alone.score(FittedNetworks([member.network], []), held)

        return score

    def _shape(self, candidate: Candidate) -> str:
        """What networks trained together have in common; empty where one is trained alone."""
        config = replace(self.alone.base, **candidate)
        together = config.stackable and config.schedule != "plateau"
        if not (together and self.alone.trainer.limits.stackable):
            return ""
        shared = {key: value for key, value in asdict(config).items() if key not in PER_MEMBER}
        return repr((shared, config.dropout > 0, config.noise > 0))

    def _trained(self, group: Sequence[Candidate], fit: Int64) -> list[Member]:
        """The group's networks, as many at once as memory is well used for."""
        trainer, seed, dev = self.alone.trainer, self.alone.seed, self.alone.dev
        labels = trainer.rows.labels
        members = []
        for candidate in group:
            seed_everything(seed, workers=True, verbose=False)
            config = replace(self.alone.base, **candidate)
            members.append(Member(trainer.network(config, fit)))
        first = members[0].network
        size = max(1, _PARAMETERS // sum(one.numel() for one in first.parameters()))
        for start in range(0, len(members), size):
            some = members[start : start + size]
            with quietly(), threads(len(some), first, first.config.batch_size):
                train_together(
                    some,
                    trainer.rows.feature_set.matrix.X,
                    labels,
                    train=fit,
                    dev=dev if (labels[dev] >= 0).any() else dev[:0],
                    seed=seed,
                    epochs=trainer.limits.epochs,
                    device=trainer.limits.device,
                )
        return members
