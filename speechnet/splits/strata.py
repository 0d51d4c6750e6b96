"""Stratified holdouts and folds, of a corpus and inside a training part."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from speechnet.core.errors import DataError
from speechnet.core.types import Int64, Targets
from speechnet.core.wording import counted

_DRAWS: Final = 500
"""The number of random sets of speakers, of which the best is held out."""


def strata_of(table: pd.DataFrame, targets: Targets) -> Int64:
    """A code for each combination of labels, int64 ``[n]``; a missing label is a value."""
    groups = table.groupby(list(targets), dropna=False, observed=True)
    return np.asarray(groups.ngroup(), dtype=np.int64)


def shuffle(strata: Int64, share: float, *, seed: int) -> tuple[Int64, Int64]:
    """Hold out a share of the rows without regard to speakers, stratified.

    Returns:
        The int64 positions that stay and those held out.

    Raises:
        DataError: there are too few rows.
    """
    merged = merge_rare(strata, 2)
    least = len(np.unique(merged))  # each side needs one row of each
    most_held = math.floor(share * len(strata))
    splitter = StratifiedShuffleSplit(1, test_size=share, random_state=seed)
    try:
        rest, held = next(splitter.split(strata, merged))
    except ValueError as error:
        raise DataError(
            f"{counted(len(strata), 'recording')} can't be divided by data.split's {share:g} so "
            f"that both sides have each of {counted(least, 'combination')} of classes: one side "
            f"would have {counted(min(most_held, len(strata) - most_held), 'recording')}. Take a "
            "share nearer to 0.5, 0 for no dev part, more recordings or fewer classes"
        ) from error
    return rest, held


def hold_out(
    strata: Int64, speakers: np.ndarray, share: float, *, seed: int
) -> tuple[Int64, Int64]:
    """Hold out speakers, two or more in all, with about a share of the rows of each stratum.

    scikit-learn has no stratified holdout by group, so this is the best of many random ones: the
    one that holds out the fewest strata completely, and then differs least from ``share`` of each
    stratum, in the sum of absolute differences.

    Returns:
        The int64 positions that stay and those held out.
    """
    names, who = np.unique(speakers, return_inverse=True)
    held_speakers = min(max(1, round(share * len(names))), len(names) - 1)
    draws = ShuffleSplit(_DRAWS, test_size=held_speakers, random_state=seed)
    held = np.zeros((_DRAWS, len(names)), dtype=np.int64)
    for row, (_, drawn) in zip(held, draws.split(names), strict=True):
        row[drawn] = 1
    by_speaker = np.zeros((len(names), strata.max() + 1), dtype=np.int64)
    np.add.at(by_speaker, (who, strata), 1)
    totals = by_speaker.sum(axis=0)
    counts = held @ by_speaker  # (draws, speakers) @ (speakers, strata) -> (draws, strata)
    lost = ((counts == totals) & (totals > 0)).sum(axis=1)
    distance = np.abs(counts - share * totals).sum(axis=1)
    best = held[np.lexsort((distance, lost))[0]].astype(bool)[who]
    return np.flatnonzero(~best), np.flatnonzero(best)


def cross_validate(
    strata: Int64, speakers: np.ndarray | None, *, folds: int, seed: int
) -> list[tuple[Int64, Int64]]:
    """Stratified folds, each row held out once; speakers ``[n]`` are kept apart unless None.

    Returns:
        For each fold the int64 positions that stay and those held out.
    """
    y = merge_rare(strata, folds)
    kind = StratifiedKFold if speakers is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    return list(splitter.split(y, y, speakers))


def merge_rare(strata: Int64, least: int) -> Int64:
    """Merge strata of fewer than ``least`` rows, if need be with the next larger ones.

    No stratum of the result is smaller, unless there are fewer rows altogether.
    """
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    order = np.argsort(sizes, kind="stable")
    few = int((sizes < least).sum())
    if few:
        few = max(few, int(np.searchsorted(np.cumsum(sizes[order]), least)) + 1)
    return np.where(np.isin(codes, order[:few]), -1, codes)


def inner_folds(
    labels: Int64, speakers: np.ndarray | None, *, folds: int, seed: int
) -> list[tuple[Int64, Int64]]:
    """Folds inside a training part, for a search.

    Every part to fit on has every class, and every part to score on has labels of every target.

    Args:
        labels: int64 ``[n, targets]``, -1 where there is no label.
        speakers: ``[n]``, to be kept apart; None to ignore them.
        folds: the most; fewer if there are too few speakers or rows of a class.
        seed: of the shuffle.

    Returns:
        Pairs of int64 positions: to fit on, to score on. Each row is scored once.

    Raises:
        DataError: there are no two such folds.
    """
    strata = np.unique(labels, axis=0, return_inverse=True)[1].ravel()
    wanted = [set(column) - {-1} for column in labels.T]
    most = min(folds, len(set(speakers)) if speakers is not None else len(labels) // 2)
    for count in range(most, 1, -1):
        pairs = cross_validate(strata, speakers, folds=count, seed=seed)
        every_class = all(
            set(column) >= classes
            for fit, _ in pairs
            for column, classes in zip(labels[fit].T, wanted, strict=True)
        )
        if every_class and all((labels[held] >= 0).any(axis=0).all() for _, held in pairs):
            return pairs
    apart = " of different speakers" if speakers is not None else ""
    raise DataError(
        f"the {counted(len(labels), 'training row')} can't be divided into two parts{apart} that "
        "both hold every class, as the search of hyper-parameters needs. Use more folds or a "
        "smaller dev part (data.split), more speakers of each class, or leave rare classes out "
        "(data.targets)"
    )
