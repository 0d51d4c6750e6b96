"""Tests of the command ``predict``."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from speechnet.core.errors import ConfigError, DataError, StorageError
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.extraction.extract import CorpusExtractor, Extraction
from speechnet.inference.predict import recognise

pytestmark = pytest.mark.slow

_EMOTIONS = ["angry", "happy", "sad", "neutral"]
_COLUMNS = [f"emotion_{name}" for name in _EMOTIONS]
_read_once = cache(SavedRun)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a run takes longer here than all that is done with it."""
    monkeypatch.setattr("speechnet.inference.predict.SavedRun", _read_once)


@pytest.fixture(scope="module")
def recordings(tiny_run: Path) -> list[Path]:
    """A few recordings of the run's corpus."""
    return sorted((tiny_run.parents[2] / "cache" / "synthetic").rglob("*.wav"))[:4]


Predict = Callable[..., tuple[pd.DataFrame, str]]


@pytest.fixture
def predict(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> Predict:
    """Recognises recordings: the table on stdout, and what is said besides."""

    def run(*paths: Path, model: str = "svm", **options: Any) -> tuple[pd.DataFrame, str]:
        capsys.readouterr()
        recognise(tiny_run, paths, model=model, out=None, **options)
        shown = capsys.readouterr()
        return pd.read_csv(io.StringIO(shown.out), keep_default_na=False), shown.err

    return run


def test_columns(predict: Predict, recordings: list[Path]) -> None:
    """A row for each recording: the likeliest class and every probability of each target."""
    table, err = predict(*recordings)
    assert list(table) == [
        "file",
        "model",
        "gender",
        "gender_female",
        "gender_male",
        "emotion",
        *_COLUMNS,
        *("novelty", "unlike", "far", "bandwidth"),
        "notes",
        "reason",
    ]
    assert table["file"].tolist() == [str(path) for path in recordings]
    assert set(table["reason"]) == {""}
    probability = table[_COLUMNS].astype(float).to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=4e-6)
    assert table["emotion"].tolist() == [_EMOTIONS[i] for i in probability.argmax(axis=1)]
    assert err == ""


def test_probabilities(predict: Predict, tiny_run: Path, recordings: list[Path]) -> None:
    """They are the mean of what the folds' classifiers gave in the run itself."""
    table, _ = predict(recordings[0], model="logreg")
    known = pd.read_parquet(tiny_run / "predictions.parquet")
    name = recordings[0].relative_to(recordings[0].parents[1]).as_posix()
    rows = known[
        (known["file"] == name) & (known["model"] == "logreg") & (known["target"] == "emotion")
    ]
    assert len(rows) == 2  # tested in one fold, trained on in the other
    for emotion in _EMOTIONS:
        expected = rows[f"p_{emotion}"].mean()
        assert float(table[f"emotion_{emotion}"].iloc[0]) == pytest.approx(expected, abs=1e-6)


def test_models(predict: Predict, tiny_run: Path, recordings: list[Path], tmp_path: Path) -> None:
    """All models give a row each, beside each other; the best is what the dev part says."""
    table, _ = predict(recordings[0], model="all")
    assert table["model"].tolist() == ["mlp", "knn", "logreg", "svm"]
    table, _ = predict(recordings[0], model="best")
    assert table["model"].tolist() == [SavedRun(tiny_run).best().model]
    table, _ = predict(tmp_path / "none.wav", *recordings[:2], model="all")
    assert table["file"].tolist() == [
        str(tmp_path / "none.wav"),
        *[str(recordings[0])] * 4,
        *[str(recordings[1])] * 4,
    ]
    assert table["model"].tolist() == ["", *["mlp", "knn", "logreg", "svm"] * 2]


