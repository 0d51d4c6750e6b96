"""Variants of a small run: refitted models are the run's own, and what changes is what is said."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
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
from speechnet.experiment.ablation import ablate, check_ablation, chosen_candidates, refit
from speechnet.experiment.parallel import parallel
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


Ablate = Callable[..., pd.DataFrame]


@pytest.fixture
def ablated(config: ExperimentConfig, data: SpeechDataModule, tiny_run: Path) -> Ablate:
    """The table of some parts: ``ablated("heads", models=["mlp"], per_speaker=True)``."""

    def run(*parts: Part, models: Sequence[str] = ("svm",), per_speaker: bool = False) -> Any:
        config.evaluation.ablate = AblationConfig(parts=[*parts], models=[*models])
        config.data.per_speaker = per_speaker
        asked = copy.copy(data)
        asked.config = config.data
        folder = RunFolder.open(tiny_run)
        with parallel(config.parallel):
            return ablate(config, asked, folder, folder.read_predictions())

    return run


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
    config: ExperimentConfig, data: SpeechDataModule, tiny_run: Path, model: str
) -> None:
    """With nothing changed, every model predicts what it did: a baseline needs no second fit."""
    folder = RunFolder.open(tiny_run)
    with parallel(config.parallel):
        again = refit(config, data, model, chosen_candidates(folder))
    run = folder.read_predictions().query(f"part == 'test' and model == '{model}'")
    key = ["file", "fold", "target"]
    columns = [*key, "truth", "predicted"]
    found, expected = (table[columns].sort_values(key).astype(str) for table in (again, run))
    np.testing.assert_array_equal(found, expected)


class TestVariants:
    def test_features_left_out(self, ablated: Ablate, data: SpeechDataModule) -> None:
        """Each group in turn, by scikit-learn on the other columns; the same again and again."""
        table = ablated("features")
        assert table["variant"].unique().tolist() == ["without mfcc", "without zero_crossing_rate"]
        X = data.X.astype(np.float64)
        for row in table.itertuples():
            left_out = row.variant.removeprefix("without ")
            kept = [not name.startswith(left_out) for name in data.matrix.names]
            assert row.value == pytest.approx(_uar_of_svm(data, X[:, kept], row.target))
            assert row.baseline == pytest.approx(_uar_of_svm(data, X, row.target))
        pd.testing.assert_frame_equal(table, ablated("features"))

    def test_speakers(self, ablated: Ablate, data: SpeechDataModule) -> None:
        """Standardised by pandas, speaker by speaker; where it is so, it is switched off."""
        table = ablated("speakers")
        assert table["variant"].tolist() == ["on", "on"]
        by_speaker = pd.DataFrame(data.X.astype(np.float64)).groupby(
            data.table["speaker"].to_numpy()
        )
        X = by_speaker.transform(lambda column: (column - column.mean()) / column.std(ddof=0))
        for row in table.itertuples():
            assert row.value == pytest.approx(_uar_of_svm(data, X.to_numpy(), row.target))
        off = ablated("speakers", per_speaker=True)
        assert off["variant"].tolist() == ["off", "off"]
        # The run itself was without it.
        assert (off["value"] == off["baseline"]).all()

    def test_groups_stay_standardised(self, ablated: Ablate) -> None:
        """Features are left out of what the experiment fits on, speakers standardised or not."""
        plain, by_speaker = ablated("features"), ablated("features", per_speaker=True)
        assert (plain["value"] != by_speaker["value"]).any()

    def test_heads_apart(
        self, ablated: Ablate, config: ExperimentConfig, data: SpeechDataModule, tiny_run: Path
    ) -> None:
        """A network for each target, of the network alone; no label of the other plays a part."""
        table = ablated("heads", models=("mlp", "svm"))
        assert table[["variant", "model", "target"]].to_numpy().tolist() == [
            ["apart", "mlp", "gender"],
            ["apart", "mlp", "emotion"],
        ]
        emotions = data.corpus.table["emotion"].to_numpy()
        shuffled = data.corpus.table.assign(emotion=np.random.default_rng(0).permutation(emotions))
        other = copy.copy(data)
        other.corpus = replace(data.corpus, table=shuffled)
        alone = ablation._derive(other, targets={"gender": data.targets["gender"]})
        with parallel(config.parallel):
            again = refit(config, alone, "mlp", chosen_candidates(RunFolder.open(tiny_run)))
        value = balanced_accuracy_score(again["truth"], again["predicted"])
        assert value == pytest.approx(table.loc[0, "value"])
        np.testing.assert_array_equal(alone.labels, data.labels[:, :1])

    def test_denoising(
        self, ablated: Ablate, config: ExperimentConfig, data: SpeechDataModule
    ) -> None:
        """The other modes, on features of their own and the same folds."""
        table = ablated("denoise")
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
    def refuse(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
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
        ablated: Ablate,
        data: SpeechDataModule,
        refuse: Callable[[int], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """What is compared are the rows of both; the baseline, too, is fitted without them."""
        refuse(3)
        table = ablated("denoise", "speakers")
        rows = table.groupby("part")["n"].unique().map(list).to_dict()
        assert rows == {"denoise": [45], "speakers": [48]}
        said = "3 recordings can't be used under denoising nonstationary: it is compared with"
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
        ablated: Ablate,
        refuse: Callable[[int], None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A variant that can't be fitted is named and has no score."""
        refuse(46)
        assert len(ablated("denoise")) == 0
        said = "46 recordings can't be used under denoising stationary, which the ablation leaves"
        assert said in capsys.readouterr().err


