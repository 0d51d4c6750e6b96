"""Read a corpus into one table: a row for each recording, with its labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.safe_text import printable
from speechnet.core.targets import Continuous, TargetSetting, by_kind
from speechnet.core.types import Targets
from speechnet.core.wording import counted, listing, plural
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import Definition, load_definition
from speechnet.corpus.discovery import (
    NO_AUDIO,
    ExcludedRow,
    Found,
    discover,
    is_foreign,
    resolve_root,
    without_ending,
)
from speechnet.corpus.labels import (
    Drop,
    Labels,
    choose_rows,
    dropped_table,
    map_labels,
    read_values,
    without_placeholders,
)
from speechnet.corpus.table_reader import read_manifest

_HELPERS = ("file", "where")


@dataclass(frozen=True)
class Corpus:
    """A corpus with the rows and labels that the configuration asks for.

    Attributes:
        name: the definition's name, or several.
        root: the folder that all paths are relative to, links resolved.
        table: indexed by ``file``, a unique printable id: the path relative to the root, with
            ``#t=start,end`` where a row is a part of a recording. Columns ``CORPUS_COLUMNS``, then
            any further ones. ``path`` is for the operating system, relative to the root. ``start``
            and ``end`` are seconds, float64, NaN for the whole file; the others are text, None
            where a label is missing.
        targets: every categorical target with its ordered classes.
        scales: every continuous target; its column of the table is float64, NaN where missing.
        dropped: ``target, label, count, why`` of dropped rows.
        excluded: ``file, reason, detail`` of recordings that can't be used.
        notes: sentences for the user.
    """

    name: str
    root: Path
    table: pd.DataFrame
    targets: Targets
    scales: Mapping[str, Continuous]
    dropped: pd.DataFrame
    excluded: pd.DataFrame
    notes: tuple[str, ...]


def load_corpus(
    config: CorpusConfig, targets: Mapping[str, TargetSetting], *, complete: bool = True
) -> Corpus:
    """Read a corpus and keep the rows, at least one, that the targets can use.

    Args:
        config: names the corpus and its folder.
        targets: those of ``data.targets``.
        complete: whether every target must be a column and every listed class must have rows; false
            for a corpus that is only scored.

    Raises:
        ConfigError: the configuration or the definition is wrong.
        DataError: the folder, the table or a label is missing or wrong.
    """
    reading = read_rows(config)
    if not complete:
        lacking = {name: None for name in by_kind(targets)[0] if name not in reading.table}
        reading = replace(reading, table=reading.table.assign(**lacking))
    reading, drops = reading.mapped(config.labels, targets)
    return reading.chosen(targets, drops, complete=complete)


@dataclass(frozen=True)
class Reading:
    """A ``Corpus`` before its labels are mapped and its rows are chosen.

    Its table has the columns ``file``, the id, and ``where``, the row's place for messages, in
    front.
    """

    name: str
    root: Path
    table: pd.DataFrame
    excluded: tuple[ExcludedRow, ...]
    notes: tuple[str, ...]

    def mapped(
        self, labels: Labels, targets: Mapping[str, TargetSetting]
    ) -> tuple[Reading, list[Drop]]:
        """The same with labels mapped and placeholders removed, and the dropped rows.

        Raises:
            ConfigError: ``labels`` names a column or label that the table doesn't have.
            DataError: a label is unknown.
        """
        classes, scales = by_kind(targets)
        named = classes | dict.fromkeys(scales)
        table, notes = without_placeholders(self.table, labels=labels, targets=named)
        table, drops = map_labels(table, labels=labels, targets=classes)
        return replace(self, table=table, notes=(*self.notes, *notes)), drops

    def chosen(
        self, targets: Mapping[str, TargetSetting], drops: list[Drop], *, complete: bool
    ) -> Corpus:
        """The rows that the targets can use.

        Raises:
            ConfigError: a target isn't a column, or lists a class twice.
            DataError: a class has no rows, a value is off its scale, or no row is left.
        """
        classes, scales = by_kind(targets)
        table, found = read_values(self.table, scales), Targets()
        try:
            if classes or not scales:
                table, found, dropped = choose_rows(table, targets=classes, complete=complete)
                drops = [*drops, *dropped]
        except DataError as error:
            aside = ""
            if self.excluded:
                file, reason, detail = self.excluded[0]
                number, are = len(self.excluded), plural(len(self.excluded), "is", "are")
                aside = f". {counted(number, 'file')} {are} excluded, the first: {file} "
                aside += f"({reason}: {detail})"
            raise DataError(f"{error}{aside}") from error
        return Corpus(
            name=self.name,
            root=self.root,
            table=table.drop(columns="where").set_index("file"),
            targets=found,
            scales=scales,
            dropped=dropped_table(drops),
            excluded=pd.DataFrame(
                self.excluded, columns=["file", "reason", "detail"], dtype=object
            ),
            notes=self.notes,
        )


def read_rows(config: CorpusConfig) -> Reading:
    """Find a corpus's recordings and read their names or their table.

    Raises:
        ConfigError: the configuration or the definition is wrong.
        DataError: the folder or the table is missing or wrong, or holds no recording.
    """
    definition = load_definition(config.name)
    if definition.kind == "files" and (config.table or config.columns):
        raise ConfigError(
            f"data.corpus.table and columns are for corpora described by a table; {config.name} "
            "has its labels in the files' names"
        )
    root = resolve_root(config.root)
    found = discover(root)
    if definition.kind == "files":
        table, excluded = _read_names(definition, found), list(found.excluded)
        said: list[str] = []
    else:
        table, excluded, said = read_manifest(definition, config, root=root, found=found)
    if table.empty:
        raise DataError(_nothing_found(definition, root=root, found=found, excluded=excluded))
    notes = (*found.notes, *said, *_left_over(definition, table, found))
    return Reading(definition.name, root, in_order(table), tuple(excluded), notes)


def _read_names(definition: Definition, found: Found) -> pd.DataFrame:
    """A row for each file whose name the definition's pattern matches."""
    labels = {file: definition.labels_of_name(file) for file in found.files}
    named = {file: row for file, row in labels.items() if row is not None}
    if definition.match == "stem":  # a corpus may hold films of its recordings in another folder
        read = {_bare(file) for file in named if not is_foreign(file)}
        named = {f: row for f, row in named.items() if not (is_foreign(f) and _bare(f) in read)}
    columns = {
        name: pd.Series([row[name] for row in named.values()], dtype=object)
        for name in definition.fields
    }
    paths = pd.Series([found.files[file] for file in named], dtype=object)
    nan = np.full(len(named), np.nan)
    return pd.DataFrame(
        {"file": list(named), "where": list(named), "path": paths, "start": nan, "end": nan}
        | columns
    )


