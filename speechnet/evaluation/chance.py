"""Scores under chance: any score beside its draws, and the UAR of a model that only guesses.

A classifier that knows nothing about the labels recalls each of ``k`` classes with the share of
predictions that it gives to that class. These shares sum to 1, so its UAR is ``1 / k`` on average,
whichever class it prefers; the spread depends on how much was tested.

References:
    B. Phipson, G. Smyth, "Permutation p-values should never be zero", SAGMB 9, 2010;
    B. Schuller, S. Steidl, A. Batliner, "The INTERSPEECH 2009 emotion challenge", 2009 (UAR).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.bootstrap import count_by_unit

_TIE: Final = 1e-9  # draws that differ from the score by no more than rounding are as good
_DRAWN: Final = 4_000_000  # predictions to hold at once


class Null(NamedTuple):
    """A score under chance: mean and standard deviation of the draws, and p; NaN if undefined."""

    mean: float
    sd: float
    p: float


UNDEFINED: Final = Null(np.nan, np.nan, np.nan)


def null_of(value: float, draws: Float64, *, lower_is_better: bool = False) -> Null:
    """Compare a score with its draws under chance, float64 ``[R]``.

    Returns:
        Mean, standard deviation (R - 1 in the divisor) and
        ``p = (1 + number of draws at least as good) / (1 + R)``; NaN if the score or a draw is, or
        with fewer than two draws.
    """
    if len(draws) < 2 or not (np.isfinite(value) and np.isfinite(draws).all()):
        return UNDEFINED
    ahead = value - draws if lower_is_better else draws - value
    better = int((ahead >= -_TIE * max(1.0, abs(value))).sum())
    return Null(float(draws.mean()), float(draws.std(ddof=1)), (1 + better) / (1 + len(draws)))


def chance_interval(
    truth: Int64,
    units: Int64 | None,
    k: int,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 100_000,
) -> tuple[float, float]:
    """The interval that contains the UAR of a classifier that knows nothing about the labels.

    The labels ``truth`` (int64 ``[n]``, 0 to k - 1) stay as they are. Each unit is assigned one of
    the ``k`` classes, all equally likely: of all ways to guess balanced classes, this one varies
    most. The unit is what has a label of its own. Usually that is the recording (``units`` None):
    that a speaker's recordings are alike says nothing about their labels. If all recordings of a
    speaker share a label, such as the gender, it is the speaker (``units`` int64 ``[n]``): whoever
    mistakes one of them will mistake them all. ``level`` is the share of such classifiers.

    Returns:
        Lower and upper bound; NaN if fewer than two classes have rows, as the UAR is.
    """
    if len(np.unique(truth)) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    if units is None:
        rows = np.unique(truth, return_counts=True)[1]
        draws = (rng.binomial(rows, 1 / k, size=(resamples, len(rows))) / rows).mean(axis=1)
    else:
        draws = _guess_units(truth, units, k, resamples, rng)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _guess_units(
    truth: Int64, units: Int64, k: int, resamples: int, rng: np.random.Generator
) -> Float64:
    number = np.unique(units, return_inverse=True)[1]
    counts = count_by_unit(number, truth, k, count=int(number.max()) + 1)
    classes = np.unique(truth)
    shares = counts[:, classes] / counts[:, classes].sum(axis=0)  # [units, classes]
    draws = np.empty(resamples)
    at_once = max(1, _DRAWN // len(shares))
    for start in range(0, resamples, at_once):
        guessed = rng.integers(k, size=(min(at_once, resamples - start), len(shares)))
        recalls = [(guessed == c) @ shares[:, column] for column, c in enumerate(classes)]
        draws[start : start + at_once] = np.mean(recalls, axis=0)
    return draws
