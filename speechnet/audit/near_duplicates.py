"""Copies of a recording that were re-encoded, trimmed or rescaled, found among the features.

A copy lies nearer to its original than recordings lie to one another that merely sound alike. How
near that is depends on the corpus and on the features, so each distance is held against the two
recordings' own surroundings.

Measured on RAVDESS, whose actors say each sentence twice in each way: 60 copies of each kind among
1,440 recordings, with the ``functionals`` preset (silence trimmed) and with the ``original`` one
(silence kept, denoised). Found are, in per cent, by the one / the other:

    gain 0.3 to 2, clipping included       98 to 100 / 98 to 100
    MP3 of 80 to 200 kbit/s                100 / 100
    MP3 of a variable rate, 60 kbit/s      88 / 97
    Ogg Vorbis of 66 kbit/s                98 / 95
    50 to 300 ms cut off one end           100 / 100
    300 ms cut off both ends               100 / 95
    8 bits, at full level                  90 / 90
    8 bits, as quiet as it was             12 / 20: the rounding is as loud as the speech
    16 kHz, analysed at 22.05 kHz          5 / 3
    16 kHz, all analysed at that rate      93 / 60

and falsely named, without any copy, are 0 / 2 pairs. A copy at a lower sample rate lacks the treble
of its original: it is found where ``data.audio.sample_rate`` is no higher than its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from speechnet.audit.config import AuditConfig
from speechnet.core.types import FeatureMatrix, Float32, Float64, Int64

PAIR_COLUMNS: Final = ("first", "second", "distance", "threshold")

_LEVEL: Final = re.compile(r"energy_.*|mfcc_00_(?!std$).*|zero_crossings_count")
"""Columns that a gain moves (``mfcc_00`` is the overall level), or that count over the duration."""

_NEIGHBOURS: Final = 10
"""The neighbour whose distance stands for a recording's surroundings; so many copies of one
recording and more would hide each other."""

_LARGEST: Final = 5.0
"""Scaled values beyond this, in standard deviations, count as this: one wild column, such as the
flatness of a band-limited copy, then can't outweigh all others."""

_SHRINKAGE: Final = 0.1
"""Share of the mean variance that is added to each component's before it is scaled to one, lest
components that hold nothing but rounding count as much as the others."""

_LANDMARKS: Final = 3
"""A recording is compared with those that share one of so many nearest landmarks."""

_ROWS: Final = 1_000
"""Rows of distances that are in memory at once; and recordings that stand for all."""

_CHANCE: Final = 1e-3
"""How often a recording without a copy may be taken for one, in a corpus spread evenly."""

_FEW: Final = 4_096
"""Recordings up to which one thread is faster than several: these would wait for each other."""