def test_files_and_folders(predict: Predict, recordings: list[Path], tmp_path: Path) -> None:
    """Folders are searched; the same file under the same name is one row; links count."""
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    shutil.copy(recordings[0], folder / "a.wav")
    (folder / "link.wav").symlink_to(folder / "a.wav")
    (folder / "notes.txt").write_text("x")
    paths = [tmp_path / "in", folder / "a.wav", folder / "a.wav", recordings[1]]
    table, _ = predict(*paths)
    assert table["file"].tolist() == [
        str(folder / "a.wav"),
        str(folder / "link.wav"),
        str(recordings[1]),
    ]
    same = table.drop(columns="file").iloc[:2].to_numpy()
    assert (same[0] == same[1]).all()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two words.wav", "two words.wav"),
        ("glück, \"ja\" '😀'.wav", "glück, \"ja\" '😀'.wav"),
        ("new\nline.wav", r"new\x0aline.wav"),
        (os.fsdecode(b"latin\xe4.wav"), r"latin\xe4.wav"),
        ("-dash.wav", "-dash.wav"),
        ("[red]markup*.wav", "[red]markup*.wav"),
    ],
)
def test_odd_names(
    predict: Predict, recordings: list[Path], tmp_path: Path, name: str, shown: str
) -> None:
    """Any name a file can have comes out in one cell, the file given or found."""
    try:
        shutil.copy(recordings[0], tmp_path / name)
    except OSError:
        pytest.skip("this file system refuses the name")
    table, _ = predict(tmp_path / name)
    assert table["file"].tolist() == [f"{tmp_path}/{shown}"]
    table, _ = predict(tmp_path)
    assert table["file"].tolist() == [f"{tmp_path}/{shown}"]


def test_faulty_among_good(predict: Predict, recordings: list[Path], tmp_path: Path) -> None:
    """Each file that can't be used has its reason; the others have their probabilities."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html>")
    outside = tmp_path / "sub"
    outside.mkdir()
    (outside / "link.wav").symlink_to(recordings[1])
    os.mkfifo(tmp_path / "pipe.wav")
    given = [tmp_path / "empty.wav", recordings[0], tmp_path / "none.wav", tmp_path / "page.wav"]
    table, err = predict(*given, tmp_path / "pipe.wav", outside, model="all")
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
    assert (failed.pop("notes") != "").all()
    assert (failed == "").all(axis=None)
    assert "Excluded" in err


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
    predict: Predict,
    tiny_run: Path,
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The CSV goes to a file, nothing to stdout; a place that can't be written is found early."""
    table, _ = predict(*recordings)
    recognise(tiny_run, recordings, model="svm", out=tmp_path / "out.csv")
    assert capsys.readouterr().out == ""
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv", keep_default_na=False), table)
    with pytest.raises(StorageError, match=r"out\.csv is a file"):
        recognise(tiny_run, recordings, model="svm", out=tmp_path / "out.csv" / "x.csv")


# -- streaming and going on -----------------------------------------------------------------------


@pytest.fixture
def many(recordings: list[Path], tmp_path: Path) -> Path:
    """Sixty short recordings, each another one, and two that can't be used."""
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, rate = soundfile.read(recordings[0], dtype="float32")
    for number in range(60):
        noise = rng.normal(0, 0.01, len(y)).astype(np.float32)
        soundfile.write(folder / f"{number:02d}.wav", y + noise, rate)
    (folder / "07x.wav").write_text("x")
    soundfile.write(folder / "58x.wav", np.zeros(8_000), rate)
    return folder


