"""Tests of the verb ``test``."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from speechnet.corpus.synthetic import SynthConfig, write_corpus
from speechnet.errors import ConfigError, DataError, StorageError
from speechnet.runs.folder import read_table
from speechnet.runs.rescore import rescore


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four other invented speakers."""
    root = tmp_path_factory.mktemp("other") / "corpus"
    write_corpus(root, SynthConfig(speakers=4, sentences=1, sample_rate=8000, seed=9))
    return root


def _own_root(run: Path) -> Path:
    return next((run.parents[2] / "cache" / "synthetic").iterdir())


def test_own_test_parts(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scored again on its own test parts, a run gives the very same rows."""
    folder = rescore(tiny_run, corpus={}, out=tmp_path / "again")
    scores, again = read_table(tiny_run / "scores.csv"), read_table(folder / "scores.csv")
    test = scores[scores["part"] == "test"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, test, check_exact=True)
    before = pd.read_parquet(tiny_run / "predictions.parquet").query("part == 'test'")
    after = pd.read_parquet(folder / "predictions.parquet")
    keys = ["model", "target", "fold", "file"]
    pd.testing.assert_frame_equal(
        after.sort_values(keys, ignore_index=True), before.sort_values(keys, ignore_index=True)
    )
    shown = capsys.readouterr()
    assert "Unseen speakers, 2 folds" in shown.out
    assert f"Tables: {folder}" in shown.out
    assert "Recordings" in shown.err


def test_its_own_corpus_elsewhere(tiny_run: Path, tmp_path: Path) -> None:
    """The same corpus in another place is still the run's own."""
    root = shutil.copytree(_own_root(tiny_run), tmp_path / "moved")
    folder = rescore(tiny_run, corpus={"root": str(root)}, out=tmp_path / "out")
    scores, again = read_table(tiny_run / "scores.csv"), read_table(folder / "scores.csv")
    test = scores[scores["part"] == "test"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, test, check_exact=True)


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
    root = tmp_path / "folders"
    generator = np.random.default_rng(0)
    for emotion in ("happy", "sad", "bored"):
        (root / emotion).mkdir(parents=True)
        for number in range(3):
            y = generator.normal(0, 0.1, 8000)
            soundfile.write(root / emotion / f"{number}.wav", y, 8000)
    folder = rescore(tiny_run, corpus={"name": "folders", "root": str(root)}, out=tmp_path / "o")
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert set(predictions["target"]) == {"emotion"}
    assert set(predictions["truth"]) == {"happy", "sad"}
    shown = capsys.readouterr()
    assert "Left out by the configuration" in shown.err
    assert "bored" in shown.err
    labels = {"emotion": {"bored": "neutral"}}
    corpus = {"name": "folders", "root": str(root), "labels": labels}
    folder = rescore(tiny_run, corpus=corpus, out=tmp_path / "p")
    truth = pd.read_parquet(folder / "predictions.parquet")["truth"]
    assert set(truth) == {"happy", "sad", "neutral"}


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
    table = pd.read_csv(root / "labels.csv")
    table.loc[0, "emotion_ID"] = 3 - table.loc[0, "emotion_ID"]
    table.to_csv(root / "labels.csv", index=False)
    rescore(run, corpus={}, out=tmp_path / "out")
    assert "The corpus isn't as it was" in capsys.readouterr().err
    table.iloc[1:].to_csv(root / "labels.csv", index=False)
    with pytest.raises(DataError, match="1 recordings of the run are not in the corpus, the first"):
        rescore(run, corpus={}, out=tmp_path / "out")


def test_where_tables_go(tiny_run: Path, tmp_path: Path) -> None:
    """By default into a new folder below the run each time."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    first = rescore(run, corpus={}, out=None)
    second = rescore(run, corpus={}, out=None)
    assert first == run / "tests" / "version_0"
    assert second == run / "tests" / "version_1"
    names = {path.name for path in first.iterdir()}
    assert names == {"scores.csv", "confusion.csv", "predictions.parquet", "quarantine.csv"}
    with pytest.raises(StorageError, match=r"config\.yaml is a file"):
        rescore(run, corpus={}, out=run / "config.yaml" / "x")


def test_wrong_use(tiny_run: Path, tmp_path: Path) -> None:
    """No root, a misspelt corpus, a run that isn't there."""
    with pytest.raises(ConfigError, match=r"give the folder it lies in with --data\.corpus\.root"):
        rescore(tiny_run, corpus={"name": "emodb"}, out=None)
    with pytest.raises(ConfigError, match="did you mean 'emodb'"):
        rescore(tiny_run, corpus={"name": "emodbb", "root": str(tmp_path)}, out=None)
    with pytest.raises(DataError, match="there is no run folder"):
        rescore(tmp_path / "none", corpus={}, out=None)
