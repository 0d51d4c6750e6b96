"""Variants of a small run: refitted models are the run's own, and what changes is what is said."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureMatrix, FeatureSet
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.config import AblationConfig, Part
from speechnet.experiment import ablation
from speechnet.experiment.ablation import ablate, check_ablation
from speechnet.experiment.parallel import parallel
from speechnet.experiment.retrain import chosen_candidates, refit
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extraction.extract import Extraction

pytestmark = pytest.mark.slow

MODELS = ["mlp", "knn", "logreg", "svm"]


@pytest.fixture
def config(tiny_config: Path) -> ExperimentConfig:
    """The experiment of ``tiny_run``, of which each test asks something else."""
    return read_experiment(["--config", str(tiny_config)])[0]


@pytest.fixture(scope="module")
def data(tiny_config: Path, tiny_run: Path) -> SpeechDataModule:
    """Its features and folds, from the cache. Shared: nothing in it is changed."""
    del tiny_run
    config, _ = read_experiment(["--config", str(tiny_config)])
    made = SpeechDataModule(config.data, seed=config.seed_everything)
    with parallel(config.parallel):
        made.prepare_data()
    made.setup()
    return made


@pytest.fixture
def predictions(tiny_run: Path) -> pd.DataFrame:
    """What the run predicted."""
    return pd.read_parquet(tiny_run / "predictions.parquet")


def _ablate(
    config: ExperimentConfig,
    data: SpeechDataModule,
    run: Path,
    predictions: pd.DataFrame,
    *parts: Part,
    models: tuple[str, ...] = ("svm",),
) -> pd.DataFrame:
    config.evaluation.ablate = AblationConfig(parts=[*parts], models=[*models])
    with parallel(config.parallel):
        return ablate(config, data, RunFolder.open(run), predictions)


def _uar_of_svm(data: SpeechDataModule, X: np.ndarray, target: str) -> float:
    """Pooled UAR of the run's SVM, of one candidate, by scikit-learn alone."""
    y = data.table[target].to_numpy()
    truth, predicted = [], []
    for fold in data.folds:
        svm = SVC(C=1.0, class_weight="balanced", break_ties=True)
        model = make_pipeline(StandardScaler(), svm).fit(X[fold.train], y[fold.train])
        truth.append(y[fold.test])
        predicted.append(model.predict(X[fold.test]))
    return float(balanced_accuracy_score(np.concatenate(truth), np.concatenate(predicted)))


@pytest.mark.parametrize("model", MODELS)
def test_refitted_as_in_the_run(
    config: ExperimentConfig,
    data: SpeechDataModule,
    tiny_run: Path,
    predictions: pd.DataFrame,
    model: str,
) -> None:
    """With nothing changed, every model predicts what it did: a baseline needs no second fit."""
    chosen = chosen_candidates(RunFolder.open(tiny_run))
    with parallel(config.parallel):
        again = refit(config, data, model, chosen)
    run = predictions.query(f"part == 'test' and model == '{model}'")
    key = ["file", "fold", "target"]
    columns = [*key, "truth", "predicted"]
    found, expected = (table[columns].sort_values(key).astype(str) for table in (again, run))
    np.testing.assert_array_equal(found, expected)


