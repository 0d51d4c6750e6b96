"""Trained on one corpus, tested on another."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.tables import corpus_table, speech_data
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from speechnet.config.experiment import read_experiment
from speechnet.core.types import encode_all
from speechnet.corpus.config import SynthConfig
from speechnet.corpus.synthetic.corpus import write_corpus
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.cross_corpus import COLUMNS, cross_matrix
from speechnet.models.scikit.model import untuned_models

pytestmark = pytest.mark.slow

FEW = 200  # resamples
ORACLES = {
    "svm": SVC(C=5, class_weight="balanced", break_ties=True),
    "logreg": LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000),
}


def two_corpora(*, speakers: int = 12, each: int = 8) -> pd.DataFrame:
    """The first half of the speakers is one corpus, the others are another."""
    table = corpus_table(speakers, each)
    half = len(table) // 2
    return table.assign(corpus=["a"] * half + ["b"] * (len(table) - half))


def in_its_own_way(table: pd.DataFrame) -> SpeechDataModule:
    """Both corpora tell emotions well, in different features."""
    emotion = pd.factorize(table["emotion"])[0]
    X = np.random.default_rng(0).normal(size=(len(table), 8))
    first = (table["corpus"] == "a").to_numpy()
    X[first, emotion[first]] += 6
    X[~first, 4 + emotion[~first]] += 6
    return speech_data(table, X=X.astype(np.float32))


def cell(table: pd.DataFrame, **key: str) -> pd.Series:
    found = table[np.logical_and.reduce([table[name] == value for name, value in key.items()])]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("model", untuned_models())
def test_the_cells_are_those_of_scikit_learn(model: str) -> None:
    """All of one corpus on all of the other; within a corpus by folds that part speakers."""
    data = speech_data(two_corpora(), signal=0.8)
    found = cross_matrix(data, resamples=FEW)
    assert list(found.columns) == list(COLUMNS)
    X, y = data.X.astype(np.float64), data.labels[:, 1]
    a, b = np.arange(48), np.arange(48, 96)
    pipeline = make_pipeline(StandardScaler(), ORACLES[model])
    across = recall_score(y[b], pipeline.fit(X[a], y[a]).predict(X[b]), average="macro")
    row = cell(found, model=model, target="emotion", train="a", test="b")
    assert row["uar"] == pytest.approx(across)
    assert 0 < row["low"] < row["uar"] < row["high"] < 1
    assert (row["n"], row["seen"], row["unit"]) == (48, False, "speaker")
    predicted = np.zeros(48)
    speakers = data.table["speaker"].iloc[a]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for fit, held in folds.split(X[a], y[a], speakers):
        predicted[held] = pipeline.fit(X[a][fit], y[a][fit]).predict(X[a][held])
    row = cell(found, model=model, target="emotion", train="a", test="a")
    assert row["uar"] == pytest.approx(recall_score(y[a], predicted, average="macro"))
    assert row["seen"]


def test_what_does_not_carry_over() -> None:
    """Corpora that show emotions in different ways: all right within, chance across."""
    found = cross_matrix(in_its_own_way(two_corpora()), resamples=FEW).query("target == 'emotion'")
    assert found.loc[found["seen"], "uar"].min() > 0.9
    assert found.loc[~found["seen"], "uar"].max() < 0.5
    assert len(found) == 8


def with_table(table: pd.DataFrame) -> SpeechDataModule:
    """Features of the whole corpus beside labels and speakers of which some may be missing."""
    data = speech_data(two_corpora())
    data.__dict__ |= {"table": table, "labels": encode_all(table, data.targets)}
    return data


def test_only_common_classes_take_part() -> None:
    """A class that one corpus lacks is neither trained nor tested, in any cell."""
    table = two_corpora()
    table.loc[(table["corpus"] == "b") & (table["emotion"] == "sad"), "emotion"] = None
    data = with_table(table)
    found = cross_matrix(data, resamples=FEW)
    assert set(found.query("target == 'emotion'")["n"]) == {36}
    X, y = data.X.astype(np.float64), data.labels[:, 1]
    there = (data.targets["emotion"].index("sad") != y) & (y >= 0)
    a, b = (np.flatnonzero((table["corpus"] == name) & there) for name in ("a", "b"))
    pipeline = make_pipeline(StandardScaler(), ORACLES["svm"]).fit(X[a], y[a])
    across = recall_score(y[b], pipeline.predict(X[b]), average="macro")
    row = cell(found, model="svm", target="emotion", train="a", test="b")
    assert row["uar"] == pytest.approx(across)


def test_a_target_that_one_corpus_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is compared where only one corpus has labels, or only one class is common."""
    table = two_corpora()
    table.loc[table["corpus"] == "b", "gender"] = None
    table.loc[(table["corpus"] == "b") & (table["emotion"] != "sad"), "emotion"] = None
    assert cross_matrix(with_table(table), resamples=FEW).empty
    said = " ".join(capsys.readouterr().err.split())
    assert "for gender: labels of it are in a, and the classes that all of these have" in said
    assert (
        "for emotion: labels of it are in a, b, and the classes that all of these have are sad"
        in said
    )


def test_a_corpus_whose_speakers_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """It is no test of itself, and where it is tested recordings are drawn, not speakers."""
    table = two_corpora()
    table.loc[table["corpus"] == "b", "speaker"] = None
    found = cross_matrix(with_table(table), resamples=FEW)
    row = cell(found, model="svm", target="emotion", train="b", test="b")
    assert np.isnan([row["uar"], row["low"], row["high"]]).all()
    row = cell(found, model="svm", target="emotion", train="a", test="b")
    assert (row["unit"], row["uar"] > 0.9) == ("recording", True)
    assert cell(found, model="svm", target="emotion", train="b", test="a")["unit"] == "speaker"
    said = " ".join(capsys.readouterr().err.split())
    assert "emotion within b can't be tested by speakers that aren't trained on: the" in said


def test_a_class_of_one_speaker(capsys: pytest.CaptureFixture[str]) -> None:
    """It can't be left out to be tested, so there is no score within that corpus."""
    table = two_corpora()
    some = (table["speaker"] != "s00") & (table["corpus"] == "a") & (table["emotion"] == "sad")
    table.loc[some, "emotion"] = None
    found = cross_matrix(with_table(table), resamples=FEW)
    assert np.isnan(cell(found, model="svm", target="emotion", train="a", test="a")["uar"])
    row = cell(found, model="svm", target="emotion", train="b", test="a")
    assert row["uar"] > 0.5
    assert np.isnan([row["low"], row["high"]]).all()
    assert "some class has one speaker only" in " ".join(capsys.readouterr().err.split())


def test_recordings(tiny_config: Path, tmp_path: Path) -> None:
    """From two folders of recordings to the matrix."""
    for seed in (1, 2):
        synth = SynthConfig(speakers=4, sentences=1, sample_rate=8000, seed=seed)
        write_corpus(tmp_path / str(seed), synth)
    corpora = ", ".join(f"{{name: synthetic, root: {tmp_path / str(seed)}}}" for seed in (1, 2))
    flags = ["--config", str(tiny_config), "--data.corpora", f"[{corpora}]"]
    data = SpeechDataModule(read_experiment(flags)[0].data, seed=0)
    data.prepare_data()
    found = cross_matrix(data, resamples=FEW)
    assert set(found["train"]) == set(found["test"]) == {"synthetic-1", "synthetic-2"}
    assert (found["n"] == 16).all()
    assert found.query("target == 'gender' and not seen")["uar"].min() > 0.6
