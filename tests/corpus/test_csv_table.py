"""Tables as people write them."""

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechnet.core.errors import DataError
from speechnet.corpus.csv_table import Sheet, read_sheet, seconds


def sheet(folder: Path, text: str) -> Sheet:
    path = folder / "x.csv"
    path.write_text(text, encoding="utf-8")
    return read_sheet(path)


def test_a_quote_between_tabs_is_a_letter(tmp_path: Path) -> None:
    """A lone one swallows no lines, and a pair that spans lines doesn't either."""
    rows = ['"He said', "no more", 'he left"', '"all of it"', '""twice"" he said']
    read = sheet(
        tmp_path, "file\tsentence\n" + "".join(f"{i}.wav\t{s}\n" for i, s in enumerate(rows))
    )
    assert [row["sentence"] for row in read.rows] == rows
    assert read.lines == [2, 3, 4, 5, 6]


def test_all_between_tabs_may_be_quoted(tmp_path: Path) -> None:
    """Where the header is, as spreadsheets write it that quote every cell."""
    read = sheet(tmp_path, '"file"\t"label"\n"a.wav"\t"one ""two"" three"\n')
    assert read.rows == [{"file": "a.wav", "label": 'one "two" three'}]


@pytest.mark.parametrize("cell", ['"He said', '"He said\nb.wav,no more"', '"a ""b""\nc"'])
def test_a_quoted_cell_ends_on_its_line(tmp_path: Path, cell: str) -> None:
    """Else both lines are named."""
    with pytest.raises(DataError, match=r"line 3 to [45]: a cell in quotes goes on"):
        sheet(tmp_path, f"file,sentence\nx.wav,y\na.wav,{cell}\nz.wav,w\n")


def test_delimiters(tmp_path: Path) -> None:
    """Excel may say which it is; a vertical bar is one too."""
    for text in (
        "sep=;\nfile;who\na.wav;b,c\n",
        "file|who\na.wav|b,c\n",
        "sep=|\r\nfile|who\r\na.wav|b,c\r\n",
    ):
        assert sheet(tmp_path, text).rows == [{"file": "a.wav", "who": "b,c"}]
    assert sheet(tmp_path, "sep=;\nfile;who\na.wav;b\n").lines == [3]


def test_no_header(tmp_path: Path) -> None:
    """A recording where a column's name is expected."""
    with pytest.raises(DataError, match=r"line 1: 'x/a\.opus' is a recording"):
        sheet(tmp_path, "x/a.opus,anna,happy\nx/b.opus,ben,sad\n")


def test_an_apostrophe_is_a_letter(tmp_path: Path) -> None:
    """In tables that speechnet didn't write, before what would be a formula too."""
    read = sheet(tmp_path, "file,who\n'=a.wav,'+'\n'-b.wav,-1\n")
    assert [list(row.values()) for row in read.rows] == [["'=a.wav", "'+'"], ["'-b.wav", "-1"]]


def test_a_table_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it fills the memory."""
    monkeypatch.setattr("speechnet.corpus.csv_table.LARGEST", 20)
    assert sheet(tmp_path, "file,who\na.wav,anna\n"[:20]).rows
    with pytest.raises(DataError, match="larger than 20 bytes"):
        sheet(tmp_path, "file,who\na.wav,annalena\n")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.6", 1.6),
        ("1,60", 1.6),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("-1", -1.0),
        ("02:01.6", 121.6),
        ("00:02:01,600", 121.6),
        ("100:00:00", 360_000.0),
        ("0 days 00:02:01.600000", 121.6),
        ("1 day, 0:00:01", 86_401.0),
        ("0 days", 0.0),
    ],
)
def test_times(cell: str, expected: float) -> None:
    """Seconds with a point or a comma, clocks, and what pandas and Python make of a time delta."""
    assert seconds(cell) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "cell", ["", "soon", "1:75", "0:60:00", "1,234.5", "1_0", "inf", "1:2:3:4", "-1 days"]
)
def test_no_times(cell: str) -> None:
    """Nothing is guessed."""
    assert math.isnan(seconds(cell))


@given(st.integers(0, 10**12))
def test_time_deltas_of_pandas(microseconds: int) -> None:
    """Its text is read as the seconds it stands for."""
    delta = pd.Timedelta(microseconds, unit="us")
    assert seconds(str(delta)) == pytest.approx(delta.total_seconds(), abs=1e-6)


def test_an_unknown_end_is_the_recordings_end(tmp_path: Path) -> None:
    """NaT, as audformat's tables have it, and other ways to say nothing."""
    read = sheet(tmp_path, "file,start,end\na.wav,1,NaT\nb.wav,-,\nc.wav,nan,2\n")
    starts, ends = read.parts("start", "end")
    assert [*map(str, starts)] == ["1.0", "nan", "nan"]
    assert [*map(str, ends)] == ["nan", "nan", "2.0"]
