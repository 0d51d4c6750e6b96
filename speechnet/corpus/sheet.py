"""Read a CSV as it stands, with the line each row comes from.

Conventions:
    Line numbers are those of a text editor: the header is line 1. Cells are stripped; an empty one,
    or one of NA, N/A, NaN, None, null, is missing. The delimiter is the comma, semicolon or tab
    that splits the header into most columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechnet.corpus.discovery import printable
from speechnet.errors import DataError
from speechnet.reading import open_regular
from speechnet.wording import listing

_MISSING = frozenset({"", "na", "n/a", "nan", "<na>", "none", "null"})


@dataclass(frozen=True)
class Sheet:
    """A CSV as it stands.

    Attributes:
        path: where it was read from, printable.
        columns: the header, without nameless columns.
        rows: column -> cell, None where it is missing.
        lines: the line each row ends on.
    """

    path: str
    columns: list[str]
    rows: list[dict[str, str | None]]
    lines: list[int]

    def refuse(self, wrong: Sequence[bool], why: str) -> None:
        """Complain about some rows.

        Args:
            wrong: for each row, whether it is wrong.
            why: what is wrong with them.

        Raises:
            DataError: any row is wrong; it names their lines.
        """
        lines = [line for line, is_wrong in zip(self.lines, wrong, strict=True) if is_wrong]
        if lines:
            raise DataError(f"{self.path}, line {listing(lines)}: {why}")


def read_sheet(path: Path) -> Sheet:
    """Read a CSV without interpreting its cells.

    Raises:
        DataError: it isn't UTF-8 or no table, a row is too long, or there are no rows.
    """
    name = printable(str(path))
    lines = _lines(_text(path, name), name)
    header = next(lines, (0, []))[1]
    columns = [column for column in header if column]
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise DataError(f"{name}: the header names {listing(twice)} more than once")
    sheet = Sheet(name, columns, [], [])
    for line, cells in lines:
        if any(cells[len(header) :]):
            raise DataError(
                f"{name}, line {line}: {len(cells)} cells, but the header has {len(header)}; "
                "put text that holds the delimiter in quotes"
            )
        row: dict[str, str | None] = dict.fromkeys(columns)
        row |= {
            column: None if cell.casefold() in _MISSING else cell
            for column, cell in zip(header, cells, strict=False)
            if column
        }
        sheet.rows.append(row)
        sheet.lines.append(line)
    if not sheet.rows:
        raise DataError(f"{name} has no rows; expected a header and a row for each recording")
    return sheet


def _text(path: Path, name: str) -> str:
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} isn't UTF-8 (byte {error.start}); save it again as CSV UTF-8"
        ) from error
    except OSError as error:
        raise DataError(f"can't read {name}: {error.strerror}") from error


def _lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Every line that isn't blank: its number and its stripped cells."""
    header = text.lstrip().partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text),
        delimiter=max(",;\t", key=lambda d: len(next(csv.reader([header], delimiter=d), []))),
        strict=True,
    )
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: not a CSV ({error})") from error
