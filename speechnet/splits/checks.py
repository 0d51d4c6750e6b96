"""Checks of a corpus and its folds against a protocol."""

from __future__ import annotations

import json
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import Fold, Targets
from speechnet.core.wording import counted, listing, plural
from speechnet.splits.config import SplitConfig

PARTS: Final = ("train", "dev", "test")

_PART_OF: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}

MOST: Final = 60
"""The most names in an error."""

Fault = tuple[int, str]
"""The number of a fold, and a fault of it."""


def check_corpus(table: pd.DataFrame, config: SplitConfig) -> None:
    """Refuse a corpus for which a protocol can't make folds.

    Raises:
        ConfigError: the settings fit no corpus of these speakers.
        DataError: the corpus has too few recordings or speakers; all faults are listed.
    """
    if config.protocol == "random":
        if len(table) < max(config.folds, 2):
            raise DataError(
                f"the corpus has {counted(len(table), 'recording')}, too few for "
                f"data.split.folds = {config.folds}"
            )
        return
    if config.protocol == "predefined" and config.column is not None:
        values = _check_column(table, config.column, config)
        # Speakers are needed only to find a dev part.
        if config.dev == 0 or (names_parts(values) and "dev" in values):
            return
    known = sorted(set(table["speaker"].dropna()))
    wrong = _wrong_speakers(table, known, config)
    settings = _wrong_lists(known, config.speakers)
    if wrong or settings:
        kind = DataError if wrong else ConfigError
        raise kind(misfit(wrong + settings, protocol=config.protocol))


def check_folds(table: pd.DataFrame, targets: Targets, folds: list[Fold]) -> None:
    """Refuse folds that test nothing, or lack a class to train on.

    Raises:
        DataError: all faults are listed.
    """
    faults: list[Fault] = []
    for number, fold in enumerate(folds):
        if len(fold.test) == 0:
            faults.append((number, "the test part is empty"))
        faults += [(number, what) for what in untrained(table.iloc[fold.train], targets)]
    wrong = by_fold(faults) + [
        f"{target} has one class ({classes[0]}): there is nothing to tell apart"
        for target, classes in targets.items()
        if len(classes) < 2
    ]
    if wrong:
        remedy = "Use fewer folds, another protocol, or fewer classes (data.targets)"
        raise DataError(misfit(wrong, remedy=remedy))


def misfit(wrong: list[str], *, protocol: str = "", remedy: str = "") -> str:
    """The text of an error: a line for each fault, and the remedy."""
    name = f" {protocol}" if protocol else ""
    lines = [f"the corpus does not fit the protocol{name}:", *(f"  {what}" for what in wrong)]
    return "\n".join(lines + [remedy] * bool(remedy))


def by_fold(faults: list[Fault]) -> list[str]:
    """A line for each kind of fault, with the folds that have it."""
    lines = []
    for what in dict.fromkeys(what for _, what in faults):
        where = [str(number) for number, other in faults if other == what]
        lines.append(f"{plural(len(where), 'fold')} {', '.join(where)}: {what}")
    return lines


def untrained(train: pd.DataFrame, targets: Targets) -> list[str]:
    """A fault for each class that a training part lacks."""
    present = {target: set(train[target].dropna()) for target in targets}
    return [
        f"no {target} {label!r} to train on"
        for target, classes in targets.items()
        for label in classes
        if label not in present[target]
    ]


def lacking(count: int, table: pd.DataFrame, what: str) -> str:
    """A phrase such as "3 of 64 recordings have no speaker"."""
    recordings = counted(len(table), "recording")
    return f"{count:,} of {recordings} {plural(count, 'has', 'have')} {what}"


def one_speaker(name: str) -> str:
    """The fault of a corpus of one speaker."""
    return (
        f"the corpus has one speaker ({name}), so nothing can be claimed about other speakers. How "
        "well new recordings of this speaker are recognised can be: data.split.protocol: random, "
        "whose scores say nothing about anyone else"
    )


def column_of(table: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """The column of the predefined protocol as words ``[n]``.

    If all are usual words for parts, such as Training and Validation, they become train, dev and
    test.
    """
    words = table[str(config.column)].astype(str).str.strip()
    part = {word: _PART_OF.get(word.casefold()) for word in words.unique()}
    if all(part.values()):
        words = words.map(part)
    return words.to_numpy(dtype=object)


def names_parts(values: np.ndarray) -> bool:
    """Whether a column holds train, dev and test, rather than names of folds."""
    return set(values) <= set(PARTS)


def _check_column(table: pd.DataFrame, column: str, config: SplitConfig) -> np.ndarray:
    if column not in table:
        raise ConfigError(
            f"data.split.column: the corpus has no column {column!r}; it has "
            f"{', '.join(map(str, table.columns))}"
        )
    if empty := int(table[column].isna().sum()):
        raise DataError(
            f"{lacking(empty, table, 'nothing')} in the column {column!r} that data.split.column "
            "names; say of each which part or fold it is in"
        )
    values = column_of(table, config)
    words = sorted(set(values))
    unclear = [word for word in words if word.casefold() not in _PART_OF]
    if not names_parts(values) and len(unclear) < len(words):
        mapping = ", ".join(f"{json.dumps(word, ensure_ascii=False)}: ..." for word in unclear)
        raise DataError(
            f"data.split.column: {column!r} holds {listing(words)}; expected train, dev and test "
            "and nothing else, or names of folds. Say which part each is, or null to leave its "
            f"rows out: --data.corpus.labels.{column} '{{{mapping}}}'"
        )
    if len(words) < 2:
        raise DataError(
            f"data.split.column: {column!r} holds only {words[0]!r}, expected two folds"
        )
    return values


def _wrong_speakers(table: pd.DataFrame, known: list[str], config: SplitConfig) -> list[str]:
    wrong = []
    if nameless := int(table["speaker"].isna().sum()):
        other = "data.split.protocol: random, which says nothing about unseen speakers"
        other = other if config.column is None else "data.split.dev: 0"
        wrong.append(
            f"{lacking(nameless, table, 'no speaker')}, and the {config.protocol} protocol keeps "
            f"speakers apart. Name the speakers (data.corpus.columns), or use {other}"
        )
    wanted = config.folds if config.protocol == "kfold" else 2
    if len(known) == 1:
        wrong.append(one_speaker(known[0]))
    elif known and len(known) < wanted:
        wrong.append(
            f"the corpus has {counted(len(known), 'speaker')} ({', '.join(known[:5])}), the "
            f"{config.protocol} protocol needs at least {wanted}"
        )
    if unknown := {speaker for group in config.speakers for speaker in group} - set(known):
        wrong.append(
            f"data.split.speakers names {listing(sorted(unknown), MOST)}, not in the corpus; its "
            f"speakers are {listing(known, MOST)}"
        )
    return wrong


def _wrong_lists(known: list[str], lists: list[list[str]]) -> list[str]:
    """Faults of ``data.split.speakers`` itself."""
    wrong = []
    listed = [speaker for group in lists for speaker in group]
    if twice := sorted({speaker for speaker in listed if listed.count(speaker) > 1}):
        wrong.append(
            f"data.split.speakers tests {', '.join(twice)} more than once; name each speaker once"
        )
    if any(set(group) >= set(known) for group in lists):
        wrong.append("data.split.speakers: a fold tests every speaker, none is left to train on")
    return wrong
