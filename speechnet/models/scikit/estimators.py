"""Estimators of scikit-learn, one for each target: searched, fitted, saved, applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from speechnet.core.errors import DataError
from speechnet.core.types import Float32, Float64, Int64, Targets
from speechnet.models.model import Context, Fitted, Rows
from speechnet.models.scaling import make_scaler
from speechnet.models.scikit.files import dump_sklearn, load_sklearn
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.tuning.grid import Candidate
from speechnet.models.tuning.search import (
    InnerFolds,
    best,
    ignore_unconverged,
    score,
    search,
)
from speechnet.models.tuning.shared_kernels import predict_svm


def make_pipeline(model: ScikitModel, candidate: Candidate, *, scaling: str, seed: int) -> Pipeline:
    """An unfitted scaler and estimator."""
    return Pipeline([("scale", make_scaler(scaling)), ("model", model.estimator(candidate, seed))])


def fit_untuned(
    model: ScikitModel, X: Float32, y: Int64, fit: Int64, held: Int64, *, scaling: str, seed: int
) -> Int64:
    """Fit a model on some rows with its ``untuned`` hyper-parameters and predict others.

    Args:
        model: one that has some.
        X: float32 ``[n, d]``, raw.
        y: int64 ``[n]``, classes.
        fit: positions of the rows to fit on; they set the scale.
        held: positions of the rows to predict, int64 ``[m]``.
        scaling: of the columns.
        seed: of whatever is random.

    Returns:
        The classes, int64 ``[m]``.
    """
    pipeline = make_pipeline(model, dict(model.untuned), scaling=scaling, seed=seed)
    pipeline.fit(_double(X[fit]), y[fit])
    return np.asarray(pipeline.predict(_double(X[held])), dtype=np.int64)


@dataclass(frozen=True)
class FitAndScore:
    """Fits one candidate on some training rows and scores it on others; picklable."""

    model: ScikitModel
    X: Float32
    y: Int64
    scaling: str
    metric: str
    seed: int

    def __call__(self, candidate: Candidate, fit: Int64, held: Int64) -> float:
        """The score of one candidate on one inner fold."""
        pipeline = make_pipeline(self.model, candidate, scaling=self.scaling, seed=self.seed)
        pipeline.fit(_double(self.X[fit]), self.y[fit])
        return self.score(held, pipeline.predict(_double(self.X[held])))

    def scaled(self, fit: Int64, held: Int64) -> tuple[Float64, Float64]:
        """Rows to fit on and rows held out as the model gets them; the former set the scale."""
        scaler = make_scaler(self.scaling)
        return scaler.fit_transform(_double(self.X[fit])), scaler.transform(_double(self.X[held]))

    def score(self, held: Int64, predicted: Int64) -> float:
        """The score of what was predicted for the rows held out."""
        return score(self.y[held], predicted, self.metric)


def fit_estimators(model: ScikitModel, train: Rows, context: Context) -> FittedEstimators:
    """Search and fit an estimator for each target, on the rows that have a label of it."""
    estimators = {}
    for column, target in enumerate(context.targets):
        known = np.flatnonzero(train.labels[:, column] >= 0)
        X, y = train.features[known], train.labels[known, column]
        folds: InnerFolds = []
        if context.chosen is None or (model.margins and context.probabilities):
            folds = [
                (np.flatnonzero(np.isin(known, fit)), np.flatnonzero(np.isin(known, held)))
                for fit, held in context.inner_folds(model.folds)
            ]
        if context.chosen is None:
            tries = model.candidates()
            run = FitAndScore(model, X, y, context.scaling, context.metric, context.seed)
            with context.progress(f"{context.name}, {target}", len(tries) * len(folds)) as advance:
                tried = search(model.sharing(run), tries, folds, on_done=advance)
            context.searched(target, tried)
            candidate = best(tried).candidate
        else:
            candidate = context.chosen[target]
        estimators[target] = fit_estimator(
            model, candidate, X, y, folds=folds, scaling=context.scaling, seed=context.seed
        )
    return FittedEstimators(estimators, context.targets, trusted=model.trusted)


def fit_estimator(
    model: ScikitModel,
    candidate: Candidate,
    X: Float32,
    y: Int64,
    *,
    folds: InnerFolds,
    scaling: str,
    seed: int,
) -> Any:
    """Fit one candidate on all training rows.

    An SVM has no probabilities of its own: its decision values are divided by one temperature,
    fitted on the inner folds' held-out values (Guo et al. 2017). That changes no prediction.

    Args:
        model: which model.
        candidate: its hyper-parameters.
        X: float32 ``[n, d]``, training rows.
        y: int64 ``[n]``, classes.
        folds: inner folds of these rows, for the temperature; none leaves it out.
        scaling: of the columns.
        seed: of whatever is random.

    Returns:
        A fitted scikit-learn estimator with ``classes_``, and ``predict_proba`` unless it was left
        out.
    """
    estimator: Any = make_pipeline(model, candidate, scaling=scaling, seed=seed)
    if model.margins and folds:
        estimator = CalibratedClassifierCV(
            estimator, method="temperature", cv=list(folds), ensemble=False
        )
    with ignore_unconverged():
        return estimator.fit(_double(X), y)


class FittedEstimators(Fitted):
    """One fitted scikit-learn estimator for each target.

    Args:
        estimators: by target; fitted on integer classes.
        targets: each target's ordered classes.
        trusted: types that their files may hold, see ``ScikitModel``.
    """

    def __init__(
        self, estimators: dict[str, Any], targets: Targets, *, trusted: Sequence[str] = ()
    ) -> None:
        self.estimators = estimators
        self.targets = targets
        self.trusted = tuple(trusted)

    def predict_proba(self, features: Float32) -> dict[str, Float64]:
        """See ``Fitted``. A class absent from training has probability 0."""
        out = {}
        for target, classes in self.targets.items():
            estimator = self.estimators[target]
            out[target] = np.zeros((len(features), len(classes)))
            if len(features):  # scikit-learn refuses an empty table
                out[target][:, estimator.classes_] = _predict_proba(estimator, _double(features))
        return out

    def predict(self, features: Float32) -> Int64:
        """See ``Fitted``; an SVM by one product of matrices, not pair by pair as libsvm does it.

        That takes a tenth of the time. No prediction has been seen to change by it.
        """
        columns, X = [], _double(features)
        for estimator in self.estimators.values():
            inner = getattr(estimator, "calibrated_classifiers_", None)
            pipeline = inner[0].estimator if inner else estimator
            if isinstance(pipeline["model"], SVC):
                columns.append(predict_svm(pipeline["model"], pipeline["scale"].transform(X)))
            else:
                columns.append(estimator.classes_[estimator.predict_proba(X).argmax(axis=1)])
        return np.stack(columns, axis=1).astype(np.int64)

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>_<target>.skops`` for each target."""
        for target, estimator in self.estimators.items():
            dump_sklearn(estimator, _path(folder, name, target), self.trusted)

    @classmethod
    def load(
        cls, folder: Path, name: str, targets: Targets, *, trusted: Sequence[str] = ()
    ) -> FittedEstimators:
        """Read what ``save`` wrote.

        Raises:
            DataError: a file is missing, damaged, or holds what no model of ours has.
        """
        read = {target: load_sklearn(_path(folder, name, target), trusted) for target in targets}
        for target, classes in targets.items():
            _check_loaded(read[target], _path(folder, name, target), len(classes))
        return cls(read, targets, trusted=trusted)


def _predict_proba(estimator: Any, X: Float64) -> Float64:
    """As ``estimator.predict_proba``, float64 ``[n, k]``."""
    match estimator:
        case CalibratedClassifierCV(method="temperature", calibrated_classifiers_=[calibrated]):
            # Step by step: looking for the steps' methods and checking X again on each level takes
            # scikit-learn as long as the SVM takes a row.
            scaler, svm = calibrated.estimator
            (temperature,) = calibrated.calibrators
            decision = svm.decision_function(scaler.transform(X))
            return np.asarray(temperature.predict(decision), dtype=np.float64)
    return np.asarray(estimator.predict_proba(X), dtype=np.float64)


def _path(folder: Path, name: str, target: str) -> Path:
    return folder / f"{name}_{target}.skops"


def _check_loaded(estimator: Any, path: Path, k: int) -> None:
    known = np.asarray(getattr(estimator, "classes_", []))
    integers = known.dtype.kind == "i" and set(known) <= set(range(k))
    if not integers or not hasattr(estimator, "predict_proba"):
        raise DataError(f"{path} holds no classifier of the {k} classes that the run names")


def _double(X: Float32) -> Float64:
    # In float32 scikit-learn takes a column that spans less than a millionth for constant.
    return X.astype(np.float64)
