"""How probabilities are combined: held against general optimisers of the formulas."""

import numpy as np
import pytest
from scipy.optimize import minimize

from speechnet.core.types import Float64, Int64
from speechnet.models.combination import Stacker, WeightedMean, fit_stacker, fit_weights, parse


def problem(n: int = 200) -> tuple[Float64, Int64]:
    """Three models' probabilities, ``[3, n, 3]``, of which one knows little, and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=n)
    logits = rng.normal(size=(3, n, 3))
    logits[0, np.arange(n), truth] += 1.5
    logits[1, np.arange(n), truth] += 1.0
    p = np.exp(logits)
    p, truth[::7] = p / p.sum(axis=2, keepdims=True), -1
    return p, truth


@pytest.mark.parametrize("prior", [1e-9, 30.0])
def test_weights_are_those_of_an_optimiser(prior: float) -> None:
    """SLSQP on the same loss comes to the same; rows without a label have no say."""
    p, truth = problem()
    known = np.flatnonzero(truth >= 0)

    def loss(weights: Float64) -> float:
        fit = np.log(weights @ p[:, known, truth[known]]).sum()
        return -float(fit + prior / 3 * np.log(weights + 1e-15).sum()) / len(known)

    sums = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    found = minimize(
        loss, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, constraints=sums, options={"ftol": 1e-12}
    )
    weights = fit_weights(p, truth, prior=prior).weights
    np.testing.assert_allclose(weights, found.x, atol=1e-3)
    assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("prior", [0.1, 100.0])
def test_a_stacker_is_that_of_an_optimiser(prior: float) -> None:
    """BFGS without a gradient, on the formula written out row by row."""
    p, truth = problem(60)

    def loss(x: Float64) -> float:
        total = prior / 2 * float((x**2).sum())
        for row in np.flatnonzero(truth >= 0):
            scores = np.exp([x[3 + c] + (1 / 3 + x[:3]) @ np.log(p[:, row, c]) for c in range(3)])
            total -= np.log(scores[truth[row]] / scores.sum())
        return total

    best = minimize(loss, np.zeros(6), options={"gtol": 1e-4}).x
    found = fit_stacker(p, truth, prior=prior)
    np.testing.assert_allclose(found.coefficients, 1 / 3 + best[:3], atol=2e-3)
    np.testing.assert_allclose(found.intercepts, best[3:], atol=2e-3)
    scores = np.exp(np.log(p[:, 4]).T @ found.coefficients + found.intercepts)
    np.testing.assert_allclose(found.apply(p)[4], scores / scores.sum())


def test_little_to_learn_from() -> None:
    """Without a row all count alike; an absent class remains a possible answer."""
    p, truth = problem()
    assert fit_weights(p[:, :0], truth[:0], prior=1.0) == WeightedMean.equal(3)
    nothing = fit_stacker(p[:, :0], truth[:0], prior=1.0)
    geometric = np.exp(np.log(p).mean(axis=0))
    np.testing.assert_allclose(
        nothing.apply(p), geometric / geometric.sum(axis=1, keepdims=True), atol=1e-12
    )
    absent = fit_stacker(p[:, truth != 2], truth[truth != 2], prior=100.0)
    assert absent.intercepts[2] < min(absent.intercepts[:2])
    assert (absent.apply(p).argmax(axis=1) == 2).any()


@pytest.mark.parametrize("one", [WeightedMean([0.25, 0.75]), Stacker([0.5, 0.1], [0.0, 1.0, 0.2])])
def test_its_numbers_are_read_back(one: WeightedMean | Stacker) -> None:
    """The same combination."""
    assert parse(one.plain(), 2, 3, what="emotion") == one


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected weights of emotion, or"),
        ({"weights": [0.5, 0.5], "more": 1}, "expected weights of emotion, or"),
        ({"weights": [1.0]}, "expected 2 numbers"),
        ({"weights": ["1", 0]}, "expected 2 numbers"),
        ({"weights": [True, 0]}, "expected 2 numbers"),
        ({"weights": [0.9, 0.9]}, "expected shares of 1"),
        ({"weights": [1.5, -0.5]}, "expected shares of 1"),
        ({"coefficients": [0.5, 0.5], "intercepts": [0, 0]}, "expected 3 numbers"),
        ({"coefficients": [0.5, float("nan")], "intercepts": [0, 0, 0]}, "expected 2 numbers"),
    ],
)
def test_damaged(content: object, said: str) -> None:
    """What is no combination of two models and three classes is refused."""
    with pytest.raises(ValueError, match=said):
        parse(content, 2, 3, what="emotion")
