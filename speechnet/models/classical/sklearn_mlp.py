"""scikit-learn's multi-layer perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from speechnet.models.candidates import Candidate
from speechnet.models.model import MODELS
from speechnet.models.scikit.model import Folds, ScikitModel, Tries, tries


@MODELS.register("sklearn_mlp")
@dataclass
class SklearnMLP(ScikitModel):
    """MLP of scikit-learn with one hidden layer: every combination of the values is a candidate.

    Attributes:
        hidden: the layer's width.
        activation: after that layer.
        solver: what minimises the loss.
        alpha: the L2 penalty.
        max_iter: the solver's longest run.
    """

    label = "MLP (scikit-learn)"

    folds: Folds = 3
    hidden: Tries[int] = tries(100)
    activation: Tries[Literal["logistic", "tanh", "relu"]] = tries("relu")
    solver: Tries[Literal["lbfgs", "sgd", "adam"]] = tries("adam")
    alpha: Tries[float] = tries(0.0001)
    max_iter: Tries[int] = tries(200)

    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """See ``ScikitModel``."""
        from sklearn.neural_network import MLPClassifier

        rest = {key: value for key, value in candidate.items() if key != "hidden"}
        size = (int(candidate["hidden"]),)
        return MLPClassifier(hidden_layer_sizes=size, **rest, random_state=seed)