def test_a_batch_at_a_time(
    predict: Predict,
    tiny_run: Path,
    many: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows appear before the next batch is looked at, and no more features are held at once."""
    whole, _ = predict(many)
    monkeypatch.setattr("speechnet.inference.predict._SMALLEST", 8)
    asked: list[int] = []
    shown: list[int] = []

    def extract(self: CorpusExtractor, table: pd.DataFrame, **settings: Any) -> Extraction:
        asked.append(len(table))
        shown.append(capsys.readouterr().out.count("\n"))
        return real(self, table, **settings)

    real = CorpusExtractor.extract
    monkeypatch.setattr(CorpusExtractor, "extract", extract)
    recognise(tiny_run, [many], model="svm", out=None)
    assert asked == [8, 8, 8, 8, 8, 10, 12]
    assert shown == [1, 8, 8, 8, 8, 8, 10]  # the header first
    assert capsys.readouterr().out.count("\n") == 12
    assert len(whole) == 62


def test_goes_on_within_a_batch(
    tiny_run: Path, many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a table was cut doesn't show in it, nor does it matter if all rows were there."""
    out, part = tmp_path / "out.csv", tmp_path / "out.csv.part"
    recognise(tiny_run, [many], model="mlp", out=out)
    whole = out.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("speechnet.inference.predict.Answerer.answer", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            recognise(tiny_run, [many], model="mlp", out=out)
    assert out.read_bytes() == whole
    about = part.with_name("out.csv.part.json")
    kept = about.read_bytes()
    for rows in (11, 63):
        part.write_bytes(b"".join(whole.splitlines(keepends=True)[:rows]))
        capsys.readouterr()
        recognise(tiny_run, [many], model="mlp", out=out)
        assert f"62 recordings, {rows - 1} of them done before" in capsys.readouterr().err
        assert out.read_bytes() == whole
        about.write_bytes(kept)
    part.write_bytes(whole)
    with pytest.raises(ConfigError, match=r"--model: \['mlp'\], now \['svm'\]"):
        recognise(tiny_run, [many], model="svm", out=out)
    with pytest.raises(ConfigError, match=r"--abstain: 0\.0, now 0\.5"):
        recognise(tiny_run, [many], model="mlp", out=out, abstain=0.5)
    with pytest.raises(ConfigError, match=r"--hop: 1\.5, now 1\.0"):
        recognise(tiny_run, [many], model="mlp", out=out, hop=1.0)


# -- no label, and windows ------------------------------------------------------------------------


def test_abstain(predict: Predict, tiny_run: Path, recordings: list[Path]) -> None:
    """A label below the threshold is left out, and the row is usable all the same."""
    sure, _ = predict(*recordings)
    tops = sure[_COLUMNS].astype(float)
    threshold = float(tops.max(axis=1).median())
    found, _ = predict(*recordings, abstain=threshold)
    unsure = (tops.max(axis=1) < threshold).to_numpy()
    assert 0 < unsure.sum() < len(unsure)
    genders = sure[["gender_female", "gender_male"]].astype(float).max(axis=1) >= threshold
    assert found["emotion"].tolist() == sure["emotion"].where(~unsure, "").tolist()
    assert found["gender"].tolist() == sure["gender"].where(genders, "").tolist()
    said = np.where(unsure | ~genders, "unsure", "")
    assert found["reason"].tolist() == said.tolist()
    labels = ["emotion", "gender", "reason"]
    pd.testing.assert_frame_equal(found.drop(columns=labels), sure.drop(columns=labels))
    recognise(tiny_run, recordings, model="svm", out=None, abstain=1.0)  # none is that sure


@pytest.fixture
def long(recordings: list[Path], tmp_path: Path) -> Path:
    """Speech, twelve seconds of silence, and speech again."""
    sounds = [soundfile.read(path, dtype="int16") for path in recordings]
    rate = sounds[0][1]
    speech = [y for y, _ in sounds]
    silence = np.zeros(12 * rate, np.int16)
    soundfile.write(tmp_path / "long.wav", np.concatenate([*speech, silence, *speech]), rate)
    return tmp_path / "long.wav"


def test_long_recordings(predict: Predict, recordings: list[Path], long: Path) -> None:
    """A long one has the mean of its windows as files of their own, silence left out."""
    y, rate = soundfile.read(long, dtype="int16")
    folder = long.parent / "windows"
    folder.mkdir()
    starts = [round(k * 1.5 * rate) for k in range(1000) if k * 1.5 * rate < len(y) - 1.5 * rate]
    for start in starts:
        soundfile.write(folder / f"{start:07d}.wav", y[start : start + 3 * rate], rate)
    windows, _ = predict(folder)
    assert set(windows["reason"]) == {"", "silent"}
    speech = windows[windows["reason"] == ""]
    table, err = predict(recordings[0], long, recordings[1])
    assert table["file"].tolist() == [str(recordings[0]), str(long), str(recordings[1])]
    columns = [name for name in table if "_" in name]
    expected = speech[columns].astype(float).mean()
    np.testing.assert_allclose(table[columns].iloc[1].astype(float), expected, atol=2e-6)
    assert table["emotion"].iloc[1] == expected.filter(like="emotion_").idxmax().split("_")[1]
    assert "Longer than 20 s, and the mean over windows of 3 s: 1 of 3 recordings" in err
    short, err = predict(recordings[0], recordings[1])
    pd.testing.assert_frame_equal(short, table.iloc[[0, 2]].reset_index(drop=True))
    assert err == ""
    whole, _ = predict(long, long=None)
    assert not np.allclose(whole[columns].iloc[0].astype(float), expected, atol=1e-3)


def test_timelines(
    predict: Predict,
    tiny_run: Path,
    recordings: list[Path],
    long: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every recording that can be used has one, numbered by its place; its row stays the same."""
    monkeypatch.setattr(
        "speechnet.report.drawing.timeline.draw_timeline", lambda *_, model, **__: model
    )
    monkeypatch.setattr("speechnet.report.drawing.style.save", lambda *_: [])
    soundfile.write(tmp_path / "silent.wav", np.zeros(200_000), 8_000)
    given = [recordings[0], tmp_path / "none.wav", long, tmp_path / "silent.wav"]
    plain, _ = predict(*given)
    assert plain["reason"].tolist() == ["", "missing", "", "silent"]
    table, _ = predict(*given, timeline=tmp_path / "t")
    pd.testing.assert_frame_equal(table, plain)
    stem = recordings[0].stem
    names = [f"0001_{stem}.csv", "0003_long.csv", "0004_silent.csv"]
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == names
    timeline = pd.read_csv(tmp_path / "t" / "0003_long.csv", keep_default_na=False)
    assert list(timeline) == ["start", "end", *plain.columns[1:].drop("notes")]
    quiet = timeline[timeline["reason"] == "silent"]
    y, rate = soundfile.read(long)
    for start, end in zip(quiet["start"], quiet["end"], strict=True):
        assert not y[round(start * rate) : round(end * rate)].any()
    assert len(quiet) >= 5
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file is a file"):
        recognise(tiny_run, given, model="svm", out=None, timeline=tmp_path / "file")


def test_parts(predict: Predict, recordings: list[Path], tmp_path: Path) -> None:
    """A table's parts are what is cut from the file; one beyond its end has a reason."""
    y, rate = soundfile.read(recordings[0], dtype="int16")
    soundfile.write(tmp_path / "cut.wav", y[rate // 4 : rate], rate)
    table = tmp_path / "x.csv"
    table.write_text(
        f"file,start,end\n{recordings[0]},0.25,1\ncut.wav,,\n{recordings[0]},900,901\n"
    )
    found, _ = predict(manifest=table)
    assert found["file"].tolist() == [
        f"{recordings[0]}#t=0.25,1",
        "cut.wav",
        f"{recordings[0]}#t=900,901",
    ]
    assert found.iloc[0, 1:].tolist() == found.iloc[1, 1:].tolist()
    assert found["reason"].tolist() == ["", "", "truncated"]


def test_two_ends_of_a_call(predict: Predict, recordings: list[Path], tmp_path: Path) -> None:
    """Mixed, with a note; or an answer for each channel: that of the channel as its own file."""
    (a, rate), (b, _) = (soundfile.read(path, dtype="int16") for path in recordings[:2])
    n = len(a) + len(b)
    call = np.zeros((n, 2), np.int16)
    call[: len(a), 0], call[len(a) :, 1] = a, b
    soundfile.write(tmp_path / "call.wav", call, rate)
    soundfile.write(tmp_path / "both.wav", np.stack([a, -a], axis=1), rate)
    for channel in (0, 1):
        soundfile.write(tmp_path / f"{channel}.wav", call[:, channel], rate)
    paths = [tmp_path / "call.wav", tmp_path / "both.wav", recordings[0]]
    mixed, said = predict(*paths)
    assert mixed["notes"].tolist() == ["channels_differ", "channels_cancel", ""]
    assert mixed["reason"].tolist() == ["", "", ""]
    assert "--channels each" in said
    np.testing.assert_allclose(  # a sign changes nothing that one hears
        mixed.loc[1, "emotion_angry"], mixed.loc[2, "emotion_angry"], atol=1e-3
    )
    alone, _ = predict(tmp_path / "0.wav", tmp_path / "1.wav")
    for long in (20.0, 0.5):  # whole, and window by window
        given = [paths[0], recordings[0]]
        each, _ = predict(*given, each_channel=True, long=long, window=0.5)
        names = [f"{paths[0]}#channel=0", f"{paths[0]}#channel=1", str(recordings[0])]
        assert each["file"].tolist() == names
        assert set(each["notes"]) == {""}
        if long == 20.0:
            assert each.iloc[:2, 1:].to_numpy().tolist() == alone.iloc[:, 1:].to_numpy().tolist()
    windowed, _ = predict(*paths[:2], long=0.5, window=0.5)
    assert windowed["notes"].tolist() == mixed["notes"].tolist()[:2]


def test_numbers_that_are_not_scaled(
    predict: Predict, recordings: list[Path], tmp_path: Path
) -> None:
    """No answer, and the remedy at the end."""
    y, rate = soundfile.read(recordings[0], dtype="int16")
    soundfile.write(tmp_path / "x.wav", y.astype(float), rate, subtype="FLOAT")
    table, said = predict(tmp_path / "x.wav", recordings[0])
    assert table["reason"].tolist() == ["unscaled", ""]
    assert "full scale" in " ".join(said.split())
