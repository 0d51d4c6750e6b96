"""What a page's sections are made of; ``templates/parts.html.j2`` shows each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple

import pandas as pd
from markupsafe import Markup

from speechnet.report.names import UNDEFINED, p_value, percent, percent_interval, points

Kind = Literal["t", "n", "long"]
"""Of a column: text, numbers, or text of several lines. The style sheet's class."""
Row = Mapping[Any, Any]

_MOST: Final = 300  # more rows than this nobody reads on a page; all of them are in the run folder


class Cell(NamedTuple):
    """What stands in a table.

    Attributes:
        text: as it is read.
        value: what it is sorted by; None sorts by the text, and ``""`` comes last.
        mark: a class of the style sheet: ``b`` bold, ``fault``, ``warn``.
    """

    text: str
    value: float | str | None = None
    mark: str = ""


class Column(NamedTuple):
    """How a column's cells are made of a row, set and sorted."""

    kind: Kind
    cell: Callable[[Row], Cell]


def number(value: float, text: str, mark: str = "") -> Cell:
    """A number as it is written, sorted by its value; NaN sorts last."""
    return Cell(text, "" if math.isnan(value) else float(value), mark)


def numbers(name: str, write: Callable[[Row], str]) -> Column:
    """A column of numbers, written by a function of the row."""
    return Column("n", lambda row: number(row[name], write(row)))


def text(name: str, label: Callable[[Any], str] = str, *, kind: Kind = "t") -> Column:
    """A column of text; what is missing is left empty."""
    return Column(kind, lambda row: Cell("" if pd.isna(row[name]) else label(row[name])))


def whole(name: str) -> Column:
    """A column of whole numbers."""
    return numbers(name, lambda row: f"{row[name]:,.0f}")


def decimal(name: str, digits: int = 2) -> Column:
    """A column of numbers with so many decimals."""
    return numbers(
        name, lambda row: UNDEFINED if math.isnan(row[name]) else f"{row[name]:,.{digits}f}"
    )


def share(name: str) -> Column:
    """A column of shares in per cent."""
    return numbers(name, lambda row: percent(row[name]))


def interval(name: str) -> Column:
    """A column of shares in per cent with the interval from ``low`` to ``high``."""
    return numbers(name, lambda row: percent_interval(row[name], row["low"], row["high"]))


def change(name: str) -> Column:
    """A column of differences in percentage points, from ``low`` to ``high``."""
    return numbers(name, lambda row: points(row[name], row["low"], row["high"]))


def p(name: str) -> Column:
    """A column of p values, whose heading says what they are."""
    return numbers(
        name, lambda row: p_value(row[name]).removeprefix("p ").removeprefix("= ") or UNDEFINED
    )


def yes_no(holds: Callable[[Row], bool]) -> Column:
    """A column that says whether something holds, in bold where it does."""
    return Column("t", lambda row: Cell("yes", mark="b") if holds(row) else Cell("no"))


@dataclass(frozen=True)
class Table:
    """A table that sorts by each column: headings with their kind, and a cell for each.

    A note stands below it; a folded one is opened by a click.
    """

    kind: ClassVar = "table"

    caption: str
    columns: Mapping[str, Kind]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    folded: bool = False

    @classmethod
    def of(
        cls,
        caption: str,
        rows: pd.DataFrame,
        columns: Mapping[str, Column],
        *,
        note: str = "",
        folded: bool = False,
        file: str = "",
    ) -> Table:
        """A table of a table, its first rows if it is too long for a page.

        ``columns`` are by heading what stands in each; ``file`` of the run folder has all rows.
        """
        if len(rows) > _MOST:
            cut = f"The first {_MOST} of {len(rows):,} rows; all of them are in {file}."
            note, rows = f"{cut} {note}".rstrip(), rows.head(_MOST)
        cells = [
            [column.cell(row) for column in columns.values()] for row in rows.to_dict("records")
        ]
        kinds = {heading: column.kind for heading, column in columns.items()}
        return cls(caption, kinds, cells, note, folded)


@dataclass(frozen=True)
class Picture:
    """A figure, and below it what is seen in it."""

    kind: ClassVar = "figure"

    image: Markup
    caption: str


@dataclass(frozen=True)
class Heading:
    """What the following parts of a section are about."""

    kind: ClassVar = "heading"

    text: str


@dataclass(frozen=True)
class Sentences:
    """Findings, each in a sentence; behind a click on ``folded`` unless that is empty."""

    kind: ClassVar = "sentences"

    texts: Sequence[str]
    folded: str = ""


@dataclass(frozen=True)
class Empty:
    """Why there is nothing, and what would fill the place."""

    kind: ClassVar = "empty"

    text: str


Item = Table | Picture | Heading | Sentences | Empty
