"""Receiver operating characteristic: how well a probability ranks the rows of a class first.

Each class is scored against all others together. A curve without rows on both sides is undefined:
empty, with AUC NaN.

References:
    T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechnet.core.types import Float64, Int64


@dataclass(frozen=True)
class RocCurve:
    """The curve of one class, or an average of several.

    ``fpr`` and ``tpr``, the false and true positive rates, are float64 ``[m]``, from 0 to 1, never
    falling; ``auc`` is the area under the curve by the trapezoidal rule, 0 to 1.
    """

    fpr: Float64
    tpr: Float64
    auc: float


_UNDEFINED = RocCurve(np.empty(0), np.empty(0), float("nan"))


def roc_curves(truth: Int64, probability: Float64, classes: list[str]) -> dict[str, RocCurve]:
    """The curve of every class, then ``micro`` and ``macro``.

    ``truth`` is int64 ``[n]`` in ``0..k-1``, ``probability`` float64 ``[n, k]`` for two or more
    classes. ``micro`` is one curve over all ``n * k`` decisions "row i is of class c". ``macro`` is
    the vertical average (Fawcett, section 9.1): at each false positive rate, the mean of the class
    curves' true positive rates, interpolated linearly; undefined if one class is. Where a class
    curve is vertical, the average is taken on both sides of the step, so that its area is the mean
    of the class AUCs, the metric ``auc_macro``. (Sampling only the upper side, as is often done,
    gives a slightly larger area.)
    """
    member = (truth[:, None] == np.arange(len(classes))).astype(np.int64)
    curves = {name: roc_curve(member[:, c], probability[:, c]) for c, name in enumerate(classes)}
    macro = _vertical_average(list(curves.values()))
    micro = roc_curve(member.ravel(), probability.ravel())
    return {**curves, "micro": micro, "macro": macro}


def roc_curve(positive: Int64, score: Float64) -> RocCurve:
    """The curve of the rows where ``positive`` is 1 against those where it is 0, ``[n]`` both.

    ``fpr = FP / (FP + TN)`` and ``tpr = TP / (TP + FN)`` at every distinct score, from (0, 0) to
    (1, 1). Rows of equal score are passed together, so that a tie is worth half.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not (n_positive and n_negative):
        return _UNDEFINED
    order = np.argsort(-score, kind="stable")
    # The last row of each distinct score, then how many of each side there are up to it.
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.concatenate([[0], positive[order].cumsum()[last]])
    tpr = found / n_positive
    fpr = (np.concatenate([[0], last + 1]) - found) / n_negative
    return RocCurve(fpr, tpr, float(np.trapezoid(tpr, fpr)))


def _vertical_average(curves: list[RocCurve]) -> RocCurve:
    if any(np.isnan(curve.auc) for curve in curves):
        return _UNDEFINED
    grid = np.unique(np.concatenate([curve.fpr for curve in curves]))
    # np.interp takes the last of several points at one place: mirrored, that is the lowest.
    below = sum(np.interp(-grid, -c.fpr[::-1], c.tpr[::-1]) for c in curves) / len(curves)
    above = sum(np.interp(grid, c.fpr, c.tpr) for c in curves) / len(curves)
    # two [g] -> [2g]: up each step before going on
    fpr, tpr = np.repeat(grid, 2), np.stack([below, above], axis=1).ravel()
    return RocCurve(fpr, tpr, float(np.trapezoid(tpr, fpr)))
