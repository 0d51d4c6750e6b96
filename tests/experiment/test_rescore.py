"""Tests of the command ``test``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from speechnet.cli.main import main
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError, DataError, StorageError
from speechnet.corpus.config import SynthConfig
from speechnet.corpus.synthetic.corpus import write_corpus
from speechnet.experiment.fit import fit
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.rescore import rescore
from speechnet.experiment.run_tables import read_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four other invented speakers."""
    root = tmp_path_factory.mktemp("other") / "corpus"
    write_corpus(root, SynthConfig(speakers=4, sentences=1, sample_rate=8000, seed=9))
    return root


def _noise(root: Path, emotions: tuple[str, ...], each: int) -> str:
    """A second of noise as each recording of a corpus of folders."""
    generator = np.random.default_rng(0)
    for emotion in emotions:
        (root / emotion).mkdir(parents=True)
        for number in range(each):
            soundfile.write(root / emotion / f"{number}.wav", generator.normal(0, 0.1, 8000), 8000)
    return str(root)


def _own_root(run: Path) -> Path:
    return next((run.parents[2] / "cache" / "synthetic").iterdir())


def test_own_test_parts(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scored again on its own test parts, a run gives the very same rows."""
    folder = rescore(tiny_run, corpus={}, out=tmp_path / "again")
    scores, again = read_table(tiny_run / "scores.csv"), read_table(folder / "scores.csv")
    test = scores[scores["part"] == "test"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, test[list(again.columns)], check_exact=True)
    before = pd.read_parquet(tiny_run / "predictions.parquet").query("part == 'test'")
    after = pd.read_parquet(folder / "predictions.parquet")
    keys = ["model", "target", "fold", "file"]
    pd.testing.assert_frame_equal(
        after.sort_values(keys, ignore_index=True), before.sort_values(keys, ignore_index=True)
    )
    shown = capsys.readouterr()
    assert "2 folds, unseen speakers" in shown.out
    assert f"Tables: {folder}" in shown.out
    assert "Recordings" in shown.err


def test_its_own_corpus_elsewhere(tiny_run: Path, tmp_path: Path) -> None:
    """The same corpus in another place is still the run's own."""
    root = shutil.copytree(_own_root(tiny_run), tmp_path / "moved")
    folder = rescore(tiny_run, corpus={"root": str(root)}, out=tmp_path / "out")
    scores, again = read_table(tiny_run / "scores.csv"), read_table(folder / "scores.csv")
    test = scores[scores["part"] == "test"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, test[list(again.columns)], check_exact=True)


def test_another_corpus(
    tiny_run: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of another corpus is scored, every model once, the folds averaged."""
    folder = rescore(tiny_run, corpus={"root": str(other)}, out=tmp_path / "out")
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert predictions.groupby(["model", "target"]).size().tolist() == [16] * 8
    assert set(predictions["part"]) == {"test"}
    assert set(read_table(folder / "scores.csv")["fold"]) == {"0", "all"}
    shown = capsys.readouterr()
    assert "Corpus synthetic, not trained on" in shown.out
    assert "all recordings       8     8   16         4" in shown.err


def test_a_poorer_corpus(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders named by emotion: no gender, fewer classes, one that the run doesn't know."""
    corpus: dict[str, object] = {"name": "folders"}
    corpus["root"] = _noise(tmp_path / "folders", ("happy", "sad", "bored"), 3)
    folder = rescore(tiny_run, corpus=corpus, out=tmp_path / "o")
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert set(predictions["target"]) == {"emotion"}
    assert set(predictions["truth"]) == {"happy", "sad"}
    shown = capsys.readouterr()
    assert "Left out by the configuration" in shown.err
    assert "bored" in shown.err
    corpus["labels"] = {"emotion": {"bored": "neutral"}}
    folder = rescore(tiny_run, corpus=corpus, out=tmp_path / "p")
    truth = pd.read_parquet(folder / "predictions.parquet")["truth"]
    assert set(truth) == {"happy", "sad", "neutral"}


def test_classes_that_only_one_side_has(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shared classes are named; UAR is their mean recall among all answers of the run."""
    root = _noise(tmp_path / "folders", ("angry", "happy", "bored"), 4)
    words = ["test", "--run", str(tiny_run), "--out", str(tmp_path / "o")]
    assert main([*words, "--corpus", "folders", "--root", root]) == 0
    assert (
        "emotion: the run and folders share angry, happy; only the run has sad, neutral, always "
        "wrong as an answer here; only folders has bored (4 recordings), left out."
    ) in " ".join(capsys.readouterr().err.split())
    predictions = pd.read_parquet(tmp_path / "o" / "predictions.parquet").query("model == 'knn'")
    right = predictions["truth"] == predictions["predicted"]
    expected = right.groupby(predictions["truth"]).mean().mean()
    scores = read_table(tmp_path / "o" / "scores.csv").query("model == 'knn' and fold == 'all'")
    assert scores.query("metric == 'uar'")["value"].tolist() == pytest.approx([expected])
    assert {"low", "high"} <= set(scores.columns)


def test_no_class_in_common(tiny_run: Path, tmp_path: Path) -> None:
    """A corpus with nothing that the run can recognise is refused; a missing target isn't."""
    corpus = {"name": "folders", "root": _noise(tmp_path / "folders", ("bored",), 1)}
    message = r"no recording has a class that is asked for \(.*sad, neutral\); found 1 bored"
    with pytest.raises(DataError, match=message):
        rescore(tiny_run, corpus=corpus, out=tmp_path / "o")


def test_a_run_of_several_corpora(tiny_config: Path, other: Path, tmp_path: Path) -> None:
    """It tests its own parts again, and any one corpus; which one it has to be told."""
    lists = [{"name": "synthetic"}, {"name": "synthetic", "root": str(other)}]
    flags = ["--config", str(tiny_config), "--out", str(tmp_path / "runs"), "--models.mlp=null"]
    flags += ["--models.svm=null", "--models.knn=null", "--data.corpora", json.dumps(lists)]
    flags += ["--data.split", '{"protocol": "predefined", "column": "corpus", "dev": 0}']
    run = fit(*read_experiment(flags))
    scores = read_table(run / "scores.csv").query("part == 'test'").reset_index(drop=True)
    again = read_table(rescore(run, corpus={}, out=tmp_path / "own") / "scores.csv")
    pd.testing.assert_frame_equal(again, scores[list(again.columns)], check_exact=True)
    with pytest.raises(ConfigError, match=r"the run has 2 corpora: say with --corpus"):
        rescore(run, corpus={"root": str(other)}, out=tmp_path / "o")
    words = ["test", "--run", str(run), "--out", str(tmp_path / "o")]
    assert main([*words, "--corpus", "original", "--root", str(other)]) == 0
    predictions = pd.read_parquet(tmp_path / "o" / "predictions.parquet")
    assert predictions["file"].nunique() == 16


def test_recordings_trained_on_are_named(
    tiny_run: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A corpus that holds some of the run's recordings is no fair test, and that is said."""
    root = shutil.copytree(other, tmp_path / "mixed")
    own = sorted(_own_root(tiny_run).rglob("*.wav"))
    table = pd.read_csv(root / "labels.csv")
    for number in range(3):
        shutil.copy(own[number], root / f"{table['voice_id'][number]}.wav")
        next(path for path in root.rglob(f"*/{table['voice_id'][number]}.wav")).unlink()
    rescore(tiny_run, corpus={"name": "original", "root": str(root)}, out=tmp_path / "out")
    assert (
        "3 of its 16 recordings are the run's: the scores are too good" in capsys.readouterr().err
    )


def test_a_corpus_that_has_changed(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changed labels are said; a recording that is gone ends it."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    root = Path(shutil.copytree(_own_root(tiny_run), tmp_path / "moved"))
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("root: null", f"root: {root}"))
    write_sums(run)
    table = pd.read_csv(root / "labels.csv")
    table.loc[0, "emotion_ID"] = 3 - table.loc[0, "emotion_ID"]
    table.to_csv(root / "labels.csv", index=False)
    rescore(run, corpus={}, out=tmp_path / "out")
    assert "The corpus isn't as it was" in capsys.readouterr().err
    table.iloc[1:].to_csv(root / "labels.csv", index=False)
    with pytest.raises(DataError, match="1 recording of the run is not in the corpus, the first"):
        rescore(run, corpus={}, out=tmp_path / "out")


def test_where_tables_go(tiny_run: Path, tmp_path: Path) -> None:
    """By default into a new folder below the run each time."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    first = rescore(run, corpus={}, out=None)
    second = rescore(run, corpus={}, out=None)
    assert first == run / "tests" / "version_0"
    assert second == run / "tests" / "version_1"
    names = {path.name for path in first.iterdir()}
    tables = {"scores.csv", "confusion.csv", "excluded.csv", "novelty.csv"}
    assert names == {*tables, "predictions.parquet"}
    kept = pd.read_csv(run / "novelty.csv").set_index("file")["novelty"]
    again = pd.read_csv(first / "novelty.csv").set_index("file")["novelty"]
    # Each test part by its own fold's training rows, as fit measured it before float32 was kept.
    pd.testing.assert_series_equal(again, kept, rtol=1e-4)
    with pytest.raises(StorageError, match=r"config\.yaml is a file"):
        rescore(run, corpus={}, out=run / "config.yaml" / "x")


def test_wrong_use(tiny_run: Path, tmp_path: Path) -> None:
    """No root, a misspelt corpus, a run that isn't there."""
    with pytest.raises(ConfigError, match=r"give the folder it lies in with --root"):
        rescore(tiny_run, corpus={"name": "emodb"}, out=None)
    with pytest.raises(ConfigError, match="did you mean 'emodb'"):
        rescore(tiny_run, corpus={"name": "emodbb", "root": str(tmp_path)}, out=None)
    with pytest.raises(DataError, match="there is no run folder"):
        rescore(tmp_path / "none", corpus={}, out=None)


def test_short_flags(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--corpus and --root stand for the keys of data.corpus, and can't contradict them."""
    words = ["test", "--run", str(tiny_run), "--corpus", "emodb"]
    assert main([*words, "--data.corpus.name", "savee"]) == 2
    assert "--corpus emodb contradicts --data.corpus.name savee" in capsys.readouterr().err
    assert main([*words, "--data.corpus.name", "emodb"]) == 2
    assert "--corpus emodb: give the folder it lies in with --root" in capsys.readouterr().err
    assert main([*words, "--root", "/none"]) == 3
    assert "'/none' doesn't exist" in capsys.readouterr().err
