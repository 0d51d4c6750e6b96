"""Classical models: their scikit-learn pipelines, and the classifier made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from speechnet.core.errors import DataError
from speechnet.core.types import Float32, Float64, Int64, Targets
from speechnet.models.classical.config import BASELINES
from speechnet.models.scaling import make_scaler
from speechnet.models.scikit.files import dump_sklearn, load_sklearn
from speechnet.models.tuning.grid import Candidate
from speechnet.models.tuning.search import InnerFolds, ignore_unconverged, score


def make_pipeline(name: str, candidate: Candidate, *, scaling: str, seed: int) -> Pipeline:
    """An unfitted scaler and model."""
    estimator: Any
    match name:
        case "knn":
            estimator = KNeighborsClassifier(**candidate)
        case "svm":
            # break_ties: the prediction is the largest decision value, as of its probability.
            estimator = SVC(**candidate, break_ties=True, cache_size=1000, random_state=seed)
        case "logreg":
            estimator = LogisticRegression(**candidate, random_state=seed)
        case "sklearn_mlp":
            rest = {key: value for key, value in candidate.items() if key != "hidden"}
            size = (int(candidate["hidden"]),)
            estimator = MLPClassifier(hidden_layer_sizes=size, **rest, random_state=seed)
        case _:
            raise ValueError(f"unknown baseline {name!r}, expected one of {BASELINES}")
    return Pipeline([("scale", make_scaler(scaling)), ("model", estimator)])


@dataclass(frozen=True)
class FitAndScoreBaseline:
    """Fits one candidate on some training rows and scores it on others; picklable."""

    name: str
    X: Float32
    y: Int64
    scaling: str
    metric: str
    seed: int

    def __call__(self, candidate: Candidate, fit: Int64, held: Int64) -> float:
        """The score of one candidate on one inner fold."""
        pipeline = make_pipeline(self.name, candidate, scaling=self.scaling, seed=self.seed)
        pipeline.fit(_double(self.X[fit]), self.y[fit])
        return self.score(held, pipeline.predict(_double(self.X[held])))

    def scaled(self, fit: Int64, held: Int64) -> tuple[Float64, Float64]:
        """Rows to fit on and rows held out as the model gets them; the former set the scale."""
        scaler = make_scaler(self.scaling)
        return scaler.fit_transform(_double(self.X[fit])), scaler.transform(_double(self.X[held]))

    def score(self, held: Int64, predicted: Int64) -> float:
        """The score of what was predicted for the rows held out."""
        return score(self.y[held], predicted, self.metric)


def fit_baseline(
    name: str,
    candidate: Candidate,
    X: Float32,
    y: Int64,
    *,
    folds: InnerFolds,
    scaling: str,
    seed: int,
) -> Any:
    """Fit the chosen candidate on all training rows.

    An SVM has no probabilities of its own: its decision values are divided by one temperature,
    fitted on the inner folds' held-out values (Guo et al. 2017). That changes no prediction.

    Args:
        name: which model.
        candidate: its hyper-parameters.
        X: float32 ``[n, d]``, training rows.
        y: int64 ``[n]``, classes.
        folds: inner folds of these rows, for the temperature.
        scaling: of the columns.
        seed: of whatever is random.

    Returns:
        A fitted scikit-learn estimator with ``predict_proba`` and ``classes_``.
    """
    estimator: Any = make_pipeline(name, candidate, scaling=scaling, seed=seed)
    if name == "svm":
        estimator = CalibratedClassifierCV(
            estimator, method="temperature", cv=list(folds), ensemble=False
        )
    with ignore_unconverged():
        return estimator.fit(_double(X), y)


class BaselineClassifier:
    """One fitted scikit-learn estimator for each target behind the common interface.

    Args:
        estimators: by target; fitted on integer classes.
        targets: each target's ordered classes.
    """

    def __init__(self, estimators: dict[str, Any], targets: Targets) -> None:
        self.estimators = estimators
        self.targets = targets

    def predict_proba(self, X: Float32) -> dict[str, Float64]:
        """See ``Classifier``. A class absent from training has probability 0."""
        out = {}
        for target, classes in self.targets.items():
            estimator = self.estimators[target]
            out[target] = np.zeros((len(X), len(classes)))
            if len(X):  # scikit-learn refuses an empty table
                out[target][:, estimator.classes_] = _predict_proba(estimator, _double(X))
        return out

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>_<target>.skops`` for each target."""
        for target, estimator in self.estimators.items():
            dump_sklearn(estimator, _path(folder, name, target))

    @classmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> BaselineClassifier:
        """Read what ``save`` wrote.

        Raises:
            DataError: a file is missing, damaged, or holds what a baseline never has.
        """
        read = {target: load_sklearn(_path(folder, name, target)) for target in targets}
        for target, classes in targets.items():
            _check_loaded(read[target], _path(folder, name, target), len(classes))
        return cls(read, targets)


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
