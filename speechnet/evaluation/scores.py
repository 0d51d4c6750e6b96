"""From the table of predictions to the table of scores, for any number of models and targets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.metrics import METRICS, Metric
from speechnet.core.types import Targets
from speechnet.evaluation.intervals import Intervals, intervals
from speechnet.evaluation.metrics import confusion
from speechnet.evaluation.samples import Block, Sample, blocks, validate_predictions

SCORE_COLUMNS: Final = ("model", "target", "part", "fold", "metric", "value", "low", "high")

_NONE: Final = (float("nan"), float("nan"))


def score_predictions(
    predictions: pd.DataFrame,
    targets: Targets,
    speakers: pd.Series | None = None,
    *,
    seed: int = 0,
    resamples: int = 10_000,
    only: Collection[str] | None = None,
) -> pd.DataFrame:
    """Score every model on every target, part and fold by every metric.

    ``only`` names the metrics, None for all.

    Besides each fold's scores there are those of ``all`` rows pooled and, with two or more folds,
    their ``mean`` and ``sd`` (standard deviation, n - 1 in the divisor). A row in several folds, as
    training rows are, counts once for each. Mean and sd are NaN if one fold's value is undefined:
    read the pooled score then.

    A metric that fails is NaN there, and is reported once.

    Returns:
        Columns ``model, target, part, fold, metric, value, low, high``; ``fold`` is a string ("0",
        "1", ..., "all", "mean", "sd"), the last three are float64. ``low`` and ``high`` are the
        95 % interval of the metrics that have one, on the parts dev and test, pooled and of the
        mean, or of the only fold; else, and without ``speakers`` (speaker or NA by file), NaN.
        ``metric`` is ``n`` (the number of rows), the name of a metric, or ``<name>_<class>`` for a
        metric of each class. Models in the order they appear, targets as in ``targets``, parts
        train, dev, test.

    Raises:
        ValueError: the predictions are invalid; see ``validate_predictions``. A file is missing
            from ``speakers``.
    """
    validate_predictions(predictions, targets)
    metrics = [each for each in METRICS.values() if each.kind == "categorical"]
    if only is not None:
        metrics = [each for each in metrics if each.name in only]
    resampled = [each for each in metrics if each.interval]
    rows: list[tuple[str, str, str, str, str, float, float, float]] = []
    for block in blocks(predictions, targets, speakers):
        ends: dict[str, Intervals] = {}
        if speakers is not None and block.part != "train":
            ends = _ends(block, resampled, seed=seed, resamples=resamples)
        key = (block.model, block.target, block.part)
        for fold, values in _fold_scores(block, metrics).items():
            known = ends.get(fold, {})
            rows += [(*key, fold, m, value, *known.get(m, _NONE)) for m, value in values.items()]
    table = pd.DataFrame(rows, columns=[*SCORE_COLUMNS])
    return table.astype(dict.fromkeys(("value", "low", "high"), np.float64))


def confusion_table(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Count how often each class was predicted for each, in a valid table, pooled over folds.

    Returns:
        Columns ``model, target, part, truth, predicted, count``; a row for every pair of classes,
        in the order of ``targets``, zeros included.
    """
    rows: list[tuple[str, str, str, str, str, int]] = []
    for block in blocks(predictions, targets):
        classes = block.sample.classes
        counts = confusion(block.sample.truth, block.sample.predicted, len(classes))
        key = (block.model, block.target, block.part)
        rows += [
            (*key, true, called, int(counts[i, j]))
            for i, true in enumerate(classes)
            for j, called in enumerate(classes)
        ]
    columns = ["model", "target", "part", "truth", "predicted", "count"]
    return pd.DataFrame(rows, columns=columns).astype({"count": np.int64})


def _ends(
    block: Block, metrics: Sequence[Metric], *, seed: int, resamples: int
) -> dict[str, Intervals]:
    """The intervals of the pooled scores and of the mean over folds, or of the only fold."""
    sample = block.sample
    pooled = replace(sample, fold=np.zeros_like(sample.fold))
    ends = {"all": intervals(pooled, metrics, seed=seed, resamples=resamples)}
    if len(block.folds) == 1:
        return {**ends, block.folds[0]: ends["all"]}
    return {**ends, "mean": intervals(sample, metrics, seed=seed, resamples=resamples)}


def _fold_scores(block: Block, metrics: Sequence[Metric]) -> dict[str, dict[str, float]]:
    """Scores by fold, then pooled, then mean and sd over folds."""
    scores = {
        fold: scores_of(rows, metrics)
        for fold, rows in zip(block.folds, block.sample.folds(), strict=True)
    }
    if len(scores) == 1:
        return {**scores, "all": scores[block.folds[0]]}
    # one row per fold, one column per metric
    values = np.array([list(of_fold.values()) for of_fold in scores.values()])
    scores["all"] = scores_of(block.sample, metrics)
    scores["mean"] = dict(zip(scores["all"], values.mean(axis=0).tolist(), strict=True))
    scores["sd"] = dict(zip(scores["all"], values.std(axis=0, ddof=1).tolist(), strict=True))
    return scores


def scores_of(sample: Sample, metrics: Sequence[Metric]) -> dict[str, float]:
    """Every score of some rows by name: ``n``, the single ones, then class by class.

    Raises:
        ValueError: two scores have the same name, such as the AUC of a class ``micro``.
    """
    scores = {"n": float(len(sample.truth))}
    single = [each for each in metrics if each.over != "class"]
    scores |= {each.name: sample.scores(each)[0] for each in single}
    by_class = {each: sample.scores(each) for each in metrics if each.over == "class"}
    for c, label in enumerate(sample.classes):
        of_class = {f"{each.name}_{label}": values[c] for each, values in by_class.items()}
        if taken := of_class.keys() & scores.keys():
            raise ValueError(f"a class can't be called {label!r}: {min(taken)} is a score already")
        scores |= of_class
    return scores
