"""Map, check and filter the labels of a corpus, counting all that is dropped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.targets import VOCABULARY, Continuous
from speechnet.core.types import Targets
from speechnet.core.wording import counted, did_you_mean, listing
from speechnet.corpus.csv_table import MISSING

Labels = Mapping[str, Mapping[str, str | None]]
"""``data.corpus.labels``: column -> label -> its new name, or None to drop its rows."""

Classes = Mapping[str, list[str] | None]
"""Target -> its classes in order, or None for all that occur."""

Drop = tuple[str, str, int, str]
"""Dropped rows, counted: a row of ``Corpus.dropped``."""

DROPPED_COLUMNS: Final = ("target", "label", "count", "why")
NOT_LISTED: Final = "not among the classes"
"""Why a row is dropped whose class ``data.targets`` doesn't list."""

UNDECIDED: Final = {"emotion": frozenset({"another emotion", "no agreement"})}
"""Labels of definitions that aren't classes."""

_NO_LABELS: Final = frozenset({"file", "where", "path", "start", "end"})
_PERSONAL: Final = frozenset({"speaker", "gender"})
_UNKNOWN: Final = frozenset(
    [
        *("unknown", "unk", "unspecified", "not specified", "undefined", "undisclosed"),
        *("unidentified", "anonymous", "not available", "not known", "prefer not to say"),
        *("do_not_wish_to_say", "do not wish to say", "no data", "missing"),
    ]
)
"""Labels that mean unknown for a speaker or a gender; elsewhere they may be classes."""
_TO_FILL: Final = "..."
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_MANY_NUMBERS: Final = 20


def dropped_table(drops: Iterable[Drop]) -> pd.DataFrame:
    """Dropped rows as ``Corpus.dropped`` has them: those of a label for one reason together."""
    table = pd.DataFrame(drops, columns=list(DROPPED_COLUMNS))
    sums = table.groupby(["target", "label", "why"], sort=False)[["count"]].sum()
    return sums.reset_index()[list(DROPPED_COLUMNS)]


def without_placeholders(
    table: pd.DataFrame, *, labels: Labels, targets: Classes
) -> tuple[pd.DataFrame, list[str]]:
    """Remove labels that mean that there is none, such as ``NA``, ``-`` and ``''``.

    For speakers and genders ``Unknown`` and the like are removed too. Labels that the configuration
    names, as a class or to be mapped, stay.

    Returns:
        The table, and what was removed from speakers, genders and targets, in words.
    """
    notes = []
    for column in _label_columns(table):
        named = {
            str(label).casefold()
            for label in [*(targets.get(column) or []), *labels.get(column, [])]
        }
        words = MISSING | (_UNKNOWN if column in _PERSONAL else UNDECIDED.get(column, frozenset()))
        counts = _counts(table[column])
        found = {label: n for label, n in counts.items() if label.casefold() in words - named}
        if not found:
            continue
        kept = [None if label in found else label for label in table[column]]
        table = table.assign(**{column: pd.Series(kept, index=table.index, dtype=object)})
        if column in _PERSONAL or column in targets:
            said = listing(f"{label!r} ({counted(count, 'row')})" for label, count in found.items())
            notes.append(f"{column}: {said} is read as not known")
    return table, notes


def read_values(table: pd.DataFrame, scales: Mapping[str, Continuous]) -> pd.DataFrame:
    """Read the values of continuous targets, float64, NaN where missing.

    Raises:
        ConfigError: a target isn't a column.
        DataError: a cell isn't a number on its target's scale; it names the recording and the line.
    """
    _check_columns(table, scales, key="data.targets")
    where = table["file"] + ", " + table["where"]
    return table.assign(
        **{
            name: pd.Series(target.encode(name, table[name], where), table.index, np.float64)
            for name, target in scales.items()
        }
    )


def map_labels(
    table: pd.DataFrame, *, labels: Labels, targets: Classes
) -> tuple[pd.DataFrame, list[Drop]]:
    """Map one corpus's labels; a row goes when a label of it is mapped to null.

    Args:
        table: a row for each recording; ``where`` says where a row comes from, for messages.
        labels: what to map.
        targets: whose classes are known labels too.

    Returns:
        The kept rows, and the dropped ones.

    Raises:
        ConfigError: a key of ``labels`` fits nothing.
        DataError: a label is unknown.
    """
    _check_columns(table, labels, key="data.corpus.labels")
    drops: list[Drop] = []
    for column, mapping in labels.items():
        table = _map(table, column, mapping, classes=targets.get(column), drops=drops)
    for target, classes in targets.items():
        produced = [label for label in labels.get(target, {}).values() if label is not None]
        if target in table:
            _check_vocabulary(table, target, known=[*produced, *(classes or [])])
    return table, drops


