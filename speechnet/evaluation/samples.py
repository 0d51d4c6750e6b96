"""The table of predictions (``speechnet.core.types.PREDICTION_COLUMNS``), checked and as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from speechnet.core.errors import ConfigError
from speechnet.core.metrics import Metric
from speechnet.core.types import Float64, Int64, Targets, encode
from speechnet.evaluation.bootstrap import unit_codes

PARTS: Final = ("train", "dev", "test")

_KEY: Final = ["file", "fold", "part", "model", "target"]
_TOLERANCE: Final = 1e-6  # by rounding, of probabilities and of their sum


@dataclass(frozen=True)
class Sample:
    """Predicted rows of one model, target and part.

    Attributes:
        classes: the ``k`` class names.
        fold: the fold of each row, int64 ``[n]`` in ``0..folds-1``; all 0 for a pooled score.
        unit: the unit of resampling of each row, int64 ``[n]`` in ``0..units-1``.
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

    def take(self, rows: Int64) -> Sample:
        """Some of the rows, in the order given."""
        fold, unit, truth, predicted = (
            array[rows] for array in (self.fold, self.unit, self.truth, self.predicted)
        )
        return Sample(self.classes, fold, unit, truth, predicted, self.probability[rows])

    def folds(self) -> Iterator[Sample]:
        """The rows of each fold."""
        for fold in range(self.fold.max(initial=-1) + 1):
            yield self.take(np.flatnonzero(self.fold == fold))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the predicted class is the true one, bool ``[n]``."""
        return np.equal(self.predicted, self.truth)

    @property
    def confidence(self) -> Float64:
        """The highest probability, float64 ``[n]``."""
        return np.asarray(self.probability.max(axis=1, initial=0.0))

    def scores(self, metric: Metric) -> list[float]:
        """As ``checked_scores``, but a metric that fails is NaN, which is reported once."""
        try:
            return self.checked_scores(metric)
        except ConfigError as error:
            metric.report_failure(error)
            return [float("nan")] * len(metric.names(self.classes))

    def checked_scores(self, metric: Metric) -> list[float]:
        """The score, or that of each class; NaN where ``Metric.over`` says it is undefined.

        Raises:
            ConfigError: the metric fails.
        """
        if metric.over == "classes" and len(np.unique(self.truth)) < 2:
            return [float("nan")]
        return metric.values(
            truth=self.truth,
            predicted=self.predicted,
            probability=self.probability,
            classes=self.classes,
        )


@dataclass(frozen=True)
class Block:
    """The predicted rows of one model, target and part (train, dev or test).

    ``folds`` are the names of the folds that ``sample`` numbers, ``files`` the ``n`` row ids.
    """

    model: str
    target: str
    part: str
    folds: list[str]
    files: list[str]
    sample: Sample


def blocks(
    predictions: pd.DataFrame, targets: Targets, speakers: pd.Series | None = None
) -> Iterator[Block]:
    """Split a valid table of predictions into blocks, with labels and folds as numbers.

    Probabilities are NaN if their column is missing; ``speakers`` (speaker or NA by file) is None
    if no units are needed. Targets in order, models as they appear, parts train, dev, test.
    """
    models = pd.unique(predictions["model"])
    of_target = predictions.groupby("target", observed=True).indices
    for target in [name for name in targets if name in of_target]:
        rows, classes = predictions.iloc[of_target[target]], targets[target]
        # as text: a categorical column may list the classes of other targets
        truth, predicted = (encode(rows[c].astype(str), classes) for c in ("truth", "predicted"))
        probability = np.clip(_probability(rows, classes), 0.0, 1.0)  # against rounding
        found = rows.groupby(["model", "part"], observed=True).indices
        for model, part in ((m, p) for m in models for p in PARTS if (m, p) in found):
            at = found[model, part]
            folds, fold = np.unique(rows["fold"].to_numpy(np.int64)[at], return_inverse=True)
            files = rows["file"].iloc[at].tolist()
            unit = fold if speakers is None else unit_codes(files, speakers)[0]
            arrays = (truth[at], predicted[at], probability[at])
            sample = Sample(classes, fold.astype(np.int64), unit, *arrays)
            yield Block(model, target, part, [*map(str, folds)], files, sample)


def validate_predictions(predictions: pd.DataFrame, targets: Targets) -> None:
    """Check a table of predictions, which may come from any plugin's model.

    Raises:
        ValueError: a part that isn't train, dev or test; a fold that is no integer; a row that is
            there twice; a row whose probabilities are not finite, not in 0 to 1 or don't sum to 1
            (within 1e-6), or whose predicted class isn't the most probable one, or one of several
            that tie (within 1e-6); a predicted label that isn't among the classes.
    """
    _refuse(predictions, ~predictions["part"].isin(PARTS).to_numpy(), f"has a part not in {PARTS}")
    if not pd.api.types.is_integer_dtype(predictions["fold"]):
        raise ValueError(f"fold is {predictions['fold'].dtype}, expected integers 0, 1, ...")
    doubled = predictions.duplicated(_KEY).to_numpy()
    _refuse(predictions, doubled, f"has the same {', '.join(_KEY)} as an earlier one")
    for target, classes in targets.items():
        rows = predictions[predictions["target"] == target]
        p = _probability(rows, classes)
        inside = ((p >= -_TOLERANCE) & (p <= 1 + _TOLERANCE)).all(axis=1)
        _refuse(
            rows, np.logical_not(inside), "has probabilities that are not finite or not in 0 to 1"
        )
        uneven = np.abs(p.sum(axis=1) - 1) > _TOLERANCE
        _refuse(rows, uneven, "has probabilities that don't sum to 1")
        chosen = p[np.arange(len(p)), encode(rows["predicted"].astype(str), classes)]
        best = p.max(axis=1, initial=0.0)
        _refuse(
            rows, np.asarray(chosen < best - _TOLERANCE), "was not given its most probable class"
        )


def _refuse(rows: pd.DataFrame, bad: NDArray[np.bool_], what: str) -> None:
    """Raise a ValueError that shows the first bad row and how many there are."""
    if bad.any():
        first = rows[bad].iloc[0].dropna().to_dict()
        raise ValueError(f"{int(bad.sum())} of {len(rows)} predictions: the first {what}: {first}")


def _probability(rows: pd.DataFrame, classes: list[str]) -> Float64:
    """The columns ``p_<class>``, float64 ``[n, k]``; a missing value is NaN."""
    columns = rows.reindex(columns=[f"p_{c}" for c in classes])
    return columns.to_numpy(np.float64, na_value=np.nan)
