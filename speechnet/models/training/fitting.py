"""A network searched and trained, with all its members."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import joblib

from speechnet.core.scratch import temporary_folder
from speechnet.models.model import Context, Rows
from speechnet.models.search import best, search
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.search import FitAndScoreNetwork, NetworkSearch
from speechnet.models.training.settings import NetworkSettings
from speechnet.models.training.trainer import NetworkTrainer

_MEMBER_SEEDS: Final = 1000
"""From one member's seed to the next's; folds are one apart."""


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
    if context.chosen is not None:
        model = replace(model, **context.chosen.get("", {}))
    elif model.grid:
        model = _searched(model, trainer, train, dev, context, parallel=parallel)
    return FittedNetworks.from_checkpoints(
        _fit_members(model, trainer, train, dev, context, parallel=parallel and model.members > 1)
    )


def _fit_members(
    model: NetworkSettings,
    trainer: NetworkTrainer,
    train: Rows,
    dev: Rows,
    context: Context,
    *,
    parallel: bool,
) -> list[Path]:
    epochs = trainer.limits.epochs
    paths = []
    with context.progress(context.name, model.members * epochs) as advance:
        fits = joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(
            joblib.delayed(trainer.fit)(
                model,
                train=train.positions,
                dev=dev.positions,
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


def _searched(
    model: NetworkSettings,
    trainer: NetworkTrainer,
    train: Rows,
    dev: Rows,
    context: Context,
    *,
    parallel: bool,
) -> NetworkSettings:
    """The network with the best candidate's values."""
    choices = model.candidates()
    folds = [
        (train.positions[fit], train.positions[held])
        for fit, held in context.inner_folds(model.folds)
    ]
    with (
        temporary_folder() as folder,
        context.progress(f"{context.name} search", len(choices) * len(folds)) as advance,
    ):
        alone = FitAndScoreNetwork(
            trainer, model, dev.positions, context.metric, context.seed, Path(folder)
        )
        tried = search(NetworkSearch(alone), choices, folds, parallel=parallel, on_done=advance)
    context.searched("", tried)
    return replace(model, **best(tried).candidate)
