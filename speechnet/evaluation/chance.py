"""Scores under chance: any score beside its draws, and the UAR of a model that only guesses.

A classifier that knows nothing about the labels recalls each of ``k`` classes with the share of
predictions that it gives to that class. These shares sum to 1, so that its UAR is ``1 / k`` on
average, whatever it prefers; how far single results lie from it depends on how much was tested.

References:
    B. Phipson, G. Smyth, "Permutation p-values should never be zero", SAGMB 9, 2010;
    B. Schuller, S. Steidl, A. Batliner, "The INTERSPEECH 2009 emotion challenge", 2009 (UAR).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from speechnet.core.types import Float64, Int64

_TIE: Final = 1e-9
"""Draws that differ from the score by no more than rounding are as good."""

_DRAWN: Final = 4_000_000
"""Predictions to hold at once."""


class Null(NamedTuple):
    """One score under chance: mean and standard deviation of the draws, and p; NaN if undefined."""

    mean: float
    sd: float
    p: float


UNDEFINED: Final = Null(np.nan, np.nan, np.nan)


def null_of(value: float, draws: Float64, *, lower_is_better: bool = False) -> Null:
    """Compare a score with its draws under chance.

    Args:
        value: the score.
        draws: float64 ``[R]``.
        lower_is_better: whether small values are the good ones.

    Returns:
        Mean, standard deviation (R - 1 in the divisor) and
        ``p = (1 + number of draws at least as good) / (1 + R)``; NaN where the score or a draw is,
        or with fewer than two draws.
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
    """The interval in which the UAR of a classifier lies that knows nothing about the labels.

    The labels stay as they are; each unit is given one of the ``k`` classes, all equally likely,
    which of all ways to guess balanced classes is the one that scatters most. The unit is what a
    label was drawn for. Where every recording has a label of its own, it is the recording: however
    alike the recordings of a speaker are, that says nothing about their labels. Where all
    recordings of a speaker share a label, as a gender, it is the speaker: whoever mistakes one of
    them will mistake them all.

    Args:
        truth: labels, int64 ``[n]``, 0 to k - 1.
        units: which rows are predicted as one, int64 ``[n]``; None for each by itself.
        k: number of classes.
        seed: of the draws.
        level: share of the results that lies within.
        resamples: number of draws. Of a level near 1 only a few of them lie outside.

    Returns:
        Lower and upper bound; NaN where fewer than two classes have rows, as the UAR is.

    Raises:
        ValueError: a level that is no share.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level:g}, expected between 0 and 1")
    if len(np.unique(truth)) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    if units is None:
        draws = _alone(truth, k, resamples, rng)
    else:
        draws = _as_one(truth, units, k, resamples, rng)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _rows(truth: Int64, k: int) -> Int64:
    """Rows of each class that has any."""
    counts = np.bincount(truth, minlength=k)
    return counts[counts > 0].astype(np.int64)


def _alone(truth: Int64, k: int, resamples: int, rng: np.random.Generator) -> Float64:
    rows = _rows(truth, k)
    recalls = rng.binomial(rows, 1 / k, size=(resamples, len(rows))) / rows
    return np.asarray(recalls.mean(axis=1))


def _as_one(
    truth: Int64, units: Int64, k: int, resamples: int, rng: np.random.Generator
) -> Float64:
    number = np.unique(units, return_inverse=True)[1]
    counts = np.zeros((number.max() + 1, k))
    np.add.at(counts, (number, truth), 1)
    present = counts.sum(axis=0) > 0
    shares = counts[:, present] / counts[:, present].sum(axis=0)  # [units, classes]
    classes = np.flatnonzero(present)
    draws = np.empty(resamples)
    at_once = max(1, _DRAWN // len(shares))
    for start in range(0, resamples, at_once):
        guessed = rng.integers(k, size=(min(at_once, resamples - start), len(shares)))
        recalls = [(guessed == c) @ shares[:, column] for column, c in enumerate(classes)]
        draws[start : start + at_once] = np.mean(recalls, axis=0)
    return draws
