"""The SVM's search: one kernel matrix for all ``C`` and class weights of an inner fold.

libsvm computes its kernel column by column, anew for every candidate, and once more to predict.
Here both matrices, of the fit rows with themselves and with the rows held out, are computed once
for each inner fold, kernel and gamma; the scaler is still fitted within the fold.

A matrix product rounds the last digits differently from libsvm's products of pairs. But libsvm
rounds the kernel that it solves with to single precision, except its diagonal, which here is
computed as there: the solver takes the same steps as in a plain fit, and the scores are the same. A
value on the very edge between two numbers of single precision could make a difference; none has
been seen.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sklearn
from sklearn.svm import SVC

from speechnet.core.types import Float64, Int64
from speechnet.models.candidates import Candidate
from speechnet.models.scikit.kernels import kernel_matrices
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.search import Scorer

_LOG = logging.getLogger(__name__)

LARGEST: Final = 2**30
"""Bytes that the two matrices of one inner fold may take; each process of a search holds as many.
12,800 rows in 5 inner folds fit in."""

_CACHE: Final = 50
"""MB of kernel rows that libsvm keeps. Here a row costs a copy: more of them made no fit faster."""

_LONGEST_FIRST: Final = ("poly", "linear", "sigmoid", "rbf")
"""The kernels without a bound take the solver the most steps."""


@dataclass(frozen=True)
class SVMSearch:
    """Scores that share kernel matrices.

    A fold whose matrices would take more than ``LARGEST`` bytes is fitted plainly, candidate by
    candidate.

    Attributes:
        plain: fits and scores a candidate by itself.
    """

    plain: FitAndScore

    def groups(self, candidates: Sequence[Candidate]) -> list[list[int]]:
        """See ``Sharing``: candidates of one kernel and gamma share.

        ``linear`` has no gamma; one given by number stays apart, as it may be refused.
        """
        shared: dict[tuple[str, Any], dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
        for position, one in enumerate(candidates):
            no_gamma = one["kernel"] == "linear" and isinstance(one["gamma"], str)
            gamma = None if no_gamma else one["gamma"]
            shared[one["kernel"], gamma][one["class_weight"]].append(position)
        keys = sorted(shared, key=lambda key: _LONGEST_FIRST.index(key[0]))
        return [
            [position for same in shared[key].values() for position in _by_c(same, candidates)]
            for key in keys
        ]

    def scorer(self, group: Sequence[Candidate], fit: Int64, held: Int64) -> Scorer:
        """See ``Sharing``."""
        plain, kernel, gamma = self.plain, group[0]["kernel"], group[0]["gamma"]
        if 8 * len(fit) * (len(fit) + len(held)) > LARGEST:
            _LOG.info("%d rows are too many for a shared kernel matrix", len(fit))
            return lambda candidate: plain(candidate, fit, held)
        matrices = cache(lambda: kernel_matrices(*plain.scaled(fit, held), kernel, gamma))
        solved: dict[Any, dict[float, tuple[list[bytes], float]]] = defaultdict(dict)

        def score(candidate: Candidate) -> float:
            by_bound, C = solved[candidate["class_weight"]], candidate["C"]
            lower = max((c for c in by_bound if c <= C), default=None)
            upper = min((c for c in by_bound if c >= C), default=None)
            # C only bounds the coefficients: if two bounds give the same solution to the last bit,
            # it met neither of them on its way, nor any bound between them.
            if lower is None or upper is None or by_bound[lower][0] != by_bound[upper][0]:
                lower = C
                model = plain.model.estimator(candidate, plain.seed)
                by_bound[C] = _solve(plain, model, fit, held, *matrices())
            return by_bound[lower][1]

        return score


def _solve(
    plain: FitAndScore, model: SVC, fit: Int64, held: Int64, among: Float64, across: Float64
) -> tuple[list[bytes], float]:
    """The bits of the solution, and its score."""
    model.set_params(kernel="precomputed", cache_size=_CACHE)
    with sklearn.config_context(assume_finite=True):  # a plain fit doesn't check its kernel
        model.fit(among, plain.y[fit])
        score = plain.score(held, model.predict(across))
    return [one.tobytes() for one in (model.support_, model.dual_coef_, model.intercept_)], score


def _by_c(positions: list[int], candidates: Sequence[Candidate]) -> list[int]:
    """The least and the greatest ``C`` first, then what lies between, from the least."""
    ordered = sorted(positions, key=lambda position: candidates[position]["C"])
    return [*ordered[:1], *ordered[1:][-1:], *ordered[1:-1]]
