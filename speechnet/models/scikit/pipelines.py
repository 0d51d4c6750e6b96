"""Pipelines of a scaler and an estimator: made, fitted untuned, scored on inner folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from sklearn.pipeline import Pipeline

from speechnet.core.types import Float32, Float64, Int64
from speechnet.models.candidates import Candidate
from speechnet.models.scaling import make_scaler
from speechnet.models.search import Sharing, score


class Tunable(Protocol):
    """The part of a ``ScikitModel`` that is used here."""

    folds: int
    margins: ClassVar[bool]
    trusted: ClassVar[tuple[str, ...]]
    untuned: ClassVar[Candidate]

    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """See ``ScikitModel``, as for the others."""

    def candidates(self) -> list[Candidate]:
        """Every combination of the values."""

    def sharing(self, plain: FitAndScore) -> FitAndScore | Sharing:
        """What a search runs."""


def make_pipeline(model: Tunable, candidate: Candidate, *, scaling: str, seed: int) -> Pipeline:
    """An unfitted scaler and estimator."""
    return Pipeline([("scale", make_scaler(scaling)), ("model", model.estimator(candidate, seed))])


def double(X: Float32) -> Float64:
    """What scikit-learn gets: in float32 it takes a column that spans under 1e-6 for constant."""
    return X.astype(np.float64)


def fit_untuned(
    model: Tunable, X: Float32, y: Int64, fit: Int64, held: Int64, *, scaling: str, seed: int
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

    Returns:
        The classes, int64 ``[m]``.
    """
    pipeline = make_pipeline(model, dict(model.untuned), scaling=scaling, seed=seed)
    pipeline.fit(double(X[fit]), y[fit])
    return np.asarray(pipeline.predict(double(X[held])), dtype=np.int64)


@dataclass(frozen=True)
class FitAndScore:
    """Fits one candidate on some training rows and scores it on others; picklable."""

    model: Tunable
    X: Float32
    y: Int64
    scaling: str
    metric: str
    seed: int

    def __call__(self, candidate: Candidate, fit: Int64, held: Int64) -> float:
        """The score of one candidate on one inner fold."""
        pipeline = make_pipeline(self.model, candidate, scaling=self.scaling, seed=self.seed)
        pipeline.fit(double(self.X[fit]), self.y[fit])
        return self.score(held, pipeline.predict(double(self.X[held])))

    def scaled(self, fit: Int64, held: Int64) -> tuple[Float64, Float64]:
        """Rows to fit on and rows held out as the model gets them; the former set the scale."""
        scaler = make_scaler(self.scaling)
        return scaler.fit_transform(double(self.X[fit])), scaler.transform(double(self.X[held]))

    def score(self, held: Int64, predicted: Int64) -> float:
        """The score of predictions for the rows held out."""
        return score(self.y[held], predicted, self.metric)
