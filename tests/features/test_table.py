"""A table of one's own features: every kind of file, whose row is whose, and what is refused."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.features.extractor import Named
from speechnet.features.table import Table

NAMES = ["a/001.wav", "b/001.wav", "b/002.flac"]
X = np.array([[1.5, -2], [0.1, 3e9], [1e-9, 0]])
FRAME = pd.DataFrame(X, columns=["rate_mean", "embedding_001"]).assign(file=NAMES)


def whole(file: str, path: str = "") -> Named:
    return Named(file, path or file, math.nan, math.nan)


def rows(path: Path, *recordings: Named) -> list[list[float] | str]:
    """The row of each recording, or why there is none."""
    table = Table(str(path))
    table.check(16_000)
    found = table.look_up(recordings)
    return [one.reason if isinstance(one, Excluded) else one.tolist() for one in found]


def save_npy(path: Path) -> None:
    np.save(path, X)
    path.with_suffix(".txt").write_text("\n".join(NAMES))


KINDS: dict[str, Callable[[Path], None]] = {
    "t.csv": lambda path: FRAME.to_csv(path, index=False),
    "bom.csv": lambda path: FRAME.to_csv(path, index=False, sep=";", encoding="utf-8-sig"),
    "t.TSV": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "t.parquet": lambda path: FRAME.to_parquet(path, index=False),
    "index.parquet": lambda path: FRAME.set_index("file").to_parquet(path),
    "t.npy": save_npy,
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_file(tmp_path: Path, name: str) -> None:
    """Gives the numbers that were written, for the name that they were written with."""
    KINDS[name](tmp_path / name)
    expected = X.astype(np.float32).tolist()
    assert rows(tmp_path / name, *map(whole, NAMES)) == expected
    table = Table(str(tmp_path / name))
    names = ("0000", "0001") if name == "t.npy" else ("rate_mean", "embedding_001")
    assert table.columns == tuple(f"table_{each}" for each in names)
    groups = ["table", "table"] if name == "t.npy" else ["table_rate", "table_embedding"]
    assert [table.group(column) for column in table.columns] == groups


def test_whose_row_it_is(tmp_path: Path) -> None:
    """One path ends in the other, folder by folder; another speaker's row is never taken."""
    KINDS["t.csv"](tmp_path / "t.csv")
    first, second, third = X.astype(np.float32).tolist()
    for file, found in {
        "a/001.flac": first,  # another ending
        "/data/corpus/b/001.wav": second,
        "other/b/002.wav": third,
        "002.wav": third,  # the table's path is the longer one
        "001.wav": "not_in_table",  # two of them end so
        "c/001.wav": "not_in_table",
        "xb/002.wav": "not_in_table",
    }.items():
        assert rows(tmp_path / "t.csv", whole(file)) == [found], file
    # As one of several corpora: the id has the corpus before it, the path the folder.
    assert rows(tmp_path / "t.csv", whole("mine/b/002", "folder/b/002.flac")) == [third]


def test_a_row_that_fits_two_recordings_fits_none(tmp_path: Path) -> None:
    """Bare names, of which the corpus has several."""
    (tmp_path / "t.csv").write_text("file,a\n001,1\n002,2\n")
    found = rows(tmp_path / "t.csv", *map(whole, ("a/001.wav", "b/001.wav", "b/002.wav")))
    assert found == ["not_in_table", "not_in_table", [2.0]]


@pytest.mark.parametrize("times", [("0.5", "1.25"), ("0 days 00:00:00.5", "0 days 00:00:01.25")])
def test_parts(tmp_path: Path, times: tuple[str, str]) -> None:
    """By their start and end, to the millisecond; a part has no other's row, nor the whole's."""
    first, last = times
    (tmp_path / "t.csv").write_text(f"file,start,end,a\nx.wav,,{first},1\nx.wav,{first},{last},2\n")
    parts = [Named(f"x.wav#{i}", "x.wav", *t) for i, t in enumerate([(0.5, 1.2499999), (0.5, 2)])]
    begins = Named("x", "x.wav", math.nan, 0.5)
    found = rows(tmp_path / "t.csv", *parts, begins, whole("x.wav"))
    assert found == [[2.0], "not_in_table", [1.0], "not_in_table"]
    duration = pd.DataFrame({"file": ["x.wav"], "start": pd.to_timedelta([0]), "a": [1.0]})
    duration.assign(end=pd.to_timedelta([3.57], unit="s")).to_parquet(tmp_path / "t.parquet")
    # As openSMILE's package writes whole recordings.
    assert rows(tmp_path / "t.parquet", whole("x.wav")) == [[1.0]]


