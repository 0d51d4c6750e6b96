"""How an ensemble makes one probability of its members': a weighted mean, or a stacker.

With ``p_mc`` the probability that member ``m`` of ``M`` gives to class ``c``:

A weighted mean is ``p_c = sum_m w_m p_mc``, the weights 0 or more with the sum 1. Learnt weights
maximise

    ``sum_i log sum_m w_m p_m(truth_i) + (A / M) sum_m log w_m``

over rows ``i`` by expectation maximisation, whose every step raises it (Dempster, Laird, Rubin,
"Maximum likelihood from incomplete data via the EM algorithm", 1977). The second term, a Dirichlet
prior, has its maximum at equal weights and counts as much as ``A`` rows.

A stacker is a multinomial logistic regression on the members' log-probabilities, with one
coefficient for each member and one intercept for each class (a logarithmic opinion pool: G. Hinton,
"Training Products of Experts by Minimizing Contrastive Divergence", 2002; stacking: D. Wolpert,
"Stacked Generalization", 1992):

    ``log p_c = b_c + sum_m (1 / M + a_m) log p_mc - log of the sum over classes``

It minimises ``-sum_i log p_i(truth_i) + A / 2 (sum_m a_m^2 + sum_c b_c^2)``, so that few rows leave
it near the members' geometric mean. A coefficient for each pair of classes, as scikit-learn's
``LogisticRegression`` has, scored lower, whatever its penalty: it would have to learn from the rows
what is known, that a member's probability of a class speaks for this class.

Both problems are convex: there is one solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from speechnet.core.types import Float64, Int64

_STEPS: Final = 500
_SMALLEST: Final = 1e-12
_FLOOR: Final = 1e-3
"""Lower probabilities count as this much in a stacker: the logarithm of 0 has no end."""
_ROUNDING: Final = 1e-9
_LARGEST: Final = 1e6
"""No coefficient of a stacker comes near."""


class Combination(Protocol):
    """Makes one probability of several models'."""

    def apply(self, probabilities: Float64) -> Float64:
        """Combine float64 ``[m, n, k]``, rows sum to 1, to ``[n, k]``, rows sum to 1."""

    def plain(self) -> dict[str, list[float]]:
        """Its numbers, which ``parse`` reads."""


@dataclass(frozen=True)
class WeightedMean:
    """A weight for each model, 0 or more, with the sum 1."""

    weights: Sequence[float]

    def apply(self, probabilities: Float64) -> Float64:
        """See ``Combination``."""
        return np.tensordot(self.weights, probabilities, axes=1)

    def plain(self) -> dict[str, list[float]]:
        """See ``Combination``."""
        return {"weights": [*self.weights]}

    @classmethod
    def equal(cls, count: int) -> WeightedMean:
        """Of so many models."""
        return cls([1 / count] * count)


@dataclass(frozen=True)
class Stacker:
    """A coefficient for each model, ``1 / M + a_m``, and an intercept for each class, ``b_c``."""

    coefficients: Sequence[float]
    intercepts: Sequence[float]

    def apply(self, probabilities: Float64) -> Float64:
        """See ``Combination``."""
        from scipy.special import softmax

        logits = np.tensordot(self.coefficients, _log(probabilities), axes=1) + self.intercepts
        return np.asarray(softmax(logits, axis=1), dtype=np.float64)

    def plain(self) -> dict[str, list[float]]:
        """See ``Combination``."""
        return {"coefficients": [*self.coefficients], "intercepts": [*self.intercepts]}


def fit_weights(probabilities: Float64, truth: Int64, *, prior: float) -> WeightedMean:
    """The weights of the formula at the head of this module.

    Args:
        probabilities: of some rows by several models, float64 ``[m, n, k]``, rows sum to 1.
        truth: int64 ``[n]``, -1 where there is no label.
        prior: ``A``, above 0.

    Returns:
        Equal weights where no row has a label.
    """
    known = np.flatnonzero(truth >= 0)
    of_truth = probabilities[:, known, truth[known]].clip(_SMALLEST)
    weights = np.full(len(probabilities), 1 / len(probabilities))
    for _ in range(_STEPS):
        shares = weights[:, None] * of_truth
        counts = (shares / shares.sum(axis=0)).sum(axis=1) + prior / len(weights)
        weights = counts / counts.sum()
    return WeightedMean([*map(float, weights)])


def fit_stacker(probabilities: Float64, truth: Int64, *, prior: float) -> Stacker:
    """The stacker of the formula at the head of this module; for the arguments see ``fit_weights``.

    A class of which no row is left becomes unlikelier, as far as the penalty allows, and can still
    be the answer.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    known = np.flatnonzero(truth >= 0)
    x, y = _log(probabilities[:, known]), truth[known]
    m, n, k = x.shape
    is_true = np.eye(k)[y]

    def loss(found: Float64) -> tuple[float, Float64]:
        logits = np.tensordot(1 / m + found[:m], x, axes=1) + found[m:]
        logs = np.asarray(log_softmax(logits, axis=1)).reshape(n, k)
        excess = np.exp(logs) - is_true
        slope = [np.tensordot(x, excess, axes=2), excess.sum(axis=0)]
        misfit = -float(logs[np.arange(n), y].sum())
        return misfit + prior / 2 * float(found @ found), np.concatenate(slope) + prior * found

    best = minimize(loss, np.zeros(m + k), jac=True, method="L-BFGS-B").x.tolist()
    return Stacker([1 / m + one for one in best[:m]], best[m:])


def parse(content: Any, m: int, k: int, *, what: str) -> Combination:
    """A combination of ``m`` models and ``k`` classes from what may come from any file.

    Raises:
        ValueError: it isn't one; the message names ``what`` it is of.
    """
    match content:
        case {"weights": found, **rest} if not rest:
            weights = _numbers(found, m, f"weights of {what}")
            if min(weights) < 0 or abs(sum(weights) - 1) > _ROUNDING:
                raise ValueError(f"the weights of {what} are {weights}, expected shares of 1")
            return WeightedMean(weights)
        case {"coefficients": one, "intercepts": other, **rest} if not rest:
            coefficients = _numbers(one, m, f"coefficients of {what}")
            return Stacker(coefficients, _numbers(other, k, f"intercepts of {what}"))
    raise ValueError(f"expected weights of {what}, or coefficients and intercepts")


def _numbers(content: Any, count: int, what: str) -> list[float]:
    numbers = isinstance(content, list) and all(type(one) in {int, float} for one in content)
    if not numbers or len(content) != count or not all(abs(one) < _LARGEST for one in content):
        raise ValueError(f"the {what} are {content!r:.99}, expected {count} numbers")
    return [float(one) for one in content]


def _log(probabilities: Float64) -> Float64:
    return np.asarray(np.log(probabilities.clip(_FLOOR)))
