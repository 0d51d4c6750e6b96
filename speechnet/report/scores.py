"""Scores as they are shown, looked up in ``scores.csv``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import pandas as pd

from speechnet.core.errors import DataError
from speechnet.report.names import percent, percent_interval

POOLED_NOTE: Final = "* all folds pooled: undefined in at least one of them"

_SUMMARIES: Final = frozenset({"all", "mean", "sd"})


class Score(NamedTuple):
    """A score as it is shown.

    Attributes:
        value: the mean over folds, or else the score of the only fold; NaN where undefined.
        sd: the standard deviation over folds; NaN where there is none.
        pooled: whether the mean is undefined, a fold lacking the score, and ``value`` is that of
            all folds' rows together instead.
        low: the lower end of its 95 % interval; NaN where there is none.
        high: the upper end.
    """

    value: float
    sd: float = math.nan
    pooled: bool = False
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)

    def text(self, *, interval: bool = True) -> str:
        """In per cent with its interval, or else its deviation; with a star if it is pooled.

        Args:
            interval: whether an interval is shown where there is one.
        """
        if not (interval and self.has_interval):
            return percent(self.value, self.sd, pooled=self.pooled)
        number, _, ends = percent_interval(self.value, self.low, self.high).partition(" ")
        return f"{number}{'*' if self.pooled else ''} {ends}"


def models_of(table: pd.DataFrame) -> list[str]:
    """The models of a table, in order of first appearance.

    Raises:
        DataError: the table is empty.
    """
    models = [str(model) for model in table["model"].unique()]
    if not models:
        raise DataError("the table has no rows, expected at least one model: score a model first")
    return models


def fold_count(scores: pd.DataFrame) -> int:
    """How many folds the scores come from."""
    return len(set(scores["fold"].astype(str)) - _SUMMARIES)


def find_score(scores: pd.DataFrame, *, model: str, target: str, part: str, metric: str) -> Score:
    """One score: the mean over folds with its deviation, or else the only fold's.

    Where a fold lacks the score (it holds one gender, say) the mean is undefined, and the pooled
    score stands in for it. A score that the table lacks is undefined, as one that it has as NaN.
    """
    rows = scores[(scores["model"] == model) & (scores["metric"] == metric)]
    return scores_by_key(rows).get((model, target, part, metric), Score(math.nan))


def scores_by_key(scores: pd.DataFrame) -> dict[tuple[str, str, str, str], Score]:
    """Every score of a table, as ``find_score`` finds it, by model, target, part and metric."""
    found: dict[tuple[str, str, str, str], dict[str, Score]] = {}
    columns = ["model", "target", "part", "metric", "fold", "value", "low", "high"]
    rows = scores.reindex(columns=columns)  # a run may have no intervals
    for *key, fold, value, low, high in rows.itertuples(index=False):
        model, target, part, metric = map(str, key)
        by_fold = found.setdefault((model, target, part, metric), {})
        by_fold[str(fold)] = Score(float(value), low=float(low), high=float(high))
    return {key: _summary(by_fold) for key, by_fold in found.items()}


def _summary(by_fold: Mapping[str, Score]) -> Score:
    pooled = by_fold.get("all", next(iter(by_fold.values())))
    mean = by_fold.get("mean", pooled)
    if math.isnan(mean.value):
        return pooled._replace(pooled="mean" in by_fold and not math.isnan(pooled.value))
    return mean._replace(sd=by_fold["sd"].value if "sd" in by_fold else math.nan)
