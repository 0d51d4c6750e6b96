"""Support vector machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from speechnet.models.candidates import Candidate
from speechnet.models.model import MODELS
from speechnet.models.scikit.model import ScikitModel, Tries, Weighting, tries

if TYPE_CHECKING:
    from speechnet.models.scikit.pipelines import FitAndScore
    from speechnet.models.search import Sharing


@MODELS.register("svm")
@dataclass
class SVM(ScikitModel):
    """Support vector machine: every combination of the values is a candidate.

    Attributes:
        C: the price of a margin that is not kept; smaller is smoother.
        kernel: which one.
        gamma: the kernel's width; ``scale`` divides by the features' number and variance, ``auto``
            by their number.
        class_weight: ``balanced`` weighs each class by the inverse of its share of the rows.
    """

    label = "SVM"
    default = True
    margins = True
    reference = True
    untuned = {"C": 5.0, "kernel": "rbf", "gamma": "scale", "class_weight": "balanced"}  # noqa: RUF012 - typed where it is declared

    C: Tries[float] = tries(0.5, 1.0, 2.0, 5.0, 10.0)
    kernel: Tries[Literal["linear", "poly", "rbf", "sigmoid"]] = tries("rbf")
    gamma: Tries[Literal["scale", "auto"] | float] = tries("scale")
    class_weight: Tries[Weighting] = tries("balanced")

    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """See ``ScikitModel``."""
        from sklearn.svm import SVC

        # break_ties: the prediction is the largest decision value, as of its probability.
        return SVC(**candidate, break_ties=True, cache_size=1000, random_state=seed)

    def sharing(self, plain: FitAndScore) -> Sharing:
        """One kernel matrix serves every ``C`` and class weight."""
        from speechnet.models.scikit.shared_kernels import SVMSearch

        return SVMSearch(plain)