def test_groups_of_features(data: SpeechDataModule) -> None:
    """Every column is in one group, by the feature's whole name."""
    assert list(data.groups) == ["mfcc", "zero_crossing_rate"]
    assert [data.matrix.names[column] for column in data.groups["mfcc"]] == [
        f"mfcc_{row:02d}_{statistic}" for statistic in ("mean", "std") for row in range(12)
    ]
    assert data.groups["zero_crossing_rate"].tolist() == [24]


KNOWN = pd.DataFrame({"speaker": ["a"]})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"parts": ["features"], "models": ["sklearn_mlp"]},
            "sklearn_mlp is not a model of this experiment, which has mlp, knn, logreg, svm",
        ),
        ({"importance": True, "models": ["nothing"]}, "nothing is not a model"),
        ({"parts": ["heads"]}, r"heads applies to .*; add one to evaluation\.ablate\.models"),
    ],
)
def test_settings_that_are_refused(
    config: ExperimentConfig, settings: dict[str, Any], said: str
) -> None:
    """Before anything is computed, with the key's whole name."""
    config.evaluation.ablate = AblationConfig(**settings)
    with pytest.raises(ConfigError, match=rf"evaluation\.ablate\..*{said}"):
        check_ablation(config, KNOWN)


def test_corpora_that_are_refused(config: ExperimentConfig) -> None:
    """One target, one feature, or unknown speakers leave nothing to compare."""
    config.evaluation.ablate = AblationConfig(parts=["speakers"])
    with pytest.raises(DataError, match="speakers needs to know them, 1 of 2 recordings"):
        check_ablation(config, pd.DataFrame({"speaker": ["a", None]}))
    config.evaluation.ablate = AblationConfig(parts=["augment"])
    with pytest.raises(ConfigError, match="augment needs copies"):
        check_ablation(config, KNOWN)
    config.evaluation.ablate = AblationConfig(parts=["features"])
    config.data.features.functionals.include = {"f0": ["mean"]}
    with pytest.raises(ConfigError, match="features needs two groups of columns"):
        check_ablation(config, KNOWN)
    config.evaluation.ablate = AblationConfig(parts=["heads"], models=["mlp"])
    config.data = replace(config.data, targets={"gender": None})
    with pytest.raises(ConfigError, match="heads needs two targets"):
        check_ablation(config, KNOWN)


def test_denoising_that_does_not_go_with_the_recipe(
    config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other modes are rehearsed, and only where denoising is asked about."""
    rehearsed = []
    monkeypatch.setattr(
        ablation, "rehearse", lambda recipe: rehearsed.append(recipe.denoise.method)
    )
    check_ablation(config, KNOWN)
    assert rehearsed == []
    config.evaluation.ablate = AblationConfig(parts=["denoise"])
    check_ablation(config, KNOWN)
    assert rehearsed == ["nonstationary", "stationary"]


def test_nothing_asked_for(config: ExperimentConfig) -> None:
    """The default names a model that the experiment may do without."""
    del config.models["svm"]
    check_ablation(config, pd.DataFrame({"speaker": [None]}))
