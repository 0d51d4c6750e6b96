"""How far a recording lies from the training data of a model.

Columns are standardised by the training rows: ``z``. The distance of a recording is Mahalanobis's,

    ``sqrt(z' S^-1 z / d)``, with ``S`` the correlations of the ``d`` columns, shrunk towards the
    identity as Ledoit and Wolf estimate it (2004),

about 1 for a typical recording. Unlike a mean of ``z^2`` it notices an unusual combination of usual
values. The limit is calibrated as in conformal prediction: the training speakers are divided into
five groups, each is measured from the others' rows, and 1 % of these distances lie above the limit,
with equal weight for each speaker. About 1 % of the recordings of new speakers of the same corpus
then lie above it too, more where there are few speakers: fewer than 99 allow no guarantee. In
simulations it was 1.3 % with 20 training speakers, 1.9 % with 10, 3.0 % with 5 (12 % in the worst
draw), and 4.8 % with 10 that differ much. The novelty is the distance over the limit: above 1 a
recording is unlike the training data.

References:
    O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
    2004.
    S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with conformal
    p-values", 2023; R. Dunn, L. Wasserman, A. Ramdas, "Distribution-free prediction sets for
    two-layer hierarchical models", 2022, for observations that come in groups, as of speakers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.files import write_whole
from speechnet.core.reading import open_regular
from speechnet.core.types import Float32, Float64, Int64

NAME: Final = "novelty.npy"

_GROUPS: Final = 5
_ABOVE: Final = 0.01
"""Share of held-out speakers' recordings beyond the limit."""
_FAR: Final = 3.0
"""Standard deviations from the mean at which a column is named."""
_MOST: Final = 3
"""Columns that are named at most."""
_HEADER: Final = 1_024
"""Bytes before the numbers of a NumPy file, at most."""


@dataclass(frozen=True)
class Novelty:
    """The distribution of some training rows.

    Attributes:
        mean: of each column, float64 ``[d]``.
        scale: standard deviation of each column, float64 ``[d]``; 1 where it doesn't vary.
        whitening: float64 ``[d, d]``; ``norm(z @ whitening)`` is the novelty.
    """

    mean: Float64
    scale: Float64
    whitening: Float64

    @classmethod
    def fit(cls, X: Float32, speakers: Sequence[object]) -> Novelty:
        """Measure training rows, and calibrate the limit among their speakers.

        Args:
            X: float32 ``[n, d]``, as a model takes them.
            speakers: of each row, ``[n]``. A recording without a speaker counts as a speaker of its
                own; where there is a single speaker all of them do, and the limit is then about new
                recordings, not new speakers.
        """
        codes = _codes(speakers)
        distances = np.empty(len(X))
        group = codes % _GROUPS
        for fold in np.unique(group):
            fitted = cls._of(X[group != fold]) if (group != fold).any() else cls._of(X)
            distances[group == fold] = fitted.of(X[group == fold])
        whole = cls._of(X)
        return cls(whole.mean, whole.scale, whole.whitening / _limit(distances, codes))

    @classmethod
    def _of(cls, X: Float32) -> Novelty:
        """With a limit of 1."""
        # Imported here, as applying needs NumPy alone.
        from sklearn.covariance import ledoit_wolf

        rows = X.astype(np.float64)
        mean, scale = rows.mean(axis=0), rows.std(axis=0)
        # A constant column varies by rounding alone.
        varies = scale > 10 * np.finfo(np.float32).eps * np.abs(rows).max(axis=0)
        scale = np.where(varies, scale, 1.0)
        correlation, _ = ledoit_wolf((rows - mean) / scale, assume_centered=True)
        # A few rows may leave directions without any variance, even shrunk.
        values, vectors = np.linalg.eigh(correlation)
        floor = max(float(values.max()), 1.0) * 1e-6
        whitening = vectors / np.sqrt(np.maximum(values, floor) * len(mean))
        return cls(mean, scale, whitening)

    def standardise(self, X: Float32) -> Float64:
        """Standard deviations from the training mean: float32 ``[n, d]`` -> float64 ``[n, d]``."""
        return np.asarray((X - self.mean) / self.scale)

    def of(self, X: Float32) -> Float64:
        """The novelty of some rows, float32 ``[n, d]``: float64 ``[n]``, 0 or more."""
        return np.asarray(np.linalg.norm(self.standardise(X) @ self.whitening, axis=1))

    def save(self, folder: Path) -> None:
        """Write ``novelty.npy``: float32 ``[d + 2, d]``, mean and scale above the whitening.

        Raises:
            OSError: there is no space or no permission.
        """
        content = io.BytesIO()
        array = np.vstack([self.mean, self.scale, self.whitening]).astype(np.float32)
        np.save(content, array, allow_pickle=False)
        write_whole(folder / NAME, content.getvalue())

    @classmethod
    def load(cls, folder: Path, width: int) -> Novelty:
        """Read what ``save`` wrote.

        Args:
            folder: of the file.
            width: the number of columns, ``d``.

        Raises:
            DataError: the file is missing, damaged, or of other columns.
        """
        path, shape = folder / NAME, (width + 2, width)
        try:
            with open_regular(path) as file:  # bounded, whatever its header says
                content = file.read(4 * math.prod(shape) + _HEADER)
            read = np.load(io.BytesIO(content), allow_pickle=False)
        except Exception as error:  # NumPy parses a header as Python, and fails in as many ways
            raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
        if not isinstance(read, np.ndarray) or (read.shape, read.dtype) != (shape, np.float32):
            found = f"{read.dtype} {read.shape}" if isinstance(read, np.ndarray) else "an archive"
            raise DataError(f"{path} can't be used: found {found}, expected float32 {shape}")
        rows = read.astype(np.float64)
        if not np.isfinite(rows).all():
            raise DataError(f"{path} can't be used: it holds NaN or infinite numbers")
        if not (rows[1] > 0).all():
            raise DataError(f"{path} can't be used: a column's scale is not above 0")
        return cls(rows[0], rows[1], rows[2:])


