"""Tests of the run folder."""

from __future__ import annotations

import csv
import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import speechnet.experiment.run_folder
from speechnet.core.errors import DataError, StorageError
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_info import FORMAT
from speechnet.experiment.run_location import check_writable, next_version
from speechnet.experiment.run_tables import read_table, table_bytes


def test_versions_count_up(tmp_path: Path) -> None:
    """A version is never used again, not even when an earlier one was removed."""
    base = tmp_path / "a" / "b"
    assert [next_version(base).name for _ in range(3)] == ["version_0", "version_1", "version_2"]
    (base / "version_0").rmdir()
    (base / "version_x").mkdir()
    assert next_version(base).name == "version_3"


def test_versions_of_many_at_once(tmp_path: Path) -> None:
    """Runs that begin at the same moment get different folders."""
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: next_version(tmp_path), range(64)))
    assert len(set(made)) == 64
    assert {path.name for path in made} == {f"version_{n}" for n in range(64)}


def test_a_run_from_begin_to_end(tmp_path: Path) -> None:
    """It is marked incomplete until it is finished, and read back with what it said."""
    run = RunFolder.create(tmp_path, "x", seed=7)
    assert (run.path / "INCOMPLETE").exists()
    with pytest.raises(DataError, match="is incomplete"):
        RunFolder.open(run.path)
    with run.stage("work"), pytest.raises(ZeroDivisionError):
        1 / 0  # noqa: B018 - a stage that fails has taken its time all the same
    run.info |= {"targets": {"mood": ["ä", "b"]}, "models": ["svm"], "folds": 1, "features": {}}
    run.info |= {"protocol": "ä", "corpus": {}}
    run.write("config.yaml", b"data: {targets: {mood: null}}")
    run.write_table("predictions.parquet", pd.DataFrame(columns=["file", "p_ä", "p_b"]))
    run.finish()
    assert not (run.path / "INCOMPLETE").exists()
    info = RunFolder.open(run.path).info
    assert info["seed"] == 7
    assert info["format"] == FORMAT
    assert info["targets"] == {"mood": ["ä", "b"]}
    assert info["seconds"]["work"] >= 0
    assert {"torch", "scikit-learn", "librosa"} <= set(info["versions"])
    files = ["SHA256SUMS", "config.yaml", "predictions.parquet", "run.json"]
    assert sorted(path.name for path in run.path.iterdir()) == files


