"""From the table of predictions to the table of scores, for any number of models and targets.

``speechnet.core.types.PREDICTION_COLUMNS`` says what a predictions table holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from speechnet.core.metrics import METRICS, Metric
from speechnet.core.types import PREDICTION_COLUMNS, Float64, Targets, encode
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.intervals import Intervals, intervals
from speechnet.evaluation.metrics import confusion
from speechnet.evaluation.resamples import Sample

PARTS: Final = ("train", "dev", "test")

SCORE_COLUMNS: Final = ("model", "target", "part", "fold", "metric", "value", "low", "high")

TOLERANCE: Final = 1e-6
"""How far a probability may lie outside 0 to 1, or a row's sum from 1, by rounding."""


def score_predictions(
    predictions: pd.DataFrame,
    targets: Targets,
    speakers: pd.Series | None = None,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Score every model on every target, part and fold by every metric.

    Besides each fold's own scores there are those of ``all`` its rows pooled, and where a part has
    two folds or more the ``mean`` and the ``sd`` (standard deviation, n - 1 in the divisor) over
    folds. A row that stands in several folds, as training rows do, counts once for each. Mean and
    sd are NaN as soon as one fold's value is undefined: the pooled score is the one to read there.

    Args:
        predictions: the table of predictions.
        targets: each target with its ordered classes.
        speakers: speaker or NA by file; without it no score gets an interval.
        seed: the same seed gives the same intervals.
        resamples: how many resamples to draw.

    Returns:
        Columns ``model, target, part, fold, metric, value, low, high``; ``fold`` is a string ("0",
        "1", ..., "all", "mean", "sd"), the last three are float64. ``low`` and ``high`` are the
        95 % interval of the metrics that have one, on the parts dev and test, pooled and of the
        mean, or of the only fold; else NaN. ``metric`` is ``n`` (the number of rows), the name of a
        metric, or ``<name>_<class>`` of one that each class has. Models in the order they appear,
        targets as in ``targets``, parts train, dev, test.

    Raises:
        ValueError: the predictions are not sound; see ``validate_predictions``. A file of them that
            ``speakers`` doesn't know.
        ConfigError: a metric fails.
    """
    validate_predictions(predictions, targets)
    metrics = [each for each in METRICS.values() if each.kind == "categorical"]
    resampled = [each for each in metrics if each.interval]
    rows: list[tuple[str, str, str, str, str, float, float, float]] = []
    for block in _blocks(predictions, targets, speakers):
        ends: dict[str, Intervals] = {}
        if speakers is not None and block.part != "train":
            ends = _ends(block, resampled, seed=seed, resamples=resamples)
        key = (block.model, block.target, block.part)
        for fold, values in _fold_scores(block, metrics).items():
            known = ends.get(fold, {})
            none = (float("nan"), float("nan"))
            rows += [(*key, fold, m, value, *known.get(m, none)) for m, value in values.items()]
    table = pd.DataFrame(rows, columns=[*SCORE_COLUMNS])
    return table.astype(dict.fromkeys(("value", "low", "high"), np.float64))


def confusion_table(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Count what was predicted for what, pooled over folds.

    Args:
        predictions: the table of predictions.
        targets: each target with its ordered classes.

    Returns:
        Columns ``model, target, part, truth, predicted, count``; a row for every pair of classes,
        in the order of ``targets``, zeros included.

    Raises:
        ValueError: the predictions are not sound; see ``validate_predictions``.
    """
    validate_predictions(predictions, targets)
    rows: list[tuple[str, str, str, str, str, int]] = []
    for block in _blocks(predictions, targets):
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


def validate_predictions(predictions: pd.DataFrame, targets: Targets) -> None:
    """Check that a table of predictions is complete and agrees with itself.

    Args:
        predictions: the table of predictions.
        targets: each target with its ordered classes.

    Raises:
        ValueError: a column or a key is missing; an unknown part or target; a fold that is no
            integer; a label that is not among the classes; a row whose probabilities are not
            finite, not in 0 to 1 or don't sum to 1 (within 1e-6), or whose predicted class is not
            the most probable one, or one of several that tie (within 1e-6).
    """
    wanted = [*PREDICTION_COLUMNS, *dict.fromkeys(f"p_{c}" for k in targets.values() for c in k)]
    missing = [column for column in wanted if column not in predictions]
    if missing:
        raise ValueError(f"the predictions lack the columns {missing}; found {[*predictions]}")
    for column in ("fold", "model"):
        _refuse(predictions, predictions[column].isna(), f"has no {column}")
    if not pd.api.types.is_integer_dtype(predictions["fold"]):
        raise ValueError(f"fold is {predictions['fold'].dtype}, expected integers 0, 1, ...")
    for column, known in (("part", list(PARTS)), ("target", list(targets))):
        _refuse(predictions, ~predictions[column].isin(known), f"has a {column} not in {known}")
    for target, classes in targets.items():
        _validate_target(predictions[predictions["target"] == target], classes)


def _validate_target(rows: pd.DataFrame, classes: list[str]) -> None:
    for column in ("truth", "predicted"):
        _refuse(rows, ~rows[column].isin(classes), f"has a {column} label not among {classes}")
    p = _probability(rows, classes)
    outside = ~((p >= -TOLERANCE) & (p <= 1 + TOLERANCE)).all(axis=1)
    _refuse(rows, outside, "has probabilities that are not finite or not in 0 to 1")
    _refuse(rows, np.abs(p.sum(axis=1) - 1) > TOLERANCE, "has probabilities that don't sum to 1")
    chosen = p[np.arange(len(p)), encode(rows["predicted"].astype(str), classes)]
    best = p.max(axis=1, initial=0.0)
    _refuse(rows, chosen < best - TOLERANCE, "was not given its most probable class")


def _refuse(rows: pd.DataFrame, bad: ArrayLike, what: str) -> None:
    """Raise a ValueError that shows the first bad row and how many there are."""
    bad = np.asarray(bad, dtype=bool)
    if bad.any():
        first = rows[bad].iloc[0].dropna().to_dict()
        raise ValueError(f"{int(bad.sum())} of {len(rows)} predictions: the first {what}: {first}")


@dataclass(frozen=True)
class _Block:
    """The rows of one model, target and part, and the names of their folds."""

    model: str
    target: str
    part: str
    folds: list[str]
    sample: Sample


def _blocks(
    predictions: pd.DataFrame, targets: Targets, speakers: pd.Series | None = None
) -> Iterator[_Block]:
    """Cut the table into blocks, its labels turned into numbers once per target."""
    models = pd.unique(predictions["model"])
    of_target = predictions.groupby("target", observed=True).indices
    for target, classes in targets.items():
        if target not in of_target:
            continue
        rows = predictions.iloc[of_target[target]]
        # as text: a categorical column may bring the classes of other targets along
        truth, predicted = (encode(rows[c].astype(str), classes) for c in ("truth", "predicted"))
        probability = np.clip(_probability(rows, classes), 0.0, 1.0)  # rounding cut off
        found = rows.groupby(["model", "part"], observed=True).indices
        for model, part in ((m, p) for m in models for p in PARTS if (m, p) in found):
            at = found[model, part]
            folds, fold = np.unique(rows["fold"].to_numpy(np.int64)[at], return_inverse=True)
            unit = fold
            if speakers is not None:
                unit = unit_codes(rows["file"].iloc[at].tolist(), speakers)[0]
            arrays = (truth[at], predicted[at], probability[at])
            sample = Sample(classes, fold.astype(np.int64), unit, *arrays)
            yield _Block(model, target, part, [str(each) for each in folds], sample)


def _ends(
    block: _Block, metrics: Sequence[Metric], *, seed: int, resamples: int
) -> dict[str, Intervals]:
    """The intervals of the pooled scores and of the mean over folds, or of the only fold."""
    sample = block.sample
    pooled = replace(sample, fold=np.zeros_like(sample.fold))
    ends = {"all": intervals(pooled, metrics, seed=seed, resamples=resamples)}
    if len(block.folds) == 1:
        return {**ends, block.folds[0]: ends["all"]}
    return {**ends, "mean": intervals(sample, metrics, seed=seed, resamples=resamples)}


def _fold_scores(block: _Block, metrics: Sequence[Metric]) -> dict[str, dict[str, float]]:
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


def _probability(rows: pd.DataFrame, classes: list[str]) -> Float64:
    """The columns ``p_<class>``, float64 ``[n, k]``; a missing value is NaN."""
    return rows[[f"p_{c}" for c in classes]].to_numpy(np.float64, na_value=np.nan)
