"""Classical models: typed grids, their scikit-learn pipelines, and the classifier made of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from speechnet.errors import ConfigError, DataError
from speechnet.models.persistence import dump_sklearn, load_sklearn
from speechnet.models.scaling import make_scaler
from speechnet.models.search import Candidate, InnerFolds, ignore_unconverged, score
from speechnet.types import Float32, Float64, Int64, Targets

Weighting = Literal["balanced"] | None


@dataclass
class KNNGrid:
    """K nearest neighbours: every combination of the values is a candidate.

    Attributes:
        n_neighbors: how many neighbours vote.
        weights: all votes count alike, or the nearer ones more, by the inverse of the distance.
        metric: the distance.
        algorithm: how neighbours are found; all find the same ones.
        folds: inner folds of the search.
    """

    n_neighbors: list[int] = field(default_factory=lambda: [1, 3, 5, 9, 15, 25])
    weights: list[Literal["uniform", "distance"]] = field(default_factory=lambda: ["distance"])
    metric: list[Literal["manhattan", "euclidean"]] = field(
        default_factory=lambda: ["manhattan", "euclidean"]
    )
    algorithm: list[Literal["auto", "ball_tree", "kd_tree", "brute"]] = field(
        default_factory=lambda: ["auto"]
    )
    folds: int = 5


@dataclass
class SVMGrid:
    """Support vector machine: every combination of the values is a candidate.

    Attributes:
        C: the price of a margin that is not kept; smaller is smoother.
        kernel: which one.
        gamma: the kernel's width; ``scale`` divides by the features' number and variance, ``auto``
            by their number.
        class_weight: ``balanced`` weighs each class by the inverse of its share of the rows.
        folds: inner folds of the search.
    """

    C: list[float] = field(default_factory=lambda: [0.5, 1.0, 2.0, 5.0, 10.0])
    kernel: list[Literal["linear", "poly", "rbf", "sigmoid"]] = field(
        default_factory=lambda: ["rbf"]
    )
    gamma: list[Literal["scale", "auto"] | float] = field(default_factory=lambda: ["scale"])
    class_weight: list[Weighting] = field(default_factory=lambda: ["balanced"])
    folds: int = 5


@dataclass
class LogisticRegressionGrid:
    """Logistic regression: every combination of the values is a candidate.

    Attributes:
        C: the inverse of the L2 penalty; smaller is smoother.
        solver: what minimises the loss; all aim at the same minimum.
        class_weight: ``balanced`` weighs each class by the inverse of its share of the rows.
        max_iter: the solver's longest run.
        folds: inner folds of the search.
    """

    C: list[float] = field(default_factory=lambda: [0.001, 0.01, 0.1, 1.0])
    solver: list[Literal["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]] = field(
        default_factory=lambda: ["lbfgs"]
    )
    class_weight: list[Weighting] = field(default_factory=lambda: ["balanced"])
    max_iter: list[int] = field(default_factory=lambda: [1000])
    folds: int = 5


@dataclass
class SklearnMLPGrid:
    """scikit-learn's MLP of one hidden layer: every combination of the values is a candidate.

    Attributes:
        hidden: the layer's width.
        activation: after that layer.
        solver: what minimises the loss.
        alpha: the L2 penalty.
        max_iter: the solver's longest run.
        folds: inner folds of the search.
    """

    hidden: list[int] = field(default_factory=lambda: [100])
    activation: list[Literal["logistic", "tanh", "relu"]] = field(default_factory=lambda: ["relu"])
    solver: list[Literal["lbfgs", "sgd", "adam"]] = field(default_factory=lambda: ["adam"])
    alpha: list[float] = field(default_factory=lambda: [0.0001])
    max_iter: list[int] = field(default_factory=lambda: [200])
    folds: int = 3


Grid = KNNGrid | SVMGrid | LogisticRegressionGrid | SklearnMLPGrid


@dataclass
class BaselinesConfig:
    """Classical models, each tuned on inner folds for each target; null leaves one out.

    Attributes:
        knn: k nearest neighbours.
        svm: support vector machine.
        logreg: logistic regression.
        sklearn_mlp: scikit-learn's multi-layer perceptron.
        metric: what the search maximises.
    """

    knn: KNNGrid | None = field(default_factory=KNNGrid)
    svm: SVMGrid | None = field(default_factory=SVMGrid)
    logreg: LogisticRegressionGrid | None = field(default_factory=LogisticRegressionGrid)
    sklearn_mlp: SklearnMLPGrid | None = None
    metric: Literal["uar", "accuracy"] = "uar"

    def __post_init__(self) -> None:
        for name, grid in self.grids().items():
            if grid.folds < 2:
                raise ConfigError(f"baselines.{name}.folds is {grid.folds}, expected at least 2")

    def grids(self) -> dict[str, Grid]:
        """The grids of the models that take part, by name."""
        named = {name: getattr(self, name) for name in BASELINES}
        return {name: grid for name, grid in named.items() if grid is not None}


BASELINES: Final = ("knn", "svm", "logreg", "sklearn_mlp")


def candidates(grid: Grid) -> list[Candidate]:
    """Every combination, in the order of scikit-learn's grid search: it decides ties."""
    values = {f.name: getattr(grid, f.name) for f in fields(grid) if f.name != "folds"}
    return [{name: combination[name] for name in values} for combination in ParameterGrid(values)]


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
