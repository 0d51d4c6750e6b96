"""The classical models: their grids, their temperature, what they are saved from."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cache
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import sklearn.utils
from helpers.tables import TARGETS
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32, Int64, Stack
from speechnet.models.candidates import Candidate
from speechnet.models.classical.knn import KNN
from speechnet.models.classical.logreg import LogReg
from speechnet.models.classical.sklearn_mlp import SklearnMLP
from speechnet.models.classical.svm import SVM
from speechnet.models.scikit import files as persistence
from speechnet.models.scikit.estimators import FittedEstimators, check_saving, fit_estimator
from speechnet.models.scikit.files import TRUSTED, own_skops
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.scikit.pipelines import FitAndScore, make_pipeline

pytestmark = pytest.mark.slow

SCALINGS = ("minmax", "standard", "robust", "none")


def choices(hint: object) -> list[object]:
    """All values that an annotation names."""
    if hint is type(None):
        return [None]
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [value for part in get_args(hint) for value in choices(part)]


def every_value(grid: type[ScikitModel]) -> ScikitModel:
    """A grid of all values that its annotations name, and some of those they don't."""
    hints = get_type_hints(grid)
    named = {each.name: choices(hints[each.name]) for each in fields(grid)}
    chosen = {name: values for name, values in named.items() if values}
    small: dict[type, dict[str, list[object]]] = {
        KNN: {"n_neighbors": [2]},
        SVM: {"C": [1.0], "gamma": ["scale", "auto", 0.1]},
        LogReg: {"C": [1.0], "max_iter": [20]},
        SklearnMLP: {"hidden": [3], "max_iter": [5]},
    }
    made: ScikitModel = grid(**chosen | small[grid])
    return made


@pytest.fixture(scope="module")
def problem() -> tuple[Float32, Int64, list[tuple[Int64, Int64]]]:
    """60 rows of 3 overlapping classes, and inner folds."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = (rng.normal(size=(60, 4)) + 0.7 * np.eye(4)[y]).astype(np.float32)
    return X, y, list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))


def test_trusted_types_are_necessary_and_sufficient(problem: tuple) -> None:
    """Over all values of all grids, the files hold exactly the listed types beyond skops' own."""
    skops = own_skops()
    X, y, folds = problem
    found: set[str] = set()
    for kind in (KNN, SVM, LogReg, SklearnMLP):
        for number, candidate in enumerate(every_value(kind).candidates()):
            estimator = fit_estimator(
                kind(), candidate, X, y, folds=folds, scaling=SCALINGS[number % 4], seed=0
            )
            found |= set(skops.get_untrusted_types(data=skops.dumps(estimator)))
    stacks = [Stack(1, 3, 1)]
    rest: dict[str, Any] = {"folds": folds, "scaling": "robust", "seed": 0, "stacks": stacks}
    layered = fit_estimator(LogReg(), {"C": 1.0, "layer": 2}, X, y, **rest)
    found |= set(skops.get_untrusted_types(data=skops.dumps(layered)))
    assert found == set(TRUSTED)


@dataclass
class Bayes(ScikitModel):
    """Naive Bayes."""

    label = "naive Bayes"

    def estimator(self, candidate: Candidate, seed: int) -> GaussianNB:
        del candidate, seed
        return GaussianNB()


def test_a_type_that_is_not_trusted_is_told_before_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What to add is named; settings that a small problem doesn't suit are left to training."""
    remedy = r"^bayes\.skops couldn't .*; add sklearn\.naive_bayes\.GaussianNB to trusted$"
    with pytest.raises(ConfigError, match=remedy):
        check_saving(Bayes(), "bayes")
    monkeypatch.setattr(Bayes, "trusted", ("sklearn.naive_bayes.GaussianNB",))
    check_saving(Bayes(), "bayes")
    check_saving(KNN(n_neighbors=[1_000]), "knn")


def test_threads_that_need_skops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One imports it, the others wait; scikit-learn's own list of estimators is back after it."""
    whole, imported = sklearn.utils.all_estimators, []

    def slow(name: str) -> ModuleType:
        imported.append(name)
        time.sleep(0.05)  # the others come meanwhile
        return ModuleType(name)

    monkeypatch.setattr(persistence, "import_module", slow)
    monkeypatch.setattr(persistence, "_import_skops", cache(persistence._import_skops.__wrapped__))
    with ThreadPoolExecutor(3) as pool:
        found = [one.result() for one in [pool.submit(own_skops) for _ in range(3)]]
    assert sklearn.utils.all_estimators is whole
    assert imported == ["skops.io"]
    assert len(set(map(id, found))) == 1


def test_every_value_is_every_value() -> None:
    """The oracle above: each choice that an annotation names is there."""
    knn, svm = every_value(KNN), every_value(SVM)
    assert isinstance(knn, KNN)
    assert isinstance(svm, SVM)
    assert knn.algorithm == ["auto", "ball_tree", "kd_tree", "brute"]
    assert knn.metric == ["manhattan", "euclidean"]
    assert svm.kernel == ["linear", "poly", "rbf", "sigmoid"]
    assert svm.class_weight == ["balanced", None]
    assert {each.name for each in fields(svm)} - set(svm.candidates()[0]) == {"folds", "layer"}


