"""Receiver operating characteristic: how well a probability ranks the rows of a class first.

Conventions:
    A class is scored against all others together. A row counts as found at a threshold if its
    probability is at least as large; rows of equal probability are passed together, so that a
    tie is worth half. A curve without rows on both sides is undefined: empty, with AUC NaN.

References:
    T. Fawcett, "An introduction to ROC analysis", Pattern Prediction Letters 27, 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechnet.core.types import Float64, Int64

TOLERANCE = 1e-6
"""How far a probability may lie outside 0 to 1, or a row's sum from 1, by rounding."""


@dataclass(frozen=True)
class RocCurve:
    """The curve of one class, or an average of several.

    Attributes:
        fpr: false positive rate, float64 ``[m]``, from 0 to 1, never falling; empty if undefined.
        tpr: true positive rate, float64 ``[m]``, from 0 to 1, never falling; empty if undefined.
        auc: the area under the curve by the trapezoidal rule, 0 to 1; NaN if undefined.
    """

    fpr: Float64
    tpr: Float64
    auc: float


def roc_curve(positive: Int64, score: Float64) -> RocCurve:
    """The curve of one class against the rest.

    ``fpr = FP / (FP + TN)`` and ``tpr = TP / (TP + FN)`` at every distinct score, from (0, 0) to
    (1, 1).

    Args:
        positive: int64 ``[n]``, 1 in the rows of the class and 0 in the others.
        score: float64 ``[n]`` in 0 to 1, larger for a surer yes.

    Returns:
        The curve; undefined unless ``positive`` holds both values.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not (n_positive and n_negative):
        return _undefined()
    order = np.argsort(-score, kind="stable")
    # The last row of each distinct score, then how many there are of either side up to it.
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.concatenate([[0], positive[order].cumsum()[last]])
    tpr = found / n_positive
    fpr = (np.concatenate([[0], last + 1]) - found) / n_negative
    return RocCurve(fpr, tpr, float(np.trapezoid(tpr, fpr)))


def roc_curves(truth: Int64, probability: Float64, classes: list[str]) -> dict[str, RocCurve]:
    """The curve of every class, and two averages of them.

    ``micro`` is one curve over all ``n * k`` decisions "row i is of class c". ``macro`` is the
    vertical average (Fawcett, section 9.1): at each false positive rate, the mean of the class
    curves' true positive rates, interpolated linearly. Where a class curve is vertical the average
    is taken on both sides of the step, so that its area is the mean of the class AUCs, which is
    the ``auc_macro`` of ``classification_scores``. (Sampling only the upper side, as is often
    done, gives a slightly larger area.)

    Args:
        truth: int64 ``[n]`` in ``0..k-1``.
        probability: float64 ``[n, k]``.
        classes: the ``k`` class names, at least two.

    Returns:
        Curves by name: every class in order, then ``micro`` and ``macro``. ``macro`` is undefined
        as soon as one class is.

    Raises:
        ValueError: the arrays and the classes don't fit together.
    """
    probability = checked_probability(truth, probability, classes)
    member = one_hot(truth, len(classes))
    curves = {name: roc_curve(member[:, c], probability[:, c]) for c, name in enumerate(classes)}
    macro = _vertical_average(list(curves.values()))
    curves["micro"] = roc_curve(member.ravel(), probability.ravel())
    curves["macro"] = macro
    return curves


def one_hot(truth: Int64, k: int) -> Int64:
    """Class membership, int64 ``[n, k]``, of the positions ``truth``, int64 ``[n]``."""
    return np.asarray(truth[:, None] == np.arange(k), dtype=np.int64)


def checked_probability(truth: Int64, probability: Float64, classes: list[str]) -> Float64:
    """Check that the arrays and the classes fit.

    Args:
        truth: int64 ``[n]``.
        probability: float64 ``[n, k]``.
        classes: the ``k`` class names.

    Returns:
        ``probability`` as float64, with rounding beyond 0 and 1 cut off.

    Raises:
        ValueError: fewer than two classes or one twice or called as an average is; wrong shapes;
            a label outside ``0..k-1``; a probability that is not finite or not in 0 to 1.
    """
    k = len(classes)
    if k < 2 or len(set(classes)) < k or {"micro", "macro"} & set(classes):
        raise ValueError(
            f"classes are {classes}, expected two or more, all different, none of them "
            "'micro' or 'macro'"
        )
    if probability.shape != (len(truth), k):
        raise ValueError(f"probability has shape {probability.shape}, expected ({len(truth)}, {k})")
    check_labels(truth, k, name="truth")
    # not (a and b), so that NaN fails too
    inside = (probability >= -TOLERANCE) & (probability <= 1 + TOLERANCE)
    if not inside.all():
        raise ValueError(
            f"probability holds {probability[~inside][0]}, expected finite values in 0 to 1; "
            "turn scores or logits into probabilities first"
        )
    return np.asarray(np.clip(probability, 0.0, 1.0), dtype=np.float64)


def check_labels(labels: Int64, k: int, *, name: str) -> None:
    """Check that ``labels`` is int64 ``[n]`` with values in ``0..k-1``; ValueError otherwise."""
    if labels.ndim != 1 or labels.dtype != np.int64:
        raise ValueError(f"{name} is {labels.dtype} of shape {labels.shape}, expected int64 [n]")
    if len(labels) and not (labels.min() >= 0 and labels.max() < k):
        raise ValueError(
            f"{name} holds labels from {labels.min()} to {labels.max()}, expected 0 to {k - 1}; "
            "leave rows without a label out"
        )


def _undefined() -> RocCurve:
    return RocCurve(np.empty(0), np.empty(0), float("nan"))


def _vertical_average(curves: list[RocCurve]) -> RocCurve:
    if any(np.isnan(curve.auc) for curve in curves):
        return _undefined()
    grid = np.unique(np.concatenate([curve.fpr for curve in curves]))
    # np.interp takes the last of several points at one place: mirrored, that is the lowest.
    below = sum(np.interp(-grid, -c.fpr[::-1], c.tpr[::-1]) for c in curves) / len(curves)
    above = sum(np.interp(grid, c.fpr, c.tpr) for c in curves) / len(curves)
    # two [g] -> [2g]: up each step before going on
    fpr, tpr = np.repeat(grid, 2), np.stack([below, above], axis=1).ravel()
    return RocCurve(fpr, tpr, float(np.trapezoid(tpr, fpr)))
