"""What the configuration says about the classical models (``baselines``)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final, Literal

from speechnet.core.errors import ConfigError
from speechnet.core.metrics import tuning_metric
from speechnet.models.tuning.grid import Candidate, combinations

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
        metric: what the search maximises: any registered metric of predicted labels, such as
            ``uar``, ``accuracy`` and ``macro_f1``.
    """

    knn: KNNGrid | None = field(default_factory=KNNGrid)
    svm: SVMGrid | None = field(default_factory=SVMGrid)
    logreg: LogisticRegressionGrid | None = field(default_factory=LogisticRegressionGrid)
    sklearn_mlp: SklearnMLPGrid | None = None
    metric: str = "uar"

    def __post_init__(self) -> None:
        tuning_metric(self.metric, key="baselines.metric")
        for name, grid in self.grids().items():
            if grid.folds < 2:
                raise ConfigError(f"baselines.{name}.folds is {grid.folds}, expected at least 2")

    def grids(self) -> dict[str, Grid]:
        """The grids of the models that take part, by name."""
        named = {name: getattr(self, name) for name in BASELINES}
        return {name: grid for name, grid in named.items() if grid is not None}


BASELINES: Final = ("knn", "svm", "logreg", "sklearn_mlp")


def candidates(grid: Grid) -> list[Candidate]:
    """Every combination of its values."""
    return combinations({f.name: getattr(grid, f.name) for f in fields(grid) if f.name != "folds"})
