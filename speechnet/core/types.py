"""The few types that pass from one part to the next, and the vocabularies they are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from speechnet.core.errors import ConfigError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

Targets = dict[str, list[str]]
"""Each target's name with its ordered classes: ``{"gender": ["female", "male"], ...}``.

All are categorical: ``speechnet.core.targets`` has the kinds, and refuses the others.
"""

REASONS: Final[dict[str, str]] = {
    "missing": "listed, but no such file",
    "outside_root": "lies outside the corpus root",
    "unreadable": "not an audio file, or damaged beyond decoding",
    "empty": "a header without samples",
    "truncated": "fewer samples than the header says",
    "bad_rate": "a sample rate outside the bounds",
    "too_large": "more samples than the bound allows",
    "too_short": "shorter than the minimum duration",
    "too_long": "longer than the maximum duration",
    "not_finite": "NaN or infinite samples",
    "unscaled": "samples far beyond full scale, which is 1",
    "silent": "no sound above the silence level",
    "not_finite_denoised": "denoising gave NaN or infinite samples",
    "not_finite_features": "a feature came out NaN or infinite",
    "failed": "a step of the extraction raised an error",
    "duplicate": "the same samples as another recording",
    "worker_died": "the process working on it died twice",
}
"""Why a recording may be excluded. Each stands in ``excluded.csv`` as written here."""

NOTES: Final[dict[str, str]] = {
    "channels_cancel": "channels that cancel each other when they are mixed: the loudest was taken",
    "channels_differ": "channels that hold different sounds, such as two ends of a call",
}
"""What should be known of a recording that is used all the same."""

POLICY_REASONS: Final = frozenset({"too_short", "too_long", "duplicate"})
"""Reasons that the experiment chose. They don't count towards ``data.max_bad_share``."""


