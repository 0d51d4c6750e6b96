"""Map, check and filter the labels of a corpus, counting what is dropped."""

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

NOT_LISTED: Final = "not among the classes"
"""Why a row is dropped whose class ``data.targets`` doesn't list."""

UNDECIDED: Final = {"emotion": frozenset({"another emotion", "no agreement"})}
"""Labels of our definitions that aren't classes."""

_DROPPED: Final = ["target", "label", "count", "why"]
_NO_LABELS: Final = frozenset({"file", "where", "path", "start", "end"})
_PERSONAL: Final = frozenset({"speaker", "gender"})
_UNKNOWN: Final = frozenset(
    [
        *("unknown", "unk", "unspecified", "not specified", "undefined", "undisclosed"),
        *("unidentified", "anonymous", "not available", "not known", "prefer not to say"),
        *("do_not_wish_to_say", "do not wish to say", "no data", "missing"),
    ]
)
"""Labels of an unknown speaker or gender; elsewhere they may be classes."""
_TO_FILL: Final = "..."
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_MANY_NUMBERS: Final = 20


def dropped_table(drops: Iterable[Drop]) -> pd.DataFrame:
    """Dropped rows as ``Corpus.dropped`` has them, added up by label and reason."""
    table = pd.DataFrame(drops, columns=_DROPPED)
    sums = table.groupby(["target", "label", "why"], sort=False)[["count"]].sum()
    return sums.reset_index()[_DROPPED]


def without_placeholders(
    table: pd.DataFrame, *, labels: Labels, targets: Classes
) -> tuple[pd.DataFrame, list[str]]:
    """Remove placeholders for missing labels, such as ``NA``, ``-`` and ``''``.

    For speakers and genders, ``Unknown`` and the like are removed too. Labels that the
    configuration lists as classes or maps stay.

    Returns:
        The table, and a note on each speaker, gender or target column that lost labels.
    """
    notes = []
    for column in _label_columns(table):
        named = [*(targets.get(column) or []), *labels.get(column, [])]
        words = MISSING | (_UNKNOWN if column in _PERSONAL else UNDECIDED.get(column, frozenset()))
        words -= {str(label).casefold() for label in named}
        counts = _counts(table[column])
        found = {label: count for label, count in counts.items() if label.casefold() in words}
        if not found:
            continue
        table = _renamed(table, column, dict.fromkeys(found))
        if column in _PERSONAL or column in targets:
            said = listing(f"{label!r} ({counted(count, 'row')})" for label, count in found.items())
            notes.append(f"{column}: {said} is read as not known")
    return table, notes


def read_values(table: pd.DataFrame, scales: Mapping[str, Continuous]) -> pd.DataFrame:
    """Read the values of continuous targets, float64, NaN where missing.

    Raises:
        ConfigError: a target isn't a column.
        DataError: a cell isn't a number on its target's scale.
    """
    _check_columns(table, scales, key="data.targets")
    where = table["file"] + ", " + table["where"]
    values = {name: target.encode(name, table[name], where) for name, target in scales.items()}
    return table.assign(
        **{name: pd.Series(each, table.index, np.float64) for name, each in values.items()}
    )


def map_labels(
    table: pd.DataFrame, *, labels: Labels, targets: Classes
) -> tuple[pd.DataFrame, list[Drop]]:
    """Rename one corpus's labels, and drop the rows of labels mapped to null.

    Args:
        table: a row for each recording; ``where`` is the row's place, for messages.
        labels: the new names.
        targets: their classes are known labels too.

    Returns:
        The remaining rows, and the dropped ones.

    Raises:
        ConfigError: ``labels`` names a column or label that the table doesn't have.
        DataError: a label is unknown.
    """
    _check_columns(table, labels, key="data.corpus.labels")
    drops: list[Drop] = []
    for column, mapping in labels.items():
        names = {str(label): new for label, new in mapping.items()}  # YAML reads codes as numbers
        _check_mapping(table, column, names, targets.get(column))
        dropped = table[column].isin([label for label, new in names.items() if new is None])
        table = _drop(table, column, keep=~dropped, why="mapped to null", drops=drops)
        table = _renamed(table, column, names)
    for target, classes in targets.items():
        produced = [label for label in labels.get(target, {}).values() if label is not None]
        if target in table and target in VOCABULARY:
            _check_known(table, target, [*VOCABULARY[target], *produced, *(classes or [])])
    return table, drops


def choose_rows(
    table: pd.DataFrame, *, targets: Classes, complete: bool = True
) -> tuple[pd.DataFrame, Targets, list[Drop]]:
    """Keep the rows that some target can use.

    A row is dropped if it has a label outside a target's listed classes, or no label for any
    target. A row that lacks a label stays for the other targets.

    Args:
        table: as ``map_labels`` returns it.
        targets: the classes that are asked for.
        complete: whether every listed class must have rows.

    Returns:
        The remaining rows, every target with its ordered classes, and the dropped rows.

    Raises:
        ConfigError: a target isn't a column, or lists a class twice.
        DataError: a class has no rows, or no row is left.
    """
    if not targets:
        columns = listing(_label_columns(table), 20)
        raise ConfigError(f"data.targets is empty; choose from the columns {columns}")
    _check_columns(table, targets, key="data.targets")
    drops: list[Drop] = []
    for target, classes in targets.items():
        if classes is None:
            continue
        if len(set(classes)) < max(len(classes), 1):
            raise ConfigError(f"data.targets.{target} must list each class once, not {classes}")
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


