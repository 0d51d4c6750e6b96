"""Folds of named protocols, and the check of a corpus against them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.types import Int64, Targets
from speechnet.core.wording import counted, listing, plural
from speechnet.splits.checks import (
    MOST,
    Fault,
    by_fold,
    lacking,
    misfit,
    one_speaker,
    untrained,
)
from speechnet.splits.protocol import Protocol


def check_named(
    table: pd.DataFrame, targets: Targets, protocol: Protocol, *, corpus: str | None
) -> None:
    """Refuse a corpus that a named protocol doesn't fit.

    Args:
        table: the corpus table.
        targets: each target's ordered classes.
        protocol: the protocol.
        corpus: ``data.corpus.name``; for a user's own corpus only the speakers are checked.

    Raises:
        DataError: all faults are listed.
    """
    wrong = _wrong_names(table, protocol)
    own = corpus is None or corpus == "csv" or corpus.endswith((".yaml", ".yml"))
    if not own and corpus not in protocol.corpora:
        wrong.insert(0, f"it is for {', '.join(protocol.corpora)}, data.corpus.name is {corpus}")
    faults: list[Fault] = []
    for number, (rest, test) in enumerate(divide_named(table, protocol)):
        found = ["the test part is empty"] if len(test) == 0 else []
        found += ["the rest to train on is empty"] if len(rest) == 0 else []
        if not found:
            found = _untested(table.iloc[test], targets, protocol, fold=number)
            found += untrained(table.iloc[rest], targets)
        faults += [(number, what) for what in found]
    wrong += by_fold(faults)
    if wrong:
        remedy = (
            f"It needs the whole of {', '.join(protocol.corpora)}. data.split.protocol: kfold and "
            "loso fit any corpus of several speakers"
        )
        raise DataError(misfit(wrong, protocol=protocol.name, remedy=remedy))


def divide_named(table: pd.DataFrame, protocol: Protocol) -> Iterator[tuple[Int64, Int64]]:
    """For each fold the rows that aren't tested and those that are, int64 positions."""
    keys = _keys(table, protocol)
    for names in protocol.folds:
        test = keys.isin([name.casefold() for name in names]).to_numpy()
        yield np.flatnonzero(~test), np.flatnonzero(test)


def _untested(test: pd.DataFrame, targets: Targets, protocol: Protocol, *, fold: int) -> list[str]:
    """Faults for emotions that a test part lacks, though the protocol has them there."""
    expected = set(protocol.classes) - set(protocol.absent.get(fold, ()))
    emotions = [label for label in targets.get("emotion", []) if label in expected]
    there = set(test["emotion"])
    return [f"no emotion {label!r} to test" for label in emotions if label not in there]


def _keys(table: pd.DataFrame, protocol: Protocol) -> pd.Series:
    """Each row's name in the folds, in lower case; NA without a speaker."""
    if protocol.unit == "speaker":
        return table["speaker"].map(lambda name: str(name).casefold(), na_action="ignore")
    stems = [PurePosixPath(str(file)).stem.casefold() for file in table.index]
    return pd.Series(stems, index=table.index, dtype=object)


def _wrong_names(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    """Faults for speakers or files that the folds don't name, and for missing speakers."""
    keys = _keys(table, protocol)
    listed = {name.casefold() for group in protocol.folds for name in group}
    wrong = []
    if nameless := int(keys.isna().sum()):
        wrong.append(lacking(nameless, table, "no speaker"))
    if unknown := sorted(set(keys.dropna()) - listed):
        wrong.append(
            f"{counted(len(unknown), f'unknown {protocol.unit}')}: {listing(unknown, MOST)}"
        )
    if protocol.unit == "file":
        return wrong
    if missing := [name for name in protocol.speakers if name.casefold() not in set(keys)]:
        wrong.append(
            f"{len(missing)} of its speakers {plural(len(missing), 'is', 'are')} missing: "
            f"{listing(missing, MOST)}"
        )
    known = sorted(set(table["speaker"].dropna()))
    if len(known) == 1:
        wrong.append(one_speaker(str(known[0])))
    elif len(known) < len(protocol.folds):
        wrong.append(
            f"{counted(len(known), 'speaker')} {plural(len(known), 'is', 'are')} fewer than its "
            f"{len(protocol.folds)} folds"
        )
    return wrong
