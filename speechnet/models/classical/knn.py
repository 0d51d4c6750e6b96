"""K nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from speechnet.models.candidates import Candidate
from speechnet.models.model import MODELS
from speechnet.models.scikit.model import ScikitModel, Tries, tries

if TYPE_CHECKING:
    from speechnet.models.scikit.pipelines import FitAndScore
    from speechnet.models.search import Sharing


@MODELS.register("knn")
@dataclass
class KNN(ScikitModel):
    """K nearest neighbours: every combination of the values is a candidate.

    Attributes:
        n_neighbors: how many neighbours vote.
        weights: all votes count alike, or the nearer ones more, by the inverse of the distance.
        metric: the distance.
        algorithm: how neighbours are found; all find the same ones.
    """

    label = "KNN"
    default = True

    n_neighbors: Tries[int] = tries(1, 3, 5, 9, 15, 25)
    weights: Tries[Literal["uniform", "distance"]] = tries("distance")
    metric: Tries[Literal["manhattan", "euclidean"]] = tries("manhattan", "euclidean")
    algorithm: Tries[Literal["auto", "ball_tree", "kd_tree", "brute"]] = tries("auto")

    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """See ``ScikitModel``."""
        from sklearn.neighbors import KNeighborsClassifier

        del seed
        return KNeighborsClassifier(**candidate)

    def sharing(self, plain: FitAndScore) -> Sharing:
        """One graph of neighbours at the largest k serves every k and weighting."""
        from speechnet.models.scikit.shared_neighbours import KNNSearch

        return KNNSearch(plain)
