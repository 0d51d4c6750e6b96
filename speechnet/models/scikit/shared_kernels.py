"""SVMs by kernel matrices: their search, and predictions for many rows.

libsvm computes its kernel column by column, again for every candidate, and once more to predict.
The search computes both matrices, of the fit rows with themselves and with the rows held out, once
for each inner fold, kernel and gamma, and uses them for all ``C`` and class weights. The scaler is
still fitted within the fold.

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
from itertools import combinations
from typing import Any, Final

import numpy as np
import sklearn
from sklearn.svm import SVC

from speechnet.core.types import Float64, Int64
from speechnet.models.candidates import Candidate
from speechnet.models.scikit.layer_scaler import LAYER
from speechnet.models.scikit.pipelines import FitAndScore, make_estimator
from speechnet.models.search import Scorer

_LOG = logging.getLogger(__name__)

LARGEST: Final = 2**30
"""Bytes that the two matrices of one inner fold may take; each process of a search holds as many.
12,800 rows in 5 inner folds fit in."""

_CACHE: Final = 50
"""MB of kernel rows that libsvm keeps. Here a row costs a copy: more of them made no fit faster."""

_LONGEST_FIRST: Final = ("poly", "linear", "sigmoid", "rbf")
"""The kernels without a bound take the solver the most steps."""

_BLOCK: Final = 128
"""Rows of a matrix made at once: enough for the product, few enough for the cache."""


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
        """See ``Sharing``: candidates of one layer, kernel and gamma share.

        ``linear`` has no gamma; one given by number stays apart, as it may be refused.
        """
        shared: dict[tuple[str, Any, Any], dict[Any, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for position, one in enumerate(candidates):
            no_gamma = one["kernel"] == "linear" and isinstance(one["gamma"], str)
            gamma = None if no_gamma else one["gamma"]
            shared[one["kernel"], gamma, one.get(LAYER)][one["class_weight"]].append(position)
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
        matrices = cache(lambda: kernel_matrices(*plain.scaled(group[0], fit, held), kernel, gamma))
        solved: dict[Any, dict[float, tuple[list[bytes], float]]] = defaultdict(dict)

        def score(candidate: Candidate) -> float:
            by_bound, C = solved[candidate["class_weight"]], candidate["C"]
            lower = max((c for c in by_bound if c <= C), default=None)
            upper = min((c for c in by_bound if c >= C), default=None)
            # C only bounds the coefficients: if two bounds give the same solution to the last bit,
            # it met neither of them on its way, nor any bound between them.
            if lower is None or upper is None or by_bound[lower][0] != by_bound[upper][0]:
                lower = C
                model = make_estimator(plain.model, candidate, plain.seed)
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


def kernel_matrices(
    fit: Float64, held: Float64, kernel: str, gamma: str | float
) -> tuple[Float64, Float64]:
    """The kernel between rows, as libsvm defines it at scikit-learn's degree 3 and ``coef0`` 0.

    Args:
        fit: float64 ``[n, d]``.
        held: float64 ``[m, d]``.
        kernel: ``linear`` x·y, ``poly`` (g x·y)³, ``rbf`` exp(-g |x - y|²) or ``sigmoid``
            tanh(g x·y), with g for gamma; Chang and Lin, "LIBSVM" (2011).
        gamma: a number, or ``scale``, 1 / (d · variance of ``fit``), or ``auto``, 1 / d.

    Returns:
        ``fit`` with itself, ``[n, n]``, and ``held`` with ``fit``, ``[m, n]``, float64.
    """
    number = _gamma(fit, gamma)
    # Pair by pair, as in libsvm, which keeps the diagonal alone in double precision.
    squares = np.vecdot(fit, fit)
    among = np.empty((len(fit), len(fit)))
    for start in range(0, len(fit), _BLOCK):
        block = slice(start, start + _BLOCK)
        dots = np.matmul(fit[block], fit[start:].T, out=among[block, start:])
        np.fill_diagonal(dots, squares[block])
        _apply(kernel, number, dots, squares=(squares[block], squares[start:]))
        among[start + _BLOCK :, block] = dots[:, _BLOCK:].T
    across = np.empty((len(held), len(fit)))
    for start in range(0, len(held), _BLOCK):
        rows = held[start : start + _BLOCK]
        dots = np.matmul(rows, fit.T, out=across[start : start + _BLOCK])
        _apply(kernel, number, dots, squares=(np.vecdot(rows, rows), squares))
    return among, across


def _gamma(X: Float64, gamma: str | float) -> float:
    if gamma == "auto":
        return float(1 / X.shape[1])
    if gamma == "scale":
        variance = float(X.var())
        return float(1 / (X.shape[1] * variance)) if variance else 1.0
    return float(gamma)


def _apply(kernel: str, gamma: float, dots: Float64, *, squares: tuple[Float64, Float64]) -> None:
    """Turn dot products into the kernel, in place and in the order in which libsvm rounds."""
    match kernel:
        case "poly":
            dots *= gamma
            dots *= dots * dots
        case "sigmoid":
            dots *= gamma
            np.tanh(dots, out=dots)
        case "rbf":
            dots *= 2
            np.subtract(np.add.outer(*squares), dots, out=dots)
            dots *= -gamma
            np.exp(dots, out=dots)


def predict_svm(model: SVC, X: Float64) -> Int64:
    """Predictions of an SVM for scaled rows, as scikit-learn's with ``break_ties``.

    Every two classes have a decision value: a vote for one of them, and a confidence. The most
    votes win, of equal ones the larger sum of confidences.

    Args:
        model: fitted, with ``break_ties``.
        X: float64 ``[n, d]``.

    Returns:
        int64 ``[n]``, of its classes.
    """
    _, kernel = kernel_matrices(model.support_vectors_, X, model.kernel, model._gamma)
    classes, k = model.classes_, len(model.classes_)
    if k == 2:
        return np.asarray(
            classes[(kernel @ model.dual_coef_[0] + model.intercept_ > 0).astype(int)]
        )
    ends = np.cumsum(model.n_support_)
    of = [slice(end - size, end) for end, size in zip(ends, model.n_support_, strict=True)]
    pairs = list(combinations(range(k), 2))
    weights = np.zeros((len(model.support_vectors_), len(pairs)))
    signs = np.zeros((len(pairs), k))
    for pair, (i, j) in enumerate(pairs):
        # Chang and Lin, "LIBSVM" (2011), section 7: where the coefficients of a pair stand.
        weights[of[i], pair] = model.dual_coef_[j - 1, of[i]]
        weights[of[j], pair] = model.dual_coef_[i, of[j]]
        signs[pair, [i, j]] = 1, -1
    values = kernel @ weights + model.intercept_
    confidence = values @ signs
    votes = (values >= 0) @ (signs > 0).astype(float) + (values < 0) @ (signs < 0).astype(float)
    # A third of a vote is the most that all confidences together are worth.
    best = votes + confidence / (3 * (np.abs(confidence) + 1))
    return np.asarray(classes[best.argmax(axis=1)])