def test_no_run(tmp_path: Path) -> None:
    """What isn't a finished run is refused with what is wrong with it."""
    with pytest.raises(DataError, match="there is no run folder"):
        RunFolder.open(tmp_path / "none")
    for content in (None, "", "{", "[1]", '{"targets": {}}', "\0", "[" * 100_000):
        if content is not None:
            (tmp_path / "run.json").write_text(content)
        with pytest.raises(DataError, match=r"run\.json"):
            RunFolder.open(tmp_path)
    (tmp_path / "run.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="can't be read"):
        RunFolder.open(tmp_path)


def test_nothing_can_be_written(tmp_path: Path) -> None:
    """A file in the way of a folder is a storage error, found early and late."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands in its way"):
        next_version(tmp_path / "file" / "x")
    with pytest.raises(StorageError, match="a file stands in its way"):
        next_version(tmp_path / "file")
    with pytest.raises(StorageError, match="file is a file"):
        check_writable(tmp_path / "file" / "x")
    for refuse in (check_writable, next_version):  # root too
        with pytest.raises(StorageError, match=r"can't be made|no permission"):
            refuse(Path("/proc/x"))
    check_writable(tmp_path / "new" / "deep")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be written to is found before anything is computed."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="no permission to write"):
        check_writable(tmp_path / "x")


def test_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is named, and leaves no part of a file."""
    run = RunFolder.create(tmp_path, "x", seed=0)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        run.write("a.txt", b"x")
    assert [path.name for path in run.path.iterdir()] == ["INCOMPLETE"]


def test_tables_survive(tmp_path: Path) -> None:
    """Names that look like numbers or like nothing stay what they are, numbers stay exact."""
    run = RunFolder.create(tmp_path, "x", seed=0)
    table = pd.DataFrame(
        {
            "file": ["a,b.wav", 'say "x".wav'],
            "speaker": ["01", "NA"],
            "fold": ["0", "all"],
            "truth": ["None", None],
            "value": [0.1 + 0.2, np.nan],
        }
    )
    run.write_table("t.csv", table)
    read = run.read_table("t.csv")
    assert read["speaker"].tolist() == ["01", "NA"]
    assert read["fold"].tolist() == ["0", "all"]
    assert read["truth"].isna().tolist() == [False, True]
    assert read["value"].iloc[0] == 0.1 + 0.2
    assert np.isnan(read["value"].iloc[1])
    run.write_table("t.parquet", table)
    pd.testing.assert_frame_equal(pd.read_parquet(run.path / "t.parquet"), table)
    assert table_bytes(table[["value"]]) == b'value\n0.30000000000000004\n""\n'


def test_no_text_of_a_table_is_a_formula(tmp_path: Path) -> None:
    """A spreadsheet runs none of it, and read again it is what it was; numbers are numbers."""
    run = RunFolder.create(tmp_path, "x", seed=0)
    text = ["=cmd|'/c calc'!A1", "@SUM(A1)", "-a.wav", "'tis", "-3", None]
    table = pd.DataFrame(
        {"file": text, "=1+1": pd.Categorical(text), "value": np.linspace(-0.5, 2, 6)}
    )
    run.write_table("t.csv", table)
    with (run.path / "t.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "'=1+1", "value"]
    marked = ["'=cmd|'/c calc'!A1", "'@SUM(A1)", "'-a.wav", "'tis", "-3", ""]
    assert [row[:2] for row in rows] == [[cell, cell] for cell in marked]
    assert rows[0][2] == "-0.5"
    read = run.read_table("t.csv")
    pd.testing.assert_frame_equal(read, table.astype({"=1+1": str}), check_dtype=False)


def test_a_long_table_is_read_in_one_piece(tmp_path: Path) -> None:
    """Labels that look like numbers for the first quarter of a million rows are text throughout."""
    table = pd.DataFrame({"label": [*["1"] * 2**18, "'=x"], "seen": [True, *[None] * 2**18]})
    (tmp_path / "t.csv").write_bytes(table_bytes(table))
    read = read_table(tmp_path / "t.csv")
    assert read["label"].tolist() == table["label"].tolist()
    assert read["seen"][0]
    assert read["seen"][1:].isna().all()


def test_damaged_tables(tmp_path: Path) -> None:
    """A table that is missing, empty or no text is a damaged run, not a fault of the program."""
    run = RunFolder.create(tmp_path, "x", seed=0)
    with pytest.raises(DataError, match=r"none\.csv can't be read"):
        run.read_table("none.csv")
    for content in (b"", b"\xff\xfe\x00", b'a,b\n"1,2\n3'):
        (run.path / "t.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"t\.csv can't be read"):
            run.read_table("t.csv")
    (run.path / "t.csv").write_text("file\nx\n")
    assert read_table(run.path / "t.csv")["file"].tolist() == ["x"]


def test_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed inside somebody's repository, the program doesn't take that one's revision."""
    monkeypatch.setattr(
        speechnet.experiment.run_folder,
        "__file__",
        str(tmp_path / "lib" / "speechnet" / "runs" / "folder.py"),
    )
    (tmp_path / ".git").mkdir()
    assert RunFolder.create(tmp_path / "out", "x", seed=0).info["git"] is None


def test_run_json_is_json(tmp_path: Path) -> None:
    """NaN is no JSON."""
    run = RunFolder.create(tmp_path, "x", seed=0)
    run.info["value"] = float("nan")
    run.finish()

    def refuse(name: str) -> None:
        raise AssertionError(name)

    read = json.loads((run.path / "run.json").read_text(), parse_constant=refuse)
    assert read["value"] is None