def find(matrix: FeatureMatrix, config: AuditConfig) -> pd.DataFrame:
    """Find pairs of recordings that are near-duplicates.

    Columns that the level doesn't move are scaled to median 0 and interquartile range 1.35, turned
    to their principal components and these scaled to (nearly) equal variance, so that what many
    columns say together counts once. Two recordings are near-duplicates if their Euclidean
    distance is at most ``near_duplicate_ratio`` of either's distance to its tenth neighbour (an
    earlier one in a corpus of less than a hundred), and of few columns, which come near one another
    by chance, at most the share that one in 1,000 recordings reaches so.

    How much is found depends on the speech and on what was done to a copy, more than on how many
    recordings there are. Of copies planted in 24, 48, 100, 200 and 384 recordings drawn at random
    (the last column: up to 100), one of each kind for every 50, were found, in per cent, over 20
    draws of up to 100 recordings and 8 of more, the range over the sizes:

        copy                       RAVDESS, trimmed       synthetic sentences, not trimmed
        columns                    25         201         25 (8 kHz)   65 (8 kHz)   201 (16 kHz)
        gain of 1.5                95 to 100  100         88 to 100    100          100
        Ogg Vorbis                 100        95 to 100   0 to 65      95 to 100    45 to 70
        50 ms cut off              100        100         16 to 75     90 to 98     60 to 75
        200 ms of speech cut off   59 to 85   16 to 52    2 to 65      94 to 100    0 to 8
        gain of 20, clipped        50 to 75   59 to 75    0 to 5       5 to 20      0 to 5

    So on real speech it is reliable from 24 recordings and 25 columns on for a gain, a codec or a
    short cut. On the short synthetic sentences it is so for a gain alone, and for the others with
    the 65 columns of the ``original`` preset. A heavily clipped copy is often missed at any size,
    and so mostly is one that lacks 200 ms of speech: that no pair is found doesn't say that there
    is none.

    Up to ``near_duplicate_exact`` recordings all pairs are compared, in a time that grows with the
    square of their number. Of more, only those that share one of their three nearest landmarks:
    recordings drawn at random, three times the root of their number. Time grows with its power of
    1.5. What is found so is held against exact distances, and is part of what all pairs would give:
    246 of 247 pairs on RAVDESS with 240 copies (gain, MP3, Ogg Vorbis, 100 ms cut off), 496 of 500
    planted in 16,000 made-up rows, 499 of 500 in 100,000, 495 of 500 in 300,000.

    Args:
        matrix: the features of the recordings.
        config: the ratio, and up to how many recordings all pairs are compared.

    Returns:
        Columns ``first, second, distance, threshold``, nearest first; each pair once, ``first``
        before ``second`` in the order of the matrix.
    """
    with threadpool_limits(limits=1 if len(matrix.index) <= _FEW else None):
        Z = _components(_standardised(matrix))
        reach = min(_NEIGHBOURS, max(2, len(Z) // 10))
        if len(Z) <= reach or Z.shape[1] == 0:
            nothing = np.zeros(0)
            return _table(matrix.index, nothing.astype(int), nothing.astype(int), nothing, nothing)
        search = NearestNeighbors(n_neighbors=reach, algorithm="brute").fit(Z)
        if len(Z) <= config.near_duplicate_exact:
            near = np.arange(len(Z))
            distances, neighbours = search.kneighbors()  # no recording is its own neighbour
            ratio = min(config.near_duplicate_ratio, _by_chance(distances))
        else:
            sample = np.random.default_rng(0).choice(len(Z), _ROWS, replace=False)
            ratio = min(config.near_duplicate_ratio, _by_chance(_others(search, Z, sample)[0]))
            nearest, furthest = _within_cells(Z, reach)
            # The tenth neighbour within a cell is no nearer than the tenth of all.
            near = np.flatnonzero(nearest <= ratio * furthest)
            distances, neighbours = _others(search, Z, near)
    first = np.repeat(near, reach)
    second, distance = neighbours.ravel(), distances.ravel()
    surroundings = np.zeros(len(Z))  # of the others unknown: they have no pair
    surroundings[near] = distances[:, -1]
    threshold = ratio * np.minimum(surroundings[first], surroundings[second])
    near = distance <= threshold
    pairs = np.sort(np.stack([first, second], axis=1)[near], axis=1)
    # Most pairs are found from both sides.
    pairs, once = np.unique(pairs, axis=0, return_index=True)
    first, second = pairs.T
    return _table(matrix.index, first, second, distance[near][once], threshold[near][once])


def _others(search: NearestNeighbors, Z: Float32, rows: Int64) -> tuple[Float64, Int64]:
    """Distances to the nearest others of some rows, and where these stand."""
    distances, neighbours = search.kneighbors(Z[rows], search.n_neighbors + 1)
    # Of several at distance 0 any may come first: the row itself goes, or else the last one.
    own = neighbours == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = len(rows), search.n_neighbors
    return distances[~own].reshape(shape), neighbours[~own].reshape(shape)


def _within_cells(Z: Float32, reach: int) -> tuple[Float32, Float32]:
    """Distances among recordings that share a landmark.

    Returns:
        To the nearest of them, and to the one at place ``reach`` within one cell, the nearest such:
        ``[n]`` both, infinite where there are fewer.
    """
    count = math.isqrt(_LANDMARKS**2 * len(Z))
    landmarks = Z[np.random.default_rng(0).choice(len(Z), count, replace=False)]
    halves = np.square(landmarks).sum(axis=1) / 2
    own = np.empty((len(Z), _LANDMARKS), dtype=np.int32)
    for start in range(0, len(Z), _ROWS):
        part = slice(start, start + _ROWS)
        apart = halves - Z[part] @ landmarks.T  # half the squared distance, and a constant
        own[part] = np.argpartition(apart, _LANDMARKS, axis=1)[:, :_LANDMARKS]
    order = np.argsort(own, axis=None, kind="stable") // _LANDMARKS
    ends = np.cumsum(np.bincount(own.ravel(), minlength=count))
    nearest = np.full(len(Z), np.inf, dtype=np.float32)
    furthest = np.full(len(Z), np.inf, dtype=np.float32)
    for cell in np.split(order, ends[:-1]):
        for rows, found in _among(Z[cell], reach):
            which = cell[rows]
            nearest[which] = np.minimum(nearest[which], found[:, 0])
            furthest[which] = np.minimum(furthest[which], found[:, -1])
    return nearest, furthest


def _among(Z: Float32, reach: int) -> Iterator[tuple[slice, Float32]]:
    """Distances to the nearest others, the nearest and the last of them, some rows at a time."""
    squares = np.square(Z).sum(axis=1)
    for start in range(0, len(Z) if len(Z) > reach else 0, _ROWS):
        rows = slice(start, start + _ROWS)
        squared = squares - 2 * Z[rows] @ Z.T
        squared[np.arange(len(squared)), np.arange(start, start + len(squared))] = np.inf
        few = np.partition(squared, [0, reach - 1], axis=1)[:, [0, reach - 1]]
        yield rows, np.sqrt(np.maximum(few + squares[rows, None], 0))


def _by_chance(distances: Float64) -> float:
    """The ratio of nearest to furthest that one of 1,000 recordings reaches without any copy.

    In ``m`` dimensions a neighbour lies within a share ``r`` of the ``k``-th one's distance with
    probability ``r ** m``, and the nearest of ``k - 1`` with ``k - 1`` times that where it is
    rare. The dimension is estimated as by E. Levina and P. Bickel, "Maximum likelihood estimation
    of intrinsic dimension" (NIPS 2004); by the median over recordings, for copies would lower it.

    Args:
        distances: to the neighbours, nearest first, float64 ``[n, k]``.
    """
    tiny = np.finfo(np.float64).tiny
    logs = np.log(np.maximum(distances, tiny))
    inverse = np.median((logs[:, -1:] - logs[:, :-1]).mean(axis=1))
    others = distances.shape[1] - 1
    return float((_CHANCE / others) ** inverse)


def _standardised(matrix: FeatureMatrix) -> Float64:
    """The columns that a gain leaves alone, robustly scaled; constant ones are left out."""
    kept = [i for i, name in enumerate(matrix.names) if not _LEVEL.fullmatch(name)]
    X = matrix.X[:, kept].astype(np.float64)
    if len(X) == 0:
        return X
    low, median, high = np.percentile(X, [25, 50, 75], axis=0)
    varies = high > low
    deviation = (high - low)[varies] / 1.349  # the interquartile range of a normal distribution
    Z: Float64 = np.clip((X[:, varies] - median[varies]) / deviation, -_LARGEST, _LARGEST)
    return Z


def _components(Z: Float64) -> Float32:
    """Principal components of (nearly) equal variance, float32 ``[n, d]``."""
    if Z.size == 0:
        return Z.astype(np.float32)
    n, d = Z.shape
    Z = Z - Z.mean(axis=0)
    variances, axes = np.linalg.eigh(Z.T @ Z / n)
    # d / n: of few recordings the smallest variances come out far too small (Marchenko, Pastur).
    added = (_SHRINKAGE + d / n) * variances.mean()
    return np.asarray(Z @ (axes / np.sqrt(np.maximum(variances, 0) + added)), dtype=np.float32)


def _table(
    index: tuple[str, ...], first: Int64, second: Int64, distance: Float64, threshold: Float64
) -> pd.DataFrame:
    order = np.argsort(distance, kind="stable")
    files = np.array([*index, None], dtype=object)[:-1]
    columns = (files[first[order]], files[second[order]], distance[order], threshold[order])
    return pd.DataFrame(dict(zip(PAIR_COLUMNS, columns, strict=True)))