def _bare(file: str) -> str:
    return without_ending(file).rsplit("/", 1)[-1]


def in_order(table: pd.DataFrame, further: Iterable[str] = ()) -> pd.DataFrame:
    """The table with ``CORPUS_COLUMNS`` and further ones in front, all None if it lacks them."""
    order = list(dict.fromkeys([*_HELPERS, *CORPUS_COLUMNS, *further, *table.columns]))
    nothing = pd.Series([None] * len(table), table.index, object)
    return table.assign(**{name: nothing for name in order if name not in table})[order]


def _left_over(definition: Definition, table: pd.DataFrame, found: Found) -> list[str]:
    """Notes on audio files that aren't part of the corpus."""
    rest = sorted(set(found.files.values()).difference(table["path"]))
    named = definition.kind == "files" and definition.labels_of_name
    twins = [path for path in rest if named and is_foreign(path) and named(printable(path))]
    others = sorted(set(rest).difference(twins))
    notes = []
    if twins:
        notes.append(
            f"left out {counted(len(twins), 'file')} that can't be read, such as "
            f"{printable(twins[0])}: there are others of the same name that can"
        )
    if others:
        lack = "that the table doesn't list"
        if definition.kind == "files":
            lack = f"without a {definition.name} name (such as {definition.example})"
        notes.append(
            f"left out {counted(len(others), 'audio file')} below the root {lack}, the first: "
            f"{printable(others[0])}"
        )
    return notes


def _nothing_found(
    definition: Definition, *, root: Path, found: Found, excluded: list[ExcludedRow]
) -> str:
    if excluded and not found.files:
        file, reason, detail = excluded[0]
        others = f" and {len(excluded) - 1:,} more" if len(excluded) > 1 else ""
        return (
            f"{file}{others} can't be used ({reason}): {detail}; no other recording of "
            f"{definition.name} lies below {printable(str(root))} (--data.corpus.root)"
        )
    there = NO_AUDIO
    if found.files:
        first = listing(list(found.files)[:3])
        there = f"{counted(len(found.files), 'other audio file')}, such as {first}"
    said = f"no recording of {definition.name} below {printable(str(root))}: found {there}"
    if excluded:
        file, reason, detail = excluded[0]
        said += f"; {len(excluded)} excluded, the first: {file} ({reason}, {detail})"
    expected = "names" if definition.kind == "files" else "rows"
    return (
        f"{said}. Expected {expected} such as {definition.example}; check --data.corpus.root "
        "and --data.corpus.name"
    )
