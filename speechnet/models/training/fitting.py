"""A network searched and trained, with all its members.

Candidates of a search are trained one by one, or those of one shape at once.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import joblib
import numpy as np
from lightning.pytorch import seed_everything

from speechnet.core.errors import SpeechnetError
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import Int64
from speechnet.models.candidates import Candidate
from speechnet.models.model import Context, Rows
from speechnet.models.search import Scorer, best, score, search
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.joint_training import PER_MEMBER, Member, train_together
from speechnet.models.training.lightning_fit import diverged, quietly, threads
from speechnet.models.training.settings import NetworkSettings
from speechnet.models.training.trainer import NetworkTrainer

_MEMBER_SEEDS: Final = 1000
"""From one member's seed to the next's; folds are one apart."""

_FEWEST: Final = 3
"""Networks that are trained faster together than one by one."""

_PARAMETERS: Final = 2**23
"""Of all networks trained together: more take memory, and no less time."""


def fit_network(model: NetworkSettings, train: Rows, dev: Rows, context: Context) -> FittedNetworks:
    """Search a network's settings, where there is a grid, and train its members."""
    trainer = NetworkTrainer(
        rows=train.source,
        targets=context.targets,
        scaling=context.scaling,
        make_trainer=context.make_trainer,
    )
    # Lightning works in the main thread of a process, or in none.
    parallel = trainer.limits.beside_others and context.processes
    fitting = _Fitting(trainer, train.positions, dev.positions, context, parallel)
    if context.chosen is not None:
        model = replace(model, **context.chosen.get("", {}))
    elif model.grid:
        model = fitting.search(model)
    return FittedNetworks.from_checkpoints(fitting.train_members(model))


@dataclass(frozen=True)
class _Fitting:
    """The rows and the context of a network that is fitted."""

    trainer: NetworkTrainer
    train: Int64
    dev: Int64
    context: Context
    parallel: bool

    def search(self, model: NetworkSettings) -> NetworkSettings:
        """The network with the best candidate's values."""
        context, choices = self.context, model.candidates()
        folds = [
            (self.train[fit], self.train[held]) for fit, held in context.inner_folds(model.folds)
        ]
        with (
            temporary_folder() as folder,
            context.progress(f"{context.name} search", len(choices) * len(folds)) as advance,
        ):
            run = NetworkSearch(
                FitAndScoreNetwork(
                    self.trainer, model, self.dev, context.metric, context.seed, Path(folder)
                )
            )
            tried = search(
                run,
                choices,
                folds,
                metric=context.metric,
                parallel=self.parallel,
                on_done=advance,
            )
        context.searched("", tried)
        return replace(model, **best(tried).candidate)

    def train_members(self, model: NetworkSettings) -> list[Path]:
        """Train each member; returns their checkpoints."""
        context, epochs, paths = self.context, self.trainer.limits.epochs, []
        parallel = self.parallel and model.members > 1
        with context.progress(context.name, model.members * epochs) as advance:
            fits = joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(
                joblib.delayed(self.trainer.fit)(
                    model,
                    train=self.train,
                    dev=self.dev,
                    seed=context.seed + _MEMBER_SEEDS * member,
                    folder=context.folder,
                    name=f"{context.name}_{member}",
                    loggers=context.loggers(member),
                    on_epoch=None if parallel else advance,  # another process can't advance it
                )
                for member in range(model.members)
            )
            for member, (path, records) in enumerate(fits):
                advance(epochs if parallel else epochs - len(records))  # the rest: stopped early
                paths.append(path)
                context.trained(member, records)
        return paths


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
        groups = []
        for group in shared.values():
            groups += [group] if len(group) >= _FEWEST else [[one] for one in group]
        return groups

    def scorer(self, group: Sequence[Candidate], fit: Int64, held: Int64) -> Scorer:
        """See ``Sharing``: all are trained when the first score is asked for."""
        alone = self.alone
        if len(group) == 1 or len(fit) < 2:
            return lambda candidate: alone(candidate, fit, held)
        members = cache(lambda: self._trained(group, fit))

        def score(candidate: Candidate) -> float:
            member = members()[group.index(candidate)]
            if member.diverged is not None:
                raise SpeechnetError(diverged(member.diverged))
            return alone.score(FittedNetworks([member.network]), held)

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
