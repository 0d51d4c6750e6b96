"""Permutation importance: the UAR that a run's models lose when features are shuffled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from speechnet.config.experiment import ExperimentConfig
from speechnet.console.progress import progress
from speechnet.core.types import Float64, Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.bootstrap import deal, unit_codes
from speechnet.evaluation.importance import (
    COLUMNS,
    HeldRows,
    Predict,
    draw_orders,
    drops,
    recognised,
)
from speechnet.experiment.ablation import asked_models
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.calibration import load_fitted

_AT_ONCE: Final = 8
"""Features of one task, for which the model is sent to another process once."""

_Shuffled = tuple[str, str, Int64]
"""Level, name and columns of features that are shuffled together."""


def importance(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> pd.DataFrame:
    """Permutation importance of every group of features and of every single feature.

    Models and repeats are set by ``config.evaluation.ablate``; the fitted models are read from
    the run folder.

    Returns:
        A row for each model, target and group or feature: model, target, level (``group`` or
        ``feature``), name, the ``drop`` in pooled test UAR, -1 to 1, mean over the repeats, and
        its 95 % interval (``low``, ``high``) over speakers, or over recordings if a speaker is
        unknown. See ``speechnet.evaluation.importance``.

    Raises:
        DataError: a model is missing from the run folder, or damaged.
    """
    groups = data.groups
    shuffled: list[_Shuffled] = [("group", name, columns) for name, columns in groups.items()]
    shuffled += [("feature", name, columns) for name, columns in _features(data)]
    parts = list(_held_rows(data))
    counted = (part.count(np.ones(part.labels.shape)) for part in parts)
    rows: list[Float64] = [sum(counts) for counts in zip(*counted, strict=True)]
    asked, tables = asked_models(config), []
    with progress("importance", len(asked) * len(parts) * (len(shuffled) + 1)) as advance:
        for model in asked:
            # At 0 nothing is shuffled.
            hits = [np.zeros((len(shuffled) + 1, *count.shape)) for count in rows]
            for at, counts in _counts(config, data, run, model, parts, shuffled):
                for sums, count in zip(hits, counts, strict=True):
                    sums[at] += count
                advance(len(at))
            for target, sums, count in zip(data.targets, hits, rows, strict=True):
                resamples = config.evaluation.resamples
                found = drops(
                    sums[0], sums[1:], count, seed=config.seed_everything, resamples=resamples
                )
                tables += [
                    (model, target, level, name, *drop)
                    for (level, name, _), drop in zip(shuffled, found, strict=True)
                ]
    return pd.DataFrame(tables, columns=[*COLUMNS])


def _held_rows(data: SpeechDataModule) -> Iterator[HeldRows]:
    """The folds' test parts; units are numbered across folds."""
    tested = np.concatenate([fold.test for fold in data.folds])
    fold = np.repeat(np.arange(len(data.folds)), [len(fold.test) for fold in data.folds])
    units, _ = unit_codes([data.matrix.index[row] for row in tested], data.table["speaker"])
    labels, classes = data.labels[tested], [len(names) for names in data.targets.values()]
    has = np.zeros((int(units.max()) + 1, len(data.folds), sum(classes)), dtype=bool)
    for column, first in enumerate(np.cumsum([0, *classes[:-1]])):
        known = labels[:, column] >= 0
        has[units[known], fold[known], first + labels[known, column]] = True
    units = deal(has, data.seed)[units]
    shapes = [(int(units.max()) + 1, k) for k in classes]
    for number in range(len(data.folds)):
        rows = tested[fold == number]
        yield HeldRows(data.X[rows], data.labels[rows], units[fold == number], shapes)


def _features(data: SpeechDataModule) -> Iterator[tuple[str, Int64]]:
    """Single columns by name, but whole layers of an encoder."""
    features = data.extraction.features
    stacks = features.matrix.stacks
    inside = {column for one in stacks for column in range(one.start, one.end)}
    for stack, (encoder, layers) in zip(stacks, features.encoders(), strict=True):
        for place, layer in enumerate(layers):
            first = stack.start + place * stack.width
            yield f"{encoder} layer {layer}", np.arange(first, first + stack.width)
    for column, name in enumerate(features.matrix.names):
        if column not in inside:
            yield name, np.array([column])


def _counts(
    config: ExperimentConfig,
    data: SpeechDataModule,
    run: RunFolder,
    model: str,
    parts: Sequence[HeldRows],
    shuffled: Sequence[_Shuffled],
) -> Iterator[tuple[Int64, list[Float64]]]:
    """Positions in ``shuffled`` plus 1, 0 for none, and the rows recognised with it shuffled."""
    columns = [np.empty(0, np.int64), *(columns for _, _, columns in shuffled)]
    tasks = np.split(np.arange(len(columns)), np.arange(_AT_ONCE, len(columns), _AT_ONCE))
    for number, part in enumerate(parts):
        fitted = load_fitted(run.fold(number), model, data.targets)
        orders = draw_orders(
            len(part.X), config.evaluation.ablate.repeats, config.seed_everything + number
        )
        done = joblib.Parallel(return_as="generator")(
            joblib.delayed(_count)(fitted.predict, part, [columns[i] for i in at], orders)
            for at in tasks
        )
        yield from zip(tasks, done, strict=True)


def _count(
    predict: Predict, part: HeldRows, columns: Sequence[Int64], orders: Int64
) -> list[Float64]:
    """Rows recognised by unit and class, ``[columns, U, k]`` for each target."""
    # Matrices this small are slower on several threads.
    with threadpool_limits(limits=1):
        counts = [part.count(recognised(predict, part, some, orders)) for some in columns]
    return [np.stack(of_target) for of_target in zip(*counts, strict=True)]
