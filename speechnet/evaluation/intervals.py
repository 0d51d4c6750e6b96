"""The 95 % interval of a score, by resampling speakers.

The pooled score resamples units over all folds. The mean over folds resamples units within each
fold if no unit is in two folds; otherwise, as in a random split, a unit has the same weight in
every fold. If the folds share no units and a class has only one unit in some fold, as when one
speaker is left out at a time, there is no spread within folds: the folds are then resampled.

A resample that lacks a class of the data is left out; a class without rows stays out of averages
over classes. A class of a single unit gets no interval, nor does an average over it.

Metrics with a fast form are computed from sums over units, without gathering the rows of a
resample. For the AUC of a class, these sums are the numbers of pairs ``A[u, v]`` in which a row of
the class of unit ``u`` has a higher probability than another row of unit ``v`` (half for a tie).
With ``w`` copies of each unit the AUC is ``w'Aw / (positives * negatives)``, exactly that of the
repeated rows. For all other metrics the rows are repeated and the metric is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechnet.core.errors import ConfigError
from speechnet.core.metrics import Metric
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.bootstrap import (
    bootstrap_weights,
    count_by_unit,
    deal,
    interval,
    ratio,
    resample,
)
from speechnet.evaluation.samples import Sample

Intervals = dict[str, tuple[float, float]]
"""Lower and upper end by the name of the score; NaN where there is none."""

CALLS: Final = 200
"""The most resamples of a metric without a fast form: they give the standard error within 5 %."""


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
        for c, (name, values) in enumerate(zip(metric.names(sample.classes), draws, strict=True)):
            # what the score is computed from, bool [u, ...]
            cells = {"class": has[:, :, c], "rows": has.any(axis=2), "classes": has}[metric.over]
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


def _by_fold(sample: Sample, weights: Float64) -> list[Resamples]:
    """The rows of each fold with the weights of its units."""
    found = []
    for of_fold in sample.folds():
        members, unit = np.unique(of_fold.unit, return_inverse=True)
        found.append(Resamples(replace(of_fold, unit=unit), weights[:, members]))
    return found


@dataclass(frozen=True)
class Resamples:
    """A sample whose units are repeated as often as ``weights`` says, float64 ``[r, units]``."""

    sample: Sample
    weights: Float64

    share = staticmethod(ratio)

    def scores(self, metric: Metric) -> Float64:
        """As ``checked_scores``, but a metric that fails is NaN, which is reported once."""
        try:
            return self.checked_scores(metric)
        except ConfigError as error:
            metric.report_failure(error)
            return np.full((len(metric.names(self.sample.classes)), len(self.weights)), np.nan)

    def checked_scores(self, metric: Metric) -> Float64:
        """The score of each resample: float64 ``[1, r]``, or ``[k, r]`` for one of each class.

        NaN where undefined, and where a class of the sample is missing from the resample.

        Raises:
            ConfigError: the metric's fast form fails.
        """
        if metric.resampled is None:
            rows = np.arange(len(self.sample.unit))
            copies = (weights.astype(np.int64)[self.sample.unit] for weights in self.weights)
            repeated = (self.sample.take(np.repeat(rows, times)) for times in copies)
            found = np.transpose([one.scores(metric) for one in repeated])
        else:
            found = self._fast(metric)
        return np.where(self._complete, found, np.nan) if metric.over == "classes" else found

    def _fast(self, metric: Metric) -> Float64:
        expected = (len(metric.names(self.sample.classes)), len(self.weights))
        try:
            found = np.atleast_2d(metric.resampled(self))  # type: ignore[misc] # it has one
            if found.shape != expected:
                raise ValueError(f"resampled gave {found.shape} scores, expected {expected}")
        except Exception as error:  # whatever a plugin's function raises
            raise metric.failed(error) from error
        return found

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """The classes that have rows in the sample, bool ``[k]``."""
        return np.bincount(self.sample.truth, minlength=len(self.sample.classes)) > 0

    @cached_property
    def true(self) -> Float64:
        """Rows of each class, float64 ``[k, r]``."""
        return self._counted(self.sample.unit, self.sample.truth)

    @cached_property
    def called(self) -> Float64:
        """Rows predicted as each class, float64 ``[k, r]``."""
        return self._counted(self.sample.unit, self.sample.predicted)

    @cached_property
    def hits(self) -> Float64:
        """Rows of each class that are predicted as it, float64 ``[k, r]``."""
        hit = self.sample.correct
        return self._counted(self.sample.unit[hit], self.sample.truth[hit])

    @cached_property
    def recall(self) -> Float64:
        """The recall of each class, float64 ``[k, r]``."""
        return ratio(self.hits, self.true)

    @cached_property
    def auc(self) -> Float64:
        """The AUC of each class, float64 ``[k, r]``."""
        won = np.stack([self._pairs_won(c) for c in range(len(self.sample.classes))])
        return ratio(won, self.true * (self.true.sum(axis=0) - self.true))

    @cached_property
    def _complete(self) -> NDArray[np.bool_]:
        """The resamples that have all classes of the sample, two or more; bool ``[r]``."""
        complete = (self.true[self.present] > 0).all(axis=0) & (self.present.sum() > 1)
        return np.asarray(complete, dtype=np.bool_)

    def _counted(self, unit: Int64, labels: Int64) -> Float64:
        k = len(self.sample.classes)
        return count_by_unit(unit, labels, k, count=self.weights.shape[1]).T @ self.weights.T

    def _pairs_won(self, c: int) -> Float64:
        """Pairs of a row of class ``c`` that ranks above one of another class, float64 ``[r]``."""
        positive, unit = self.sample.truth == c, self.sample.unit
        score, units = self.sample.probability[:, c], np.arange(self.weights.shape[1])
        order = np.argsort(score[~positive])
        # below[i, v]: how many of the i lowest negative rows are of v
        below = np.zeros((len(order) + 1, len(units)))
        np.cumsum(unit[~positive][order, None] == units, axis=0, out=below[1:])
        lowest = score[~positive][order]
        ends = [np.searchsorted(lowest, score[positive], side) for side in ("left", "right")]
        wins = (unit[positive] == units[:, None]) @ ((below[ends[0]] + below[ends[1]]) / 2)
        return np.asarray(np.einsum("ru,ru->r", self.weights @ wins, self.weights))
