"""Read a CSV with the line number of each row.

Conventions:
    Line numbers are those of a text editor: the header is line 1, or 2 below Excel's ``sep=;``.
    Cells are stripped; an empty cell is missing. The delimiter is the comma, semicolon, tab or
    vertical bar that splits the header into most columns.

    In a tab-separated table quotes are ordinary letters, as corpora write them, unless each name of
    the header is in quotes. Elsewhere a quoted cell must end on its own line, because a lone quote
    would swallow an unknown number of lines.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from speechnet.core.errors import DataError
from speechnet.core.reading import read_regular
from speechnet.core.safe_text import printable
from speechnet.core.types import Float64
from speechnet.core.wording import listing
from speechnet.corpus.discovery import without_ending

MISSING: Final = frozenset(
    [
        *("", "na", "n/a", "n.a.", "#n/a", "nan", "nat", "<na>", "none", "null", "nil"),
        *("-", "--", "?", "''", '""'),
    ]
)
"""Cells, in lower case, of which the value is missing."""

LARGEST: Final = 2**30
"""Bytes of a table or a list: some ten million recordings."""

_TIME: Final = re.compile(
    r"(?:(?P<days>\d+) days?,?\s*)?"
    r"(?:(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:[.,]\d*)?))?"
)
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Sheet:
    """A table of text.

    Attributes:
        path: of the file, printable.
        columns: the header, without nameless columns.
        rows: column -> cell, None where it is empty.
        lines: the line number of each row.
    """

    path: str
    columns: list[str]
    rows: list[dict[str, str | None]]
    lines: list[int]

    def refuse(self, wrong: Sequence[bool], why: str) -> None:
        """Refuse the table if rows are wrong.

        Args:
            wrong: for each row, whether it is wrong.
            why: the end of the message.

        Raises:
            DataError: it names the lines.
        """
        lines = [line for line, is_wrong in zip(self.lines, wrong, strict=True) if is_wrong]
        if lines:
            raise DataError(f"{self.path}, line {listing(lines)}: {why}")

    def parts(self, start: str | None, end: str | None) -> tuple[Float64, Float64]:
        """The start and end of each row's part of its recording, from two columns, if they exist.

        Returns:
            Seconds, float64 ``[rows]`` each; NaN for the beginning and the end of the recording.

        Raises:
            DataError: a cell isn't a time, or a part ends before it begins.
        """
        begins, ends = self._seconds(start), self._seconds(end)
        wrong = (begins < 0) | (ends <= np.where(np.isnan(begins), 0, begins))
        self.refuse(wrong.tolist(), "start must be at least 0 and lie before end")
        return begins, ends

    def _seconds(self, column: str | None) -> Float64:
        cells = [row.get(column or "") or "" for row in self.rows]
        known = np.array([cell.casefold() not in MISSING for cell in cells], dtype=bool)
        values = np.array([seconds(cell) for cell in cells], dtype=np.float64)
        self.refuse(
            (known & ~np.isfinite(values)).tolist(),
            f"{column} isn't a number of seconds, such as 1.25, nor a time, such as 00:01:02.5",
        )
        return np.where(known, values, np.nan)


def seconds(cell: str) -> float:
    """The seconds of ``1.6``, ``1,60``, ``02:01.6``, ``0 days 00:02:01.6``; NaN of other text."""
    if _DECIMAL.fullmatch(cell):
        return float(cell.replace(",", "."))
    found = _TIME.fullmatch(cell)
    if not found or not cell:
        return math.nan
    days, hours, minutes = (int(found[unit] or 0) for unit in ("days", "hours", "minutes"))
    rest = float((found["seconds"] or "0").replace(",", "."))
    if (found["hours"] and minutes >= 60) or (found["minutes"] and rest >= 60):
        return math.nan
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def fragment(start: float, end: float) -> str:
    """A part of a recording, such as ``#t=1.5,3``, in seconds; empty for the whole recording.

    As W3C Media Fragments URI 1.0, section 4.2.1, has it. NaN stands for the beginning or the end.
    """
    times = ["" if math.isnan(t) else np.format_float_positional(t, trim="-") for t in (start, end)]
    return f"#t={','.join(times)}".rstrip(",") if any(times) else ""


def read_sheet(path: Path) -> Sheet:
    """Read a table of text.

    Raises:
        DataError: it isn't a table in UTF-8, is too large, has no header or no rows, or has a row
            that is too long.
    """
    name = printable(str(path))
    lines = _lines(_text(path, name), name)
    at, header = next(lines, (0, []))
    columns = [column for column in header if column]
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise DataError(f"{name}: the header names {listing(twice)} more than once")
    if recordings := [column for column in columns if without_ending(column) != column]:
        raise DataError(
            f"{name}, line {at}: {recordings[0]!r} is a recording, where the names of the columns "
            "are expected; put them on a line above, such as file,speaker,gender,emotion"
        )
    sheet = Sheet(name, columns, [], [])
    for line, cells in lines:
        if any(cells[len(header) :]):
            raise DataError(
                f"{name}, line {line}: {len(cells)} cells, but the header has {len(header)}; "
                "put text that holds the delimiter in quotes"
            )
        row: dict[str, str | None] = dict.fromkeys(columns)
        row |= {column: cell or None for column, cell in zip(header, cells, strict=False) if column}
        sheet.rows.append(row)
        sheet.lines.append(line)
    if not sheet.rows:
        raise DataError(f"{name} has no rows; expected a header and a row for each recording")
    return sheet


def _text(path: Path, name: str) -> str:
    try:
        text = read_regular(path, largest=LARGEST).decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} isn't UTF-8 (byte {error.start}); save it again as CSV UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"can't read {name}: {error.strerror}") from error


def _lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the stripped cells of each line that isn't blank."""
    named = re.match(r"sep=(.)[^\S\n]*\n", text)
    header = text[named.end() if named else 0 :].lstrip(" \n").partition("\n")[0]
    columns = {d: len(next(csv.reader([header], delimiter=d), [])) for d in ",;\t|"}
    delimiter = named[1] if named else max(columns, key=columns.__getitem__)
    quoted = delimiter != "\t" or all(
        len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in header.split("\t")
    )
    reader = csv.reader(
        io.StringIO(text),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    if named:
        next(reader)
    begins = reader.line_num + 1
    try:
        for cells in reader:
            if reader.line_num > begins:
                raise DataError(_spans(name, begins, reader.line_num))
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
            begins = reader.line_num + 1
    except csv.Error as error:
        if reader.line_num > begins:
            raise DataError(_spans(name, begins, reader.line_num)) from error
        raise DataError(f"{name}, line {begins}: not a CSV ({error})") from error


def _spans(name: str, first: int, last: int) -> str:
    return (
        f"{name}, line {first} to {last}: a cell in quotes goes on to another line; close its "
        "quote, write a quote within it twice, or put its text on one line"
    )