@pytest.mark.parametrize("classes", [2, 3])
def test_temperature(classes: int, problem: tuple) -> None:
    """One factor, the one of least log loss on the held-out decision values (Guo et al. 2017)."""
    X, y, _ = problem
    X, y = X[y < classes].astype(np.float64), y[y < classes]
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    candidate = {"C": 1.0, "kernel": "rbf", "gamma": "scale", "class_weight": None}
    fitted = fit_estimator(SVM(), candidate, X, y, folds=folds, scaling="standard", seed=0)
    pipeline = make_pipeline(SVM(), candidate, scaling="standard", seed=0)
    held = cross_val_predict(pipeline, X, y, cv=folds, method="decision_function")
    values = np.stack([-held, held], axis=1) if classes == 2 else held

    def log_loss(log_factor: float) -> float:
        scaled = log_softmax(np.exp(log_factor) * values, axis=1)
        return -float(scaled[np.arange(len(y)), y].mean())

    found = np.exp(minimize_scalar(log_loss, bounds=(-10, 10), method="bounded").x)
    calibrator = fitted.calibrated_classifiers_[0].calibrators[0]
    assert calibrator.beta_ == pytest.approx(found, rel=1e-3)
    decision = pipeline.fit(X, y).decision_function(X)
    values = np.stack([-decision, decision], axis=1) if classes == 2 else decision
    expected = np.exp(log_softmax(found * values, axis=1))
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-3)


def test_copies_are_fitted_on_and_calibrate_nothing(problem: tuple) -> None:
    """The factor is that of the recordings that are held out; copies are in no fold's held part."""
    X, y, _ = problem
    n, rng = len(y), np.random.default_rng(0)
    parts = [*StratifiedKFold(3, shuffle=True, random_state=0).split(X, y)]
    folds = [(np.concatenate([fit, n + fit]), held) for fit, held in parts]
    X = np.concatenate([X, 3 * rng.standard_normal(X.shape)]).astype(np.float64)
    y = np.concatenate([y, rng.permutation(y)])
    candidate = {"C": 1.0, "kernel": "rbf", "gamma": "scale", "class_weight": None}
    fitted = fit_estimator(SVM(), candidate, X, y, folds=folds, scaling="standard", seed=0)
    pipeline = make_pipeline(SVM(), candidate, scaling="standard", seed=0)
    values = np.zeros((n, len(set(y))))
    for fit, held in folds:
        values[held] = pipeline.fit(X[fit], y[fit]).decision_function(X[held])

    def log_loss(log_factor: float) -> float:
        scaled = log_softmax(np.exp(log_factor) * values, axis=1)
        return -float(scaled[np.arange(n), y[:n]].mean())

    found = np.exp(minimize_scalar(log_loss, bounds=(-10, 10), method="bounded").x)
    calibrator = fitted.calibrated_classifiers_[0].calibrators[0]
    assert calibrator.beta_ == pytest.approx(found, rel=1e-3)
    decision = pipeline.fit(X, y).decision_function(X)
    expected = np.exp(log_softmax(found * decision, axis=1))
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-3)


def test_temperature_changes_no_prediction(problem: tuple) -> None:
    """A factor leaves the largest decision value the largest."""
    X, y, folds = problem
    for candidate in every_value(SVM).candidates():
        plain = make_pipeline(SVM(), candidate, scaling="minmax", seed=0)
        plain.fit(X.astype(np.float64), y)
        fitted = fit_estimator(SVM(), candidate, X, y, folds=folds, scaling="minmax", seed=0)
        likeliest = fitted.predict_proba(X.astype(np.float64)).argmax(axis=1)
        assert (likeliest == plain.predict(X.astype(np.float64))).all()


@pytest.mark.parametrize("scaling", ["minmax", "robust", "standard"])
def test_columns_of_tiny_span_count(scaling: str) -> None:
    """A column that spans 1e-7 is scaled like any other, and can carry everything."""
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = np.stack([1e-7 * (y + 0.1 * rng.normal(size=80)), rng.normal(size=80)], axis=1)
    run = FitAndScore(SVM(), X.astype(np.float32), y, scaling, "uar", 0)
    assert run(SVM(C=[1.0]).candidates()[0], np.arange(40), np.arange(40, 80)) > 0.95


@pytest.mark.parametrize("scaling", ["minmax", "robust", "standard"])
def test_scaler_knows_training_rows_only(scaling: str, problem: tuple) -> None:
    """An outlier among the rows held out changes neither the fit nor the score of the others."""
    X, y, folds = problem
    planted = X.copy()
    fit, held = folds[0]
    planted[held[0]] = 1e6
    for model in (KNN(), SVM(), LogReg()):
        kept = held[1:]
        scores = [
            FitAndScore(model, table, y, scaling, "uar", 0)(model.candidates()[0], fit, kept)
            for table in (X, planted)
        ]
        assert scores[0] == scores[1]


def test_solvers_that_stop_early_say_nothing(problem: tuple) -> None:
    """Every solver, cut short, fits without a word on the terminal (warnings are errors here)."""
    X, y, folds = problem
    wide = np.repeat(X, 3, axis=1)
    grid = every_value(LogReg)
    assert isinstance(grid, LogReg)
    grid.C, grid.max_iter = [1e6], [1]
    for candidate in grid.candidates():
        fitted = fit_estimator(LogReg(), candidate, wide, y, folds=folds, scaling="none", seed=0)
        assert FittedEstimators({"emotion": fitted}, {"emotion": TARGETS["emotion"]})
