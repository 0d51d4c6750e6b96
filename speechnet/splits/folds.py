"""Make the folds of a protocol, and check that a corpus fits a published one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.types import Fold, Int64, Targets
from speechnet.core.wording import counted, listing, plural
from speechnet.splits.checks import (
    MOST,
    PARTS,
    Fault,
    by_fold,
    check_corpus,
    check_folds,
    column_of,
    lacking,
    misfit,
    names_parts,
    one_speaker,
    untrained,
)
from speechnet.splits.config import SplitConfig
from speechnet.splits.protocol import Protocol
from speechnet.splits.strata import cross_validate, hold_out, shuffle, strata_of

_Division = tuple[Int64, Int64, Int64 | None]
"""The rest, the test part, and the dev part if the protocol sets it."""


def make_folds(
    table: pd.DataFrame,
    targets: Targets,
    config: SplitConfig,
    *,
    seed: int,
    corpus: str | None = None,
) -> list[Fold]:
    """Divide the rows of a corpus table.

    Args:
        table: the corpus table.
        targets: folds are stratified by the combinations of their labels.
        config: the protocol.
        seed: of every shuffle.
        corpus: ``data.corpus.name``, which a named protocol must fit; None to check only the
            speakers.

    Raises:
        ConfigError: the protocol's settings are wrong.
        DataError: the corpus does not fit the protocol; all faults are listed.
    """
    config.check()
    if config.named:
        _check_named(table, targets, config.named, corpus=corpus)
    else:
        check_corpus(table, config)
    strata = strata_of(table, targets)
    folds = []
    for number, (rest, test, given) in enumerate(_divide(table, strata, config, seed=seed)):
        if given is None:
            train, dev = _take_dev(table, strata, rest, config, seed=seed + number)
        else:
            train, dev = rest, given
        folds.append(Fold(train=np.sort(train), dev=np.sort(dev), test=np.sort(test)))
    check_folds(table, targets, folds)
    return folds


def shared_speakers(table: pd.DataFrame, folds: list[Fold]) -> list[str]:
    """The speakers that some fold both trains on and tests, sorted."""
    speakers = table["speaker"].to_numpy()
    shared: set[str] = set()
    for fold in folds:
        seen = set(speakers[fold.train]) | set(speakers[fold.dev])
        shared |= {name for name in seen & set(speakers[fold.test]) if isinstance(name, str)}
    return sorted(shared)


def _divide(
    table: pd.DataFrame, strata: Int64, config: SplitConfig, *, seed: int
) -> Iterator[_Division]:
    speakers = table["speaker"].to_numpy()
    match config.protocol:
        case "random" if config.folds == 1:
            yield *shuffle(strata, config.test, seed=seed), None
        case "random" | "kfold":
            apart = None if config.protocol == "random" else speakers
            for rest, test in cross_validate(strata, apart, folds=config.folds, seed=seed):
                yield rest, test, None
        case "speaker":
            yield *hold_out(strata, speakers, config.test, seed=seed), None
        case "loso":
            for speaker in sorted(set(speakers)):
                test = speakers == speaker
                yield np.flatnonzero(~test), np.flatnonzero(test), None
        case "predefined":
            yield from _predefined(table, np.arange(len(table)), config)
        case _ if config.named:
            for rest, test in _divide_named(table, config.named):
                yield rest, test, None


def _predefined(table: pd.DataFrame, rows: Int64, config: SplitConfig) -> Iterator[_Division]:
    if config.speakers:
        for group in config.speakers:
            test = table["speaker"].isin(group).to_numpy()
            yield rows[~test], rows[test], None
        return
    values = column_of(table, config)
    if names_parts(values):
        train, dev, test = (rows[values == part] for part in PARTS)
        yield train, test, dev if len(dev) else None
        return
    for name in sorted(set(values)):
        yield rows[values != name], rows[values == name], None


def _take_dev(
    table: pd.DataFrame, strata: Int64, rest: Int64, config: SplitConfig, *, seed: int
) -> tuple[Int64, Int64]:
    """Train and dev part of the rows that aren't tested."""
    if config.dev == 0:
        return rest, rest[:0]
    by_recording = config.named.dev == "recordings" if config.named else not config.grouped
    if by_recording:
        train, dev = shuffle(strata[rest], config.dev, seed=seed)
    else:
        speakers = table["speaker"].to_numpy()[rest]
        if (left := len(set(speakers))) < 2:
            raise DataError(
                f"{counted(left, 'speaker')} {plural(left, 'is', 'are')} left to train on in a "
                "fold, a dev part of other speakers needs two. Set data.split.dev: 0, or use more "
                "speakers"
            )
        train, dev = hold_out(strata[rest], speakers, config.dev, seed=seed)
    return rest[train], rest[dev]


def _check_named(
    table: pd.DataFrame, targets: Targets, protocol: Protocol, *, corpus: str | None
) -> None:
    """Refuse a corpus that a named protocol doesn't fit; of your own corpus check only names."""
    wrong = _wrong_names(table, protocol)
    own = corpus is None or corpus == "csv" or corpus.endswith((".yaml", ".yml"))
    if not own and corpus not in protocol.corpora:
        wrong.insert(0, f"it is for {', '.join(protocol.corpora)}, data.corpus.name is {corpus}")
    faults: list[Fault] = []
    for number, (rest, test) in enumerate(_divide_named(table, protocol)):
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


def _divide_named(table: pd.DataFrame, protocol: Protocol) -> Iterator[tuple[Int64, Int64]]:
    """For each fold the rest and the test part."""
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
