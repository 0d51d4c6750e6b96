"""Read a corpus whose labels are in a table."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.safe_text import printable, visible
from speechnet.core.wording import did_you_mean, listing
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.csv_table import MISSING, Sheet, fragment, read_sheet
from speechnet.corpus.definition import Definition, Field, canonical
from speechnet.corpus.discovery import ExcludedRow, Found, inside, is_foreign, without_ending
from speechnet.corpus.relocation import OtherMachine

_NO_LABELS = ("file", "start", "end")


def read_manifest(
    definition: Definition, config: CorpusConfig, *, root: Path, found: Found
) -> tuple[pd.DataFrame, list[ExcludedRow], list[str]]:
    """Read a corpus's table and find the recordings that it lists.

    Args:
        definition: of kind ``manifest``.
        config: its ``table`` and ``columns`` override the definition's.
        root: the corpus's folder, resolved.
        found: the audio files below it.

    Returns:
        The table of ``Reading``, a row for each recording that exists; the excluded rows; and
        notes.

    Raises:
        ConfigError: ``columns`` names a column that the CSV doesn't have.
        DataError: the CSV is missing, malformed or lacks a column, lists a recording twice or under
            an ambiguous name, or has cells that aren't times.
    """
    sheet = read_sheet(_table_path(config.table or definition.table, root))
    fields = _fields(definition, config, sheet)
    start, end = sheet.parts(*(fields.get(name, Field()).column for name in ("start", "end")))
    names = [fields["file"].cell(row) or "" for row in sheet.rows]
    sheet.refuse(
        [name.casefold() in MISSING for name in names],
        f"{fields['file'].column} is empty; name the recording",
    )
    finder = _Finder(root, found, names)
    paths: list[str | None] = []
    excluded: list[ExcludedRow] = []
    for name, line in zip(names, sheet.lines, strict=True):
        try:
            paths.append(finder.path(name, f"{sheet.path}, line {line}"))
        except Excluded as reason:
            paths.append(None)
            excluded.append((printable(name), reason.reason, reason.detail))
    table = pd.DataFrame(
        {
            "where": [f"line {line}" for line in sheet.lines],
            "path": pd.Series(paths, dtype=object),
            "start": np.where(np.isnan(start) & ~np.isnan(end), 0.0, start),
            "end": end,
            **_label_columns(sheet, fields),
        }
    )
    table = table[table["path"].notna()].reset_index(drop=True)
    parts = zip(table["path"], table["start"], table["end"], strict=True)
    files = [printable(path) + fragment(first, last) for path, first, last in parts]
    table.insert(0, "file", pd.Series(files, dtype=object))
    twice = table[table["file"].duplicated(keep=False)].sort_values("file", kind="stable")
    if len(twice):
        rows = listing(twice["where"] + " " + twice["file"])
        raise DataError(f"{sheet.path} lists the same recording twice: {rows}")
    return table, excluded, [*finder.notes(), *_unused_columns(table, fields)]


def _table_path(name: str, root: Path) -> Path:
    """The CSV's path, which must lie below the root."""
    path = root / name
    if not inside(root, name):
        raise DataError(
            f"data.corpus.table {name!r} lies outside the corpus's folder {printable(str(root))}; "
            "nothing outside it is read: copy the table there, or choose a folder above both"
        )
    if not path.is_file():
        tables = sorted(
            printable(p.name) for p in root.iterdir() if p.suffix.lower() in {".csv", ".tsv"}
        )
        there = f"there is {listing(tables, 3)}" if tables else "it holds no CSV or TSV"
        raise DataError(
            f"the corpus's folder {printable(str(root))} has no table {name!r} ({there}); "
            "give its path below that folder with --data.corpus.table"
        )
    return path


def _fields(definition: Definition, config: CorpusConfig, sheet: Sheet) -> dict[str, Field]:
    """The definition's fields that the CSV has, with the configuration's columns."""
    # A pattern belongs to the definition's column, so of a field only the code table is kept.
    fields = definition.fields | {
        name: Field(column=column, map=definition.fields.get(name, Field()).map)
        for name, column in config.columns.items()
    }
    for name, field in list(fields.items()):
        if field.column is None or field.column in sheet.columns:
            continue
        letters = _letters(field.column)
        alike = [column for column in sheet.columns if _letters(column) == letters]
        if field.pattern is None and len(alike) == 1:
            fields[name] = replace(field, column=alike[0])
            continue
        if all(column in sheet.columns for column in field.columns):
            continue
        if not field.optional:
            error = ConfigError if name in config.columns else DataError
            raise error(
                f"{sheet.path} has no column {field.column!r} for {name}"
                f"{did_you_mean(field.column, sheet.columns)}; it has "
                f"{listing(sheet.columns, 20)}; set --data.corpus.columns.{name}, to a column or "
                "to several in braces, such as 'dia{Dialogue_ID}_utt{Utterance_ID}'"
            )
        del fields[name]
    further = set(sheet.columns) - {field.column for field in fields.values()}
    if reserved := sorted({"file", "path"} & (further | (fields.keys() - {"file"}))):
        raise DataError(
            f"{sheet.path}: a column that isn't the recording's name can't be called "
            f"{listing(reserved)}; rename it, or set --data.corpus.columns.file"
        )
    own = {name: Field(column=name) for name in CORPUS_COLUMNS if name in further - fields.keys()}
    return fields | own


