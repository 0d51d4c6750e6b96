"""A classical model: an estimator of scikit-learn, each setting a list of values to try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from speechnet.models.model import MODELS
from speechnet.models.scikit.model import ScikitModel, Tries, tries


@MODELS.register("lda")
@dataclass
class LDA(ScikitModel):
    """Linear discriminant analysis.

    Attributes:
        shrinkage: of the covariances, 0 to 1.
    """

    label = "LDA"
    trusted = ("sklearn.discriminant_analysis.LinearDiscriminantAnalysis",)

    shrinkage: Tries[float] = tries(0.1, 0.5)

    def estimator(self, candidate: dict[str, Any], seed: int) -> Any:
        """An unfitted estimator."""
        del seed  # nothing is random here
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        return LinearDiscriminantAnalysis(solver="lsqr", **candidate)
