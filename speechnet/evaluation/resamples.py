"""Scores of many resamples of the same rows.

Metrics with a fast form are computed from sums over units, without gathering the rows of a
resample. For the AUC of a class, these sums are the numbers of pairs ``A[u, v]`` in which a row of
the class of unit ``u`` has a higher probability than another row of unit ``v`` (half for a tie).
With ``w`` copies of each unit the AUC is ``w'Aw / (positives * negatives)``, exactly that of the
repeated rows. For all other metrics the rows are repeated and the metric is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechnet.core.metrics import Metric
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.bootstrap import count_by_unit, ratio
from speechnet.evaluation.samples import Sample

CALLS: Final = 200
"""The most resamples of a metric without a fast form: they give the standard error within 5 %."""


@dataclass(frozen=True)
class Resamples:
    """A sample whose units are repeated as often as ``weights`` says, float64 ``[r, units]``."""

    sample: Sample
    weights: Float64

    share = staticmethod(ratio)

    def scores(self, metric: Metric) -> Float64:
        """The score of each resample: float64 ``[1, r]``, or ``[k, r]`` for one of each class.

        NaN where undefined, and where a class of the sample is missing from the resample.
        """
        if metric.resampled is None:
            repeated = [self._repeated(weights) for weights in self.weights]
            found = np.transpose([one.scores(metric) for one in repeated])
        else:
            found = np.atleast_2d(metric.resampled(self))
        return np.where(self._complete, found, np.nan) if metric.over == "classes" else found

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

    def _repeated(self, weights: Float64) -> Sample:
        copies = weights.astype(np.int64)[self.sample.unit]
        return self.sample.take(np.repeat(np.arange(len(copies)), copies))