def test_what_decides_its_numbers(tmp_path: Path) -> None:
    """The content alone, which is read again when it changes."""
    for name in ("t.csv", "same.csv"):
        KINDS["t.csv"](tmp_path / name)
    one, same = (Table(str(tmp_path / name)) for name in ("t.csv", "same.csv"))
    before = one.fingerprint(16_000)
    assert before == same.fingerprint(16_000)
    (tmp_path / "t.csv").write_text("file,rate_mean,embedding_001\na/001.wav,2,3\n")
    assert rows(tmp_path / "t.csv", whole("a/001")) == [[2.0, 3.0]]
    assert one.fingerprint(16_000) != before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,a\nx.wav,\ny.wav,1\n", "nan as 'a' of 'x.wav'"),
        ("file,a,b\nx.wav,1,2\ny.wav,1,-inf\n", "-inf as 'b' of 'y.wav'"),
        ("file,a\nx.wav,1e39\n", "1e.39 as 'a'.*at most 3.4e38"),
        ("file,a\nx.wav,1\nx.flac,2\n", "several rows of 'x.wav'"),
        ("file,a,b\nx.wav,1,hoarse\n", r"no numbers: b \(string\), such as 'hoarse'"),
        ("file,a,Emotion\nx.wav,1,2\n", "Emotion, answers"),
        (",file,a\n0,x.wav,1\n", "1 column without a name"),
        ("file,a,a\nx.wav,1,1\n", "several columns a"),
        ("file\nx.wav\n", "names alone"),
        ("file,a\n", "no rows"),
        ("file,a\n,1\n", "no file in row 1"),
        ("wav,a\nx.wav,1\n", "no column 'file', it has wav, a; data.features.table.names"),
        ("file,start,a\nx.wav,soon,1\n", "'soon' as start"),
        ("file,a\nx.wav,1\ny.wav,1,2\n", "Expected 2 columns, got 3"),
        ("", "can't be read"),
    ],
)
def test_a_wrong_table(tmp_path: Path, text: str, why: str) -> None:
    """Is refused before anything is computed, with the row and the column."""
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=rf"data\.features\.table\.path: .*t\.csv .*{why}"):
        Table(str(tmp_path / "t.csv")).check(16_000)


@pytest.mark.parametrize(
    ("array", "names", "why"),
    [
        (np.zeros((2, 3)), "a\n", "1 name on 1 line, expected 2"),
        (np.zeros((2, 3)), "a\n\n", "1 name on 2 lines"),
        (np.zeros((2, 3)), None, r"t\.txt can't be read"),
        (np.zeros(2), "a\nb\n", r"float64 \[2\], expected floats"),
        (np.array([["1"], ["2"]]), "a\nb\n", "<U1"),
        (np.array([[1], [None]]), "a\nb\n", "no objects are read"),
    ],
)
def test_a_wrong_array(tmp_path: Path, array: np.ndarray, names: str | None, why: str) -> None:
    """Nor is anything in it executed."""
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    if names is not None:
        (tmp_path / "t.txt").write_text(names)
    with pytest.raises(DataError, match=why):
        Table(str(tmp_path / "t.npy")).check(16_000)


def _save_npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, X=X)


def _promise(path: Path) -> None:
    np.save(path, np.zeros((2, 9)))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"(2, 9), }" + b" " * 13, b"(99999999999999, 9), }"))


@pytest.mark.parametrize(
    ("name", "save", "why"),
    [
        ("t.csv", lambda path: path.write_bytes("file,tonhöhe\nx,1\n".encode("latin-1")), "UTF-8"),
        ("t.csv", lambda path: path.write_text("file,a\nx,1\n", encoding="utf-16"), "UTF-8"),
        ("t.npy", _save_npz, "isn't a .npy of numbers"),
        ("t.npy", _promise, "or is damaged"),
        (
            "t.parquet",
            lambda path: pd.DataFrame({"file": [["x"]], "a": [1]}).to_parquet(path),
            "expected names",
        ),
    ],
)
def test_no_such_file_as_its_name_says(
    tmp_path: Path, name: str, save: Callable[[Path], None], why: str
) -> None:
    """Another encoding, an archive, a header that lies, and lists for names."""
    (tmp_path / "t.txt").write_text("x\n")
    save(tmp_path / name)
    with pytest.raises(DataError, match=why):
        Table(str(tmp_path / name)).check(16_000)


@pytest.mark.parametrize(
    ("path", "error", "why"),
    [
        (None, ConfigError, "path isn't set"),
        ("gone.csv", DataError, "gone.csv can't be read: No such file"),
        ("", ConfigError, "path isn't set"),
        ("t.mat", ConfigError, "is not a .csv"),
    ],
)
def test_no_table(tmp_path: Path, path: str | None, error: type[Exception], why: str) -> None:
    """None given, none there, or one of another kind."""
    (tmp_path / "t.mat").touch()
    with pytest.raises(error, match=why):
        Table(path and str(tmp_path / path)).check(16_000)