class TestVariants:
    def test_features_left_out(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
    ) -> None:
        """Each group in turn, by scikit-learn on the other columns; the same again and again."""
        table = _ablate(config, data, tiny_run, predictions, "features")
        assert table["variant"].unique().tolist() == ["without mfcc", "without zero_crossing_rate"]
        X = data.X.astype(np.float64)
        for row in table.itertuples():
            left_out = row.variant.removeprefix("without ")
            kept = [not name.startswith(left_out) for name in data.matrix.names]
            assert row.value == pytest.approx(_uar_of_svm(data, X[:, kept], row.target))
            assert row.baseline == pytest.approx(_uar_of_svm(data, X, row.target))
        again = _ablate(config, data, tiny_run, predictions, "features")
        pd.testing.assert_frame_equal(table, again)

    def test_speakers(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
    ) -> None:
        """Standardised by pandas, speaker by speaker; where it is so, it is switched off."""
        table = _ablate(config, data, tiny_run, predictions, "speakers")
        assert table["variant"].tolist() == ["on", "on"]
        by_speaker = pd.DataFrame(data.X.astype(np.float64)).groupby(
            data.table["speaker"].to_numpy()
        )
        X = by_speaker.transform(lambda column: (column - column.mean()) / column.std(ddof=0))
        for row in table.itertuples():
            assert row.value == pytest.approx(_uar_of_svm(data, X.to_numpy(), row.target))
        config.data.per_speaker = True
        off = _ablate(config, data, tiny_run, predictions, "speakers")
        assert off["variant"].tolist() == ["off", "off"]
        # The run itself was without it.
        assert (off["value"] == off["baseline"]).all()

    def test_groups_stay_standardised(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
    ) -> None:
        """Features are left out of what the experiment fits on, speakers standardised or not."""
        plain = _ablate(config, data, tiny_run, predictions, "features")
        config.data.per_speaker = True
        by_speaker = _ablate(config, data, tiny_run, predictions, "features")
        assert (plain["value"] != by_speaker["value"]).any()

    def test_heads_apart(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
    ) -> None:
        """A network for each target, of the network alone; no label of the other plays a part."""
        asked = (config, data, tiny_run, predictions, "heads")
        table = _ablate(*asked, models=("mlp", "svm"))
        assert table[["variant", "model", "target"]].to_numpy().tolist() == [
            ["apart", "mlp", "gender"],
            ["apart", "mlp", "emotion"],
        ]
        emotions = data.corpus.table["emotion"].to_numpy()
        shuffled = data.corpus.table.assign(emotion=np.random.default_rng(0).permutation(emotions))
        other = copy.copy(data)
        other.corpus = replace(data.corpus, table=shuffled)
        gender = {"gender": data.targets["gender"]}
        chosen = chosen_candidates(RunFolder.open(tiny_run))
        alone = ablation._derive(other, per_speaker=False, targets=gender)
        with parallel(config.parallel):
            again = refit(config, alone, "mlp", chosen)
        value = balanced_accuracy_score(again["truth"], again["predicted"])
        assert value == pytest.approx(table.loc[0, "value"])
        np.testing.assert_array_equal(alone.labels, data.labels[:, :1])

    def test_denoising(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
    ) -> None:
        """The other modes, on features of their own and the same folds."""
        table = _ablate(config, data, tiny_run, predictions, "denoise")
        assert table["variant"].unique().tolist() == ["nonstationary", "stationary"]
        settings = replace(config.data, denoise=replace(config.data.denoise, method="stationary"))
        other = SpeechDataModule(settings, seed=0)
        other.prepare_data()
        assert (other.X != data.X).any()
        assert other.matrix.index == data.matrix.index
        found = table.query("variant == 'stationary'").set_index("target")["value"]
        for target in data.targets:
            assert found[target] == pytest.approx(_uar_of_svm(data, other.X.astype(float), target))


