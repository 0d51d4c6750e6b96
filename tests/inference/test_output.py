"""Tests of the CSV that grows, is torn, and goes on."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from pathlib import Path

import filelock
import pytest

from speechnet.core.errors import ConfigError, Excluded, StorageError
from speechnet.core.safe_text import from_cell
from speechnet.inference.output import columns_of, open_results, rows_of
from speechnet.inference.prediction import Prediction

TARGETS = {"gender": ["female", "male"]}
COLUMNS = columns_of(TARGETS)
MODELS = ["mlp", "svm"]
SETTINGS: dict[str, object] = {"--run": "r", "--abstain": 0.5, "--long": float("inf")}
NAMES = ["a.wav", 'glück, "ja".wav', "=1+1.wav", "damaged.wav", r"latin\xe4.wav"]


def _rows(name: str) -> list[list[str]]:
    if name == "damaged.wav":
        return rows_of(name, Excluded("unreadable", "x\ny"), TARGETS)
    probable = {"gender": {"female": 0.25, "male": 0.75}}
    even = {"gender": {"female": 0.5, "male": 0.5}}
    sure = Prediction({"gender": "male"}, probable, novelty=0.5, bandwidth=4_000.4)
    unsure = Prediction({"gender": None}, even, 1.25, "f0_p90 -4 sd", reason="unsure")
    return rows_of(name, {"mlp": sure, "svm": unsure}, TARGETS)


def _write(out: Path | None, names: list[str] = NAMES, **changed: object) -> tuple[int, bool]:
    """A whole table, from where an earlier call stopped; how many it had left, and ``changed``."""
    settings = SETTINGS | changed
    with open_results(out, COLUMNS, settings, names=names, models=MODELS) as results:
        done = results.done, results.changed
        for name in names[done[0] :]:
            results.append(_rows(name))
        assert results.usable
    return done


def _leave(folder: Path, part: bytes) -> Path:
    """What a killed process leaves of ``folder / x.csv``."""
    (folder / "x.csv.part").write_bytes(part)
    (folder / "x.csv.part.json").write_text(json.dumps(SETTINGS))
    return folder / "x.csv"


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """The table that nothing has interrupted."""
    (tmp_path / "whole").mkdir()
    _write(tmp_path / "whole" / "x.csv")
    assert [path.name for path in (tmp_path / "whole").iterdir()] == ["x.csv"]
    return (tmp_path / "whole" / "x.csv").read_bytes()


def test_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each model, one for what can't be used; names come out as they went in."""
    _write(None)
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [from_cell(row["file"]) for row in read] == [name for name in NAMES for _ in _rows(name)]
    new = ["0.500", "no", "", "4000", ""]
    assert list(read[0].values()) == ["a.wav", "mlp", "male", "0.250000", "0.750000", *new, ""]
    far = ["1.250", "yes", "f0_p90 -4 sd", "", ""]
    assert list(read[1].values()) == ["a.wav", "svm", "", "0.500000", "0.500000", *far, "unsure"]
    assert list(read[6].values()) == ["damaged.wav", *[""] * 8, "x y", "unreadable"]


