"""Pipelines of a scaler and an estimator: made, fitted untuned, scored on inner folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from sklearn.pipeline import Pipeline

from speechnet.core.types import Float32, Float64, Int64, Stack
from speechnet.models.candidates import Candidate
from speechnet.models.scaling import make_scaler
from speechnet.models.scikit.layer_scaler import LAYER, MEAN, LayerScaler
from speechnet.models.search import Sharing, score


class Tunable(Protocol):
    """The part of a ``ScikitModel`` that is used here."""

    folds: int
    layer: list[Any]
    margins: ClassVar[bool]
    trusted: ClassVar[tuple[str, ...]]
    untuned: ClassVar[Candidate]

    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """See ``ScikitModel``, as for the others."""

    def candidates(self) -> list[Candidate]:
        """Every combination of the values."""

    def sharing(self, plain: FitAndScore) -> FitAndScore | Sharing:
        """What a search runs."""


def make_pipeline(
    model: Tunable,
    candidate: Candidate,
    *,
    scaling: str,
    seed: int,
    stacks: Sequence[Stack] = (),
) -> Pipeline:
    """An unfitted scaler and estimator; of stacks it takes the candidate's layer, or the mean."""
    scaler = scaler_of(candidate, scaling, stacks)
    return Pipeline([("scale", scaler), ("model", make_estimator(model, candidate, seed))])


def make_estimator(model: Tunable, candidate: Candidate, seed: int) -> Any:
    """The candidate's estimator, which knows nothing of layers."""
    own = {key: value for key, value in candidate.items() if key != LAYER}
    return model.estimator(own, seed)


def scaler_of(candidate: Candidate, scaling: str, stacks: Sequence[Stack]) -> Any:
    """An unfitted scaler; of stacks it gives the candidate's layer, or the mean."""
    if not stacks:
        return make_scaler(scaling)
    return LayerScaler(scaling, [list(one) for one in stacks], candidate.get(LAYER, MEAN))


def double(X: Float32, stacks: Sequence[Stack] = ()) -> Float32 | Float64:
    """What scikit-learn gets: in float32 it takes a column that spans under 1e-6 for constant.

    Many layers stay in float32: ``LayerScaler`` doubles those that it takes, one by one.
    """
    return X if stacks else X.astype(np.float64)


def fit_untuned(
    model: Tunable,
    X: Float32,
    y: Int64,
    fit: Int64,
    held: Int64,
    *,
    scaling: str,
    seed: int,
    stacks: Sequence[Stack] = (),
) -> Int64:
    """Fit a model on some rows with its ``untuned`` hyper-parameters and predict others.

    Args:
        model: one that has some.
        X: float32 ``[n, d]``, raw.
        y: int64 ``[n]``, classes.
        fit: positions of the rows to fit on; they set the scale.
        held: positions of the rows to predict, int64 ``[m]``.
        scaling: see ``make_scaler``.
        seed: of the estimator.
        stacks: of the columns; the mean of their layers is taken.

    Returns:
        The classes, int64 ``[m]``.
    """
    candidate = dict(model.untuned)
    pipeline = make_pipeline(model, candidate, scaling=scaling, seed=seed, stacks=stacks)
    pipeline.fit(double(X[fit], stacks), y[fit])
    return np.asarray(pipeline.predict(double(X[held], stacks)), dtype=np.int64)


@dataclass(frozen=True)
class FitAndScore:
    """Fits one candidate on some training rows and scores it on others; picklable."""

    model: Tunable
    X: Float32
    y: Int64
    scaling: str
    metric: str
    seed: int
    stacks: Sequence[Stack] = ()

    def __call__(self, candidate: Candidate, fit: Int64, held: Int64) -> float:
        """The score of one candidate on one inner fold."""
        rest: Any = {"scaling": self.scaling, "seed": self.seed, "stacks": self.stacks}
        pipeline = make_pipeline(self.model, candidate, **rest)
        pipeline.fit(self._rows(fit), self.y[fit])
        return self.score(held, pipeline.predict(self._rows(held)))

    def scaled(self, candidate: Candidate, fit: Int64, held: Int64) -> tuple[Float64, Float64]:
        """Rows to fit on and rows held out as a candidate gets them; the former set the scale."""
        scaler = scaler_of(candidate, self.scaling, self.stacks)
        return scaler.fit_transform(self._rows(fit)), scaler.transform(self._rows(held))

    @property
    def width(self) -> int:
        """How many columns the estimator gets."""
        return int(self.X.shape[1]) - sum((one.layers - 1) * one.width for one in self.stacks)

    def _rows(self, rows: Int64) -> Float32 | Float64:
        return double(self.X[rows], self.stacks)

    def score(self, held: Int64, predicted: Int64) -> float:
        """The score of predictions for the rows held out."""
        return score(self.y[held], predicted, self.metric)
