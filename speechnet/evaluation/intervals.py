"""The 95 % interval of every headline score, by resampling speakers.

Each score is computed anew in every resample by the definitions of
``speechnet.evaluation.metrics``, from sums over units: the rows of a resample are never
gathered. For the AUC of a class these are the numbers of pairs ``A[u, v]`` in which a row of the
class of unit ``u`` stands above another row of unit ``v`` (half for a tie), so that with ``w``
copies of each unit it is ``w'Aw / (positives * negatives)``, exactly the AUC of the repeated rows.

Conventions:
    The score over ``all`` rows resamples units over all folds. The ``mean`` over folds resamples
    units within each fold if the folds have different ones, and otherwise, as in a random split,
    gives a unit the same weight in every fold. Where folds have different units, but a class has
    only one unit in some fold, as when one speaker is left out at a time, there is no spread within
    folds to see: the folds themselves are resampled.

    The classes that have rows must have some in a resample too, or it is left out; those without
    rows stay out of UAR and macro F1. A class that a single unit has gets no interval, and neither
    has an average over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from speechnet.core.types import Float64, Int64, Targets, encode
from speechnet.evaluation.bootstrap import (
    bootstrap_weights,
    count_by_unit,
    deal,
    interval,
    mean_recall,
    ratio,
    strata_of,
    unit_codes,
)

SHARE = (0.0, 1.0)

_PARTS = ("dev", "test")
_KEY = ["model", "target", "part", "fold", "metric"]


def add_intervals(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    targets: Targets,
    speakers: pd.Series,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Put a 95 % interval beside the headline scores.

    These are accuracy, UAR, macro F1, macro AUC and the recall of each class on the parts dev and
    test, over all folds, as the mean over folds, and for the fold where there is but one.

    Args:
        scores: the table of ``score_predictions``.
        predictions: what it was made from.
        targets: each target with its ordered classes.
        speakers: speaker or NA by file.
        seed: the same seed gives the same intervals.
        resamples: how many resamples to draw.

    Returns:
        ``scores`` with the columns ``low, high``, float64, NaN where there is no interval.

    Raises:
        ValueError: a file of the predictions that ``speakers`` doesn't know.
    """
    found: list[tuple[str, str, str, str, str, float, float]] = []
    shown = predictions[predictions["part"].isin(_PARTS)]
    for names, rows in shown.groupby(["model", "target", "part"], observed=True, sort=False):
        model, target, part = map(str, names)
        sample = _sample(rows, targets[target], speakers)
        folds = [str(fold) for fold in np.unique(rows["fold"])]
        pooled = replace(sample, fold=np.zeros_like(sample.fold))
        ends = {"all": sample_intervals(pooled, seed=seed, resamples=resamples)}
        if len(folds) == 1:
            ends[folds[0]] = ends["all"]
        else:
            ends["mean"] = sample_intervals(sample, seed=seed, resamples=resamples)
        key = (model, target, part)
        found += [(*key, fold, m, *pair) for fold in ends for m, pair in ends[fold].items()]
    table = pd.DataFrame(found, columns=[*_KEY, "low", "high"])
    table = table.astype({"low": np.float64, "high": np.float64})
    bare = scores.drop(columns=["low", "high"], errors="ignore")
    return bare.merge(table, how="left", on=_KEY, validate="many_to_one")


@dataclass(frozen=True)
class Sample:
    """Rows to resample.

    Attributes:
        classes: the ``k`` class names.
        fold: the fold of each row, int64 ``[n]`` in ``0..folds-1``; all 0 for a pooled score.
        unit: the unit of each row, int64 ``[n]`` in ``0..units-1``.
        truth: int64 ``[n]`` in ``0..k-1``.
        predicted: int64 ``[n]`` in ``0..k-1``.
        probability: float64 ``[n, k]``, 0 to 1.
    """

    classes: list[str]
    fold: Int64
    unit: Int64
    truth: Int64
    predicted: Int64
    probability: Float64


def _sample(rows: pd.DataFrame, classes: list[str], speakers: pd.Series) -> Sample:
    truth, predicted = (encode(rows[c].astype(str), classes) for c in ("truth", "predicted"))
    probability = rows[[f"p_{c}" for c in classes]].to_numpy(np.float64)
    return Sample(
        classes=classes,
        fold=np.unique(rows["fold"], return_inverse=True)[1].astype(np.int64),
        unit=unit_codes(rows["file"].tolist(), speakers)[0],
        truth=truth,
        predicted=predicted,
        probability=np.clip(probability, 0.0, 1.0),  # ties as classification_scores sees them
    )


def sample_intervals(
    sample: Sample, *, seed: int, resamples: int
) -> dict[str, tuple[float, float]]:
    """The interval of the mean over folds of each headline score.

    Args:
        sample: the rows; one fold for a pooled score.
        seed: the same seed gives the same intervals.
        resamples: how many resamples to draw.

    Returns:
        Lower and upper end by metric: ``accuracy, uar, macro_f1, auc_macro``, then
        ``recall_<class>``.
    """
    metrics = ["accuracy", "uar", "macro_f1", "auc_macro", *(f"recall_{c}" for c in sample.classes)]
    has = _cells(sample)
    if _one_unit_somewhere(has):
        ends = _between_folds(sample, seed, resamples)
    else:
        groups = replace(sample, unit=deal(has, seed)[sample.unit])
        ends = _within_folds(groups, seed, resamples)
    return dict(zip(metrics, ends, strict=True))