def choose_rows(
    table: pd.DataFrame, *, targets: Classes, complete: bool = True
) -> tuple[pd.DataFrame, Targets, list[Drop]]:
    """Keep the rows that some target can use.

    A row goes when a label of it is not among a target's listed classes, or when it has no label
    for any target. A row with a missing label stays for the other targets.

    Args:
        table: as ``map_labels`` leaves it.
        targets: which labels are asked for.
        complete: whether every listed class must have rows.

    Returns:
        The kept rows, every target with its ordered classes, and the dropped rows.

    Raises:
        ConfigError: a target isn't a column, or lists a class twice.
        DataError: a class has no rows, or no row is left.
    """
    _check_targets(table, targets)
    drops: list[Drop] = []
    for target, classes in targets.items():
        if classes is not None:
            keep = table[target].isna() | table[target].isin(classes)
            table = _drop(table, target, keep=keep, why=NOT_LISTED, drops=drops)
    unlabelled = table[list(targets)].isna().all(axis="columns")
    if unlabelled.any():
        drops.append(("", "", int(unlabelled.sum()), "no label for any target"))
        table = table[~unlabelled]
    resolved = {
        target: list(classes) if classes and not complete else _classes(table, target, classes)
        for target, classes in targets.items()
    }
    if table.empty:
        found = listing([f"{count} {label or 'unlabelled'}" for _, label, count, _ in drops])
        wanted = "; ".join(f"{target}: {', '.join(names)}" for target, names in resolved.items())
        raise DataError(f"no recording has a class that is asked for ({wanted}); found {found}")
    return table, resolved, drops


def _label_columns(table: pd.DataFrame) -> list[str]:
    return [str(column) for column in table.columns if column not in _NO_LABELS]


def _check_columns(table: pd.DataFrame, names: Iterable[str], *, key: str) -> None:
    columns = _label_columns(table)
    for name in names:
        if name not in columns:
            raise ConfigError(
                f"{key}: the corpus has no column {name!r}{did_you_mean(name, columns)}; "
                f"it has {listing(columns, 20)}"
            )


def _check_targets(table: pd.DataFrame, targets: Classes) -> None:
    if not targets:
        columns = listing(_label_columns(table), 20)
        raise ConfigError(f"data.targets is empty; choose from the columns {columns}")
    _check_columns(table, targets, key="data.targets")
    for target, classes in targets.items():
        if classes is not None and len(set(classes)) < max(len(classes), 1):
            raise ConfigError(f"data.targets.{target} must list each class once, not {classes}")


def _map(
    table: pd.DataFrame,
    column: str,
    mapping: Mapping[str, str | None],
    *,
    classes: list[str] | None,
    drops: list[Drop],
) -> pd.DataFrame:
    """Rename one column's labels and drop the rows of those mapped to null."""
    key = f"data.corpus.labels.{column}"
    mapping = {str(label): new for label, new in mapping.items()}  # YAML reads a code as a number
    present = _counts(table[column])
    for label, new in mapping.items():
        if label not in present:
            raise ConfigError(
                f"{key}: no row is labelled {label!r}{did_you_mean(label, present)}; "
                f"there are {listing(sorted(present), 20)}"
            )
        known = [*(classes or []), *VOCABULARY.get(column, ())]
        if new == _TO_FILL:
            raise ConfigError(f"{key}: put the label that {label!r} means in place of the dots")
        if new is not None and classes is not None and new not in known:
            raise ConfigError(
                f"{key}: {label!r} becomes {new!r}, which isn't among data.targets.{column}"
                f"{did_you_mean(new, known)}: {listing(classes, 20)}; to drop its rows, say null"
            )
    gone = [label for label, new in mapping.items() if new is None]
    table = _drop(table, column, keep=~table[column].isin(gone), why="mapped to null", drops=drops)
    renamed = [
        mapping.get(label, label) if isinstance(label, str) else None for label in table[column]
    ]
    return table.assign(**{column: pd.Series(renamed, index=table.index, dtype=object)})


def _drop(
    table: pd.DataFrame, target: str, *, keep: pd.Series, why: str, drops: list[Drop]
) -> pd.DataFrame:
    counts = sorted(_counts(table.loc[~keep, target]).items())
    drops += [(target, label, count, why) for label, count in counts]
    return table[keep]


