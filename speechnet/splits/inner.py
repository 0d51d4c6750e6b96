"""Folds inside a training part."""

from __future__ import annotations

import numpy as np

from speechnet.core.errors import DataError
from speechnet.core.types import Int64
from speechnet.core.wording import counted
from speechnet.splits.strata import cross_validate


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
