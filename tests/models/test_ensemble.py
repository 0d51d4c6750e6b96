"""The ensemble: its members' probabilities combined, saved, read back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureSet, Float32, Float64, Targets
from speechnet.models import calibration
from speechnet.models.combination import Combination, Stacker, WeightedMean
from speechnet.models.ensemble import Ensemble, FittedEnsemble, Member
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


@pytest.fixture
def fitted() -> FittedEnsemble:
    """Two members, weighted for one target and stacked for the other."""
    members = {"svm": Member(Linear(1.0), None), "knn": Member(Linear(3.0), None)}
    combined: dict[str, Combination] = {
        "emotion": WeightedMean([0.25, 0.75]),
        "gender": Stacker([0.0, 1.0], [0.0, 0.0]),
    }
    alone = dict.fromkeys(TARGETS, WeightedMean.equal(1))
    return FittedEnsemble(members, combined, TARGETS, {"svm": alone, "knn": alone})


def test_combined_by_target(fitted: FittedEnsemble) -> None:
    """Each target by its own numbers; without a member the others are left."""
    X = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    found = fitted.predict_proba(FeatureSet.vectors(X))
    one, other = (member.fitted.predict_proba(X) for member in fitted.members.values())
    np.testing.assert_allclose(found["emotion"], 0.25 * one["emotion"] + 0.75 * other["emotion"])
    np.testing.assert_allclose(found["gender"], other["gender"])
    without = fitted.predict_without(FeatureSet.vectors(X))
    np.testing.assert_array_equal(without["knn"], Linear(1.0).predict(X))
    assert list(without) == ["svm", "knn"]


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
        (lambda it: it.pop("combined"), "expected members, and how"),
        (lambda it: it["members"].update(nothing=None), "expected other models"),
        (lambda it: it["members"].update(svm=3), "name of an extractor"),
        (lambda it: it["combined"].pop("gender"), "for each of"),
        (lambda it: it["combined"]["emotion"].update(weights=[1.0]), "expected 2 numbers"),
    ],
)
def test_damaged(saved: Path, change: Callable[[Any], Any], said: str) -> None:
    """What can't be a fitted ensemble is refused, with its path."""
    content = json.loads(saved.read_text())
    change(content)
    saved.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"ensemble\.json can't be used: .*{said}"):
        Ensemble.load(saved.parent, "ensemble", TARGETS)


def test_refused() -> None:
    """One model, and a dev part to learn on that isn't there; by the key."""
    with pytest.raises(ConfigError, match=r"of is \['svm'\], expected two models or more"):
        Ensemble(of=["svm"]).check([*TARGETS], dev=True)
    with pytest.raises(ConfigError, match=r"learn_on is dev, but data\.split\.dev is 0"):
        Ensemble(of=["svm", "knn"], how="stacker", learn_on="dev").check([*TARGETS], dev=False)
