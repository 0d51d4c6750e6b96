"""Models of frames and models made of others are fitted, saved and read back like any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tables import TARGETS, corpus_table, features, speech_data

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import ConfigError
from speechnet.core.types import FeatureSet, Sequences, encode_all
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.fold import FoldTraining
from speechnet.experiment.parallel import parallel
from speechnet.models.calibration import Calibrated, load_fitted
from speechnet.models.ensemble import FittedEnsemble
from speechnet.models.model import Fitted, Rows
from speechnet.models.training.fitted import FittedNetworks

pytestmark = pytest.mark.slow

MODELS = (
    "{crnn: {channels: [8], hidden: 8, dropout: 0.0, averaging: 0.8, batch_size: 8, lr: 0.01, "
    "warp: 0.0, members: 2, grid: {recurrent: [lstm, gru]}, folds: 2}, "
    "svm: {C: [1.0], folds: 2}, ensemble: {of: [svm, crnn]}}"
)


def configuration(*words: str, models: str = MODELS) -> ExperimentConfig:
    """A small experiment with a network over frames and an ensemble."""
    flags = ["--models", models, "--trainer.max_epochs", "12", "--trainer.accelerator", "cpu"]
    return read_experiment([*flags, "--parallel.n_jobs", "1", *words])[0]


def framed(data: SpeechDataModule) -> SpeechDataModule:
    """The data with frames too: each row some times over, with noise; as many as the row says."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 12, size=len(data.table))
    X = np.repeat(data.X, lengths, axis=0)
    frames = (X + rng.normal(size=X.shape)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    found = data.extraction.features.by_extractor
    names = tuple(f"mel_{band}" for band in range(X.shape[1]))
    sequences = Sequences(frames, starts, tuple(data.table.index), names, 100.0)
    both = FeatureSet({**found, "log_mel": sequences})
    data.extraction = replace(data.extraction, features=both)
    del data.feature_set  # what was cached of the rows alone
    return data


def fit(data: SpeechDataModule, config: ExperimentConfig, folder: Path) -> dict[str, Fitted]:
    """All models of the first fold."""
    folder.mkdir(exist_ok=True)
    with parallel(config.parallel):
        return dict(FoldTraining(config, data, number=0, folder=folder).models())


def rows(data: SpeechDataModule, config: ExperimentConfig, name: str, part: str) -> Rows:
    """A part of the first fold, as a model takes it."""
    return Rows(data, data.folds[0].parts()[part], config.models[name].extractor)


def test_fitted_saved_and_read_back(tmp_path: Path) -> None:
    """The network learns from frames, the ensemble comes last, and both are read back alike."""
    data, config = framed(speech_data()), configuration()
    models = fit(data, config, tmp_path / "fold_0")
    assert list(models) == ["crnn", "svm", "ensemble"]
    for name, model in models.items():
        test = rows(data, config, name, "test")
        found = model.predict_proba(test.features)
        again = load_fitted(tmp_path / "fold_0", name, TARGETS).predict_proba(test.features)
        for column, target in enumerate(TARGETS):
            np.testing.assert_array_equal(again[target], found[target])
            np.testing.assert_allclose(found[target].sum(axis=1), 1)
            right = found[target].argmax(axis=1) == test.labels[:, column]
            assert right.mean() > 0.7
    network = models["crnn"]
    assert isinstance(network, Calibrated)
    assert isinstance(network.fitted, FittedNetworks)
    assert len(network.fitted.networks) == 2
    train = rows(data, config, "crnn", "train").features
    np.testing.assert_allclose(
        network.fitted.networks[0].centre, train.frames.mean(axis=0), rtol=1e-4
    )


def weights(model: Fitted) -> dict[str, list[float]]:
    assert isinstance(model, Calibrated)
    assert isinstance(model.fitted, FittedEnsemble)
    return model.fitted.weights


def test_test_rows_change_no_weight(tmp_path: Path) -> None:
    """Other labels of the test rows leave every weight as it is; those of the dev rows don't."""
    models = "{knn: {folds: 2}, svm: {C: [1.0], folds: 2}, ensemble: {of: [knn, svm]}}"
    config = configuration(models=models)
    found = []
    for part in ("none", "test", "dev"):
        table = corpus_table()
        X = features(encode_all(table, TARGETS), signal=0.7)
        data = speech_data(table, X=X)
        if part != "none":
            chosen = data.folds[0].parts()[part]
            data.labels[chosen] = np.random.default_rng(0).permutation(data.labels[chosen])
        found.append(weights(fit(data, config, tmp_path / part)["ensemble"]))
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert any(one != [0.5, 0.5] for one in found[0].values())


def test_without_a_dev_part(tmp_path: Path) -> None:
    """All members count alike."""
    models = "{knn: {folds: 2}, svm: {C: [1.0], folds: 2}, ensemble: {of: [knn, svm]}}"
    config = configuration("--data.split.dev", "0", models=models)
    model = fit(speech_data(split=config.data.split), config, tmp_path / "fold_0")["ensemble"]
    assert isinstance(model, FittedEnsemble)
    assert model.weights == {target: [0.5, 0.5] for target in TARGETS}


def test_log_mel_is_added() -> None:
    """A network over frames brings the frames that it takes where none are configured."""
    config = configuration(models="{cnn: {}}")
    assert config.models["cnn"].extractor == "log_mel"
    assert config.data.features.log_mel is not None
    assert config.data.features.functionals is not None


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("{cnn: {features: log_mell}}", r"models\.cnn\.features is 'log_mell'.*mean 'log_mel'"),
        ("{svm: {}, ensemble: {of: [svm]}}", r"models\.ensemble\.of is \['svm'\], expected two"),
        ("{svm: {}, ensemble: {of: [svm, knn]}}", r"models\.ensemble is made of knn, which isn't"),
        ("{svm: {}, ensemble: {of: [svm, ensemble]}}", "ensemble are made of each other"),
    ],
)
def test_refused(models: str, said: str) -> None:
    """Before anything is computed, with the key's whole name."""
    with pytest.raises(ConfigError, match=said):
        configuration(models=models)
