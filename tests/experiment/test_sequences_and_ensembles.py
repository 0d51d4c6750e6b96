"""Models of frames and models made of others are fitted, saved and read back like any other."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tables import TARGETS, corpus_table, features, speech_data

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import ConfigError
from speechnet.core.types import FeatureSet, Sequences, encode_all
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.ablation import refit
from speechnet.experiment.fold import FoldTraining, context_of, predict_without
from speechnet.experiment.parallel import parallel
from speechnet.models.calibration import Calibrated, calibrate, load_fitted
from speechnet.models.classical.svm import SVM
from speechnet.models.ensemble import FittedEnsemble
from speechnet.models.model import Context, Fitted, Rows
from speechnet.models.out_of_fold import predict_held_out
from speechnet.models.training.fitted import FittedNetworks
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow

MODELS = (
    "{crnn: {channels: [8], hidden: 8, dropout: 0.0, averaging: 0.8, batch_size: 8, lr: 0.01, "
    "warp: 0.0, frequency_masks: 0, members: 2, grid: {recurrent: [lstm, gru]}, folds: 2}, "
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


def test_refitted(tmp_path: Path) -> None:
    """For an ablation, behind the models that it is made of, it is fitted as in the run."""
    data = framed(speech_data(corpus_table(speakers=16, each=4)))
    models = MODELS.replace("[svm, crnn]", "[svm, crnn], how: stacker, folds: 2")
    config = configuration("--trainer.max_epochs", "2", "--models.crnn.members", "1", models=models)
    assert list(config.models) == ["crnn", "svm", "ensemble"]
    assert asdict(config.models["ensemble"])["how"] == "stacker"
    folder = tmp_path / "fold_0"
    folder.mkdir()
    training = FoldTraining(config, data, number=0, folder=folder)
    ensemble = dict(training.models())["ensemble"]
    expected = ensemble.predict(rows(data, config, "ensemble", "test").features)
    chosen = {(name, 0): found for name, found in training.chosen.items()}
    found = refit(config, data, "ensemble", chosen)
    for column, (target, classes) in enumerate(TARGETS.items()):
        names = np.array(classes, dtype=object)[expected[:, column]]
        assert found.loc[found["target"] == target, "predicted"].tolist() == names.tolist()


LEARNT = "{{knn: {{folds: 2}}, svm: {{C: [1.0], folds: 2}}, ensemble: {{of: [knn, svm], {}}}}}"


def combined(model: Fitted) -> dict[str, dict[str, list[float]]]:
    """The numbers that an ensemble has learnt."""
    found = model.fitted if isinstance(model, Calibrated) else model
    assert isinstance(found, FittedEnsemble)
    return {target: one.plain() for target, one in found.combined.items()}


@pytest.mark.parametrize(("how", "on"), [("weights", "dev"), ("stacker", "inner")])
def test_rows_that_are_learnt_on(how: str, on: str, tmp_path: Path) -> None:
    """Other labels of the test rows leave every number as it is; those of the rows learnt on don't.

    The dev part calibrates the members on inner folds, too.
    """
    config = configuration(
        models=LEARNT.format(f"how: {how}, learn_on: {on}, folds: 2, prior: 1.0")
    )
    found = []
    for part in ("none", "test", "dev"):
        table = corpus_table(speakers=20, each=4)
        X = features(encode_all(table, TARGETS), signal=0.7)
        data = speech_data(table, X=X)
        if part != "none":
            chosen = data.folds[0].parts()[part]
            data.labels[chosen] = np.random.default_rng(0).permutation(data.labels[chosen])
        found.append(combined(fit(data, config, tmp_path / part)["ensemble"]))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_without_a_member(tmp_path: Path) -> None:
    """What a learnt ensemble predicts without one of its models: as one fitted of the others."""
    models = "{knn: {folds: 2}, svm: {C: [1.0], folds: 2}, logreg: {C: [0.01], folds: 2}, "
    learnt = "ensemble: {of: [knn, svm, logreg], how: weights, folds: 2, prior: 1.0}}"
    config, folder = configuration(models=models + learnt), tmp_path / "fold_0"
    table = corpus_table(speakers=20, each=4)
    data = speech_data(table, X=features(encode_all(table, TARGETS), signal=0.7))
    folder.mkdir()
    training = FoldTraining(config, data, number=0, folder=folder)
    models_fitted = dict(training.models())
    found = predict_without(
        data, models_fitted["ensemble"], rows(data, config, "ensemble", "test"), fold=0, model="e"
    )
    more = {"fitted": models_fitted, "choices": training.chosen}
    context = context_of(config, data, 0, name="ensemble", folder=folder, **more)
    train, dev, test = (rows(data, config, "ensemble", part) for part in ("train", "dev", "test"))
    for left_out in ("knn", "svm", "logreg"):
        others = [name for name in ("knn", "svm", "logreg") if name != left_out]
        expected = replace(config.models["ensemble"], of=others).fit(train, dev, context)
        called = expected.predict(test.features)
        for column, (target, classes) in enumerate(TARGETS.items()):
            own = found[(found["name"] == left_out) & (found["target"] == target)]
            assert own["predicted"].tolist() == [classes[code] for code in called[:, column]]


def test_out_of_fold(tmp_path: Path) -> None:
    """Each training row once, by models that never heard its speaker, made as in use.

    A model refitted by hand on the other speakers, with the candidate that the search chose, gives
    the same probabilities. A fold on which a member fails is left out, and noted.
    """
    data = speech_data(
        corpus_table(speakers=18, each=4), split=SplitConfig(protocol="kfold", folds=3)
    )
    models = "{logreg: {C: [0.01, 1.0], folds: 2}, svm: {C: [1.0], folds: 2}}"
    config, folder = configuration(models=models), tmp_path / "fold_0"
    folder.mkdir()
    training = FoldTraining(config, data, number=0, folder=folder)
    fitted = dict(training.models())
    notes: list[str] = []
    more = {"fitted": fitted, "choices": training.chosen, "noted": notes.append}
    context = context_of(config, data, 0, name="ensemble", folder=folder, **more)
    train, dev = (Rows(data, rows) for rows in (data.folds[0].train, data.folds[0].dev))
    found = predict_held_out(["logreg", "svm"], train, dev, context, folds=2)
    assert sorted(found.rows) == [*range(len(train))]
    fit_on, held = context.inner_folds(2)[0]
    alone = replace(context, chosen=training.chosen["logreg"], name="alone")
    again = config.models["logreg"].fit(Rows(data, train.positions[fit_on]), dev, alone)
    expected = calibrate(again, dev).predict_proba(data.X[train.positions[held]])
    for target, values in expected.items():
        np.testing.assert_allclose(found.probabilities[target][0, : len(held)], values)
    speakers = data.table["speaker"].to_numpy()[train.positions]
    assert not {*speakers[fit_on]} & {*speakers[held]}
    assert notes == []
    deaf = _Deaf(train.positions[held[0]])
    partly = replace(context, models={"logreg": config.models["logreg"], "svm": deaf})
    left = predict_held_out(["logreg", "svm"], train, dev, partly, folds=2)
    np.testing.assert_array_equal(left.rows, held)
    assert notes == ["nothing is learnt from inner fold 2, on which svm failed: ValueError: deaf"]


class _Deaf(SVM):
    """Can't be fitted on one of the rows."""

    def __init__(self, row: int) -> None:
        super().__init__(C=[1.0], folds=2)
        self.row = row

    def fit(self, train: Rows, dev: Rows, context: Context) -> Fitted:
        """See ``Model``."""
        if self.row in train.positions:
            raise ValueError("deaf")
        return super().fit(train, dev, context)


def test_without_a_dev_part(tmp_path: Path) -> None:
    """Stacked on inner folds without calibration; asked to learn on it, it is refused."""
    learnt = LEARNT.format("how: stacker, folds: 2")
    config = configuration("--data.split.dev", "0", models=learnt)
    data = speech_data(corpus_table(speakers=16, each=4), split=config.data.split)
    model = fit(data, config, tmp_path / "fold_0")["ensemble"]
    assert isinstance(model, FittedEnsemble)
    assert {*combined(model)["emotion"]} == {"coefficients", "intercepts"}
    with pytest.raises(
        ConfigError, match=r"models\.ensemble\.learn_on is dev, but data\.split\.dev is 0"
    ):
        configuration("--data.split.dev", "0", models=LEARNT.format("how: weights, learn_on: dev"))


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
