"""Permutation importance: scikit-learn's, and the run's own models asked one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.tables import TARGETS, corpus_table, speech_data
from sklearn.inspection import permutation_importance
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.types import Float32, Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation import bootstrap
from speechnet.evaluation import importance as pure
from speechnet.evaluation.config import AblationConfig
from speechnet.evaluation.importance import COLUMNS, HeldRows, draw_orders, drops, recognised
from speechnet.experiment.importance import importance
from speechnet.experiment.parallel import parallel
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.classical.svm import SVM
from speechnet.models.scikit.estimators import FittedEstimators, fit_estimator

pytestmark = pytest.mark.slow


def _held(data: SpeechDataModule) -> HeldRows:
    """All rows, by speaker."""
    units = pd.factorize(data.table["speaker"])[0].astype(np.int64)
    shapes = [(int(units.max()) + 1, len(classes)) for classes in data.targets.values()]
    return HeldRows(data.X, data.labels, units, shapes)


class TestShuffling:
    def test_orders(self) -> None:
        """Each is a permutation, and no two are alike; the seed decides."""
        orders = draw_orders(50, 6, 1)
        assert (np.sort(orders, axis=1) == np.arange(50)).all()
        assert len(np.unique(orders, axis=0)) == 6
        np.testing.assert_array_equal(orders, draw_orders(50, 6, 1))
        assert (orders != draw_orders(50, 6, 2)).any()

    @pytest.mark.parametrize("at_once", [1, 60, 64, 130, 10_000])
    def test_columns_move_together(self, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
        """The model gets every order once, the columns' values row by row, the others in place."""
        monkeypatch.setattr(pure, "_ROWS", at_once)
        rows = _held(speech_data())
        orders = draw_orders(64, 5, 0)
        seen: list[Float32] = []

        def predict(X: Float32) -> Int64:
            seen.append(X.copy())
            return np.zeros((len(X), 2), dtype=np.int64)

        recognised(predict, rows, np.array([1, 4]), orders)
        got = np.concatenate(seen).reshape(5, 64, -1)
        assert max(map(len, seen)) <= max(at_once, 64)
        for X, order in zip(got, orders, strict=True):
            np.testing.assert_array_equal(X[:, [1, 4]], rows.X[order][:, [1, 4]])
            np.testing.assert_array_equal(X[:, [0, 2, 3, 5]], rows.X[:, [0, 2, 3, 5]])

    def test_share_of_repeats(self) -> None:
        """How often each row is right, of those that have a label."""
        labels = np.array([[0, 1], [1, -1], [2, 0]])
        rows = HeldRows(np.zeros((3, 2), np.float32), labels, np.array([0, 1, 1]), [(2, 3), (2, 2)])
        answers = iter([[[0, 1], [0, 0], [2, 1]], [[0, 1], [1, 1], [0, 1]]])
        orders = draw_orders(3, 2, 0)
        both = np.concatenate([next(answers), next(answers)])
        share = recognised(lambda _: both, rows, np.array([0]), orders)
        np.testing.assert_array_equal(share, [[1, 1], [0.5, 0], [0.5, 0]])
        gender, emotion = rows.count(share)
        np.testing.assert_array_equal(gender, [[1, 0, 0], [0, 0.5, 0.5]])
        np.testing.assert_array_equal(emotion, [[0, 1], [0, 0]])

    def test_as_scikit_learn(self) -> None:
        """The same drops for every feature but for chance, which the standard errors measure."""
        data = speech_data(signal=0.8)
        fit, held = data.folds[0].train, data.folds[0].test
        y = data.labels[:, 1]
        model = make_pipeline(StandardScaler(), SVC()).fit(data.X[fit].astype(float), y[fit])
        repeats = 50
        theirs = permutation_importance(
            model,
            data.X[held].astype(float),
            y[held],
            scoring="balanced_accuracy",
            n_repeats=repeats,
            random_state=0,
        )
        rows = HeldRows(data.X[held], y[held, None], np.arange(len(held)), [(len(held), 4)])
        (count,) = rows.count(np.ones((len(held), 1)))
        orders = draw_orders(len(held), repeats, 1)

        def hits(*columns: int) -> np.ndarray:
            share = recognised(
                lambda X: model.predict(X.astype(float))[:, None],
                rows,
                np.array(columns, dtype=np.int64),
                orders,
            )
            return rows.count(share)[0]

        found = drops(hits(), [hits(c) for c in range(6)], count, seed=0, resamples=100)
        error = theirs.importances_std * np.sqrt(2 / repeats)
        ours = np.array([drop for drop, *_ in found])
        assert (np.abs(ours - theirs.importances_mean) < 4 * error).all()
        assert theirs.importances_mean.max() > 10 * error.max()