def _letters(name: str) -> str:
    """A column's name without case, blanks and underscores."""
    return "".join(letter for letter in name.casefold() if letter not in " _-.")


def _unused_columns(table: pd.DataFrame, fields: dict[str, Field]) -> list[str]:
    """Notes on columns whose name contains that of a column which the table lacks."""
    lacking = [name for name in ("speaker", "gender", "emotion") if name not in fields]
    return [
        f"the table has no column {name!r}, but {near!r}: if that is what it holds, set "
        f"--data.corpus.columns.{name} {near!r}"
        for name in lacking
        if (near := next((c for c in map(str, table.columns) if name in _letters(c)), None))
    ]


def _label_columns(sheet: Sheet, fields: dict[str, Field]) -> dict[str, pd.Series]:
    """A column for each field and each further column of the CSV, text or None."""
    columns = {
        name: [field.label(name, field.cell(row)) for row in sheet.rows]
        for name, field in fields.items()
        if name not in _NO_LABELS
    }
    used = {field.column for field in fields.values()}
    for column in sheet.columns:
        if column not in used and column not in columns:
            cells = [row[column] for row in sheet.rows]
            columns[column] = [None if cell is None else canonical(cell) for cell in cells]
    return {
        name: pd.Series([None if cell is None else visible(cell) for cell in cells], dtype=object)
        for name, cells in columns.items()
    }


class _Finder:
    """Finds a recording by its name in a table: a path, or a bare name in any folder."""

    def __init__(self, root: Path, found: Found, names: list[str]) -> None:
        self.root = root
        self.by_path: dict[str, list[str]] = {}
        self.by_stem: dict[str, list[str]] = {}
        for file, path in found.files.items():
            bare = _composed(without_ending(file))
            self.by_path.setdefault(bare, []).append(path)
            self.by_stem.setdefault(bare.rsplit("/", 1)[-1], []).append(path)
        self.refused: dict[str, ExcludedRow] = {}
        for row in found.excluded:
            bare = _composed(without_ending(row[0]))
            self.refused |= {bare: row, bare.rsplit("/", 1)[-1]: row}
        self.machine = OtherMachine(
            names, lambda name: _composed(without_ending(name)) in self.by_path
        )

    def notes(self) -> list[str]:
        if not self.machine.folder:
            return []
        return [
            f"the table's paths begin with {printable(self.machine.folder)}; read as "
            f"{printable(str(self.root))}"
        ]

    def path(self, name: str, where: str) -> str:
        """The recording's path relative to the root.

        Raises:
            Excluded: ``missing``, ``outside_root`` or ``unreadable``.
            DataError: the name fits several recordings.
        """
        try:
            return self._path(name, where)
        except Excluded:
            for other in self.machine.spellings(name):
                with contextlib.suppress(Excluded):
                    return self._path(other, where)
            raise

    def _path(self, name: str, where: str) -> str:
        root = printable(str(self.root))
        if "\0" in name:
            raise Excluded("missing", f"{where}: a name with a zero byte")
        path = os.path.relpath(self.root / name, self.root)
        if path.startswith(".."):  # an absolute path may lead to the root by way of a link
            path = os.path.relpath(os.path.realpath(self.root / name), self.root)
        if not inside(self.root, path):
            raise Excluded("outside_root", f"{where}: not below {root}")
        there = os.path.isfile(self.root / path)  # noqa: PTH113 - a long name isn't a file
        if there and not is_foreign(path):
            return path
        bare = _composed(without_ending(path))
        candidates = self.by_path if "/" in name else self.by_stem
        # A table may hold ids too, which differ from names that aren't UTF-8.
        fits = candidates.get(printable(bare)) or candidates.get(bare) or []
        fits = [one for one in fits if not is_foreign(one)] or fits
        if there and not (fits and "/" in name):
            return path
        if not fits and (refused := self.refused.get(bare)):
            raise Excluded(refused[1], f"{where}: {refused[2]}")
        if not fits:
            raise Excluded("missing", f"{where}: no such audio file below {root}")
        if len(fits) > 1:
            raise DataError(
                f"{where}: {name!r} could be {listing(map(printable, fits), 3)}; "
                "give the path below the corpus's folder"
            )
        return fits[0]


def _composed(text: str) -> str:
    """Join letters and their accents, which archives from macOS hold apart."""
    return unicodedata.normalize("NFC", text)
