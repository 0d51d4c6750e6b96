"""Make the folds of a protocol."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.types import Fold, Int64, Targets
from speechnet.core.wording import counted, plural
from speechnet.splits.checks import PARTS, check_corpus, check_folds, column_of, names_parts
from speechnet.splits.config import SplitConfig
from speechnet.splits.named import check_named, divide_named
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
        check_named(table, targets, config.named, corpus=corpus)
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
            for rest, test in divide_named(table, config.named):
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