def _counts(labels: pd.Series) -> dict[str, int]:
    return {str(label): int(count) for label, count in labels.value_counts().items()}


def _renamed(table: pd.DataFrame, column: str, names: Mapping[str, str | None]) -> pd.DataFrame:
    labels = [names.get(each, each) if isinstance(each, str) else None for each in table[column]]
    return table.assign(**{column: pd.Series(labels, index=table.index, dtype=object)})


def _drop(
    table: pd.DataFrame, target: str, *, keep: pd.Series, why: str, drops: list[Drop]
) -> pd.DataFrame:
    counts = sorted(_counts(table.loc[~keep, target]).items())
    drops += [(target, label, count, why) for label, count in counts]
    return table[keep]


def _check_columns(table: pd.DataFrame, names: Iterable[str], *, key: str) -> None:
    columns = _label_columns(table)
    for name in names:
        if name not in columns:
            raise ConfigError(
                f"{key}: the corpus has no column {name!r}{did_you_mean(name, columns)}; "
                f"it has {listing(columns, 20)}"
            )


def _check_mapping(
    table: pd.DataFrame, column: str, names: Mapping[str, str | None], classes: list[str] | None
) -> None:
    key, present = f"data.corpus.labels.{column}", _counts(table[column])
    known = [*(classes or []), *VOCABULARY.get(column, ())]
    for label, new in names.items():
        if label not in present:
            raise ConfigError(
                f"{key}: no row is labelled {label!r}{did_you_mean(label, present)}; "
                f"there are {listing(sorted(present), 20)}"
            )
        if new == _TO_FILL:
            raise ConfigError(f"{key}: put the label that {label!r} means in place of the dots")
        if new is not None and classes is not None and new not in known:
            raise ConfigError(
                f"{key}: {label!r} becomes {new!r}, which isn't among data.targets.{column}"
                f"{did_you_mean(new, known)}: {listing(classes, 20)}; to drop its rows, say null"
            )


def _check_known(table: pd.DataFrame, target: str, known: list[str]) -> None:
    """Refuse labels outside the vocabulary that the configuration doesn't name."""
    known = list(dict.fromkeys(known))
    unknown = table[table[target].notna() & ~table[target].isin(known)]
    if unknown.empty:
        return
    places = {str(label): where for label, where in unknown.groupby(target, sort=False)["where"]}
    rows = [
        f"{label!r} ({counted(len(where), 'row')}, the first: {where.iloc[0]})"
        f"{_several(label) or did_you_mean(label, known)}"
        for label, where in places.items()
    ]
    raise DataError(
        f"unknown {target}: {listing(rows, 20)}. Known are {', '.join(known)}. Say what each "
        f"means, or null to leave its rows out: {_to_map(target, places, known)}"
    )


def _several(label: str) -> str:
    """A remark in brackets if a cell holds several labels: ``angry;happy`` or ``male_angry``."""
    words = {word for known in VOCABULARY.values() for word in known}
    parts = dict.fromkeys(re.split(r"[^a-z]+", label.casefold()))
    found = " and ".join(part for part in parts if part in words)
    return f" (several labels in one cell: {found}; a column has one)" if " and " in found else ""


def _to_map(column: str, labels: Iterable[str], known: Iterable[str]) -> str:
    """The flag that maps labels, for the user to fill in."""
    said = []
    for label in labels:
        near = [] if _several(label) else get_close_matches(label.casefold(), known, 1, cutoff=0.8)
        new = near[0] if near else _TO_FILL
        said.append(f"{json.dumps(label, ensure_ascii=False)}: {new}")
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
        if target not in VOCABULARY:
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
    numbers = sorted(float(label) for label in present if _NUMBER.fullmatch(label))
    fractions = any(number % 1 for number in numbers)
    if len(numbers) == len(present) and (fractions or len(numbers) > _MANY_NUMBERS):
        raise DataError(
            f"{target} holds {counted(len(numbers), 'different number')} from {numbers[0]:g} to "
            f"{numbers[-1]:g}, which is a measure; the models here tell classes apart. Write "
            "classes such as low and high into a column of their own, or, if each number is a "
            f"class, list them: --data.targets.{target} '[...]'"
        )
    several = []
    for label in present:
        parts = re.split(r"\s*[;|,/+&]\s*", label)
        if len(parts) > 1 and all(part in present or _NUMBER.fullmatch(part) for part in parts):
            several.append(label)
    if several:
        raise DataError(
            f"{target} has several labels in a cell: {listing(map(repr, several), 5)}; a recording "
            "has one class. Say which, or null to leave its rows out: "
            f"{_to_map(target, several, ())}. If each is a class of its own, list all classes: "
            f"--data.targets.{target} '[...]'"
        )
