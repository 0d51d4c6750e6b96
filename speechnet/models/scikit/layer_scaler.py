"""Scaled columns of which each stack gives one layer of its encoder, or the mean of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from speechnet.core.types import Float32, Float64, Stack, tallest
from speechnet.models.candidates import Candidate, check_layers
from speechnet.models.scaling import make_scaler

LAYER: Final = "layer"
"""The key of a candidate that says which layer; see ``ScikitModel``."""
MEAN: Final = "mean"
ALL: Final = "all"


class LayerScaler(TransformerMixin, BaseEstimator):  # type: ignore[misc] # both are untyped
    """Takes the scaler's place where there are stacks.

    Layers are scaled before their mean is taken: their numbers may differ in size by a factor of a
    hundred, and the raw mean would be that of the largest. A network's mix starts from the same
    mean. Only one layer at a time is copied to float64; the rows themselves hold all in float32.

    Args:
        scaling: see ``make_scaler``.
        stacks: each ``Stack`` as three numbers, in rising order.
        layer: a number from 0, or from -1 for the last; a stack that has no such layer gives its
            mean. ``mean`` is the mean of all.
    """

    def __init__(
        self, scaling: str = "none", stacks: Sequence[Sequence[int]] = (), layer: int | str = MEAN
    ) -> None:
        self.scaling = scaling
        self.stacks = stacks
        self.layer = layer

    def fit(self, X: Float32, y: object = None) -> Self:
        """Fit a scaler to each run of columns that is needed; X is ``[n, d]``, raw."""
        del y
        self.scalers_ = [
            [make_scaler(self.scaling).fit(X[:, one].astype(np.float64)) for one in columns]
            for columns in self._needed(X.shape[1])
        ]
        return self

    def transform(self, X: Float32) -> Float64:
        """``[n, d]``, raw, to float64 ``[n, k]``: every stack is as wide as one of its layers."""
        pieces = []
        for scalers, columns in zip(self.scalers_, self._needed(X.shape[1]), strict=True):
            scaled = (
                scaler.transform(X[:, one].astype(np.float64))
                for scaler, one in zip(scalers, columns, strict=True)
            )
            pieces.append(sum(scaled) / len(columns))
        return np.concatenate(pieces, axis=1)

    def weights(self) -> list[list[float]]:
        """How much each layer of each stack counts, with the sum 1."""
        found = []
        for stack in map(Stack._make, self.stacks):
            taken = _taken(stack, self.layer)
            found.append([(one in taken) / len(taken) for one in range(stack.layers)])
        return found

    def _needed(self, width: int) -> list[list[slice]]:
        """The columns of each piece of the output; of several the mean is taken."""
        found, end = [], 0
        for stack in map(Stack._make, self.stacks):
            found.append([slice(end, stack.start)])
            starts = (stack.start + one * stack.width for one in _taken(stack, self.layer))
            found.append([slice(start, start + stack.width) for start in starts])
            end = stack.end
        found.append([slice(end, width)])
        return [piece for piece in found if piece[0].stop > piece[0].start]


def _taken(stack: Stack, layer: int | str) -> list[int]:
    every = range(stack.layers)
    there = isinstance(layer, int) and -stack.layers <= layer < stack.layers
    return [every[int(layer)]] if there else [*every]


def with_layers(
    candidates: Sequence[Candidate], layers: Sequence[Any], stacks: Sequence[Stack]
) -> list[Candidate]:
    """Every candidate with every layer to try, in the layers' order; the same without stacks.

    Args:
        candidates: of the estimator.
        layers: see ``ScikitModel``.
        stacks: of the features.

    Raises:
        ConfigError: no stack has one of the layers.
    """
    if not stacks:
        return [*candidates]
    count = tallest(stacks)
    check_layers(layers, count)
    tried = [each for one in layers for each in (range(count) if one == ALL else [one])]
    return [{LAYER: layer} | one for layer in dict.fromkeys(tried) for one in candidates]
