"""Logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from speechnet.models.candidates import Candidate
from speechnet.models.model import MODELS
from speechnet.models.scikit.model import ScikitModel, Tries, Weighting, tries


@MODELS.register("logreg")
@dataclass
class LogReg(ScikitModel):
    """Logistic regression: every combination of the values is a candidate.

    Attributes:
        C: the inverse of the L2 penalty; smaller is smoother.
        solver: what minimises the loss; all aim at the same minimum.
        class_weight: ``balanced`` weighs each class by the inverse of its share of the rows.
        max_iter: the solver's longest run.
    """

    label = "Logistic regression"
    default = True
    untuned = {"C": 0.1, "solver": "lbfgs", "class_weight": "balanced", "max_iter": 1000}  # noqa: RUF012 - typed where it is declared

    C: Tries[float] = tries(0.001, 0.01, 0.1, 1.0)
    solver: Tries[Literal["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]] = tries("lbfgs")
    class_weight: Tries[Weighting] = tries("balanced")
    max_iter: Tries[int] = tries(1000)

    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """See ``ScikitModel``."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(**candidate, random_state=seed)