class TestDrops:
    ROWS = np.array([[4.0, 2, 0], [1, 3, 2], [5, 5, 5], [0, 0, 0], [2, 4, 6]])

    def test_draws(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each draw is a difference of two UARs of scikit-learn, of the speakers drawn."""
        rng = np.random.default_rng(0)
        before = rng.binomial(self.ROWS.astype(int), 0.8).astype(float)
        after = rng.binomial(self.ROWS.astype(int), 0.5).astype(float)
        kept = {}
        original = bootstrap.interval

        def spy(draws: np.ndarray, *rest: object, **more: object) -> tuple[float, float]:
            kept["draws"] = draws
            return original(draws, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(bootstrap, "interval", spy)
        ((drop, low, high),) = drops(before, [after], self.ROWS, seed=5, resamples=40)
        there = self.ROWS.any(axis=1)
        strata = bootstrap.strata_of(self.ROWS[there] > 0)
        weights = bootstrap.bootstrap_weights(4, 40, 5, strata=strata)

        def uar(hits: np.ndarray, weight: np.ndarray) -> float:
            total = weight @ self.ROWS[there]
            right = weight @ hits[there]
            truth = np.repeat([0, 1, 2], 2)
            called = np.where(np.arange(6) % 2 == 0, truth, (truth + 1) % 3)
            by_row = np.stack([right, total - right], axis=1).ravel()
            return float(recall_score(truth, called, sample_weight=by_row, average="macro"))

        expected = [uar(before, weight) - uar(after, weight) for weight in weights]
        np.testing.assert_allclose(kept["draws"], expected)
        assert drop == pytest.approx(uar(before, np.ones(4)) - uar(after, np.ones(4)))
        assert low < drop < high

    def test_nothing_lost(self) -> None:
        """What plays no part drops by 0, without doubt."""
        hits = self.ROWS / 2
        assert drops(hits, [hits], self.ROWS, seed=0) == [(0.0, 0.0, 0.0)]

    def test_undefined(self) -> None:
        """One class has no UAR; a class of one speaker no interval."""
        one = np.array([[4.0, 0], [3, 0]])
        assert np.isnan(drops(one, [one / 2], one, seed=0)).all()
        alone = np.array([[4.0, 2], [3, 0], [5, 0]])
        ((drop, low, high),) = drops(alone, [alone / 2], alone, seed=0)
        assert drop == 0.5
        assert np.isnan([low, high]).all()


class TestSVM:
    @pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
    @pytest.mark.parametrize("k", [2, 3, 4])
    def test_as_libsvm(self, kernel: str, k: int) -> None:
        """Matrix products give the classes that scikit-learn predicts, votes that tie included."""
        rng = np.random.default_rng(k)
        X = rng.normal(size=(400, 5)).astype(np.float32)
        y = rng.integers(k, size=400)
        X[np.arange(400), y] += 1
        inner = [(np.arange(40, 80), np.arange(40)), (np.arange(40), np.arange(40, 80))]
        candidate = {"C": 1.0, "kernel": kernel, "gamma": "scale", "class_weight": None}
        svm = fit_estimator(
            SVM(), candidate, X[:80], y[:80], folds=inner, scaling="standard", seed=0
        )
        classifier = FittedEstimators({"one": svm}, {"one": [str(c) for c in range(k)]})
        found = classifier.predict(X)
        np.testing.assert_array_equal(found[:, 0], svm.predict(X.astype(float)))

    def test_a_class_without_training_rows(self) -> None:
        """Positions are those of the target's classes, not of the ones seen."""
        rng = np.random.default_rng(0)
        y = rng.permutation(np.repeat([0, 2, 3], 20))
        X = rng.normal(size=(60, 4)).astype(np.float32)
        X[np.arange(60), y] += 3
        inner = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
        candidate = {"C": 1.0, "kernel": "rbf", "gamma": "scale", "class_weight": None}
        svm = fit_estimator(SVM(), candidate, X, y, folds=inner, scaling="standard", seed=0)
        classifier = FittedEstimators({"one": svm}, {"one": ["a", "b", "c", "d"]})
        found = classifier.predict(X)[:, 0]
        assert set(found) == {0, 2, 3}
        np.testing.assert_array_equal(found, classifier.predict_proba(X)["one"].argmax(axis=1))


@pytest.fixture
def asked(tiny_config: Path) -> tuple[ExperimentConfig, SpeechDataModule]:
    """The experiment of ``tiny_run`` with its features."""
    config, _ = read_experiment(["--config", str(tiny_config)])
    config.evaluation.ablate = AblationConfig(models=["mlp", "svm"], importance=True, repeats=3)
    data = SpeechDataModule(config.data, seed=config.seed_everything)
    with parallel(config.parallel):
        data.prepare_data()
    data.setup()
    return config, data


def test_of_a_run(tiny_run: Path, asked: tuple[ExperimentConfig, SpeechDataModule]) -> None:
    """Every model, target, group and feature; the drops are those of the saved models."""
    config, data = asked
    run = RunFolder.open(tiny_run)
    with parallel(config.parallel):
        table = importance(config, data, run)
        pd.testing.assert_frame_equal(table, importance(config, data, run))
    assert [*table] == [*COLUMNS]
    names = [("group", "mfcc"), ("group", "zero_crossing_rate")]
    names += [("feature", name) for name in data.matrix.names]
    for _, rows in table.groupby(["model", "target"]):
        assert list(zip(rows["level"], rows["name"], strict=True)) == names
    assert table[["model", "target"]].drop_duplicates().to_numpy().tolist() == [
        [model, target] for model in ("mlp", "svm") for target in TARGETS
    ]
    # A group of one feature is that feature.
    alone = table[table["name"].str.startswith("zero_crossing_rate")]
    assert alone.groupby(["model", "target"])["drop"].nunique().eq(1).all()
    assert table["drop"].abs().max() > 0.05


def test_drop_by_libsvm(tiny_run: Path, asked: tuple[ExperimentConfig, SpeechDataModule]) -> None:
    """A group's drop, fold by fold and repeat by repeat, by the saved SVM's own probabilities."""
    config, data = asked
    run = RunFolder.open(tiny_run)
    config.evaluation.ablate.models = ["svm"]
    with parallel(config.parallel):
        table = importance(config, data, run)
    scores = []
    for repeat in (None, 0, 1, 2):
        truth, called = [], []
        for number, fold in enumerate(data.folds):
            X = data.X[fold.test].copy()
            if repeat is not None:
                order = draw_orders(len(X), 3, config.seed_everything + number)[repeat]
                X[:, :24] = X[order, :24]
            svm = FittedEstimators.load(run.fold(number), "svm", data.targets)
            called.append(svm.predict_proba(X)["emotion"].argmax(axis=1))
            truth.append(data.labels[fold.test, 1])
        scores.append(balanced_accuracy_score(np.concatenate(truth), np.concatenate(called)))
    found = table.query("target == 'emotion' and level == 'group' and name == 'mfcc'")
    assert found["drop"].item() == pytest.approx(scores[0] - np.mean(scores[1:]))


def test_unknown_labels_and_speakers(
    tiny_run: Path, asked: tuple[ExperimentConfig, SpeechDataModule]
) -> None:
    """Rows without a label count for the other target; without a speaker each is by itself."""
    config, data = asked
    config.evaluation.ablate.models = ["svm"]
    data.table.loc[data.table.index[:4], "speaker"] = None
    data.labels[::3, 1] = -1
    with parallel(config.parallel):
        table = importance(config, data, RunFolder.open(tiny_run))
    assert table["drop"].notna().all()
    assert table[["low", "high"]].notna().all(axis=None)


def test_rows_of_speakers_without_labels() -> None:
    """They are in no score."""
    table = corpus_table(4, 8)
    table.loc[table["speaker"] == "s00", "emotion"] = None
    rows = _held(speech_data(table))
    _, emotion = rows.count(np.ones(rows.labels.shape))
    assert emotion.sum(axis=1).tolist() == [0, 8, 8, 8]
