"""The search of k nearest neighbours: one graph at the largest k serves every k and weighting.

The nearest k of a row's K neighbours are its k neighbours, so a metric's candidates need one graph
for each inner fold. Candidates that differ in their algorithm alone have the same neighbours and
the same scores, with two exceptions, which are respected:

- Brute force computes euclidean distances by matrix products, trees by differences; the last digits
  differ, and a duplicate may be a hair away from itself. There is a graph for each.
- Where the k-th neighbour is as near as the next one, or two classes have equal votes up to
  rounding, scikit-learn's answer depends on the order of the rows. A candidate to which that
  happens in a fold is fitted plainly there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from speechnet.core.types import Float64, Int64
from speechnet.models.candidates import Candidate
from speechnet.models.scikit.layer_scaler import LAYER
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.search import Scorer


@dataclass(frozen=True)
class KNNSearch:
    """Scores that share neighbour graphs.

    Attributes:
        plain: fits and scores a candidate by itself.
    """

    plain: FitAndScore

    def groups(self, candidates: Sequence[Candidate]) -> list[list[int]]:
        """See ``Sharing``: candidates of one layer and metric share."""
        shared: dict[tuple[str, Any], list[int]] = defaultdict(list)
        for position, candidate in enumerate(candidates):
            shared[candidate["metric"], candidate.get(LAYER)].append(position)
        return list(shared.values())

    def scorer(self, group: Sequence[Candidate], fit: Int64, held: Int64) -> Scorer:
        """See ``Sharing``."""
        plain, possible = self.plain, range(1, len(fit) + 1)
        asked = [one["n_neighbors"] for one in group if one["n_neighbors"] in possible]

        @cache
        def graph(distance: str) -> Graph:
            scaled = plain.scaled(group[0], fit, held)
            return Graph(*scaled, plain.y[fit], distance=distance, k=max(asked))

        @cache
        def shared(distance: str, weights: str, k: int) -> float | None:
            predicted = graph(distance).predict(k, weights)
            return None if predicted is None else plain.score(held, predicted)

        def score(candidate: Candidate) -> float:
            k, value = candidate["n_neighbors"], None
            if k in possible:
                distance = distance_name(candidate, rows=len(fit), width=plain.width)
                value = shared(distance, candidate["weights"], k)
            return plain(candidate, fit, held) if value is None else value

        return score


def distance_name(candidate: Candidate, *, rows: int, width: int) -> str:
    """The metric by the name under which brute force rounds as the candidate's algorithm does.

    scikit-learn has two names for the euclidean distance: ``euclidean`` is computed as
    x² - 2xy + y², ``l2`` as trees do it. Its rule for ``auto`` is in ``NeighborsBase``.

    Args:
        candidate: its metric, algorithm and n_neighbors.
        rows: to fit on.
        width: columns.
    """
    if candidate["metric"] == "manhattan":
        return "manhattan"
    automatic = width > 15 or candidate["n_neighbors"] >= rows // 2
    brute = {"brute": True, "auto": automatic}.get(candidate["algorithm"], False)
    return "euclidean" if brute else "l2"


class Graph:
    """The nearest rows of each row held out, and how they vote.

    Args:
        fit: float64 ``[n, d]``, scaled.
        held: float64 ``[m, d]``, scaled.
        y: int64 ``[n]``, the classes of the former.
        distance: as ``distance_name`` gives it.
        k: the most neighbours that will be asked for, 1 to ``n``.
    """

    def __init__(self, fit: Float64, held: Float64, y: Int64, *, distance: str, k: int) -> None:
        # One more than asked for: to see whether the last is as near as the next.
        nearest = NearestNeighbors(
            n_neighbors=min(k + 1, len(fit)), algorithm="brute", metric=distance
        )
        self._distances, rows = nearest.fit(fit).kneighbors(held)
        self._classes, codes = np.unique(y, return_inverse=True)
        self._codes: Int64 = codes[rows]

    def predict(self, k: int, weights: str) -> Int64 | None:
        """The classes of the rows held out, int64 ``[m]``, or None if the order of rows decides.

        Args:
            k: neighbours that vote.
            weights: ``uniform``, or ``distance``: by its inverse, and where some are at distance
                0 those alone. Of equal votes the first class wins.
        """
        nearest, further = self._distances[:, :k], self._distances[:, k : k + 1]
        if (further == nearest[:, -1:]).any():
            return None
        worth = np.ones_like(nearest) if weights == "uniform" else _inverse(nearest)
        codes = self._codes[:, :k]
        votes = np.stack(
            [(worth * (codes == code)).sum(axis=1) for code in range(len(self._classes))], axis=1
        )
        if weights == "distance" and _close(votes):
            return None
        predicted: Int64 = self._classes[votes.argmax(axis=1)]
        return predicted


def _inverse(distances: Float64) -> Float64:
    with np.errstate(divide="ignore"):
        inverse = 1 / distances
    infinite = np.isinf(inverse)
    return np.where(infinite.any(axis=1, keepdims=True), infinite, inverse)


def _close(votes: Float64) -> bool:
    """Whether the two classes of most votes are equal up to rounding in any row."""
    if votes.shape[1] == 1:
        return False
    second, first = np.partition(votes, -2, axis=1)[:, -2:].T
    return bool((first - second <= 1e-9 * first).any())
