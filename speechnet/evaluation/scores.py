"""From the table of predictions to the table of scores, for any number of models and targets.

``speechnet.core.types.PREDICTION_COLUMNS`` says what a predictions table holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from speechnet.core.types import PREDICTION_COLUMNS, Float64, Int64, Targets, encode
from speechnet.evaluation.metrics import classification_scores, confusion
from speechnet.evaluation.roc import TOLERANCE

PARTS = ("train", "dev", "test")

SCORE_COLUMNS = ("model", "target", "part", "fold", "metric", "value")


def score_predictions(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Score every model on every target, part and fold.

    Besides each fold's own scores there are those of ``all`` its rows pooled, and where a part has
    two folds or more the ``mean`` and the ``sd`` (standard deviation, n - 1 in the divisor) over
    folds. A row that stands in several folds, as training rows do, counts once for each. Mean and
    sd are NaN as soon as one fold's value is undefined: the pooled score is the one to read there.

    Args:
        predictions: the table of predictions.
        targets: each target with its ordered classes.

    Returns:
        Columns ``model, target, part, fold, metric, value``; ``fold`` is a string ("0", "1", ...,
        "all", "mean", "sd"), ``value`` float64. Models in the order they appear, targets as in
        ``targets``, parts train, dev, test.

    Raises:
        ValueError: the predictions are not sound; see ``validate_predictions``.
    """
    validate_predictions(predictions, targets)
    scores: list[tuple[str, str, str, str, str, float]] = []
    # Thousands of small sorts: threads would wait for each other longer than they work.
    with threadpool_limits(limits=1):
        for block in _blocks(predictions, targets):
            key = (block.model, block.target, block.part)
            for fold, values in _fold_scores(block).items():
                scores += [(*key, fold, metric, value) for metric, value in values.items()]
    table = pd.DataFrame(scores, columns=list(SCORE_COLUMNS))
    return table.astype({"value": np.float64})


def confusion_table(predictions: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Count what was taken for what, pooled over folds.

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
        counts = confusion(block.truth, block.predicted, len(block.classes))
        key = (block.model, block.target, block.part)
        rows += [
            (*key, true, called, int(counts[i, j]))
            for i, true in enumerate(block.classes)
            for j, called in enumerate(block.classes)
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
    """The rows of one model, target and part: int64 ``[n]``, probability float64 ``[n, k]``."""

    model: str
    target: str
    part: str
    classes: list[str]
    fold: Int64
    truth: Int64
    predicted: Int64
    probability: Float64


def _blocks(predictions: pd.DataFrame, targets: Targets) -> Iterator[_Block]:
    """Cut the table into blocks, its labels turned into numbers once per target."""
    models = pd.unique(predictions["model"])
    of_target = predictions.groupby("target", observed=True).indices
    for target, classes in targets.items():
        if target not in of_target:
            continue
        rows = predictions.iloc[of_target[target]]
        fold = rows["fold"].to_numpy(np.int64)
        # as text: a categorical column may bring the classes of other targets along
        truth, predicted = (encode(rows[c].astype(str), classes) for c in ("truth", "predicted"))
        probability = _probability(rows, classes)
        found = rows.groupby(["model", "part"], observed=True).indices
        for model, part in ((m, p) for m in models for p in PARTS if (m, p) in found):
            at = found[model, part]
            arrays = fold[at], truth[at], predicted[at], probability[at]
            yield _Block(model, target, part, classes, *arrays)


def _fold_scores(block: _Block) -> dict[str, dict[str, float]]:
    """Scores by fold, then pooled, then mean and sd over folds."""

    def score(at: Int64 | slice) -> dict[str, float]:
        arrays = block.truth[at], block.predicted[at], block.probability[at]
        return classification_scores(*arrays, block.classes)

    folds = np.unique(block.fold)
    scores = {str(fold): score(np.flatnonzero(block.fold == fold)) for fold in folds}
    if len(folds) == 1:
        return {**scores, "all": scores[str(folds[0])]}
    # one row per fold, one column per metric
    values = np.array([list(of_fold.values()) for of_fold in scores.values()])
    scores["all"] = score(slice(None))
    scores["mean"] = dict(zip(scores["all"], values.mean(axis=0).tolist(), strict=True))
    scores["sd"] = dict(zip(scores["all"], values.std(axis=0, ddof=1).tolist(), strict=True))
    return scores


def _probability(rows: pd.DataFrame, classes: list[str]) -> Float64:
    """The columns ``p_<class>``, float64 ``[n, k]``; a missing value is NaN."""
    return rows[[f"p_{c}" for c in classes]].to_numpy(np.float64, na_value=np.nan)
