"""A run on a table of features, from its configuration to answers about files."""

import json
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from helpers import faults

from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError
from speechnet.experiment.fit import fit
from speechnet.experiment.saved_run import SavedRun
from speechnet.inference.predict import recognise
from speechnet.inference.predictor import Predictor

pytestmark = pytest.mark.slow


@pytest.fixture
def corpus(tiny_run: Path, tiny_config: Path) -> pd.DataFrame:
    """The tiny run's recordings."""
    (folder,) = (tiny_config.parent / "cache" / "synthetic").iterdir()
    table = pd.read_csv(tiny_run / "corpus.csv")
    return table.assign(path=[next(folder.rglob(f"{Path(file).stem}.*")) for file in table["file"]])


def test_from_a_table_to_answers(
    corpus: pd.DataFrame, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers alone decide; here they are the emotion itself."""
    monkeypatch.chdir(tmp_path)
    numbers = pd.get_dummies(corpus["emotion"], dtype=int).assign(file=corpus["file"])
    numbers.to_csv("t.csv", index=False)
    words = ["--config", str(tiny_config), "--out", "runs", "--report.mistakes", "0"]
    words += ["--data.features.table.path", "t.csv", "--data.features.functionals", "null"]
    words += [word for name in ("mlp", "knn", "logreg") for word in (f"--models.{name}", "null")]
    config, text = read_experiment([*words, "--evaluation.clustering.enabled", "false"])
    assert f"path: {tmp_path / 't.csv'}" in text
    run = fit(config, text)
    told = json.loads((run / "run.json").read_text())["features"]["table"]
    assert told["columns"] == [f"table_{name}" for name in ("angry", "happy", "neutral", "sad")]
    assert told["provenance"] is None

    corpus, new = corpus.iloc[[0, 5, 9]], tmp_path / "new.wav"
    soundfile.write(new, faults.speech(1, 1.0), faults.RATE)
    recognise(run, [*corpus["path"], new], model="svm", out=tmp_path / "out.csv")
    found = pd.read_csv("out.csv")
    assert found["emotion"].tolist()[:3] == corpus["emotion"].tolist()
    assert found["reason"].tolist()[3] == "not_in_table"

    with pytest.raises(ConfigError, match=r"by the names of recordings \(data\.features\.table\)"):
        Predictor(SavedRun(run), model="svm").predict(faults.speech(1, 1.0), faults.RATE)
    with pytest.raises(ConfigError, match="leave out --channels"):
        recognise(run, [new], model="svm", out=None, each_channel=True)
