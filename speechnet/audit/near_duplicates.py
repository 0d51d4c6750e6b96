"""Copies of a recording that were re-encoded, trimmed or rescaled, found among the features.

A copy lies nearer to its original than recordings that merely sound alike lie to one another. How
near depends on the corpus and the features, so each distance is compared with the surroundings of
the two recordings. ``docs/read-the-report.md`` says how many copies of each kind are found.
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

# Columns that a gain changes (``mfcc_00`` is the overall level), or that count over the duration.
_LEVEL: Final = re.compile(r"energy_.*|mfcc_00_(?!std$).*|zero_crossings_count")
# The neighbour whose distance stands for a recording's surroundings. As many copies of one
# recording would hide each other.
_NEIGHBOURS: Final = 10
# Scaled values are clipped to this many standard deviations, so that one extreme column, such as
# the flatness of a band-limited copy, can't outweigh all others.
_LARGEST: Final = 5.0
# Share of the mean variance that is added to each component's before it is scaled to one, so that
# components of nothing but rounding don't count as much as the others.
_SHRINKAGE: Final = 0.1
_LANDMARKS: Final = 3  # recordings are compared that share one of this many nearest landmarks
_ROWS: Final = 1_000  # rows of distances in memory at once; the sample that represents all
_CHANCE: Final = 1e-3  # how often a recording without a copy may be taken for one
_FEW: Final = 4_096  # up to this many recordings, one thread is faster than several


def find(matrix: FeatureMatrix, config: AuditConfig) -> pd.DataFrame:
    """Find pairs of recordings that are near-duplicates.

    Columns that don't depend on the level are scaled to median 0 and interquartile range 1.35 and
    transformed to principal components of (nearly) equal variance, so that redundant columns count
    once. Two recordings are near-duplicates if their Euclidean distance is at most
    ``near_duplicate_ratio`` of either's distance to its tenth neighbour (an earlier one in a corpus
    of less than a hundred). With few columns, recordings come near one another by chance: the share
    is then at most that which one in 1,000 recordings reaches by chance.

    Up to ``near_duplicate_exact`` recordings, all pairs are compared, in quadratic time. Of more,
    only those that share one of their three nearest landmarks, recordings drawn at random, three
    times the square root of their number; time then grows with the power of 1.5. Pairs found that
    way are checked by exact distances: they are about 99 of 100 that comparing all pairs finds.

    Returns:
        Columns ``first, second, distance, threshold``, nearest first; each pair once, ``first``
        before ``second`` in the order of the matrix.
    """
    with threadpool_limits(limits=1 if len(matrix.index) <= _FEW else None):
        Z = _components(_standardised(matrix))
        reach = min(_NEIGHBOURS, max(2, len(Z) // 10))
        if len(Z) <= reach or Z.shape[1] == 0:
            return pd.DataFrame(columns=[*PAIR_COLUMNS])
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
    surroundings = np.zeros(len(Z))  # those of the others aren't known; they have no pair
    surroundings[near] = distances[:, -1]
    threshold = ratio * np.minimum(surroundings[first], surroundings[second])
    near = distance <= threshold
    pairs = np.sort(np.stack([first, second], axis=1)[near], axis=1)
    # Most pairs are found from both sides.
    pairs, once = np.unique(pairs, axis=0, return_index=True)
    distance, threshold = distance[near][once], threshold[near][once]
    order = np.argsort(distance, kind="stable")
    files = np.array([*matrix.index, None], dtype=object)[:-1]
    columns = (*files[pairs[order]].T, distance[order], threshold[order])
    return pd.DataFrame(dict(zip(PAIR_COLUMNS, columns, strict=True)))


def _others(search: NearestNeighbors, Z: Float32, rows: Int64) -> tuple[Float64, Int64]:
    """Distances of some rows to the nearest others, and the positions of these."""
    distances, neighbours = search.kneighbors(Z[rows], search.n_neighbors + 1)
    # Of several at distance 0 any may come first: drop the row itself, or else the last one.
    own = neighbours == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = len(rows), search.n_neighbors
    return distances[~own].reshape(shape), neighbours[~own].reshape(shape)


def _within_cells(Z: Float32, reach: int) -> tuple[Float32, Float32]:
    """Distances among recordings that share a landmark: to the nearest, and to number ``reach``.

    The latter is the smallest over the cells of a recording. ``[n]`` both, infinite if there are
    fewer recordings.
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
    """Distances to the nearest other and to number ``reach``, some rows at a time."""
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
    probability ``r ** m``, and the nearest of ``k - 1`` with about ``k - 1`` times that. The
    dimension is estimated as by E. Levina and P. Bickel, "Maximum likelihood estimation of
    intrinsic dimension" (NIPS 2004), by the median over recordings because copies would lower the
    mean. ``distances`` are those to the neighbours, nearest first, float64 ``[n, k]``.
    """
    logs = np.log(np.maximum(distances, np.finfo(np.float64).tiny))
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
