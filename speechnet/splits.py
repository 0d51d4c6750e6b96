"""Protocols that divide the recordings into train, dev and test, and the checks they must pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    GroupShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from speechnet.errors import ConfigError, DataError
from speechnet.types import Fold, Int64, Targets

_DRAWS: Final = 500
"""Random sets of speakers that a holdout is chosen from."""

_PARTS: Final = ("train", "dev", "test")


@dataclass
class SplitConfig:
    """Who is trained on and who is scored.

    Attributes:
        protocol: ``speaker``: some speakers are held out; ``kfold``: each speaker is tested once;
            ``loso``: each speaker is a test part; ``predefined``: as ``column`` or ``speakers``
            says; ``random``: recordings are shuffled without regard to speakers.
        folds: number of folds of ``kfold`` and ``random``; 1 makes ``random`` one holdout.
        test: share of rows held out by ``speaker`` and by ``random`` with one fold.
        dev: share of the remaining rows for early stopping and the choice between models. Kept
            apart by speaker, but for ``random``. 0 for none.
        column: predefined: a column of the corpus table that holds train, dev and test, or the
            names of folds each of which is tested once.
        speakers: predefined: for each fold its test speakers.
    """

    protocol: Literal["speaker", "kfold", "loso", "predefined", "random"] = "speaker"
    folds: int = 5
    test: float = 0.25
    dev: float = 0.15
    column: str | None = None
    speakers: list[list[str]] = field(default_factory=list)

    @property
    def grouped(self) -> bool:
        """Whether the protocol keeps speakers apart."""
        return self.protocol != "random"


def make_folds(
    table: pd.DataFrame, targets: Targets, config: SplitConfig, *, seed: int
) -> list[Fold]:
    """Divide the rows of a corpus table.

    Args:
        table: the corpus table, ``n`` rows.
        targets: what is predicted; their labels together are what is stratified by.
        config: the protocol.
        seed: of every shuffle.

    Returns:
        The folds; their numbers are positions in ``table``.

    Raises:
        ConfigError: the protocol's settings are wrong.
        DataError: the corpus does not fit the protocol; nothing has been computed yet.
    """
    _check_settings(config)
    _check_corpus(table, config)
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


def strata_of(table: pd.DataFrame, targets: Targets) -> Int64:
    """One code for each combination of labels, int64 ``[n]``; a missing label is a value."""
    groups = table.groupby(list(targets), dropna=False, observed=True)
    return np.asarray(groups.ngroup(), dtype=np.int64)


def inner_folds(
    labels: Int64, speakers: np.ndarray | None, *, folds: int, seed: int
) -> list[tuple[Int64, Int64]]:
    """Folds inside a training part, for a search.

    Every class is in every part to fit on, and every target has labels in every part to score on.

    Args:
        labels: int64 ``[n, targets]``, -1 where there is no label.
        speakers: ``[n]``, to be kept apart; None to shuffle without regard to them.
        folds: how many; fewer where the speakers or a class do not suffice.
        seed: of the shuffle.

    Returns:
        Pairs of positions, int64: to fit on, to score on. The latter together are all rows.

    Raises:
        DataError: not even two such folds exist.
    """
    strata = np.unique(labels, axis=0, return_inverse=True)[1].ravel()
    wanted = [set(column) - {-1} for column in labels.T]
    most = min(folds, len(set(speakers)) if speakers is not None else len(labels) // 2)
    for count in range(most, 1, -1):
        y = _merge_rare(strata, count)
        if speakers is None:
            pairs = list(StratifiedKFold(count, shuffle=True, random_state=seed).split(y, y))
        else:
            grouped = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
            pairs = list(grouped.split(y, y, speakers))
        if all(_covers(labels[fit], labels[held], wanted) for fit, held in pairs):
            return pairs
    apart = " of different speakers" if speakers is not None else ""
    raise DataError(
        f"the {len(labels)} training rows can't be divided into two parts{apart} that both hold "
        "every class, as the search of hyper-parameters needs. Use more folds or a smaller dev "
        "part (data.split), more speakers of each class, or leave rare classes out (data.targets)"
    )


def _covers(fit: Int64, held: Int64, wanted: list[set[int]]) -> bool:
    whole = all(set(column) >= classes for column, classes in zip(fit.T, wanted, strict=True))
    return whole and bool((held >= 0).any(axis=0).all())


def shared_speakers(table: pd.DataFrame, folds: list[Fold]) -> list[str]:
    """The speakers that some fold both trains on and tests, sorted."""
    speakers = table["speaker"].to_numpy()
    shared: set[str] = set()
    for fold in folds:
        seen = set(speakers[fold.train]) | set(speakers[fold.dev])
        shared |= {name for name in seen & set(speakers[fold.test]) if isinstance(name, str)}
    return sorted(shared)


def check_folds(table: pd.DataFrame, targets: Targets, folds: list[Fold]) -> None:
    """Every class must have rows to train on in every fold, and something must be tested.

    Raises:
        DataError: with all that is wrong.
    """
    wrong = []
    for number, fold in enumerate(folds):
        if len(fold.test) == 0:
            wrong.append(f"fold {number}: the test part is empty")
        for target, classes in targets.items():
            present = set(table[target].iloc[fold.train].dropna())
            wrong += [
                f"fold {number}: no {target} {label!r} to train on"
                for label in classes
                if label not in present
            ]
    for target, classes in targets.items():
        if len(classes) < 2:
            wrong.append(f"{target} has one class ({classes[0]}): there is nothing to tell apart")
    if wrong:
        shown = "\n  ".join(wrong[:10])
        raise DataError(
            f"the corpus does not fit the protocol:\n  {shown}\n"
            "Use fewer folds, another protocol, or fewer classes (data.targets)"
        )


_Division = tuple[Int64, Int64, Int64 | None]
"""Rows to train on, rows to test on, and a dev part where the protocol sets it."""


def _divide(
    table: pd.DataFrame, strata: Int64, config: SplitConfig, *, seed: int
) -> Iterator[_Division]:
    match config.protocol:
        case "random" if config.folds == 1:
            yield *_shuffle(strata, config.test, seed=seed), None
        case "random":
            splitter = StratifiedKFold(config.folds, shuffle=True, random_state=seed)
            for rest, test in splitter.split(strata, _merge_rare(strata, config.folds)):
                yield rest, test, None
        case "speaker":
            speakers = table["speaker"].to_numpy()
            yield *_hold_out(strata, speakers, config.test, seed=seed), None
        case "kfold":
            grouped = StratifiedGroupKFold(config.folds, shuffle=True, random_state=seed)
            y = _merge_rare(strata, config.folds)
            for rest, test in grouped.split(y, y, table["speaker"]):
                yield rest, test, None
        case "loso":
            speakers = table["speaker"].to_numpy()
            for speaker in sorted(set(speakers)):
                test = speakers == speaker
                yield np.flatnonzero(~test), np.flatnonzero(test), None
        case "predefined":
            yield from _predefined(table, np.arange(len(table)), config)


def _predefined(table: pd.DataFrame, rows: Int64, config: SplitConfig) -> Iterator[_Division]:
    if config.speakers:
        for group in config.speakers:
            test = table["speaker"].isin(group).to_numpy()
            yield rows[~test], rows[test], None
        return
    values = _column(table, config)
    if _names_parts(values):
        train, dev, test = (rows[values == part] for part in _PARTS)
        yield train, test, dev if len(dev) else None
        return
    for name in sorted(set(values)):
        yield rows[values != name], rows[values == name], None


def _column(table: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """What the column of the predefined protocol says of each row, as words ``[n]``."""
    return table[str(config.column)].astype(str).str.strip().to_numpy(dtype=object)


def _names_parts(values: np.ndarray) -> bool:
    """Whether a column says train, dev and test, rather than the names of folds."""
    return set(values) <= set(_PARTS)


def _take_dev(
    table: pd.DataFrame, strata: Int64, rest: Int64, config: SplitConfig, *, seed: int
) -> tuple[Int64, Int64]:
    """Set a dev part aside from what is not tested."""
    if config.dev == 0:
        return rest, rest[:0]
    if config.protocol == "random":
        train, dev = _shuffle(strata[rest], config.dev, seed=seed)
    else:
        speakers = table["speaker"].to_numpy()[rest]
        if len(set(speakers)) < 2:
            raise DataError(
                f"{len(set(speakers))} speakers are left to train on in a fold, a dev part of "
                "other speakers needs two. Set data.split.dev: 0, or use more speakers"
            )
        train, dev = _hold_out(strata[rest], speakers, config.dev, seed=seed)
    return rest[train], rest[dev]


def _shuffle(strata: Int64, share: float, *, seed: int) -> tuple[Int64, Int64]:
    splitter = StratifiedShuffleSplit(1, test_size=share, random_state=seed)
    try:
        rest, held = next(splitter.split(strata, _merge_rare(strata, 2)))
    except ValueError as error:
        raise DataError(
            f"{len(strata)} recordings can't be divided by data.split's {share:g}: {error}"
        ) from error
    return rest, held


def _hold_out(
    strata: Int64, speakers: np.ndarray, share: float, *, seed: int
) -> tuple[Int64, Int64]:
    """Hold speakers out so that size and mix of classes come nearest to what was asked for.

    scikit-learn has no stratified holdout by group: the best of many random ones is taken. It
    takes away the fewest strata as a whole; of such ones, its counts of rows by stratum differ
    least from ``share`` of each, in the sum of absolute differences.
    """
    count = len(set(speakers))
    held_speakers = min(max(1, round(share * count)), count - 1)
    draws = GroupShuffleSplit(_DRAWS, test_size=held_speakers, random_state=seed)
    totals = np.bincount(strata)

    def badness(division: tuple[Int64, Int64]) -> tuple[int, float]:
        counts = np.bincount(strata[division[1]], minlength=len(totals))
        lost = int(((counts == totals) & (totals > 0)).sum())
        return lost, float(np.abs(counts - share * totals).sum())

    rest, held = min(draws.split(strata, groups=speakers), key=badness)
    return rest, held


def _merge_rare(strata: Int64, least: int) -> Int64:
    """Strata too small to be spread over the folds count as one, with the next larger if need be.

    The result has no stratum of fewer than ``least`` rows, if there are that many rows at all.
    """
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    order = np.argsort(sizes, kind="stable")
    few = int((sizes < least).sum())
    if few:
        few = max(few, int(np.searchsorted(np.cumsum(sizes[order]), least)) + 1)
    return np.where(np.isin(codes, order[:few]), -1, codes)


def _check_settings(config: SplitConfig) -> None:
    if not 0 < config.test < 1:
        raise ConfigError(f"data.split.test is {config.test:g}, expected between 0 and 1")
    if not 0 <= config.dev < 1:
        raise ConfigError(f"data.split.dev is {config.dev:g}, expected 0 or more and below 1")
    least = 1 if config.protocol == "random" else 2
    if config.protocol in {"random", "kfold"} and config.folds < least:
        raise ConfigError(f"data.split.folds is {config.folds}, expected at least {least}")
    if config.protocol == "predefined" and (config.column is None) == (not config.speakers):
        raise ConfigError(
            "data.split: the predefined protocol takes either column or speakers, one of the two"
        )


def _check_corpus(table: pd.DataFrame, config: SplitConfig) -> None:
    """What the protocol needs of the corpus."""
    if config.protocol == "random":
        if len(table) < max(config.folds, 2):
            raise DataError(
                f"the corpus has {len(table)} recordings, too few for data.split.folds = "
                f"{config.folds}"
            )
        return
    needs_speakers = True
    if config.protocol == "predefined" and config.column is not None:
        values = _check_column(table, config.column, config)
        # Speakers are needed to find a dev part, and for nothing else.
        needs_speakers = config.dev > 0 and not (_names_parts(values) and "dev" in values)
    if needs_speakers:
        _check_speakers(table, config)


def _check_column(table: pd.DataFrame, column: str, config: SplitConfig) -> np.ndarray:
    if column not in table:
        raise ConfigError(
            f"data.split.column: the corpus has no column {column!r}; it has "
            f"{', '.join(map(str, table.columns))}"
        )
    empty = int(table[column].isna().sum())
    if empty:
        raise DataError(
            f"{empty} of {len(table)} recordings have nothing in the column {column!r} that "
            "data.split.column names; say of each which part or fold it is in"
        )
    values = _column(table, config)
    words = sorted(set(values))
    if not _names_parts(values) and {word.casefold() for word in words} & set(_PARTS):
        raise DataError(
            f"data.split.column: {column!r} holds {', '.join(words[:10])}; expected train, dev "
            "and test and nothing else, or names of folds"
        )
    if len(words) < 2:
        raise DataError(
            f"data.split.column: {column!r} holds only {words[0]!r}, expected two folds"
        )
    return values


def _check_speakers(table: pd.DataFrame, config: SplitConfig) -> None:
    """What a protocol that keeps speakers apart needs of the corpus."""
    nameless = int(table["speaker"].isna().sum())
    if nameless:
        other = (
            "data.split.dev: 0"
            if config.column is not None
            else "data.split.protocol: random, which says nothing about unseen speakers"
        )
        raise DataError(
            f"{nameless} of {len(table)} recordings have no speaker, and the {config.protocol} "
            "protocol keeps speakers apart. Name the speakers (data.corpus.columns), or use "
            f"{other}"
        )
    known = sorted(set(table["speaker"]))
    wanted = config.folds if config.protocol == "kfold" else 2
    if len(known) < wanted:
        raise DataError(
            f"the corpus has {len(known)} speakers ({', '.join(known[:5])}), the "
            f"{config.protocol} protocol needs at least {wanted}"
        )
    _check_speaker_lists(known, config.speakers)


def _check_speaker_lists(known: list[str], lists: list[list[str]]) -> None:
    listed = [speaker for group in lists for speaker in group]
    unknown = sorted(set(listed) - set(known))
    if unknown:
        raise DataError(
            f"data.split.speakers names {', '.join(unknown[:10])}, not in the corpus; "
            f"its speakers are {', '.join(known[:30])}"
        )
    twice = sorted({speaker for speaker in listed if listed.count(speaker) > 1})
    if twice:
        raise ConfigError(
            f"data.split.speakers tests {', '.join(twice)} more than once; name each speaker once"
        )
    if any(set(group) >= set(known) for group in lists):
        raise ConfigError("data.split.speakers: a fold tests every speaker, none is left to train")