def _cells(sample: Sample) -> NDArray[np.bool_]:
    """Which units have rows in which fold and class, bool ``[u, folds, k]``."""
    shape = (sample.unit.max() + 1, sample.fold.max() + 1, len(sample.classes))
    has = np.zeros(shape, dtype=bool)
    has[sample.unit, sample.fold, sample.truth] = True
    return has


def _one_unit_somewhere(has: NDArray[np.bool_]) -> bool:
    """Whether the folds have different units, and some fold only one for one of its classes."""
    folds_of_unit = has.any(axis=2).sum(axis=1)
    return has.shape[1] > 1 and bool((folds_of_unit == 1).all() and (has.sum(axis=0) == 1).any())


def _between_folds(sample: Sample, seed: int, resamples: int) -> list[tuple[float, float]]:
    """Resample folds: an interval per metric."""
    every = np.ones((1, sample.unit.max() + 1))
    scores = np.hstack([weighted_scores(*of_fold) for of_fold in _by_fold(sample, every)])
    folds = scores.shape[1]
    draws = scores @ bootstrap_weights(folds, resamples, seed).T / folds
    return [
        interval(of_metric, folds, value=float(value), bounds=SHARE)
        for of_metric, value in zip(draws, scores.mean(axis=1), strict=True)
    ]


def _within_folds(sample: Sample, seed: int, resamples: int) -> list[tuple[float, float]]:
    """Resample units, each stratum by itself: an interval per metric."""
    has = _cells(sample)
    strata = strata_of(has.reshape(len(has), -1))
    weights = bootstrap_weights(len(has), resamples, seed, strata=strata)
    # the score itself comes first
    weights = np.vstack([np.ones(len(has)), weights])
    folds = [weighted_scores(*of_fold) for of_fold in _by_fold(sample, weights)]
    draws = np.mean(folds, axis=0)
    # accuracy rests on all rows of a fold, the averages on each class, a recall on its own
    cells = [has.any(axis=2, keepdims=True), has, has, has, *np.split(has, has.shape[2], axis=2)]
    ends: list[tuple[float, float]] = []
    for of_metric, rests_on in zip(draws, cells, strict=True):
        bears = rests_on.reshape(len(has), -1).any(axis=1)
        alone = (rests_on.sum(axis=0) == 1).any()
        units, parts = int(bears.sum()), len(np.unique(strata[bears]))
        value = float("nan") if alone else float(of_metric[0])
        ends.append(interval(of_metric[1:], units, value=value, bounds=SHARE, strata=parts))
    return ends


def _by_fold(sample: Sample, weights: Float64) -> Iterator[tuple[Sample, Float64]]:
    """Each fold's rows, its units numbered anew, and their weights, float64 ``[r, units]``."""
    for fold in range(sample.fold.max() + 1):
        at = np.flatnonzero(sample.fold == fold)
        members, unit = np.unique(sample.unit[at], return_inverse=True)
        arrays = (sample.truth[at], sample.predicted[at], sample.probability[at])
        yield Sample(sample.classes, sample.fold[at], unit, *arrays), weights[:, members]


def weighted_scores(sample: Sample, weights: Float64) -> Float64:
    """Score the rows of a sample in many resamples, whatever their folds.

    Args:
        sample: the rows.
        weights: how often the rows of each unit are repeated, float64 ``[r, units]``.

    Returns:
        Accuracy, UAR, macro F1, macro AUC and the recall of each class, float64
        ``[4 + k, r]``; NaN where undefined.
    """
    k = len(sample.classes)
    hit = sample.truth == sample.predicted
    true, called, hits = (
        count_by_unit(unit, labels, k, count=weights.shape[1]).T @ weights.T
        for unit, labels in (
            (sample.unit, sample.truth),
            (sample.unit, sample.predicted),
            (sample.unit[hit], sample.truth[hit]),
        )
    )
    present = np.bincount(sample.truth, minlength=k) > 0
    uar = mean_recall(hits, true, present)
    f1 = ratio(2 * hits, true + called)
    f1_defined = np.maximum(np.isfinite(f1).sum(axis=0), 1)
    # undefined where UAR is: a class has no row
    macro_f1 = np.where(np.isnan(uar), np.nan, np.nansum(f1, axis=0) / f1_defined)
    pairs = true * (true.sum(axis=0) - true)
    auc = ratio(np.stack([_pairs_won(sample, c, weights) for c in range(k)]), pairs)
    accuracy = ratio(hits.sum(axis=0), true.sum(axis=0))
    return np.stack([accuracy, uar, macro_f1, auc.mean(axis=0), *ratio(hits, true)])


def _pairs_won(sample: Sample, c: int, weights: Float64) -> Float64:
    """Pairs of a row of class ``c`` that stands above one of another class, float64 ``[r]``."""
    positive = sample.truth == c
    wins = _pair_wins(sample.probability[:, c], positive, sample.unit, weights.shape[1])
    return np.asarray(np.einsum("ru,ru->r", weights @ wins, weights), dtype=np.float64)


def _pair_wins(score: Float64, positive: NDArray[np.bool_], unit: Int64, units: int) -> Float64:
    """Pairs of a positive row of ``u`` above a negative one of ``v``, float64 ``[u, v]``."""
    order = np.argsort(score[~positive])
    # below[i, v]: how many of the i lowest negative rows are of v
    below = np.zeros((len(order) + 1, units))
    np.cumsum(unit[~positive][order, None] == np.arange(units), axis=0, out=below[1:])
    ends = [np.searchsorted(score[~positive][order], score[positive], s) for s in ("left", "right")]
    wins = (below[ends[0]] + below[ends[1]]) / 2
    of_unit = unit[positive] == np.arange(units)[:, None]
    return np.asarray(of_unit @ wins, dtype=np.float64)