@dataclass(frozen=True)
class FeatureMatrix:
    """A table of finite numbers, one row per recording.

    Attributes:
        X: float32 ``[n, d]``, read-only, finite.
        index: the ``n`` row ids (the ``file`` index of the corpus table).
        names: the ``d`` column names, such as ``mfcc_07_mean``.
    """

    X: Float32
    index: tuple[str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.X.shape != (len(self.index), len(self.names)):
            raise ValueError(
                f"X has shape {self.X.shape}, expected ({len(self.index)}, {len(self.names)})"
            )
        if not np.isfinite(self.X).all():
            raise ValueError("X holds NaN or infinite values; exclude those rows first")
        self.X.setflags(write=False)

    def take(self, rows: Int64) -> FeatureMatrix:
        """Some recordings, in the order asked for; their numbers are copied."""
        return FeatureMatrix(self.X[rows], tuple(self.index[row] for row in rows), self.names)


@dataclass(frozen=True)
class Sequences:
    """Frames of recordings, of a number that differs from one to the next.

    Attributes:
        frames: float32 ``[total frames, d]``, read-only, finite; one recording behind the other.
        starts: int64 ``[n + 1]``; recording ``i`` has the frames from ``starts[i]`` up to the next.
        index: the ``n`` row ids (the ``file`` index of the corpus table).
        names: the ``d`` column names, such as ``mel_07``.
        rate: frames a second.
    """

    frames: Float32
    starts: Int64
    index: tuple[str, ...]
    names: tuple[str, ...]
    rate: float

    def __post_init__(self) -> None:
        expected = (int(self.starts[-1]), len(self.names))
        if self.frames.shape != expected or len(self.starts) != len(self.index) + 1:
            raise ValueError(
                f"found frames {self.frames.shape} and {len(self.starts) - 1} recordings, expected "
                f"{expected} and {len(self.index)}"
            )
        if (np.diff(self.starts) < 1).any():
            raise ValueError("a recording has no frames; exclude those rows first")
        if not np.isfinite(self.frames).all():
            raise ValueError("frames hold NaN or infinite values; exclude those rows first")
        self.frames.setflags(write=False)

    def of(self, row: int) -> Float32:
        """The frames of one recording: float32 ``[frames, d]``, a view."""
        return self.frames[self.starts[row] : self.starts[row + 1]]

    def take(self, rows: Int64) -> Sequences:
        """Some recordings, in the order asked for; their frames are copied."""
        lengths = np.diff(self.starts)[rows]
        frames = np.concatenate([self.frames[:0], *(self.of(int(row)) for row in rows)])
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        index = tuple(self.index[row] for row in rows)
        return Sequences(frames, starts, index, self.names, self.rate)


Features = FeatureMatrix | Sequences
"""What an extractor gives for a corpus, and what a model takes."""


@dataclass(frozen=True)
class FeatureSet:
    """What every extractor gave for the same recordings.

    Attributes:
        by_extractor: at least one, all with the same rows in the same order.
    """

    by_extractor: Mapping[str, Features]

    @property
    def index(self) -> tuple[str, ...]:
        """The row ids."""
        return next(iter(self.by_extractor.values())).index

    @cached_property
    def matrix(self) -> FeatureMatrix:
        """All vectors, joined column by column; without columns where there are none."""
        vectors = [one for one in self.by_extractor.values() if isinstance(one, FeatureMatrix)]
        if len(vectors) == 1:
            return vectors[0]
        nothing = np.zeros((len(self.index), 0), dtype=np.float32)
        X = np.concatenate([nothing, *(one.X for one in vectors)], axis=1)
        return FeatureMatrix(X, self.index, tuple(name for one in vectors for name in one.names))

    def take(self, rows: Int64) -> FeatureSet:
        """Some recordings, in the order asked for."""
        return FeatureSet({name: one.take(rows) for name, one in self.by_extractor.items()})

    @classmethod
    def vectors(cls, X: Float32) -> FeatureSet:
        """The rows of a matrix, float32 ``[n, d]``, whose ids and columns are their numbers."""
        index, names = (tuple(map(str, range(count))) for count in X.shape)
        return cls({"vectors": FeatureMatrix(X, index, names)})

    @classmethod
    def stacked(cls, sets: Sequence[FeatureSet]) -> FeatureSet:
        """The recordings of several sets one behind the other, at least one."""
        return cls(
            {name: _stacked([s.by_extractor[name] for s in sets]) for name in sets[0].by_extractor}
        )

    def of(self, name: str | None = None) -> Features:
        """What one extractor gave, or all vectors joined where none is named.

        Raises:
            ConfigError: there is no such extractor.
        """
        if name is None:
            return self.matrix
        if name not in self.by_extractor:
            raise ConfigError(f"data.features has no {name!r}, only {', '.join(self.by_extractor)}")
        return self.by_extractor[name]


def _stacked(parts: Sequence[Features]) -> Features:
    first, index = parts[0], tuple(row for part in parts for row in part.index)
    if isinstance(first, FeatureMatrix):
        X = np.concatenate([part.X for part in parts if isinstance(part, FeatureMatrix)])
        return FeatureMatrix(X, index, first.names)
    sequences = [part for part in parts if isinstance(part, Sequences)]
    lengths = np.concatenate([np.diff(part.starts) for part in sequences])
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    frames = np.concatenate([part.frames for part in sequences])
    return Sequences(frames, starts, index, first.names, first.rate)


@dataclass(frozen=True)
class Fold:
    """One division of the rows. Positions into the corpus table, int64, disjoint.

    Attributes:
        train: rows that anything may be fitted on.
        dev: rows that early stopping and the choice between models may see; may be empty.
        test: rows that are only scored.
    """

    train: Int64
    dev: Int64
    test: Int64

    def parts(self) -> dict[str, Int64]:
        """The parts by name, in the order train, dev, test."""
        return {"train": self.train, "dev": self.dev, "test": self.test}


PREDICTION_COLUMNS: Final = ("file", "part", "fold", "model", "target", "truth", "predicted")
"""``Predictions`` is a pandas table with these columns and a ``p_<class>`` for every class.

``part`` is train, dev or test; ``fold`` an integer; a ``p_`` column is NaN in the rows of a target
that has no such class. Rows without a label for the target are not in the table.
"""


def encode_all(table: pd.DataFrame, targets: Targets) -> Int64:
    """All targets' labels of a corpus table: int64 ``[n, targets]``, as ``encode`` gives them."""
    return np.stack([encode(table[name], classes) for name, classes in targets.items()], axis=1)


def encode(labels: pd.Series, classes: list[str]) -> Int64:
    """Turn labels into positions in ``classes``; a missing label becomes -1.

    Args:
        labels: strings or NA, ``[n]``.
        classes: the ordered classes.

    Returns:
        int64 ``[n]``.

    Raises:
        ValueError: a label is not among the classes.
    """
    codes = pd.Index(classes, dtype=object).get_indexer(pd.Index(labels, dtype=object))
    unknown = labels[(codes < 0) & labels.notna().to_numpy()]
    if len(unknown):
        raise ValueError(f"label {unknown.iloc[0]!r} is not among the classes {classes}")
    return np.asarray(codes, dtype=np.int64)