def test_torn_anywhere(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut at any byte, the table goes on behind the last recording that is whole."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no machine crashes here
    lines = whole.splitlines(keepends=True)
    ends = [sum(map(len, lines[:n])) for n in (3, 5, 7, 8, 10)]  # of each recording's last row
    for cut in range(len(whole) + 1):
        out = _leave(tmp_path, whole[:cut])
        assert _write(out) == (sum(end <= cut for end in ends), False)
        assert out.read_bytes() == whole
        assert not list(tmp_path.glob("x.csv.*"))


@pytest.mark.parametrize("tail", [b"\0" * 64, b"\xff\xfe,,\n", b"rubbish\n", b'"open\n', b"\n"])
def test_rubbish_behind_it(whole: bytes, tmp_path: Path, tail: bytes) -> None:
    """What a crash of the machine may leave behind the last synced row is dropped."""
    out = _leave(tmp_path, b"".join(whole.splitlines(keepends=True)[:5]) + tail)
    assert _write(out) == (2, False)
    assert out.read_bytes() == whole


def test_other_recordings(whole: bytes, tmp_path: Path) -> None:
    """Rows are kept up to the first that is another recording's."""
    fewer = [name for name in NAMES if name != "=1+1.wav"]
    assert _write(_leave(tmp_path, whole), fewer) == (2, True)
    assert b"=1+1" not in (tmp_path / "x.csv").read_bytes()
    assert _write(_leave(tmp_path, whole), NAMES[:3]) == (3, True)
    assert _write(_leave(tmp_path, whole), [*NAMES, "more.wav"]) == (5, False)
    assert (tmp_path / "x.csv").read_bytes().startswith(whole)


def test_an_interrupted_call_keeps_its_rows(whole: bytes, tmp_path: Path) -> None:
    """Whatever ends it early, the rows so far stay, and a table that was there is untouched."""
    out = tmp_path / "new" / "folder" / "x.csv"
    with (  # noqa: PT012 - it ends where a block ends
        pytest.raises(KeyboardInterrupt),
        open_results(out, COLUMNS, SETTINGS, names=NAMES, models=MODELS) as results,
    ):
        results.append(_rows(NAMES[0]))
        raise KeyboardInterrupt
    out.write_text("old")
    assert _write(out) == (1, False)
    assert out.read_bytes() == whole


def test_a_recording_that_changed_is_done_again(tmp_path: Path) -> None:
    """Rows are kept up to the first recording whose file was written to since they were begun."""
    paths = [str(tmp_path / f"{place}.wav") for place in range(len(NAMES))]
    for path in paths[:3]:
        Path(path).write_bytes(b"old")  # the others are missing, which is no change
    out = tmp_path / "x.csv"
    given = {"names": NAMES, "models": MODELS, "paths": paths}
    for done in (0, 4):
        with (
            contextlib.suppress(KeyboardInterrupt),
            open_results(out, COLUMNS, SETTINGS, **given) as results,
        ):
            assert (results.done, results.changed) == (done, False)
            results.append([row for name in NAMES[done:4] for row in _rows(name)])
            raise KeyboardInterrupt
    Path(paths[2]).write_bytes(b"new")
    with open_results(out, COLUMNS, SETTINGS, **given) as results:
        assert (results.done, results.changed) == (2, True)


def test_of_another_command(whole: bytes, tmp_path: Path) -> None:
    """Rows that would have come out otherwise are neither kept nor lost."""
    out = _leave(tmp_path, whole[:-1])
    message = r"another command, which was stopped \(--abstain: 0\.5, now 0\.6\); give that command"
    with pytest.raises(ConfigError, match=message):
        _write(out, **{"--abstain": 0.6})
    for text in ("", "[]", "{}"):
        (tmp_path / "x.csv.part.json").write_text(text)
        with pytest.raises(ConfigError, match=r"delete"):
            _write(out)
    assert (tmp_path / "x.csv.part").read_bytes() == whole[:-1]


def test_two_at_once(tmp_path: Path) -> None:
    """A second process is told to wait; its rows would come in between."""
    with (
        filelock.FileLock(tmp_path / "x.csv.part.lock"),
        pytest.raises(ConfigError, match=r"another process is writing .*x\.csv; wait for it"),
    ):
        _write(tmp_path / "x.csv")


def test_the_lock_is_removed_while_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed later, it might be the lock that another process has taken meanwhile."""
    there = []

    class Spy(filelock.FileLock):
        def release(self, force: bool = False) -> None:
            there.append(Path(self.lock_file).exists())
            super().release(force)

    monkeypatch.setattr(filelock, "FileLock", Spy)
    _write(tmp_path / "x.csv")
    assert there
    assert not any(there)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_no_place(tmp_path: Path) -> None:
    """Neither a folder nor a device is replaced by a table."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("folder", "is a folder"), ("pipe", "isn't a file")):
        with pytest.raises(StorageError, match=message):
            _write(tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file is a file"):
        _write(tmp_path / "file" / "x.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe"]