class TestOtherRows:
    """Denoising that excludes other recordings; here it does so by order."""

    @pytest.fixture
    def refuse(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """``refuse(count)``: as many of the first recordings are no longer usable."""
        extract = ablation.SpeechDataModule.extract

        def order(count: int) -> None:
            def without(self: SpeechDataModule) -> None:
                extract(self)
                whole: Extraction = self.extraction
                matrix = whole.features.matrix
                kept = FeatureMatrix(matrix.X[count:], matrix.index[count:], matrix.names)
                self.extraction = replace(whole, features=FeatureSet({"functionals": kept}))

            monkeypatch.setattr(ablation.SpeechDataModule, "extract", without)

        return order

    def test_both_sides_lose_them(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
        refuse: Any,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What is compared are the rows of both; the baseline, too, is fitted without them."""
        refuse(3)
        table = _ablate(config, data, tiny_run, predictions, "denoise", "speakers")
        assert table.groupby("part")["n"].unique().map(list).to_dict() == {
            "denoise": [45],
            "speakers": [48],
        }
        said = "3 recordings can't be used under denoising nonstationary: it is held against"
        assert said in capsys.readouterr().err
        left = np.arange(3, 48)
        y = data.table["emotion"].to_numpy()
        truth, predicted = [], []
        for fold in data.folds:
            train, test = (np.intersect1d(part, left) for part in (fold.train, fold.test))
            model = make_pipeline(StandardScaler(), SVC(C=1.0, class_weight="balanced"))
            model.fit(data.X[train].astype(float), y[train])
            predicted.append(model.predict(data.X[test].astype(float)))
            truth.append(y[test])
        expected = balanced_accuracy_score(np.concatenate(truth), np.concatenate(predicted))
        row = table.query("variant == 'stationary' and target == 'emotion'").iloc[0]
        assert row["baseline"] == pytest.approx(expected)

    def test_too_few_are_left(
        self,
        config: ExperimentConfig,
        data: SpeechDataModule,
        tiny_run: Path,
        predictions: pd.DataFrame,
        refuse: Any,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A variant that can't be fitted is named and has no score."""
        refuse(46)
        table = _ablate(config, data, tiny_run, predictions, "denoise")
        assert len(table) == 0
        said = "46 recordings can't be used under denoising stationary, which the ablation leaves"
        assert said in capsys.readouterr().err


def test_groups_of_features(data: SpeechDataModule) -> None:
    """Every column is in one group, by the feature's whole name."""
    assert list(data.groups) == ["mfcc", "zero_crossing_rate"]
    assert [data.matrix.names[column] for column in data.groups["mfcc"]] == [
        f"mfcc_{row:02d}_{statistic}" for statistic in ("mean", "std") for row in range(12)
    ]
    assert data.groups["zero_crossing_rate"].tolist() == [24]


class TestRefused:
    @pytest.mark.parametrize(
        ("settings", "changes", "said"),
        [
            (
                {"parts": ["features"], "models": ["sklearn_mlp"]},
                {},
                "sklearn_mlp is not a model of this experiment, which has mlp, knn, logreg, svm",
            ),
            (
                {"parts": ["heads"], "models": ["mlp"]},
                {"targets": {"gender": None}},
                "heads needs two targets",
            ),
            ({"importance": True, "models": ["nothing"]}, {}, "nothing is not a model"),
            ({"parts": ["heads"]}, {}, r"heads .*: add one to evaluation\.ablate\.models"),
        ],
    )
    def test_settings(
        self,
        config: ExperimentConfig,
        settings: dict[str, Any],
        changes: dict[str, Any],
        said: str,
    ) -> None:
        """Before anything is computed, with the key's whole name."""
        config.evaluation.ablate = AblationConfig(**settings)
        config.data = replace(config.data, **changes)
        with pytest.raises(ConfigError, match=rf"evaluation\.ablate\..*{said}"):
            check_ablation(config, pd.DataFrame({"speaker": ["a"]}))

    def test_one_feature(self, config: ExperimentConfig) -> None:
        """Without it nothing would be left."""
        config.evaluation.ablate = AblationConfig(parts=["features"])
        config.data.features.functionals.include = {"f0": ["mean"]}
        with pytest.raises(ConfigError, match="features needs two groups of columns"):
            check_ablation(config, pd.DataFrame({"speaker": ["a"]}))

    def test_unknown_speakers(self, config: ExperimentConfig) -> None:
        """There is nobody to standardise by."""
        config.evaluation.ablate = AblationConfig(parts=["speakers"])
        with pytest.raises(DataError, match="speakers needs to know them, 1 of 2 recordings"):
            check_ablation(config, pd.DataFrame({"speaker": ["a", None]}))

    def test_denoising_that_does_not_go_with_the_recipe(
        self, config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other modes are rehearsed; nothing is where denoising isn't asked about."""
        rehearsed = []
        monkeypatch.setattr(
            "speechnet.experiment.ablation.rehearse",
            lambda recipe: rehearsed.append(recipe.denoise.method),
        )
        table = pd.DataFrame({"speaker": ["a"]})
        check_ablation(config, table)
        assert rehearsed == []
        config.evaluation.ablate = AblationConfig(parts=["denoise"])
        check_ablation(config, table)
        assert rehearsed == ["nonstationary", "stationary"]

    def test_nothing_asked_for(self, config: ExperimentConfig) -> None:
        """The default names a model that the experiment may do without."""
        del config.models["svm"]
        check_ablation(config, pd.DataFrame({"speaker": [None]}))
