"""Permutation importance: how much the UAR drops when features are shuffled.

Values of a feature change places between the test rows of one fold; nothing is fitted again. The
drop is the pooled UAR minus the mean of that of the shuffled rows. It says how much this model
relies on the feature, not how informative the feature is. Each of several redundant features seems
to matter little: shuffle them as a group. A drop below 0 is chance. All features are shuffled in
the same orders, so that two drops differ by the features alone.

References:
    L. Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    A. Fisher, C. Rudin, F. Dominici, "All Models are Wrong, but Many are Useful", JMLR 20, 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from speechnet.core.types import Float32, Float64, Int64
from speechnet.evaluation.bootstrap import count_by_unit, uar_differences

COLUMNS: Final = ("model", "target", "level", "name", "drop", "low", "high")

Predict = Callable[[Float32], Int64]
"""Raw features ``[n, d]`` to the classes of all targets, int64 ``[n, targets]``."""

_ROWS: Final = 2**15  # predicted at once: enough for matrix products, few for the memory
_NUMBERS: Final = 2**26  # the same, of many columns


@dataclass(frozen=True)
class HeldRows:
    """The held-out test part of one fold.

    Attributes:
        X: float32 ``[n, d]``, raw.
        labels: int64 ``[n, targets]``, -1 where there is no label.
        units: int64 ``[n]`` in ``0..U-1``, counted over the test parts of all folds.
        shapes: ``(U, k)`` of each target.
    """

    X: Float32
    labels: Int64
    units: Int64
    shapes: Sequence[tuple[int, int]]

    def count(self, share: Float64) -> list[Float64]:
        """Add up ``share`` (float64 ``[n, targets]``) by unit and class: ``[U, k]`` each target."""
        counts = []
        for column, (units, k) in enumerate(self.shapes):
            known = self.labels[:, column] >= 0
            rows = (self.units[known], self.labels[known, column])
            counts.append(count_by_unit(*rows, k, count=units, weights=share[known, column]))
        return counts


def draw_orders(n: int, repeats: int, seed: int) -> Int64:
    """Random orders of ``n`` rows, int64 ``[repeats, n]``."""
    rows = np.broadcast_to(np.arange(n), (repeats, n))
    return np.random.default_rng(seed).permuted(rows, axis=1)


def recognised(predict: Predict, rows: HeldRows, columns: Int64, orders: Int64) -> Float64:
    """Shuffle ``columns`` (int64 ``[c]``) together and see how often each row is still recognised.

    ``orders`` (int64 ``[repeats, n]``) says where each row takes those columns from.

    Returns:
        The share of the repeats, float64 ``[n, targets]``; 0 where there is no label.
    """
    hits = np.zeros(rows.labels.shape)
    n, width = rows.X.shape
    for some in np.array_split(orders, -(-orders.size // max(min(_ROWS, _NUMBERS // width), n))):
        shuffled = np.repeat(rows.X[None], len(some), axis=0)
        shuffled[:, :, columns] = rows.X[some[:, :, None], columns]
        predicted = predict(shuffled.reshape(-1, width))
        hits += (predicted.reshape(len(some), *hits.shape) == rows.labels).sum(axis=0)
    return hits / len(orders)


def drops(
    before: Float64, after: Iterable[Float64], rows: Float64, *, seed: int, resamples: int = 10_000
) -> list[tuple[float, float, float]]:
    """How much the pooled UAR drops, with 95 % bootstrap intervals over units.

    All arrays count rows by unit and class, float64 ``[U, k]``: those recognised ``before`` and
    ``after`` each shuffling, mean over the repeats, and all ``rows``.

    Returns:
        For each of ``after`` the drop and the ends of its interval, -1 to 1; NaN as
        ``uar_differences`` says.
    """
    hits = [before, *after]
    pairs = [(0, i) for i in range(1, len(hits))]
    found = uar_differences(rows, hits, pairs, resamples=resamples, seed=seed)
    return [(first - second, low, high) for first, second, low, high in found]
