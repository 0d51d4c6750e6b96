"""The types that pass from one part to the next, and their vocabularies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from speechnet.core.columns import averaged_names, layer_names
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
    "not_in_table": "the table of features has no row of it",
    "failed": "a step of the extraction raised an error",
    "duplicate": "the same samples as another recording",
    "worker_died": "the process working on it died twice",
}
"""Why a recording may be excluded, as ``excluded.csv`` has it."""

NOTES: Final[dict[str, str]] = {
    "channels_cancel": "channels that cancel each other when they are mixed: the loudest was taken",
    "channels_differ": "channels that hold different sounds, such as two ends of a call",
}
"""Remarks on recordings that are used all the same."""

POLICY_REASONS: Final = frozenset({"too_short", "too_long", "duplicate"})
"""Reasons that the configuration sets; they don't count towards ``data.max_bad_share``."""


class Stack(NamedTuple):
    """Neighbouring columns that hold the same numbers of several layers of an encoder.

    Column ``start + layer * width + i`` is number ``i`` of a layer, both from 0.
    """

    start: int
    layers: int
    width: int

    @property
    def end(self) -> int:
        """The column behind the last."""
        return self.start + self.layers * self.width


def tallest(stacks: Sequence[Stack]) -> int:
    """The layers of the stack that has most of them; 1 where there is none."""
    return max((one.layers for one in stacks), default=1)


@dataclass(frozen=True)
class FeatureMatrix:
    """A vector for each recording.

    Attributes:
        X: float32 ``[n, d]``, read-only, finite.
        index: the ``n`` row ids (the ``file`` index of the corpus table).
        names: the ``d`` column names, such as ``mfcc_07_mean``.
        stacks: the columns that several layers of an encoder gave, of which a model may choose.
    """

    X: Float32
    index: tuple[str, ...]
    names: tuple[str, ...]
    stacks: tuple[Stack, ...] = ()

    def __post_init__(self) -> None:
        if self.X.shape != (len(self.index), len(self.names)):
            raise ValueError(
                f"X has shape {self.X.shape}, expected ({len(self.index)}, {len(self.names)})"
            )
        if not np.isfinite(self.X).all():
            raise ValueError("X holds NaN or infinite values; exclude those rows first")
        self.X.setflags(write=False)

    @cached_property
    def averaged(self) -> FeatureMatrix:
        """The mean of each stack's layers in its place, for distances between recordings."""
        if not self.stacks:
            return self
        pieces, names, end = [], list[str](), 0
        for one in self.stacks:
            layers = self.X[:, one.start : one.end].reshape(-1, one.layers, one.width)
            pieces += [self.X[:, end : one.start], layers.mean(axis=1)]
            names += self.names[end : one.start]
            names += averaged_names(self.names[one.start : one.end], one.layers)
            end = one.end
        X = np.concatenate([*pieces, self.X[:, end:]], axis=1)
        return FeatureMatrix(X, self.index, (*names, *self.names[end:]))

    def take(self, rows: Int64) -> FeatureMatrix:
        """Some recordings, in the order asked for; their numbers are copied."""
        index = tuple(self.index[row] for row in rows)
        return FeatureMatrix(self.X[rows], index, self.names, self.stacks)

    def only(self, columns: Int64) -> FeatureMatrix:
        """Some columns, int64, in rising order; a stack that isn't whole any more is none."""
        kept, stacks = columns.tolist(), []
        for stack in self.stacks:
            start, end = np.searchsorted(columns, [stack.start, stack.end])
            if end - start == stack.end - stack.start:
                stacks.append(stack._replace(start=int(start)))
        names = tuple(self.names[column] for column in kept)
        return FeatureMatrix(self.X[:, columns], self.index, names, tuple(stacks))


@dataclass(frozen=True)
class Sequences:
    """Frames of recordings, which differ in length.

    Attributes:
        frames: float32 ``[total frames, d]``, read-only, finite; one recording after the other.
        starts: int64 ``[n + 1]``; recording ``i`` is ``frames[starts[i]:starts[i + 1]]``.
        index: the ``n`` row ids (the ``file`` index of the corpus table).
        names: the ``d`` column names, such as ``mel_07``.
        rate: frames per second.
        stacks: see ``FeatureMatrix``.
    """

    frames: Float32
    starts: Int64
    index: tuple[str, ...]
    names: tuple[str, ...]
    rate: float
    stacks: tuple[Stack, ...] = ()

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
        frames = np.concatenate([self.frames[:0], *(self.of(int(row)) for row in rows)])
        index = tuple(self.index[row] for row in rows)
        starts = _starts(np.diff(self.starts)[rows])
        return Sequences(frames, starts, index, self.names, self.rate, self.stacks)


