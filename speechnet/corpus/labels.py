"""Map, check and filter the labels of a corpus, counting all that is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from speechnet.errors import ConfigError, DataError
from speechnet.types import VOCABULARY, Targets
from speechnet.wording import did_you_mean, listing

DROPPED_COLUMNS = ("target", "label", "count", "why")
NOT_LISTED = "not among the classes"
"""Why a row is dropped whose class ``data.targets`` doesn't list."""

_NO_LABELS = frozenset({"file", "where", "path", "start", "end"})

Drop = tuple[str, str, int, str]
"""Dropped rows, counted: a row of ``Corpus.dropped``."""


def apply_labels(
    table: pd.DataFrame,
    *,
    labels: Mapping[str, Mapping[str, str | None]],
    targets: Mapping[str, list[str] | None],
    complete: bool = True,
) -> tuple[pd.DataFrame, Targets, pd.DataFrame]:
    """Map one corpus's labels, then keep the rows that some target can use.

    Args:
        table: see ``map_labels``.
        labels: see ``map_labels``.
        targets: see ``choose_rows``.
        complete: see ``choose_rows``.

    Returns:
        The kept rows; every target with its ordered classes; and the dropped rows, counted, with
        the columns ``target, label, count, why``.

    Raises:
        ConfigError: a target isn't a column, or a key of ``labels`` fits nothing.
        DataError: a label is unknown, a class has no rows, or no row is left.
    """
    _check_targets(table, targets)
    table, mapped = map_labels(table, labels=labels, targets=targets)
    table, classes, dropped = choose_rows(table, targets=targets, complete=complete)
    return table, classes, dropped_table([*mapped, *dropped])


def dropped_table(drops: Iterable[Drop]) -> pd.DataFrame:
    """Dropped rows as ``Corpus.dropped`` has them."""
    return pd.DataFrame(drops, columns=list(DROPPED_COLUMNS))


def map_labels(
    table: pd.DataFrame,
    *,
    labels: Mapping[str, Mapping[str, str | None]],
    targets: Mapping[str, list[str] | None],
) -> tuple[pd.DataFrame, list[Drop]]:
    """Map one corpus's labels; a row goes when a label of it is mapped to null.

    Args:
        table: a row for each recording; ``where`` says where a row comes from, for messages.
        labels: column -> label -> new label, or None to drop its rows.
        targets: target -> its classes in order, or None for all that occur.

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
    table: pd.DataFrame,
    *,
    targets: Mapping[str, list[str] | None],
    complete: bool = True,
) -> tuple[pd.DataFrame, Targets, list[Drop]]:
    """Keep the rows that some target can use.

    A row goes when a label of it is not among a target's listed classes, or when it has no label
    for any target. A row with a missing label stays for the other targets.

    Args:
        table: as ``map_labels`` leaves it.
        targets: target -> its classes in order, or None for all that occur.
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


def _check_columns(table: pd.DataFrame, names: Iterable[str], *, key: str) -> None:
    columns = [str(column) for column in table.columns if column not in _NO_LABELS]
    for name in names:
        if name not in columns:
            raise ConfigError(
                f"{key}: the corpus has no column {name!r}{did_you_mean(name, columns)}; "
                f"it has {listing(columns, 20)}"
            )


def _check_targets(table: pd.DataFrame, targets: Mapping[str, list[str] | None]) -> None:
    if not targets:
        columns = [str(column) for column in table.columns if column not in _NO_LABELS]
        raise ConfigError(f"data.targets is empty; choose from the columns {listing(columns, 20)}")
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
    table: pd.DataFrame,
    target: str,
    *,
    keep: pd.Series,
    why: str,
    drops: list[Drop],
) -> pd.DataFrame:
    for label, count in sorted(_counts(table.loc[~keep, target]).items()):
        drops.append((target, label, count, why))
    return table[keep]


def _check_vocabulary(table: pd.DataFrame, target: str, *, known: list[str]) -> None:
    """Refuse labels that are neither in the closed vocabulary nor named in the configuration."""
    if target not in VOCABULARY:
        return
    allowed = dict.fromkeys([*VOCABULARY[target], *known])
    unknown = table[table[target].notna() & ~table[target].isin(list(allowed))]
    if len(unknown):
        rows = [f"{w}: {v!r}" for w, v in zip(unknown["where"], unknown[target], strict=True)]
        first = str(unknown[target].iloc[0])
        raise DataError(
            f"unknown {target} in {listing(rows)}{did_you_mean(first, allowed)}. Known are "
            f"{', '.join(allowed)}; say what {first!r} means (or null, to drop its rows) with "
            f"data.corpus.labels: {{{target}: {{{first}: ...}}}}"
        )


def _classes(table: pd.DataFrame, target: str, listed: list[str] | None) -> list[str]:
    """A target's ordered classes, each with at least one row."""
    present = _counts(table[target])
    if not present:
        raise DataError(
            f"no row has a label for {target!r}; take it out of data.targets, or, if the corpus's "
            f"table has it under another name, set --data.corpus.columns.{target}"
        )
    if listed is None:
        closed = [label for label in VOCABULARY.get(target, ()) if label in present]
        return closed + sorted(set(present).difference(closed))
    if empty := [label for label in listed if label not in present]:
        there = [f"{label} ({count})" for label, count in sorted(present.items())]
        raise DataError(
            f"data.targets.{target}: no row is labelled {listing(empty)}"
            f"{did_you_mean(empty[0], present)}; there are {listing(there, 20)}"
        )
    return list(listed)


def _counts(labels: pd.Series) -> dict[str, int]:
    return {str(label): int(count) for label, count in labels.value_counts().items()}
