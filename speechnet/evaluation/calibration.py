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

from speechnet.core.types import Float64, Int64, Targets
from speechnet.evaluation.metrics import log_loss

BINS: Final = 15
"""Bins of the confidence, for the ECE and the reliability diagram alike."""

PARTS: Final = ("dev", "test")
"""The parts whose probabilities are looked at: on training rows they mean nothing."""

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
    for key, confidence, correct in _blocks(predictions, targets):
        bins = _bins(confidence)
        count = np.bincount(bins, minlength=BINS)
        filled = np.where(count == 0, np.nan, count)
        table = {
            **key,
            "bin": np.arange(BINS),
            "low": edges[:-1],
            "high": edges[1:],
            "count": count,
            "confidence": np.bincount(bins, weights=confidence, minlength=BINS) / filled,
            "accuracy": np.bincount(bins, weights=correct, minlength=BINS) / filled,
        }
        tables.append(pd.DataFrame(table))
    names = ["bin", "low", "high", "count", "confidence", "accuracy"]
    return _joined(tables, names)


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
    for key, confidence, correct in _blocks(predictions, targets):
        coverage, risk, threshold = risk_curve(confidence, correct)
        at = np.unique(np.searchsorted(coverage, np.linspace(0, 1, _POINTS)))
        curve = {"coverage": coverage[at], "risk": risk[at], "threshold": threshold[at]}
        tables.append(pd.DataFrame({**key, **curve}))
    return _joined(tables, ["coverage", "risk", "threshold"])


def calibration_change(predictions: pd.DataFrame, temperatures: pd.DataFrame) -> pd.DataFrame:
    """What each temperature did to the test part of its fold.

    The probabilities before are recovered from those after: ``q`` is proportional to ``p^(1/T)``,
    so that ``p`` is proportional to ``q^T``. Only what was exactly 0 before is not restored.

    Args:
        predictions: a sound table of predictions, calibrated.
        temperatures: columns ``model, target, fold, temperature``.

    Returns:
        ``temperatures`` with ``ece_before, ece_after, log_loss_before, log_loss_after``; NaN where
        the fold has no test rows of the target.
    """
    test = predictions[predictions["part"] == "test"]
    found = test.groupby([test["model"], test["target"], test["fold"].astype(str)], observed=True)
    indices = found.indices
    probability = _probability(test)
    # a class of another target is as impossible as one that the model excludes
    after = np.nan_to_num(probability.to_numpy(np.float64))
    names = pd.Index("p_" + test["truth"].astype(str))
    truth = probability.columns.get_indexer(names).astype(np.int64)
    correct = _correct(test)
    changes = []
    for model, target, fold, temperature in zip(
        *(temperatures[c] for c in ("model", "target", "fold", "temperature")), strict=True
    ):
        at = indices.get((model, target, str(fold)), np.empty(0, dtype=np.int64))
        changes.append(_change(after[at], truth[at], correct[at], float(temperature)))
    return temperatures.assign(
        **pd.DataFrame(changes, columns=list(_CHANGES), index=temperatures.index, dtype=np.float64)
    )


def _change(
    after: Float64, truth: Int64, correct: Bool, temperature: float
) -> tuple[float, float, float, float]:
    """The columns ``_CHANGES`` of some rows, float64 ``[n, k]``, int64 ``[n]`` and bool ``[n]``."""
    before = (after / after.max(axis=1, keepdims=True, initial=0.0)) ** temperature
    before /= before.sum(axis=1, keepdims=True)
    eces = [calibration_error(p.max(axis=1, initial=0.0), correct) for p in (before, after)]
    return eces[0], eces[1], log_loss(truth, before), log_loss(truth, after)


def _blocks(
    predictions: pd.DataFrame, targets: Targets
) -> Iterator[tuple[dict[str, str], Float64, Bool]]:
    """The key, the confidence and the correctness of the rows of a target, model and part."""
    rows = predictions[predictions["part"].isin(PARTS)]
    # A class of another target is NaN, which the maximum leaves out.
    confidence = _probability(rows).max(axis=1).to_numpy(np.float64)
    correct = _correct(rows)
    models = pd.unique(predictions["model"])
    found = rows.groupby(["target", "model", "part"], observed=True).indices
    for key in ((t, m, p) for t in targets for m in models for p in PARTS):
        if key in found:
            named = {"model": key[1], "target": key[0], "part": key[2]}
            yield named, confidence[found[key]], correct[found[key]]


def _probability(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns ``p_<class>`` of every target."""
    return rows.loc[:, rows.columns.str.startswith("p_")]


def _correct(rows: pd.DataFrame) -> Bool:
    # as text: categorical columns of different categories don't compare
    return np.asarray(rows["truth"].astype(str) == rows["predicted"].astype(str), dtype=np.bool_)


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
