"""The candidates of a search: every combination of some values, and how they fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias

from speechnet.core.errors import ConfigError

if TYPE_CHECKING:
    from speechnet.core.types import Int64

Candidate = dict[str, Any]
"""Hyper-parameters by name."""

InnerFolds: TypeAlias = "Sequence[tuple[Int64, Int64]]"
"""Rows to fit on and rows to score, of each inner fold."""


@dataclass(frozen=True)
class Tried:
    """A candidate and its scores.

    Attributes:
        candidate: its hyper-parameters.
        scores: one for each inner fold; NaN where it failed, or where the metric is undefined.
        unconverged: how many of its fits stopped before they had converged.
        error: its first failure, or an empty text; a candidate that failed can't win.
    """

    candidate: Candidate
    scores: tuple[float, ...]
    unconverged: int = 0
    error: str = ""

    @property
    def mean(self) -> float:
        """The mean of ``counted``, whatever their order; NaN if any failed or none is defined."""
        return fmean(self.counted)

    @property
    def counted(self) -> tuple[float, ...]:
        """The scores of the inner folds on which the metric is defined; of a failure all."""
        defined = tuple(score for score in self.scores if not isnan(score))
        return self.scores if self.error or not defined else defined

    @property
    def undefined(self) -> int:
        """On how many inner folds the metric is undefined, if none failed."""
        return 0 if self.error else sum(map(isnan, self.scores))


def combinations(values: Mapping[str, Sequence[Any]]) -> list[Candidate]:
    """Every combination, in the order of scikit-learn's ``ParameterGrid``, which decides ties.

    The last of the sorted names varies fastest; keys stand in the order of ``values``.

    Raises:
        ValueError: a hyper-parameter has no values.
    """
    if empty := [name for name, choices in values.items() if not choices]:
        raise ValueError(f"{empty[0]} is empty, expected at least one value")
    names = sorted(values)
    chosen = (
        dict(zip(names, one, strict=True)) for one in product(*map(values.__getitem__, names))
    )
    return [{name: one[name] for name in values} for one in chosen]


def check_layers(layers: Sequence[Any], count: int) -> None:
    """Refuse numbers of layers that are not there, of ``count`` in the tallest stack.

    Raises:
        ConfigError: there is one; or there is a choice among one layer.
    """
    if count == 1 and [*layers] != ["mean"]:
        raise ConfigError(
            f"layer is {[*layers]}, but no features hold several layers of an encoder: leave it "
            "out, or have several, as with data.features.pretrained.layers: all"
        )
    for one in layers:
        if isinstance(one, int) and not -count <= one < count:
            raise ConfigError(
                f"layer is {one}, but the features have {count} layers: 0 to {count - 1}, or -1 "
                "for the last"
            )
