"""The metrics of categorical targets: one function each, all in ``speechnet.core.metrics.METRICS``.

Conventions:
    ``truth`` and ``predicted`` are int64 ``[n]`` in ``0..k-1``, ``probability`` is float64
    ``[n, k]`` in 0 to 1, and ``classes`` are the ``k`` names. ``N[i, j]`` counts the rows of class
    ``i`` that were predicted as ``j``; ``t`` and ``q`` are its row and column sums. Without rows,
    and wherever a formula divides by 0, a score is NaN. It is never 0, and left out of an average
    only where the average's definition says so.

    NumPy is imported inside the functions, so that checking a configuration against the metrics'
    names costs nothing. The examples know it as ``np``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speechnet.core.metrics import EVERYWHERE, metric

if TYPE_CHECKING:
    from speechnet.core.types import Float64, Int64
    from speechnet.evaluation.intervals import Resamples


@metric(
    "accuracy",
    label="accuracy",
    title="Accuracy",
    short="acc.",
    over="rows",
    interval=True,
    shown=EVERYWHERE,
    chance=lambda k: 1 / k,
    resampled=lambda drawn: drawn.share(drawn.hits.sum(axis=0), drawn.true.sum(axis=0)),
)
def accuracy(truth: Int64, predicted: Int64) -> float:
    """The share of rows whose class is predicted: ``sum_c N[c, c] / n``.

    >>> accuracy(np.array([0, 0, 1]), np.array([0, 1, 1]))
    0.6666666666666666
    """
    return float((truth == predicted).mean()) if len(truth) else float("nan")


@metric(
    "uar",
    label="UAR",
    title="Unweighted average recall",
    interval=True,
    shown=EVERYWHERE,
    chance=lambda k: 1 / k,
    resampled=lambda drawn: drawn.recall[drawn.present].mean(axis=0),
)
def uar(truth: Int64, predicted: Int64) -> float:
    """Unweighted average recall: the mean recall of the classes that have rows.

    ``mean_c N[c, c] / t[c]`` over the classes with ``t[c] > 0`` (B. Schuller, S. Steidl,
    A. Batliner, "The INTERSPEECH 2009 Emotion Challenge", 2009); scikit-learn's balanced accuracy.

    >>> uar(np.array([0, 0, 1]), np.array([0, 1, 1]))
    0.75
    """
    import numpy as np

    if not len(truth):
        return float("nan")
    rows = np.bincount(truth)
    hits = np.bincount(truth[truth == predicted], minlength=len(rows))
    return float((hits[rows > 0] / rows[rows > 0]).mean())


def _macro_f1s(drawn: Resamples) -> Float64:
    import numpy as np

    f1 = drawn.share(2 * drawn.hits, drawn.true + drawn.called)
    return np.asarray(np.nansum(f1, axis=0) / np.maximum(np.isfinite(f1).sum(axis=0), 1))


@metric(
    "macro_f1",
    label="macro F1",
    title="Macro F1",
    interval=True,
    shown=("page",),
    resampled=_macro_f1s,
)
def macro_f1(truth: Int64, predicted: Int64) -> float:
    """The mean F1 of the classes that are true or predicted in some row.

    ``mean_c 2 N[c, c] / (t[c] + q[c])`` over the classes with ``t[c] + q[c] > 0``: scikit-learn's
    ``f1_score(average="macro")`` without ``labels``.

    >>> macro_f1(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    0.7333333333333334
    """
    import numpy as np

    if not len(truth):
        return float("nan")
    k = int(max(truth.max(), predicted.max())) + 1
    return float(np.nanmean(_f1s(truth, predicted, k)))


@metric("log_loss", label="log loss", range=(0, 40), higher_is_better=False, over="rows")
def log_loss(truth: Int64, probability: Float64) -> float:
    """The mean negative log-likelihood of the true class: ``-mean(log p[i, truth_i])``.

    Natural logarithm, with ``p`` clipped to eps..1-eps for the eps of float64, about 2.2e-16, as in
    scikit-learn: 0 to 36.04.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
    0.6931
    """
    import numpy as np

    if not len(truth):
        return float("nan")
    eps = np.finfo(np.float64).eps
    likelihood = np.clip(probability[np.arange(len(truth)), truth], eps, 1 - eps)
    return float(-np.log(likelihood).mean())


@metric("brier", label="Brier score", range=(0, 2), higher_is_better=False, over="rows")
def brier(truth: Int64, probability: Float64) -> float:
    """The Brier score, over all classes: ``mean_i sum_c (p[i, c] - [truth_i = c])^2``, 0 to 2.

    The original definition (G. W. Brier, "Verification of forecasts expressed in terms of
    probability", 1950): for two classes it is twice that of the positive class alone.

    >>> brier(np.array([0, 1]), np.array([[1.0, 0.0], [0.5, 0.5]]))
    0.25
    """
    if not len(truth):
        return float("nan")
    return float(((probability - _members(truth, probability)) ** 2).sum(axis=1).mean())


@metric("ece", label="expected calibration error", short="ECE", higher_is_better=False, over="rows")
def ece(truth: Int64, predicted: Int64, probability: Float64) -> float:
    """Expected calibration error: ``sum_b n_b / n |accuracy_b - confidence_b|``.

    The confidence of a row is its highest probability; the bins are ``(0, 1/15], ...,
    (14/15, 1]`` (C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural
    Networks", 2017). Biased upwards where rows are few.

    >>> ece(np.array([0, 1]), np.array([0, 0]), np.array([[0.75, 0.25], [0.75, 0.25]]))
    0.25
    """
    from speechnet.evaluation.calibration import calibration_error

    return calibration_error(probability.max(axis=1, initial=0.0), truth == predicted)


@metric(
    "auc_macro",
    label="AUC",
    title="Macro AUC",
    interval=True,
    shown=("terminal", "page"),
    resampled=lambda drawn: drawn.auc.mean(axis=0),
)
def auc_macro(truth: Int64, probability: Float64) -> float:
    """The mean of the classes' AUCs, one against the rest; NaN if one of them is.

    >>> auc_macro(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]))
    1.0
    """
    return float(_auc(_members(truth, probability), probability).mean())


@metric("auc_micro", label="micro AUC", over="rows")
def auc_micro(truth: Int64, probability: Float64) -> float:
    """The AUC over all ``n * k`` decisions "row i is of class c".

    >>> auc_micro(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    0.75
    """
    members = _members(truth, probability)
    return float(_auc(members.reshape(-1, 1), probability.reshape(-1, 1))[0])


@metric("precision", label="precision", over="class")
def precision(truth: Int64, predicted: Int64, classes: list[str]) -> Float64:
    """For each class the share of the rows predicted as it that are of it: ``N[c, c] / q[c]``.

    >>> precision(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"])
    array([1. , 0.5])
    """
    counts = confusion(truth, predicted, len(classes))
    return _share(counts.diagonal(), counts.sum(axis=0))


@metric("recall", label="recall", over="class", interval=True, resampled=lambda drawn: drawn.recall)
def recall(truth: Int64, predicted: Int64, classes: list[str]) -> Float64:
    """For each class the share of its rows that are predicted as it: ``N[c, c] / t[c]``.

    >>> recall(np.array([0, 0, 1]), np.array([0, 1, 1]), ["a", "b"])
    array([0.5, 1. ])
    """
    counts = confusion(truth, predicted, len(classes))
    return _share(counts.diagonal(), counts.sum(axis=1))


@metric("f1", label="F1", over="class")
def f1(truth: Int64, predicted: Int64, classes: list[str]) -> Float64:
    """For each class the harmonic mean of precision and recall: ``2 N[c, c] / (t[c] + q[c])``.

    0 where the class is missed altogether, though its precision is undefined; NaN only where it is
    neither true nor predicted in any row.

    >>> f1(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), ["a", "b"])
    array([0.8       , 0.66666667])
    """
    return _f1s(truth, predicted, len(classes))


@metric("auc", label="AUC", over="class")
def auc(truth: Int64, probability: Float64) -> Float64:
    """For each class the area under its ROC curve, one against the rest.

    The share of pairs of a row of the class and another row in which the former has the higher
    probability, ties counting half (T. Fawcett, "An introduction to ROC analysis", Pattern
    Recognition Letters 27, 2006). NaN unless there are rows of both sorts.

    >>> auc(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]]))
    array([0.75, 0.75])
    """
    return _auc(_members(truth, probability), probability)


def confusion(truth: Int64, predicted: Int64, k: int) -> Int64:
    """Count the rows of each true class (row) and predicted class (column): int64 ``[k, k]``.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    import numpy as np

    counts: Int64 = np.bincount(truth * k + predicted, minlength=k * k)
    return counts.reshape(k, k)


def _f1s(truth: Int64, predicted: Int64, k: int) -> Float64:
    counts = confusion(truth, predicted, k)
    return _share(2 * counts.diagonal(), counts.sum(axis=1) + counts.sum(axis=0))


def _share(part: Any, whole: Any) -> Float64:
    """``part / whole``, NaN where the whole is 0."""
    import numpy as np

    return np.asarray(part / np.where(whole == 0, np.nan, whole), dtype=np.float64)


def _members(truth: Int64, probability: Float64) -> Int64:
    """Class membership, int64 ``[n, k]``."""
    import numpy as np

    members = truth[:, None] == np.arange(probability.shape[1])
    return np.asarray(members, dtype=np.int64)


def _auc(member: Int64, score: Float64) -> Float64:
    """The AUC of each column, float64 ``[k]``, by the ranks of its rows."""
    from scipy.stats import rankdata

    positive = member.sum(axis=0)
    above = (rankdata(score, axis=0) * member).sum(axis=0) - positive * (positive + 1) / 2
    return _share(above, positive * (len(member) - positive))