@dataclass(frozen=True)
class Novelties:
    """How unlike the training data some recordings are.

    Attributes:
        novelty: of each, float64 ``[n]``; above 1 it is unlike the training data. NaN where the
            models use no vectors.
        far: for each that is unlike, the columns that lie far, such as ``contrast_05_mean +19 sd``;
            one of each group, three at most. Empty for all others.
    """

    novelty: Float64
    far: list[str]


def novelties(
    fitted: Sequence[Novelty], X: Float32, names: Sequence[str], groups: Sequence[str]
) -> Novelties:
    """The novelty of some recordings for the models of several folds.

    Args:
        fitted: of each fold; their novelties are averaged, as probabilities are.
        X: float32 ``[n, d]``, as the models take them.
        names: of the columns.
        groups: of the columns, such as ``mfcc`` of ``mfcc_07_mean``.
    """
    if not fitted:
        return Novelties(np.full(len(X), np.nan), [""] * len(X))
    values = np.mean([one.of(X) for one in fitted], axis=0)
    far = [""] * len(X)
    for i in np.flatnonzero(values > 1):
        z = np.mean([one.standardise(X[i : i + 1])[0] for one in fitted], axis=0)
        far[i] = _in_words(z, names, groups)
    return Novelties(values, far)


def _in_words(z: Float64, names: Sequence[str], groups: Sequence[str]) -> str:
    """The farthest column of each group, the farthest first."""
    found: dict[str, str] = {}
    for column in np.argsort(-np.abs(z)):
        if abs(z[column]) < _FAR or len(found) == _MOST:
            break
        found.setdefault(groups[column], f"{names[column]} {z[column]:+.0f} sd")
    return ", ".join(found.values())


def _codes(speakers: Sequence[object]) -> Int64:
    """Each row's speaker as a number, in the order of names: int64 ``[n]``."""
    codes, names = pd.factorize(pd.Series(list(speakers), dtype=object), sort=True)
    unknown = codes < 0
    codes = codes.astype(np.int64)
    codes[unknown] = len(names) + np.arange(int(unknown.sum()))
    return codes if len(np.unique(codes)) > 1 else np.arange(len(codes), dtype=np.int64)


def _limit(distances: Float64, codes: Int64) -> float:
    """The lowest distance beyond which at most 1 % lie, each speaker counting the same."""
    counts = np.bincount(codes)
    weight = 1 / (counts[codes] * np.count_nonzero(counts))
    order = np.argsort(-distances, kind="stable")
    beyond = np.cumsum(weight[order]) - weight[order]  # the share before each, and so above it
    allowed = np.flatnonzero(beyond <= _ABOVE + 1e-12)
    return max(float(distances[order][allowed[-1]]), float(np.finfo(np.float32).tiny))
