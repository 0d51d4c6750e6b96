"""Are probabilities calibrated, and how good is a model when it may abstain?

The confidence of a row is its highest probability. The row is correct if the class with that
probability, the predicted one, is the true one. Temperatures are fitted on the dev part
(``speechnet.models.calibration``), which therefore looks better than it is: read the test part.

References:
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", 2017
        (ECE, reliability diagrams, temperature).
    Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
        Classifiers", 2019 (risk and coverage).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from speechnet.core.metrics import METRICS
from speechnet.core.types import Float64, Int64, Targets
from speechnet.evaluation.samples import Sample, blocks

BINS: Final = 15
"""Bins of the confidence, for the ECE and the reliability diagram alike."""

_EDGES: Final[Float64] = np.arange(BINS + 1) / BINS

_POINTS: Final = 200  # the most of a risk-coverage curve
_ROUNDING: Final = 1e-9

Bool = NDArray[np.bool_]


def calibration_error(confidence: Float64, correct: Bool) -> float:
    """The expected calibration error (ECE) of rows, ``[n]`` both; NaN without rows."""
    if not len(confidence):
        return float("nan")
    gap = np.bincount(_bins(confidence), weights=correct - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def _bins(confidence: Float64) -> Int64:
    """The bin ``0..BINS-1`` of each confidence; an edge belongs to the bin below it."""
    # Shares of votes lie on edges, and rounding must not move them across.
    at = np.searchsorted(_EDGES, confidence - _ROUNDING, side="left") - 1
    return np.asarray(np.clip(at, 0, BINS - 1), dtype=np.int64)


def reliability(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """How often the dev and the test part's rows of each confidence are correct, folds pooled.

    Returns:
        Columns ``model, target, part, bin, low, high, count, confidence, accuracy``: 15 rows for
        each model, target and part. A bin reaches from ``low``, excluded, to ``high``, included;
        its mean confidence and accuracy are NaN if it is empty.
    """
    return _by_block(predictions, targets, _reliability)


def _reliability(rows: Sample) -> dict[str, NDArray[Any]]:
    bins = _bins(rows.confidence)
    count = np.bincount(bins, minlength=BINS)
    filled = np.where(count == 0, np.nan, count)
    return {
        "bin": np.arange(BINS),
        "low": _EDGES[:-1],
        "high": _EDGES[1:],
        "count": count,
        "confidence": np.bincount(bins, rows.confidence, BINS) / filled,
        "accuracy": np.bincount(bins, rows.correct, BINS) / filled,
    }


def risk_coverage(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """The share of errors if only the most confident rows are answered, dev and test, folds pooled.

    Returns:
        Columns ``model, target, part, coverage, risk, threshold``, coverage rising to 1. Of curves
        with more than 200 points those nearest to 200 even steps of coverage, the first and the
        last among them.
    """
    return _by_block(predictions, targets, _risk_coverage)


def _risk_coverage(rows: Sample) -> dict[str, NDArray[Any]]:
    coverage, risk, threshold = risk_curve(rows.confidence, rows.correct)
    at = np.unique(np.searchsorted(coverage, np.linspace(0, 1, _POINTS)))
    return {"coverage": coverage[at], "risk": risk[at], "threshold": threshold[at]}


def risk_curve(confidence: Float64, correct: Bool) -> tuple[Float64, Float64, Float64]:
    """Risk against coverage of rows ``[n]``, at every confidence that occurs.

    The risk is the share of errors among the most confident rows, which are that share of all;
    rows of equal confidence are kept or left out together.

    Returns:
        Coverage (rising to 1), risk and threshold (the lowest confidence that is kept, falling),
        float64 ``[m]`` each.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True)[: len(ordered)])
    kept = last + 1.0
    errors = np.cumsum(~correct[order])[last]
    return kept / max(len(ordered), 1), errors / kept, ordered[last]


def _by_block(
    predictions: pd.DataFrame,
    targets: Targets,
    describe: Callable[[Sample], dict[str, NDArray[Any]]],
) -> pd.DataFrame:
    """One table of what ``describe`` says of each model, target and part but train."""
    tables = [
        pd.DataFrame({"model": b.model, "target": b.target, "part": b.part} | describe(b.sample))
        for b in blocks(predictions, targets)
        if b.part != "train"
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def calibration_change(
    predictions: pd.DataFrame, targets: Targets, temperatures: pd.DataFrame
) -> pd.DataFrame:
    """What each temperature did to the test part of its fold.

    The probabilities before are recovered from those after: ``q`` is proportional to ``p^(1/T)``,
    so ``p`` is proportional to ``q^T``. Only a probability that rounds to 0 isn't restored.

    Returns:
        ``temperatures`` (columns ``model, target, fold, temperature``) with ``ece_before,
        ece_after, log_loss_before, log_loss_after``; NaN without test rows of fold and target.
    """
    found = {
        (block.model, block.target, fold): rows
        for block in blocks(predictions[predictions["part"] == "test"], targets)
        for fold, rows in zip(block.folds, block.sample.folds(), strict=True)
    }
    rows = temperatures[["model", "target", "fold", "temperature"]].to_numpy(dtype=object)
    changes = [_change(found.get((m, target, str(fold))), t) for m, target, fold, t in rows]
    names = ["ece_before", "ece_after", "log_loss_before", "log_loss_after"]
    table = pd.DataFrame(changes, columns=names, index=temperatures.index, dtype=np.float64)
    return temperatures.join(table)


def _change(rows: Sample | None, temperature: float) -> list[float]:
    if rows is None:
        return [np.nan] * 4
    before = (rows.probability / rows.confidence[:, None]) ** temperature
    before /= before.sum(axis=1, keepdims=True)
    both = before, rows.probability
    return [
        *(calibration_error(p.max(axis=1), rows.correct) for p in both),
        *(METRICS["log_loss"].function(rows.truth, p) for p in both),
    ]
