"""One fold: its searches, its models, and that nothing is fitted on rows that are scored."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.tables import TARGETS, corpus_table, speech_data
from threadpoolctl import threadpool_limits

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import DataError, StorageError
from speechnet.core.types import Fold
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.fold import FoldTraining, check_searches, context_of
from speechnet.experiment.parallel import parallel
from speechnet.models.calibration import Calibrated, fit_temperatures
from speechnet.models.candidates import Tried
from speechnet.models.model import Fitted
from speechnet.models.scikit.estimators import FittedEstimators
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.trainer import NetworkTrainer

pytestmark = pytest.mark.slow

FAST = {
    "trainer.accelerator": "cpu",
    "trainer.max_epochs": "3",
    "models.mlp.hidden": "[8]",
    "models.knn.n_neighbors": "[1, 3]",
    "models.svm.C": "[1.0, 100.0]",
    "models.svm.folds": "3",
    "models.logreg.C": "[0.1, 1.0]",
    "models.logreg.folds": "3",
    "parallel.n_jobs": "1",
}

NO_BASELINES = dict.fromkeys([f"models__{name}" for name in ("knn", "svm", "logreg")], "null")


def configuration(**settings: str) -> ExperimentConfig:
    """``configuration(models__mlp__members="2")``: a small experiment, but for what is set."""
    chosen = FAST | {key.replace("__", "."): value for key, value in settings.items()}
    return read_experiment([word for key, text in chosen.items() for word in (f"--{key}", text)])[0]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tables this small are slower on several threads, and far slower on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., tuple[FoldTraining, dict[str, Fitted]]]:
    """Fit all models of the first fold."""

    def run(
        data: SpeechDataModule, config: ExperimentConfig, name: str = "fold_0"
    ) -> tuple[FoldTraining, dict[str, Fitted]]:
        (tmp_path / name).mkdir()
        training = FoldTraining(config, data, number=0, folder=tmp_path / name)
        with parallel(config.parallel):
            return training, dict(training.models())

    return run


Train = Callable[..., tuple[FoldTraining, dict[str, Fitted]]]


class TestModels:
    def test_all_are_fitted_and_saved(self, train: Train) -> None:
        """The network first; what is on disk is what was handed out."""
        data = speech_data()
        training, models = train(data, configuration(models__mlp__members="2"))
        assert list(models) == ["mlp", "knn", "logreg", "svm"]
        for name, model in models.items():
            kind: Any = FittedNetworks if name == "mlp" else FittedEstimators
            loaded = kind.load(training.folder, name, TARGETS)
            again = Calibrated.wrap_saved(loaded, training.folder, name).predict_proba(data.X)
            for target, proba in model.predict_proba(data.X).items():
                np.testing.assert_array_equal(again[target], proba)
        files = {path.name for path in training.folder.iterdir()}
        baselines = {f"{name}_{target}.skops" for name in list(models)[1:] for target in TARGETS}
        temperatures = {f"{name}_temperature.json" for name in models}
        assert files == {"mlp_0.ckpt", "mlp_1.ckpt", "logs"} | baselines | temperatures

    def test_left_out(self, train: Train) -> None:
        """Models that are not enabled are not fitted, and leave no trace."""
        config = configuration(models__mlp="null", models__knn="null", models__svm="null")
        training, models = train(speech_data(), config)
        assert list(models) == ["logreg"]
        assert training.history == []
        assert len(list(training.folder.iterdir())) == 3

    def test_calibrated_on_the_dev_part(self, train: Train) -> None:
        """Each temperature is that of the dev rows; if it is switched off there is none."""
        data = speech_data()
        training, models = train(data, configuration(models__mlp="null"))
        dev = data.folds[0].dev
        for record in training.temperatures:
            model = models[record["model"]]
            assert isinstance(model, Calibrated)
            plain = model.fitted.predict_proba(data.X[dev])
            fitted = fit_temperatures(plain, data.labels[dev], TARGETS)
            assert record["temperature"] == fitted[record["target"]]
        assert len(training.temperatures) == 3 * 2

        settings = {"models__mlp": "null", "evaluation__calibrate": "false"}
        training, models = train(data, configuration(**settings), "uncalibrated")
        assert training.temperatures == []
        assert all(isinstance(model, FittedEstimators) for model in models.values())

    def test_history(self, train: Train) -> None:
        """A row for each member and epoch; every member's curves as CSV and for TensorBoard."""
        training, _ = train(speech_data(), configuration(models__mlp__members="2", **NO_BASELINES))
        history = pd.concat(training.history)
        assert history[["member", "epoch"]].to_numpy().tolist() == [
            [member, epoch] for member in (0, 1) for epoch in (0, 1, 2)
        ]
        assert set(history["fold"]) == {0}
        assert {"train_loss", "dev_loss", "dev_uar", "dev_uar_emotion", "lr"} <= set(history)
        logs = training.folder / "logs"
        for member in (0, 1):
            metrics = pd.read_csv(logs / f"csv_mlp_{member}" / "metrics.csv")
            assert metrics["dev_uar"].notna().sum() == metrics["train_loss"].notna().sum() == 3
            assert list((logs / f"mlp_{member}").glob("events.*"))

    @pytest.mark.parametrize("epochs", ["null", "-1"])
    def test_no_last_epoch(self, train: Train, epochs: str) -> None:
        """The dev part ends the training."""
        config = configuration(
            trainer__max_epochs=epochs,
            models__mlp__patience="1",
            models__mlp__schedule="none",
            **NO_BASELINES,
        )
        training, _ = train(speech_data(), config)
        assert 2 <= len(training.history[0]) < 100

    def test_no_permission(self, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that can't be written is said to be one."""

        def refuse(*_: Any) -> None:
            raise PermissionError(13, "denied")

        monkeypatch.setattr(FittedEstimators, "save", refuse)
        with pytest.raises(StorageError, match=r"no permission to write .*fold_0"):
            train(speech_data(), configuration(models__mlp="null"))

    def test_parallel_is_serial(self, train: Train) -> None:
        """Processes change no probability and no record, for networks and baselines alike."""
        data = speech_data()
        grid = {
            "models__mlp__members": "2",
            "models__mlp__grid": "{lr: [0.001, 0.01]}",
            "models__mlp__folds": "2",
        }
        runs = [
            train(data, configuration(**grid, parallel__n_jobs=jobs), f"fold_{jobs}")
            for jobs in ("1", "2")
        ]
        pd.testing.assert_frame_equal(*(pd.concat(run.searched) for run, _ in runs))
        pd.testing.assert_frame_equal(*(pd.concat(run.history) for run, _ in runs))
        for name, model in runs[0][1].items():
            other = runs[1][1][name].predict_proba(data.X)
            for target, proba in model.predict_proba(data.X).items():
                np.testing.assert_array_equal(other[target], proba)


class TestSearchRecords:
    def test_complete(self, train: Train) -> None:
        """Every candidate of every model and target, a score for each inner fold, one chosen."""
        config = configuration(models__mlp__grid="{lr: [0.001, 0.01]}", models__mlp__folds="2")
        training, _ = train(speech_data(), config)
        searched = pd.concat(training.searched, ignore_index=True)
        sizes = searched.groupby(["model", "target"]).size().to_dict()
        pairs = {(name, target) for name in ("knn", "svm", "logreg") for target in TARGETS}
        assert set(sizes) == pairs | {("mlp", "")}
        assert searched.groupby(["model", "target"])["chosen"].sum().eq(1).all()
        assert set(searched["fold"]) == {0}
        # The training part has four speakers, so that there are no more folds than these.
        for name, folds in {"mlp": 2, "logreg": 3, "svm": 3, "knn": 4}.items():
            scores = searched[searched["model"] == name].filter(like="score_")
            assert scores.notna().sum(axis=1).eq(folds).all()

    def test_numbers(self, train: Train) -> None:
        """Mean, deviation and rank are those of the folds' scores; the first is what is fitted."""
        training, models = train(speech_data(signal=0.5), configuration(models__mlp="null"))
        for table in training.searched:
            scores = table.filter(like="score_").to_numpy()
            np.testing.assert_allclose(table["mean"], scores.mean(axis=1))
            np.testing.assert_allclose(table["sd"], scores.std(axis=1))
            assert table.loc[table["chosen"], "rank"].tolist() == [1]
            assert table["chosen"].idxmax() == table["mean"].idxmax()
            assert all(isinstance(json.loads(text), dict) for text in table["candidate"])
        for table, target in zip(training.searched, TARGETS, strict=False):
            chosen = json.loads(table.loc[table["chosen"], "candidate"].item())
            knn = models["knn"]
            assert isinstance(knn, Calibrated)
            assert isinstance(knn.fitted, FittedEstimators)
            fitted = knn.fitted.estimators[target].named_steps["model"].get_params()
            assert {name: fitted[name] for name in chosen} == chosen

    def test_undefined_folds_stand_in_the_table(self, tmp_path: Path) -> None:
        """How many were left out of the mean; a candidate that has none ranks last."""
        training = FoldTraining(configuration(), speech_data(), number=0, folder=tmp_path)
        scores = {1: (0.5, 0.7), 2: (math.nan, math.nan), 3: (math.nan, 0.9)}
        tried = [Tried({"C": value}, each) for value, each in scores.items()]
        training._keep("svm", "gender", [*tried, Tried({"C": 4}, (math.nan, 1.0), error="x")])
        (table,) = training.searched
        assert table["undefined"].tolist() == [0, 2, 1, 0]
        assert table["rank"].fillna(0).tolist() == [2, 3, 1, 0]
        np.testing.assert_allclose(table["mean"], [0.6, math.nan, 0.9, math.nan])
        np.testing.assert_allclose(table["sd"], [0.1, math.nan, 0.0, math.nan])

    def test_failures_stand_in_the_table(self, train: Train) -> None:
        """A candidate that can't be fitted has no mean, no rank, and a reason."""
        config = configuration(
            models__mlp="null",
            models__svm="null",
            models__logreg="null",
            models__knn__n_neighbors="[1000, 3]",
        )
        training, _ = train(speech_data(), config)
        for table in training.searched:
            failed = table[table["candidate"].str.contains("1000")]
            assert failed[["mean", "rank"]].isna().all(axis=None)
            assert failed["error"].str.contains("n_neighbors").all()
            assert not failed["chosen"].any()


class TestLeakage:
    def test_only_training_rows_are_fitted_on(
        self, train: Train, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Spies: each search and each fit sees training rows; dev rows only stop the network."""
        data = speech_data()
        seen: list[np.ndarray] = []
        network = NetworkTrainer.fit

        def spy_network(self: NetworkTrainer, *args: Any, **parts: Any) -> Any:
            assert set(parts["train"]) <= set(data.folds[0].train)
            assert set(parts["dev"]) <= set(data.folds[0].dev)
            return network(self, *args, **parts)

        call = FitAndScore.__call__

        def spy_baseline(self: FitAndScore, candidate: Any, fit: Any, held: Any) -> float:
            seen.append(self.X)
            assert not set(fit) & set(held)
            return call(self, candidate, fit, held)

        monkeypatch.setattr(NetworkTrainer, "fit", spy_network)
        monkeypatch.setattr(FitAndScore, "__call__", spy_baseline)
        train(data, configuration(models__mlp__grid="{lr: [0.01]}", models__mlp__folds="2"))
        for X in seen:
            np.testing.assert_array_equal(X, data.X[data.folds[0].train])


class TestInnerFolds:
    def test_speakers_are_kept_apart(self, tmp_path: Path) -> None:
        """Within the training part too, as the protocol says; shuffled for the random one."""
        for protocol, apart in (("speaker", True), ("random", False)):
            config = configuration(data__split__protocol=protocol, data__split__folds="1")
            data = speech_data(split=config.data.split)
            train = data.folds[0].train
            speakers = data.table["speaker"].to_numpy()[train]
            held = []
            for fit, scored in context_of(config, data, 0, name="", folder=tmp_path).inner_folds(3):
                assert bool(set(speakers[fit]) & set(speakers[scored])) != apart
                assert sorted({*fit, *scored}) == [*range(len(train))]
                held.append(scored)
            assert sorted(np.concatenate(held)) == [*range(len(train))]

    def test_rows_without_a_label(self, train: Train) -> None:
        """They train the other target; for their own they are left out of fits and folds."""
        table = corpus_table(8, 8)
        table.loc[table.index[::5], "emotion"] = None
        data = speech_data(table)
        training, models = train(data, configuration(models__svm__folds="2"))
        calibrated = models["svm"]
        assert isinstance(calibrated, Calibrated)
        svm = calibrated.fitted
        assert isinstance(svm, FittedEstimators)
        rows = data.folds[0].train
        for column, target in enumerate(TARGETS):
            known = int((data.labels[rows, column] >= 0).sum())
            scaler = (
                svm.estimators[target].calibrated_classifiers_[0].estimator.named_steps["scale"]
            )
            assert scaler.n_samples_seen_ == known
        assert all(table["error"].eq("").all() for table in training.searched)


def test_searches_are_checked_before_training(tiny_config: Path, tmp_path: Path) -> None:
    """A fold whose training rows lack speakers for a search is refused, and named."""
    words = ["--config", str(tiny_config), "--out", str(tmp_path)]
    config, _ = read_experiment(words)
    table = pd.DataFrame(
        {
            "speaker": ["a", "a", "b", "b", "c", "d"],
            "gender": ["male", "male", "female", "female", "male", "female"],
        }
    )
    fold = Fold(train=np.arange(4), dev=np.arange(0), test=np.array([4, 5]))
    with pytest.raises(DataError, match=r"fold 0: .*one speaker is left for gender 'female'"):
        check_searches(config, table, {"gender": ["female", "male"]}, [fold])
