"""Tests of a finished run, read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureSet
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.saved_run import SavedRun
from speechnet.models.scikit.estimators import FittedEstimators

pytestmark = pytest.mark.slow


@pytest.fixture
def run_copy(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_what_it_knows(tiny_run: Path) -> None:
    """Targets, models and configuration are those of the run."""
    run = SavedRun(tiny_run)
    assert run.models == ["mlp", "knn", "logreg", "svm"]
    assert run.targets["emotion"] == ["angry", "happy", "sad", "neutral"]
    assert run.config.data.split.folds == 2
    assert run.choose("all") == run.models
    assert run.choose("svm") == ["svm"]
    with pytest.raises(ConfigError, match="--model svn: the run has mlp, knn, logreg, svm"):
        run.choose("svn")


OTHER = {"kind": "vector", "columns": ["a"], "fingerprint": "f", "recipe": {"versions": {}}}
"""What another extractor's description looks like."""


def test_folds_are_averaged(tiny_run: Path) -> None:
    """Several folds' probabilities are the mean of the single classifiers'."""
    run = SavedRun(tiny_run)
    X = np.random.default_rng(0).normal(size=(5, 25)).astype(np.float32)
    singles = [
        FittedEstimators.load(tiny_run / f"fold_{fold}", "logreg", run.targets).predict_proba(X)
        for fold in (0, 1)
    ]
    together = run.predict_proba("logreg", FeatureSet.vectors(X))
    for target in run.targets:
        mean = (singles[0][target] + singles[1][target]) / 2
        np.testing.assert_allclose(together[target], mean)
        np.testing.assert_allclose(together[target].sum(axis=1), 1)


def _change_scores(run: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = run / "scores.csv"
    change(pd.read_csv(path, dtype={"fold": str})).to_csv(path, index=False)
    write_sums(run)


def test_best_without_a_dev_part(run_copy: Path) -> None:
    """The search's inner folds decide; without them the user must."""
    _change_scores(run_copy, lambda scores: scores[scores["part"] != "dev"])
    searched = pd.read_csv(run_copy / "search.csv")
    searched["mean"] = np.where(searched["model"] == "knn", 0.9, 0.2)
    searched.to_csv(run_copy / "search.csv", index=False)
    write_sums(run_copy)
    run = SavedRun(run_copy)
    assert run.best().model == "knn"
    (run_copy / "search.csv").unlink()
    with pytest.raises(ConfigError, match="give --model, one of mlp, knn, logreg, svm, or all"):
        run.best()


def _damage_info(run: Path, **changes: object) -> None:
    info = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps(info))
    write_sums(run)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "config.yaml").unlink(), "no file"),
        (lambda run: (run / "config.yaml").write_text("data: {n: 1}"), r"unknown key 'data\.n'"),
        (lambda run: (run / "run.json").unlink(), r"run\.json can't be read"),
        (lambda run: (run / "INCOMPLETE").touch(), "is incomplete"),
        (
            lambda run: _damage_info(run, features={"functionals": OTHER}),
            "disagree on the features",
        ),
        (lambda run: _damage_info(run, features={"functionals": {}}), "kind is missing"),
        (
            lambda run: _damage_info(run, features={"functionals": OTHER | {"recipe": {}}}),
            "a recipe lacks the versions",
        ),
        (
            lambda run: _damage_info(run, features=["a"]),
            "features is .*, expected keys with values",
        ),
        (lambda run: (run / "scores.csv").unlink(), r"scores\.csv can't be read"),
        (lambda run: (run / "fold_1" / "svm_emotion.skops").unlink(), "is missing"),
        (lambda run: (run / "fold_0" / "svm_gender.skops").write_bytes(b"x"), "can't be read"),
        (lambda run: shutil.rmtree(run / "fold_1"), "fold_1"),
        (lambda run: (run / "fold_0" / "mlp_0.ckpt").write_bytes(b"PK"), "can't be read"),
        (lambda run: (run / "fold_0" / "mlp_0.ckpt").unlink(), "mlp_"),
    ],
)
def test_damaged_runs(run_copy: Path, damage: Callable[[Path], object], message: str) -> None:
    """Whatever is missing or broken in a run folder is bad data, and named, whatever its sums."""
    damage(run_copy)
    write_sums(run_copy)
    X = np.zeros((1, 25), np.float32)
    with pytest.raises(DataError, match=message):  # noqa: PT012 - whichever step meets it first
        run = SavedRun(run_copy)
        run.best()
        for model in run.models:
            run.predict_proba(model, FeatureSet.vectors(X))
    assert not (run_copy / "fold_2").exists()


def test_another_encoder_is_refused(run_copy: Path) -> None:
    """Features of other weights mean something else, though there are as many of them."""
    features = json.loads((run_copy / "run.json").read_text())["features"]
    features["functionals"]["recipe"]["files"] = {"model.safetensors": "0" * 64}
    _damage_info(run_copy, features=features)
    with pytest.raises(DataError, match=r"functionals in its config\.yaml names has changed"):
        SavedRun(run_copy)


def test_other_libraries_are_named(run_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Features may differ under another version of a library: said, not hidden."""
    features = json.loads((run_copy / "run.json").read_text())["features"]
    features["functionals"]["recipe"]["versions"]["librosa"] = "0.1"
    _damage_info(run_copy, features=features)
    SavedRun(run_copy)
    assert "librosa 0.1 -> " in capsys.readouterr().err
