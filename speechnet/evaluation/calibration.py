"""Do probabilities mean what they say, and how good is a model when it may abstain?

Conventions:
    The confidence of a row is its highest probability; the row is correct if the predicted class,
    which has that probability, is the true one. Scores of no rows are NaN. A temperature is fitted
    on the dev part (``speechnet.models.calibration``), which therefore looks better than it is:
    the test part is the one to read.

Metrics (``n`` rows, ``p[i, c]`` the probability of class ``c`` in row ``i``):
    risk at a coverage: the share of errors among the surest rows, which are that share of all.
        Rows of equal confidence are kept or left together.

References:
    G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950.
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", 2017
        (ECE, reliability diagrams, temperature).
    Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
        Classifiers", 2019 (AURC).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from speechnet.core.metrics import METRICS
from speechnet.core.types import Float64, Int64, Targets
from speechnet.evaluation.samples import Sample, blocks

BINS: Final = 15
"""Bins of the confidence, for the ECE and the reliability diagram alike."""

_POINTS: Final = 200
"""The most points of a risk-coverage curve in the table."""

_ROUNDING: Final = 1e-9

_CHANGES: Final = ("ece_before", "ece_after", "log_loss_before", "log_loss_after")

Bool = NDArray[np.bool_]


def calibration_error(confidence: Float64, correct: Bool) -> float:
    """The ECE of rows float64 ``[n]`` and bool ``[n]``; see the head of this module."""
    if not len(confidence):
        return float("nan")
    gap = np.bincount(_bins(confidence), weights=correct - confidence, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def risk_curve(confidence: Float64, correct: Bool) -> tuple[Float64, Float64, Float64]:
    """Risk against coverage, at every confidence that occurs.

    Args:
        confidence: float64 ``[n]``.
        correct: bool ``[n]``.

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


def reliability(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """How often the dev and the test part's rows of each confidence are correct, folds pooled.

    Args:
        predictions: a sound table of predictions (``validate_predictions``).
        targets: each target with its ordered classes.

    Returns:
        Columns ``model, target, part, bin, low, high, count, confidence, accuracy``: 15 rows for
        each model, target and part; the bin reaches from ``low``, excluded, to ``high``, included;
        its mean confidence and accuracy are NaN where it is empty.
    """
    edges = _edges()
    tables = []
    for key, rows in _held(predictions, targets):
        bins = _bins(rows.confidence)
        count = np.bincount(bins, minlength=BINS)
        filled = np.where(count == 0, np.nan, count)
        table = {
            **key,
            "bin": np.arange(BINS),
            "low": edges[:-1],
            "high": edges[1:],
            "count": count,
            "confidence": np.bincount(bins, rows.confidence, BINS) / filled,
            "accuracy": np.bincount(bins, rows.correct, BINS) / filled,
        }
        tables.append(pd.DataFrame(table))
    return _joined(tables, ["bin", "low", "high", "count", "confidence", "accuracy"])


def risk_coverage(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """The share of errors when only the surest rows are answered, dev and test, folds pooled.

    Args:
        predictions: a sound table of predictions (``validate_predictions``).
        targets: each target with its ordered classes.

    Returns:
        Columns ``model, target, part, coverage, risk, threshold``, coverage rising to 1. Of curves
        with more than 200 points those nearest to 200 even steps of coverage, the first and the
        last among them.
    """
    tables = []
    for key, rows in _held(predictions, targets):
        coverage, risk, threshold = risk_curve(rows.confidence, rows.correct)
        at = np.unique(np.searchsorted(coverage, np.linspace(0, 1, _POINTS)))
        curve = {"coverage": coverage[at], "risk": risk[at], "threshold": threshold[at]}
        tables.append(pd.DataFrame({**key, **curve}))
    return _joined(tables, ["coverage", "risk", "threshold"])


def calibration_change(
    predictions: pd.DataFrame, targets: Targets, temperatures: pd.DataFrame
) -> pd.DataFrame:
    """What each temperature did to the test part of its fold.

    The probabilities before are recovered from those after: ``q`` is proportional to ``p^(1/T)``,
    so that ``p`` is proportional to ``q^T``. Only what was exactly 0 before is not restored.

    Args:
        predictions: a sound table of predictions, calibrated.
        targets: each target with its ordered classes.
        temperatures: columns ``model, target, fold, temperature``.

    Returns:
        ``temperatures`` with ``ece_before, ece_after, log_loss_before, log_loss_after``; NaN where
        the fold has no test rows of the target.
    """
    found = {
        (block.model, block.target, fold): rows
        for block in blocks(predictions[predictions["part"] == "test"], targets)
        for fold, rows in zip(block.folds, block.sample.folds(), strict=True)
    }
    changes = []
    for model, target, fold, temperature in zip(
        *(temperatures[c] for c in ("model", "target", "fold", "temperature")), strict=True
    ):
        rows = found.get((model, target, str(fold)))
        changes.append([np.nan] * 4 if rows is None else _change(rows, float(temperature)))
    return temperatures.assign(
        **pd.DataFrame(changes, columns=list(_CHANGES), index=temperatures.index, dtype=np.float64)
    )


def _change(rows: Sample, temperature: float) -> list[float]:
    """The columns ``_CHANGES`` of some rows."""
    before = (rows.probability / rows.confidence[:, None]) ** temperature
    before /= before.sum(axis=1, keepdims=True)
    both = before, rows.probability
    return [
        *(calibration_error(p.max(axis=1), rows.correct) for p in both),
        *(METRICS["log_loss"].function(rows.truth, p) for p in both),
    ]


def _held(predictions: pd.DataFrame, targets: Targets) -> Iterator[tuple[dict[str, str], Sample]]:
    """The rows of each model, target and part that nothing is fitted on, with their key."""
    for block in blocks(predictions, targets):
        if block.part != "train":
            yield {"model": block.model, "target": block.target, "part": block.part}, block.sample


def _edges() -> Float64:
    return np.asarray(np.arange(BINS + 1) / BINS, dtype=np.float64)


def _bins(confidence: Float64) -> Int64:
    """The bin ``0..BINS-1`` of each confidence; an edge belongs to the bin below it."""
    # Shares of votes lie on edges, and rounding must not move them across.
    at = np.searchsorted(_edges(), confidence - _ROUNDING, side="left") - 1
    return np.asarray(np.clip(at, 0, BINS - 1), dtype=np.int64)


def _joined(tables: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=["model", "target", "part", *names])
    return pd.concat(tables, ignore_index=True)
