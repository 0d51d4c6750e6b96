"""The 95 % interval of a score, by resampling speakers.

Conventions:
    The pooled score resamples units over all folds. The mean over folds resamples units within each
    fold if no unit is in two folds; otherwise, as in a random split, a unit has the same weight in
    every fold. If the folds share no units and a class has only one unit in some fold, as when one
    speaker is left out at a time, there is no spread within folds: the folds are then resampled.

    A resample that lacks a class of the data is left out; a class without rows stays out of
    averages over classes. A class of a single unit gets no interval, nor does an average over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from speechnet.core.metrics import Metric
from speechnet.core.types import Float64
from speechnet.evaluation.bootstrap import bootstrap_weights, deal, interval, resample
from speechnet.evaluation.resamples import CALLS, Resamples
from speechnet.evaluation.samples import Sample

Intervals = dict[str, tuple[float, float]]
"""Lower and upper end by the name of the score; NaN where there is none."""


def intervals(sample: Sample, metrics: Iterable[Metric], *, seed: int, resamples: int) -> Intervals:
    """The interval of the mean over folds of each score; of one fold for a pooled score.

    Of ``resamples`` draws, a metric without a fast form gets ``CALLS`` at most.
    """
    has = _cells(sample)
    folds_of_unit = has.any(axis=2).sum(axis=1)
    apart = has.shape[1] > 1 and (folds_of_unit == 1).all()
    if apart and (has.sum(axis=0) == 1).any():
        return _between_folds(sample, metrics, seed, resamples)
    sample = replace(sample, unit=deal(has, seed)[sample.unit])
    return _within_folds(sample, metrics, seed, resamples)


def _cells(sample: Sample) -> NDArray[np.bool_]:
    """Which units have rows in which fold and class, bool ``[u, folds, k]``."""
    shape = (sample.unit.max() + 1, sample.fold.max() + 1, len(sample.classes))
    has = np.zeros(shape, dtype=bool)
    has[sample.unit, sample.fold, sample.truth] = True
    return has


def _between_folds(
    sample: Sample, metrics: Iterable[Metric], seed: int, resamples: int
) -> Intervals:
    folds = list(sample.folds())
    weights = bootstrap_weights(len(folds), resamples, seed).T / len(folds)
    found: Intervals = {}
    for metric in metrics:
        scores = np.transpose([of_fold.scores(metric) for of_fold in folds])
        for name, values in zip(metric.names(sample.classes), scores, strict=True):
            value = float(values.mean())
            found[name] = interval(values @ weights, len(folds), value=value, bounds=metric.range)
    return found


def _within_folds(
    sample: Sample, metrics: Iterable[Metric], seed: int, resamples: int
) -> Intervals:
    has = _cells(sample)
    weights, strata = resample(has, resamples, seed)
    quick, slow = _by_fold(sample, weights), _by_fold(sample, weights[: 1 + CALLS])
    found: Intervals = {}
    for metric in metrics:
        folds = slow if metric.resampled is None else quick
        draws = np.mean([of_fold.scores(metric) for of_fold in folds], axis=0)
        for name, values, cells in zip(
            metric.names(sample.classes), draws, _rests_on(metric, has), strict=True
        ):
            bears = cells.reshape(len(has), -1).any(axis=1)
            alone = (cells.sum(axis=0) == 1).any()
            found[name] = interval(
                values[1:],
                int(bears.sum()),
                value=float("nan") if alone else float(values[0]),
                bounds=metric.range,
                strata=len(np.unique(strata[bears])),
            )
    return found


def _rests_on(metric: Metric, has: NDArray[np.bool_]) -> Sequence[NDArray[np.bool_]]:
    """The cells, bool ``[u, ...]``, that each score of a metric is computed from."""
    if metric.over == "class":
        return np.split(has, has.shape[2], axis=2)
    return [np.any(has, axis=2, keepdims=True) if metric.over == "rows" else has]


def _by_fold(sample: Sample, weights: Float64) -> list[Resamples]:
    """The rows of each fold with the weights of its units."""
    found = []
    for of_fold in sample.folds():
        members, unit = np.unique(of_fold.unit, return_inverse=True)
        found.append(Resamples(replace(of_fold, unit=unit), weights[:, members]))
    return found
