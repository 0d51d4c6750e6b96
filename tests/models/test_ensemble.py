"""The ensemble: its weights are those of least log loss on the dev rows, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureSet, Float32, Float64, Targets
from speechnet.models import calibration
from speechnet.models.ensemble import Ensemble, FittedEnsemble, Member, fit_weights
from speechnet.models.model import Fitted

TARGETS: Targets = {"emotion": ["angry", "happy", "sad"], "gender": ["female", "male"]}


class Linear(Fitted):
    """Softmax of some columns, sharper or flatter."""

    def __init__(self, sharpness: float) -> None:
        self.sharpness = sharpness
        self.targets = TARGETS

    def predict_proba(self, features: Float32) -> dict[str, Float64]:
        """See ``Fitted``."""
        found = {}
        for name, classes in TARGETS.items():
            raw = np.exp(self.sharpness * features[:, : len(classes)].astype(np.float64))
            found[name] = raw / raw.sum(axis=1, keepdims=True)
        return found


def problem(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Three models' probabilities, ``[3, n, 3]``, of which one knows little, and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=n)
    logits = rng.normal(size=(3, n, 3))
    logits[0, np.arange(n), truth] += 1.5
    logits[1, np.arange(n), truth] += 1.0
    p = np.exp(logits)
    return p / p.sum(axis=2, keepdims=True), truth


def test_weights_are_those_of_an_optimiser() -> None:
    """SLSQP on the same log loss comes to the same; rows without a label have no say."""
    p, truth = problem()
    truth[::7] = -1
    known = np.flatnonzero(truth >= 0)

    def loss(weights: np.ndarray) -> float:
        return -float(np.log(weights @ p[:, known, truth[known]]).mean())

    sums = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    found = minimize(
        loss, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, constraints=sums, options={"ftol": 1e-12}
    )
    weights = fit_weights(p, truth)
    np.testing.assert_allclose(weights, found.x, atol=1e-3)
    assert loss(np.array(weights)) <= found.fun + 1e-6
    assert sum(weights) == pytest.approx(1)
    assert fit_weights(p[:, :9], truth[:9]) == [1 / 3] * 3


@pytest.fixture
def fitted() -> FittedEnsemble:
    """Two members, weighted otherwise for each target."""
    members = {"svm": Member(Linear(1.0), None), "knn": Member(Linear(3.0), None)}
    return FittedEnsemble(members, {"emotion": [0.25, 0.75], "gender": [1.0, 0.0]}, TARGETS)


def test_a_weighted_mean(fitted: FittedEnsemble) -> None:
    """Of the members' probabilities; rows sum to 1."""
    X = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    found = fitted.predict_proba(FeatureSet.vectors(X))
    one, other = (member.fitted.predict_proba(X) for member in fitted.members.values())
    np.testing.assert_allclose(found["emotion"], 0.25 * one["emotion"] + 0.75 * other["emotion"])
    np.testing.assert_allclose(found["gender"], one["gender"])


@pytest.fixture
def saved(fitted: FittedEnsemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, beside members that are read by their names."""
    monkeypatch.setattr(calibration, "load_fitted", lambda _, name, __: fitted.members[name].fitted)
    fitted.save(tmp_path, "ensemble")
    return tmp_path / "ensemble.json"


def test_saved_and_read_back(fitted: FittedEnsemble, saved: Path) -> None:
    """The same probabilities."""
    features = FeatureSet.vectors(np.eye(4, dtype=np.float32))
    again = Ensemble.load(saved.parent, "ensemble", TARGETS).predict_proba(features)
    for target, values in fitted.predict_proba(features).items():
        np.testing.assert_array_equal(again[target], values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.pop("weights"), "expected members and weights"),
        (lambda it: it["members"].update(nothing=None), "expected other models"),
        (lambda it: it["members"].update(svm=3), "name of an extractor"),
        (lambda it: it["weights"].pop("gender"), "weights of each of"),
        (lambda it: it["weights"].update(gender=[1.0]), "shares of the sum 1"),
        (lambda it: it["weights"].update(gender=[0.9, 0.9]), "shares of the sum 1"),
        (lambda it: it["weights"].update(gender=["1", 0]), "shares of the sum 1"),
    ],
)
def test_damaged(saved: Path, change: Callable[[Any], Any], said: str) -> None:
    """What can't be a fitted ensemble is refused, with its path."""
    content = json.loads(saved.read_text())
    change(content)
    saved.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"ensemble\.json can't be used: .*{said}"):
        Ensemble.load(saved.parent, "ensemble", TARGETS)


def test_one_model_is_no_ensemble() -> None:
    """It takes two, by the key."""
    with pytest.raises(ConfigError, match=r"of is \['svm'\], expected two models or more"):
        Ensemble(of=["svm"]).check([*TARGETS], dev=True)