def _check_vocabulary(table: pd.DataFrame, target: str, *, known: list[str]) -> None:
    """Refuse labels outside the vocabulary that the configuration doesn't name."""
    if target not in VOCABULARY:
        return
    allowed = dict.fromkeys([*VOCABULARY[target], *known])
    unknown = table[table[target].notna() & ~table[target].isin(list(allowed))]
    if unknown.empty:
        return
    first = unknown.groupby(target, sort=False)["where"].agg(["first", "size"])
    rows = [
        f"{label!r} ({counted(row.size_, 'row')}, the first: {row.first_})"
        f"{_several(str(label)) or did_you_mean(str(label), allowed)}"
        for label, row in first.set_axis(["first_", "size_"], axis="columns").iterrows()
    ]
    raise DataError(
        f"unknown {target}: {listing(rows, 20)}. Known are "
        f"{', '.join(allowed)}. Say what each means, or null to leave its rows out: "
        f"{_to_map(target, [str(label) for label in first.index], allowed)}"
    )


def _several(label: str) -> str:
    """A remark in brackets if a cell holds several labels: ``angry;happy`` or ``male_angry``."""
    words = {word for known in VOCABULARY.values() for word in known}
    parts = dict.fromkeys(re.split(r"[^a-z]+", label.casefold()))
    found = [part for part in parts if part in words]
    if len(found) < 2:
        return ""
    return f" (several labels in one cell: {' and '.join(found)}; a column has one)"


def _to_map(column: str, labels: Iterable[str], known: Iterable[str]) -> str:
    """The setting that maps labels, for the user to fill in."""
    near = {
        label: [] if _several(label) else get_close_matches(label.casefold(), known, 1, cutoff=0.8)
        for label in labels
    }
    said = (
        f"{json.dumps(label, ensure_ascii=False)}: {found[0] if found else _TO_FILL}"
        for label, found in near.items()
    )
    return f"--data.corpus.labels.{column} '{{{', '.join(said)}}}'"


def _classes(table: pd.DataFrame, target: str, listed: list[str] | None) -> list[str]:
    """A target's ordered classes, each with at least one row."""
    present = _counts(table[target])
    if not present:
        raise DataError(
            f"no row has a label for {target!r}; take it out of data.targets (as in --data.targets "
            "'{emotion: null}', which leaves emotion alone), or, if the corpus's "
            f"table has it under another name, set --data.corpus.columns.{target}"
        )
    if listed is None:
        _check_are_classes(target, present)
        closed = [label for label in VOCABULARY.get(target, ()) if label in present]
        return closed + sorted(set(present).difference(closed))
    if empty := [label for label in listed if label not in present]:
        there = [f"{label} ({count})" for label, count in sorted(present.items())]
        raise DataError(
            f"data.targets.{target}: no row is labelled {listing(empty)}"
            f"{did_you_mean(empty[0], present)}; there are {listing(there, 20)}"
        )
    return list(listed)


def _check_are_classes(target: str, present: Mapping[str, int]) -> None:
    """Refuse numbers, and several labels in a cell, unless they are listed as classes."""
    if target in VOCABULARY:
        return
    numbers = sorted(float(label) for label in present if _NUMBER.fullmatch(label))
    fractions = any(number % 1 for number in numbers)
    if len(numbers) == len(present) and (fractions or len(numbers) > _MANY_NUMBERS):
        raise DataError(
            f"{target} holds {counted(len(numbers), 'different number')} from {numbers[0]:g} to "
            f"{numbers[-1]:g}, which is a measure; the models here tell classes apart. Write "
            "classes such as low and high into a column of their own, or, if each number is a "
            f"class, list them: --data.targets.{target} '[...]'"
        )
    several = [
        label
        for label in present
        if len(parts := re.split(r"\s*[;|,/+&]\s*", label)) > 1
        and all(part in present or _NUMBER.fullmatch(part) for part in parts)
    ]
    if several:
        raise DataError(
            f"{target} has several labels in a cell: {listing(map(repr, several), 5)}; a recording "
            "has one class. Say which, or null to leave its rows out: "
            f"{_to_map(target, several, ())}. If each is a class of its own, list all classes: "
            f"--data.targets.{target} '[...]'"
        )


def _counts(labels: pd.Series) -> dict[str, int]:
    return {str(label): int(count) for label, count in labels.value_counts().items()}
