"""Scores of one classifier on one set of rows.

Conventions:
    Rates lie between 0 and 1. What is undefined is NaN: never 0, and never left out of an average
    unless the average's own definition says so.

Metrics (``N[i, j]`` rows of class ``i`` taken for ``j``; ``t``, ``q`` its row and column sums):
    accuracy: ``sum_c N[c, c] / n``.
    recall of c: ``N[c, c] / t[c]``; undefined if no row is of class c.
    precision of c: ``N[c, c] / q[c]``; undefined if c was never predicted.
    F1 of c: ``2 N[c, c] / (t[c] + q[c])``; undefined if c is neither true nor predicted anywhere.
        It is 0 where the class was missed altogether, though its precision is undefined.
    UAR: unweighted average recall, the mean recall of the classes that have rows.
    macro F1: the mean F1 of the classes that are true or predicted somewhere, each F1 defined.
        scikit-learn's ``f1_score(average="macro")`` without ``labels``, and with all labels and
        ``zero_division=nan``; with all labels and ``zero_division=0`` a class that is not in the
        data at all would count as a failure.
    log loss, Brier score, ECE: see ``speechnet.evaluation.calibration``.
    AUC: see ``speechnet.evaluation.roc``.

    UAR and macro F1 are undefined unless two classes or more have rows: on one class alone, saying
    always the same would be perfect.

References:
    B. Schuller, S. Steidl, A. Batliner, "The INTERSPEECH 2009 Emotion Challenge", 2009 (UAR).
"""

from __future__ import annotations

import numpy as np

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.calibration import brier_score, calibration_error, log_loss
from speechnet.evaluation.roc import check_labels, checked_probability, one_hot, roc_curve


def confusion(truth: Int64, predicted: Int64, k: int) -> Int64:
    """Count the rows of each class by what they were taken for.

    Args:
        truth: int64 ``[n]`` in ``0..k-1``.
        predicted: int64 ``[n]`` in ``0..k-1``.
        k: the number of classes, at least 2.

    Returns:
        int64 ``[k, k]``: one row per true class, one column per predicted class.

    Raises:
        ValueError: fewer than two classes, different lengths, or a label outside ``0..k-1``.
    """
    if k < 2 or len(truth) != len(predicted):
        raise ValueError(
            f"found {k} classes, {len(truth)} true and {len(predicted)} predicted labels; "
            "expected two classes or more and as many of one as of the other"
        )
    check_labels(truth, k, name="truth")
    check_labels(predicted, k, name="predicted")
    # Imported here: torch takes seconds, which comparing tables needn't wait for.
    import torch
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    counts = multiclass_confusion_matrix(
        torch.tensor(predicted), torch.tensor(truth), num_classes=k, validate_args=False
    )
    return np.asarray(counts.numpy(), dtype=np.int64)


def classification_scores(
    truth: Int64, predicted: Int64, probability: Float64, classes: list[str]
) -> dict[str, float]:
    """All scores of one set of rows; the formulas stand at the head of this module.

    Args:
        truth: int64 ``[n]`` in ``0..k-1``.
        predicted: int64 ``[n]`` in ``0..k-1``.
        probability: float64 ``[n, k]`` in 0 to 1.
        classes: the ``k`` class names, at least two.

    Returns:
        ``n, accuracy, uar, macro_f1, log_loss, brier, ece, auc_macro, auc_micro``, then for each
        class ``precision_<class>, recall_<class>, f1_<class>, auc_<class>``. ``auc_macro`` is the
        mean of the class AUCs (one versus rest), NaN if one of them is; ``auc_micro`` is the AUC
        over all ``n * k`` decisions "row i is of class c".

    Raises:
        ValueError: the arrays and the classes don't fit together.
    """
    probability = checked_probability(truth, probability, classes)
    counts = confusion(truth, predicted, len(classes))
    member = one_hot(truth, len(classes))
    per_class = _rates(counts)
    per_class["auc"] = np.array(
        [roc_curve(member[:, c], probability[:, c]).auc for c in range(len(classes))]
    )
    scores = {
        "n": float(len(truth)),
        "accuracy": float(_ratio(np.trace(counts), counts.sum())),
        "uar": _mean_of_present(per_class["recall"], counts),
        "macro_f1": _mean_of_present(per_class["f1"], counts),
        "log_loss": log_loss(truth, probability),
        "brier": brier_score(truth, probability),
        "ece": calibration_error(probability.max(axis=1), predicted == truth),
        "auc_macro": float(per_class["auc"].mean()),
        "auc_micro": roc_curve(member.ravel(), probability.ravel()).auc,
    }
    for c, name in enumerate(classes):
        scores |= {f"{metric}_{name}": float(values[c]) for metric, values in per_class.items()}
    return scores


def _rates(counts: Int64) -> dict[str, Float64]:
    """Precision, recall and F1 of each class, float64 ``[k]`` each."""
    hits, true, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return {
        "precision": _ratio(hits, called),
        "recall": _ratio(hits, true),
        "f1": _ratio(2 * hits, true + called),
    }


def _ratio(part: Int64, whole: Int64) -> Float64:
    """``part / whole``, NaN where the whole is 0."""
    return np.asarray(part / np.where(whole == 0, np.nan, whole), dtype=np.float64)


def _mean_of_present(values: Float64, counts: Int64) -> float:
    """The mean of the defined values; NaN unless two classes or more have rows."""
    if np.count_nonzero(counts.sum(axis=1)) < 2:
        return float("nan")
    return float(np.nanmean(values))
