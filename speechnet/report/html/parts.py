"""What a page's sections are made of; ``templates/parts.html.j2`` shows each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, NamedTuple

from markupsafe import Markup

from speechnet.report.html.svg import inline_svg
from speechnet.report.names import UNDEFINED, p_value

Kind = Literal["t", "n", "long"]
"""Of a column: text, numbers, or text of several lines. The style sheet's class."""

_MOST: Final = 300
"""More rows than this nobody reads on a page; all of them are in the run folder."""


class Column(NamedTuple):
    """A column's heading, and how its cells are set and sorted."""

    name: str
    kind: Kind = "t"


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


@dataclass(frozen=True)
class Table:
    """A table that sorts by each column.

    Attributes:
        caption: what it shows.
        columns: its headings.
        rows: a cell for each column.
        note: what a reader must know besides, below it.
        folded: whether it is opened by a click.
    """

    kind: ClassVar = "table"

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: what it is.
        svg: the element.
        caption: what is seen in it, below it.
    """

    kind: ClassVar = "figure"

    name: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Heading:
    """What the following parts of a section are about."""

    kind: ClassVar = "heading"

    text: str


@dataclass(frozen=True)
class Sentences:
    """Findings, each in a sentence.

    Attributes:
        texts: the sentences.
        folded: what is clicked to read them; empty if they are read at once.
    """

    kind: ClassVar = "sentences"

    texts: Sequence[str]
    folded: str = ""


@dataclass(frozen=True)
class Empty:
    """Why there is nothing, and what would fill the place."""

    kind: ClassVar = "empty"

    text: str


Item = Table | Picture | Heading | Sentences | Empty


@dataclass(frozen=True)
class Section:
    """One chapter of a page.

    Attributes:
        id: what links point to.
        title: its heading.
        short: the same in the row of links.
        lead: what it is about, in a sentence.
        items: its parts in order.
    """

    id: str
    title: str
    short: str
    lead: str
    items: Sequence[Item]


def number(value: float, text: str, mark: str = "") -> Cell:
    """A number as it is written, sorted by its value; NaN sorts last."""
    return Cell(text, "" if math.isnan(value) else value, mark)


def count(value: float) -> Cell:
    """A whole number."""
    return number(value, f"{value:,.0f}")


def words(texts: Iterable[object]) -> list[Cell]:
    """Cells of text."""
    return [Cell(str(text)) for text in texts]


def sentence(text: str) -> str:
    """A finding, as the report's tables and words give it, as a whole sentence."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def p_cell(p: float) -> Cell:
    """A p value in a column of its own, which says what it is."""
    return number(p, p_value(p).removeprefix("p ").removeprefix("= ") or UNDEFINED)


def picture(svg_text: str, *, name: str, caption: str) -> Picture:
    """A figure with its caption, which is its text alternative too."""
    return Picture(name, inline_svg(svg_text, name=name, description=caption), caption)


def cut(table: Table, *, file: str) -> Table:
    """The table's first rows, if it is too long for a page, with a note of where the rest is.

    Args:
        table: of any length.
        file: the table's name in the run folder.
    """
    if len(table.rows) <= _MOST:
        return table
    note = f"The first {_MOST} of {len(table.rows):,} rows; all of them are in {file}. {table.note}"
    return replace(table, rows=table.rows[:_MOST], note=note.rstrip())