def _starts(lengths: Int64) -> Int64:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


Features = FeatureMatrix | Sequences
"""The output of an extractor for a corpus, and the input of a model."""


@dataclass(frozen=True)
class FeatureSet:
    """The features of all extractors, at least one, with the same rows in the same order."""

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
        firsts = np.cumsum([0, *(len(one.names) for one in vectors)]).tolist()
        stacks = tuple(
            stack._replace(start=first + stack.start)
            for first, one in zip(firsts, vectors, strict=False)
            for stack in one.stacks
        )
        names = tuple(name for one in vectors for name in one.names)
        return FeatureMatrix(X, self.index, names, stacks)

    def encoders(self, name: str | None = None) -> list[tuple[str, list[str]]]:
        """The extractor of each stack of ``of(name)``, and what its columns call the layers."""
        found = []
        for key, one in self.by_extractor.items():
            if key == name or (name is None and isinstance(one, FeatureMatrix)):
                columns = (one.names[stack.start : stack.end] for stack in one.stacks)
                pairs = zip(columns, one.stacks, strict=True)
                found += [(key, layer_names(names, stack.layers)) for names, stack in pairs]
        return found

    def take(self, rows: Int64) -> FeatureSet:
        """Some recordings, in the order asked for."""
        return FeatureSet({name: one.take(rows) for name, one in self.by_extractor.items()})

    def only(self, rows: Int64, columns: Int64) -> FeatureSet:
        """Some recordings with some columns of all vectors, joined, and with all sequences."""
        sequences = {
            name: one.take(rows)
            for name, one in self.by_extractor.items()
            if isinstance(one, Sequences)
        }
        return FeatureSet({"vectors": self.matrix.only(columns).take(rows), **sequences})

    @classmethod
    def vectors(cls, X: Float32) -> FeatureSet:
        """The rows of a matrix, float32 ``[n, d]``, whose ids and columns are their numbers."""
        index, names = (tuple(map(str, range(count))) for count in X.shape)
        return cls({"vectors": FeatureMatrix(X, index, names)})

    @classmethod
    def stacked(cls, sets: Sequence[FeatureSet]) -> FeatureSet:
        """The recordings of several sets, at least one, one after the other."""
        made: dict[str, Features] = {}
        index = tuple(row for one in sets for row in one.index)
        for name, first in sets[0].by_extractor.items():
            parts: list[Any] = [one.by_extractor[name] for one in sets]
            if isinstance(first, FeatureMatrix):
                X = np.concatenate([part.X for part in parts])
                made[name] = FeatureMatrix(X, index, first.names, first.stacks)
            else:
                lengths = np.concatenate([np.diff(part.starts) for part in parts])
                frames = np.concatenate([part.frames for part in parts])
                made[name] = replace(first, frames=frames, starts=_starts(lengths), index=index)
        return cls(made)

    def of(self, name: str | None = None) -> Features:
        """The features of one extractor, or all vectors joined if none is named.

        Raises:
            ConfigError: there is no such extractor.
        """
        if name is None:
            return self.matrix
        if name not in self.by_extractor:
            raise ConfigError(f"data.features has no {name!r}, only {', '.join(self.by_extractor)}")
        return self.by_extractor[name]


@dataclass(frozen=True)
class Fold:
    """One division of the corpus table into disjoint rows, by their int64 positions.

    Attributes:
        train: rows to fit on.
        dev: rows for early stopping and the choice between models; may be empty.
        test: rows to score, and for nothing else.
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
    """Positions of labels, strings or NA, in the ordered classes: int64 ``[n]``, -1 for NA.

    Raises:
        ValueError: a label is not among the classes.
    """
    codes = pd.Index(classes, dtype=object).get_indexer(pd.Index(labels, dtype=object))
    unknown = labels[(codes < 0) & labels.notna().to_numpy()]
    if len(unknown):
        raise ValueError(f"label {unknown.iloc[0]!r} is not among the classes {classes}")
    return np.asarray(codes, dtype=np.int64)
