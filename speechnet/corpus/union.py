"""Several corpora as one table.

Conventions:
    The column ``corpus`` holds the definition's name, or ``<name>-1``, ``<name>-2`` in the list's
    order if several have the same. Files, speakers and sentences are ``<corpus>/<own name>``,
    because speaker 03 of one corpus is not speaker 03 of another. All other columns keep their
    labels, which are missing where a corpus lacks the column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.targets import TargetSetting
from speechnet.core.types import Targets
from speechnet.core.wording import counted, listing
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.discovery import ExcludedRow
from speechnet.corpus.known import saying
from speechnet.corpus.labels import Drop
from speechnet.corpus.reader import Corpus, Reading, in_order, read_rows

CORPUS: Final = "corpus"
"""The column that names each row's corpus."""

_PREFIXED: Final = ("file", "speaker", "sentence")


def load_corpora(
    configs: Sequence[CorpusConfig],
    targets: Mapping[str, TargetSetting],
    *,
    complete: bool = True,
) -> Corpus:
    """Read several corpora and keep the rows that the targets can use.

    Args:
        configs: the corpora; nothing outside their roots is read.
        targets: those of ``data.targets``; null takes the classes that occur in any corpus.
        complete: whether every listed class must have rows in some corpus.

    Returns:
        One corpus. Its ``root`` is the innermost folder that holds all roots, its table has the
        column ``corpus``, and its notes name the classes that some corpus lacks.

    Raises:
        ConfigError: the configuration or a definition is wrong, or a recording is listed twice.
        DataError: a folder, a table or a label is missing or wrong, or a corpus has no row left.
    """
    readings: list[Reading] = []
    drops: list[Drop] = []
    for number, config in enumerate(configs):
        with saying(f"data.corpora[{number}]", f" ({config.name})"):
            reading, dropped = read_rows(config).mapped(config.labels, targets)
        readings.append(reading)
        drops += dropped
    union = _join(readings)
    with saying("data.corpora[...]"):
        corpus = union.chosen(targets, drops, complete=complete)
    _check_none_lost(union.table, corpus)
    return replace(corpus, notes=(*corpus.notes, *_not_everywhere(corpus)))


def check_left_out(table: pd.DataFrame, targets: Targets) -> None:
    """Refuse a table of ``load_corpora`` if a class occurs in a single corpus.

    Nothing would be left to train on when that corpus is tested.

    Raises:
        DataError: it names the class and the corpus.
    """
    wrong: list[str] = []
    shared: list[str] = []
    for target, classes in targets.items():
        where = corpora_of_classes(table, target, classes)
        wrong += [
            f"without {corpus} no {target} {listing(only)} is left to train on"
            for corpus in table[CORPUS].unique()
            if (only := [label for label in classes if where[label] == [corpus]])
        ]
        both = [label for label in classes if len(where[label]) > 1]
        shared.append(f"{target}: [{', '.join(both)}]")
    if wrong:
        raise DataError(
            f"data.split.column: {CORPUS} tests on each corpus and trains on the others, but "
            f"{'; '.join(wrong)}. List classes that two corpora or more have, data.targets: "
            f"{{{', '.join(shared)}}}, or rename some by labels in data.corpora"
        )


def corpora_of_classes(
    table: pd.DataFrame, target: str, classes: Sequence[str]
) -> dict[str, list[str]]:
    """The corpora that have rows of each class, in the table's order."""
    pairs = table[[target, CORPUS]].drop_duplicates()
    return {label: pairs.loc[pairs[target] == label, CORPUS].tolist() for label in classes}


def _join(readings: Sequence[Reading]) -> Reading:
    names = _names([reading.name for reading in readings])
    root = Path(os.path.commonpath([reading.root for reading in readings]))
    tables = [_as_part(reading, name, root) for name, reading in zip(names, readings, strict=True)]
    columns = dict.fromkeys(column for table in tables for column in table.columns)
    union = pd.concat([in_order(table, [CORPUS, *columns]) for table in tables], ignore_index=True)
    _check_once(union)
    excluded: list[ExcludedRow] = []
    notes: list[str] = []
    for name, reading in zip(names, readings, strict=True):
        excluded += [
            (f"{name}/{file}", reason, detail) for file, reason, detail in reading.excluded
        ]
        notes += [f"{name}: {note}" for note in reading.notes]
    return Reading(" + ".join(names), root, union, tuple(excluded), tuple(notes))


def _names(definitions: Sequence[str]) -> list[str]:
    """A unique name for each corpus."""
    names = [
        f"{name}-{definitions[: position + 1].count(name)}" if definitions.count(name) > 1 else name
        for position, name in enumerate(definitions)
    ]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"data.corpora: the corpora would be called {', '.join(names)}, two of them alike; "
            "rename the definition that ends in a number"
        )
    return names


def _as_part(reading: Reading, name: str, root: Path) -> pd.DataFrame:
    """One corpus's table with the names it has in the union."""
    table = reading.table
    if CORPUS in table:
        raise ConfigError(
            f"data.corpora: {name} has a column {CORPUS!r} of its own, which here says from which "
            f"corpus a row is; give it another name, such as columns: {{origin: {CORPUS}}}"
        )
    below = os.path.relpath(reading.root, root)
    prefixed = {
        column: [None if pd.isna(own) else f"{name}/{own}" for own in table[column]]
        for column in _PREFIXED
    }
    new = prefixed | {
        "where": [f"{name}, {where}" for where in table["where"]],
        "path": [os.path.normpath(os.path.join(below, path)) for path in table["path"]],  # noqa: PTH118 - surrogates
        CORPUS: [name] * len(table),
    }
    text = {column: pd.Series(values, table.index, object) for column, values in new.items()}
    return table.assign(**text)


def _check_once(table: pd.DataFrame) -> None:
    twice = table[table.duplicated(["path", "start", "end"], keep=False)]
    if len(twice):
        first = twice[twice["path"] == twice["path"].iloc[0]]
        raise ConfigError(
            f"data.corpora: {' and '.join(first[CORPUS].unique())} both hold the same "
            f"{counted(twice['path'].nunique(), 'recording')}, the first: {first['file'].iloc[0]}; "
            "list each corpus once, with a root or a table of its own"
        )


def _check_none_lost(union: pd.DataFrame, kept: Corpus) -> None:
    for corpus, rows in union.groupby(CORPUS, sort=False):
        if corpus not in set(kept.table[CORPUS]):
            has = "; ".join(
                f"{target}: {listing(sorted(rows[target].dropna().unique())) or 'none'}"
                for target in kept.targets
            )
            raise DataError(
                f"data.corpora: no recording of {corpus} is left, because data.targets lists none "
                f"of its classes ({has}). Rename its labels (labels), or leave it out"
            )


def _not_everywhere(corpus: Corpus) -> list[str]:
    """Notes on the classes that some corpus lacks, one for each target."""
    count = corpus.table[CORPUS].nunique()
    notes = []
    for target, classes in corpus.targets.items():
        where = corpora_of_classes(corpus.table, target, classes)
        some = {label: has for label, has in where.items() if len(has) < count}
        if some:
            named = listing(f"{label} ({', '.join(has)})" for label, has in some.items())
            notes.append(f"classes of {target} that not every corpus has: {named}")
    return notes
