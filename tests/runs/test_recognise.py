"""Tests of the verb ``predict``."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.errors import DataError, StorageError
from speechnet.runs.recognise import recognise
from speechnet.runs.saved import SavedRun


@pytest.fixture(scope="module")
def recordings(tiny_run: Path) -> list[Path]:
    """A few recordings of the run's corpus."""
    return sorted((tiny_run.parents[2] / "cache" / "synthetic").rglob("*.wav"))[:4]


def _predict(
    capsys: pytest.CaptureFixture[str], run: Path, *paths: Path, model: str = "svm"
) -> tuple[pd.DataFrame, str]:
    capsys.readouterr()
    recognise(run, paths, model=model, out=None)
    shown = capsys.readouterr()
    return pd.read_csv(io.StringIO(shown.out), keep_default_na=False), shown.err


def test_columns(
    tiny_run: Path, recordings: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each recording: the likeliest class and every probability of each target."""
    table, err = _predict(capsys, tiny_run, *recordings)
    emotions = ["angry", "happy", "sad", "neutral"]
    assert list(table) == [
        "file",
        "model",
        "gender",
        "gender_female",
        "gender_male",
        "emotion",
        *(f"emotion_{name}" for name in emotions),
        "reason",
    ]
    assert table["file"].tolist() == [str(path) for path in recordings]
    assert set(table["reason"]) == {""}
    probability = table[[f"emotion_{name}" for name in emotions]].astype(float).to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=4e-6)
    assert table["emotion"].tolist() == [emotions[i] for i in probability.argmax(axis=1)]
    assert err == ""


def test_probabilities(
    tiny_run: Path, recordings: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are the mean of what the folds' classifiers gave in the run itself."""
    table, _ = _predict(capsys, tiny_run, recordings[0], model="logreg")
    known = pd.read_parquet(tiny_run / "predictions.parquet")
    name = recordings[0].relative_to(recordings[0].parents[1]).as_posix()
    rows = known[
        (known["file"] == name) & (known["model"] == "logreg") & (known["target"] == "emotion")
    ]
    assert len(rows) == 2  # tested in one fold, trained on in the other
    for emotion in ("angry", "happy", "sad", "neutral"):
        expected = rows[f"p_{emotion}"].mean()
        assert float(table[f"emotion_{emotion}"].iloc[0]) == pytest.approx(expected, abs=1e-6)


def test_models(tiny_run: Path, recordings: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """All models give a row each; the best is what the dev part says."""
    table, _ = _predict(capsys, tiny_run, recordings[0], model="all")
    assert table["model"].tolist() == ["mlp", "knn", "svm", "logreg"]
    table, _ = _predict(capsys, tiny_run, recordings[0], model="best")
    assert table["model"].tolist() == [SavedRun(tiny_run).best_model()]


def test_files_and_folders(
    tiny_run: Path, recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders are searched; the same file under the same name is one row; links count."""
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    shutil.copy(recordings[0], folder / "a.wav")
    (folder / "link.wav").symlink_to(folder / "a.wav")
    (folder / "notes.txt").write_text("x")
    paths = [tmp_path / "in", folder / "a.wav", folder / "a.wav", recordings[1]]
    table, _ = _predict(capsys, tiny_run, *paths)
    assert table["file"].tolist() == [
        str(folder / "a.wav"),
        str(folder / "link.wav"),
        str(recordings[1]),
    ]
    same = table.drop(columns="file").iloc[:2].to_numpy()
    assert (same[0] == same[1]).all()


def test_relative_paths(
    tiny_run: Path,
    recordings: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Names are given back as they were given."""
    shutil.copy(recordings[0], tmp_path / "a.wav")
    monkeypatch.chdir(tmp_path)
    table, _ = _predict(capsys, tiny_run, Path("a.wav"), Path())
    assert table["file"].tolist() == ["a.wav", "./a.wav"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two words.wav", "two words.wav"),
        ("glück, \"ja\" '😀'.wav", "glück, \"ja\" '😀'.wav"),
        ("new\nline.wav", r"new\x0aline.wav"),
        (os.fsdecode(b"latin\xe4.wav"), r"latin\xe4.wav"),
        ("-dash.wav", "-dash.wav"),
        ("[red]markup[/red].wav", "[red]markup[/red].wav"),
    ],
)
def test_odd_names(
    tiny_run: Path,
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    shown: str,
) -> None:
    """Any name a file can have comes out in one cell, the file given or found."""
    try:
        shutil.copy(recordings[0], tmp_path / name)
    except OSError:
        pytest.skip("this file system refuses the name")
    table, _ = _predict(capsys, tiny_run, tmp_path / name)
    assert table["file"].tolist() == [f"{tmp_path}/{shown}"]
    table, _ = _predict(capsys, tiny_run, tmp_path)
    assert table["file"].tolist() == [f"{tmp_path}/{shown}"]


def test_faulty_among_good(
    tiny_run: Path, recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file that can't be used has its reason; the others have their probabilities."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html>")
    outside = tmp_path / "sub"
    outside.mkdir()
    (outside / "link.wav").symlink_to(recordings[1])
    os.mkfifo(tmp_path / "pipe.wav")
    given = [tmp_path / "empty.wav", recordings[0], tmp_path / "none.wav", tmp_path / "page.wav"]
    table, err = _predict(capsys, tiny_run, *given, tmp_path / "pipe.wav", outside, model="all")
    reasons = table.groupby("file")["reason"].agg(list).to_dict()
    assert reasons.pop(str(recordings[0])) == [""] * 4
    assert reasons == {
        str(tmp_path / "empty.wav"): ["unreadable"],
        str(tmp_path / "none.wav"): ["missing"],
        str(tmp_path / "page.wav"): ["unreadable"],
        str(tmp_path / "pipe.wav"): ["unreadable"],
        str(outside / "link.wav"): ["outside_root"],
    }
    failed = table[table["reason"] != ""].drop(columns=["file", "reason"])
    assert (failed == "").all(axis=None)
    assert "Set aside" in err


def test_none_can_be_used(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing usable is an error, and the CSV still says why; an empty folder holds nothing."""
    (tmp_path / "bad.wav").write_text("x")
    with pytest.raises(DataError, match="none of the recordings can be used"):
        recognise(tiny_run, [tmp_path / "bad.wav"], model="svm", out=None)
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table[["file", "reason"]].to_numpy().tolist() == [
        [str(tmp_path / "bad.wav"), "unreadable"]
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no audio files"):
        recognise(tiny_run, [tmp_path / "empty"], model="svm", out=None)


def test_out(
    tiny_run: Path, recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The CSV goes to a file, nothing to stdout; a place that can't be written is found early."""
    table, _ = _predict(capsys, tiny_run, *recordings)
    recognise(tiny_run, recordings, model="svm", out=tmp_path / "out.csv")
    assert capsys.readouterr().out == ""
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv", keep_default_na=False), table)
    with pytest.raises(StorageError, match=r"out\.csv is a file"):
        recognise(tiny_run, recordings, model="svm", out=tmp_path / "out.csv" / "x.csv")
