"""The tables that a report is drawn from, and how a score is looked up in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.types import Float64, Targets
from speechnet.report.names import percent

PARTS: Final = ("train", "dev", "test")

SCORE_COLUMNS: Final = ("model", "target", "part", "fold", "metric", "value")

POOLED_NOTE: Final = "* all folds pooled: undefined in at least one of them"

_SUMMARIES: Final = frozenset({"all", "mean", "sd"})


class Curve(Protocol):
    """One ROC curve."""

    @property
    def fpr(self) -> Float64:
        """False positive rates, float64 ``[n]``, ascending."""

    @property
    def tpr(self) -> Float64:
        """True positive rates, float64 ``[n]``."""

    @property
    def auc(self) -> float:
        """The area below; NaN where the curve is undefined."""


Curves = Mapping[str, Curve]
"""The curves of one model and target by name: its classes in order, then ``micro``, ``macro``."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """All that the figures of one run show. What is None isn't drawn.

    Attributes:
        targets: the ordered classes of each target.
        scores: columns ``model, target, part, fold, metric, value``; ``fold`` holds a number or
            ``all`` (pooled) and, from two folds on, ``mean`` and ``sd``; NaN is undefined.
        confusion: columns ``model, target, part, truth, predicted, count``.
        roc: the test part's curves by model and target.
        majority: the share of the most frequent class of each target in the test part, the
            accuracy of always guessing it; without it chance is one over the number of classes.
        history: the network's log: ``fold, epoch`` and any of ``train_loss, dev_loss, dev_uar,
            dev_uar_<target>, member, chosen``.
        clusters: columns ``file, method, k, cluster``.
        projection: columns ``file, pc1, pc2``.
        variance: the shares of variance that the two components explain, in [0, 1].
        corpus: indexed by file, with columns ``speaker, gender`` and one for each target.
        statistics: columns ``file, duration`` (seconds).
        unit: what the intervals' bootstrap draws, ``speaker`` or ``recording``.
        references: others' results under the protocol: ``system, metric, value`` (in per cent) and
            ``source``, which may be missing.
        comparisons: columns ``target, first, second, difference, low, high, p_holm``.
        inflation: columns ``model, target, random, disjoint, difference, low, high``.
        reliability: columns ``model, target, part, low, high, count, confidence, accuracy``.
        risk_coverage: columns ``model, target, part, coverage, risk``.
        groups: columns ``model, target, class, gender, recall, low, high``.
        gaps: columns ``model, target, class, higher, lower, gap, low, high`` and, unless the run is
            an old one, ``certain``.
        speakers: columns ``model, target, speaker, gender, classes, uar``.
        ablation: columns ``part, variant, model, target, baseline, difference, low, high`` and
            ``p_holm``, which old runs called ``p``.
        importance: columns ``model, target, level, name, drop, low, high``.
        cross: columns ``model, target, train, test, uar, low, high, seen``.
        clustering: columns ``method, k, against, metric, value`` and, where they were compared
            with chance, ``null_mean, null_sd``.
    """

    targets: Targets
    scores: pd.DataFrame
    confusion: pd.DataFrame
    roc: Mapping[tuple[str, str], Curves]
    majority: Mapping[str, float] | None = None
    history: pd.DataFrame | None = None
    clusters: pd.DataFrame | None = None
    projection: pd.DataFrame | None = None
    variance: tuple[float, float] | None = None
    corpus: pd.DataFrame | None = None
    statistics: pd.DataFrame | None = None
    unit: str | None = None
    references: pd.DataFrame | None = None
    comparisons: pd.DataFrame | None = None
    inflation: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    risk_coverage: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    gaps: pd.DataFrame | None = None
    speakers: pd.DataFrame | None = None
    ablation: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None
    cross: pd.DataFrame | None = None
    clustering: pd.DataFrame | None = None


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

    def text(self) -> str:
        """In per cent, with a star if it is pooled."""
        return percent(self.value, self.sd, pooled=self.pooled)


def require_columns(table: pd.DataFrame, columns: Sequence[str], *, name: str) -> None:
    """Check that a table has the columns a figure reads.

    Raises:
        DataError: a column is missing.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(
            f"the table of {name} has the columns {', '.join(map(str, table.columns)) or 'none'}, "
            f"but not {', '.join(missing)}: pass the table as the run folder holds it"
        )


def models_of(table: pd.DataFrame) -> list[str]:
    """The models of a table of scores or counts, in order of first appearance.

    Raises:
        DataError: the table is empty.
    """
    models = [str(model) for model in table["model"].unique()]
    if not models:
        raise DataError("the table has no rows, expected at least one model: score a model first")
    return models


def targets_of(table: pd.DataFrame, targets: Targets) -> list[str]:
    """The targets that a table has rows of, in their order.

    Raises:
        DataError: it has none.
    """
    found = [target for target in targets if (table["target"] == target).any()]
    if not found:
        there = ", ".join(sorted(map(str, table["target"].unique()))) or "no rows"
        raise DataError(
            f"no rows of the targets {', '.join(targets)}: the table has {there}; "
            "pass the tables of one run"
        )
    return found


def rows_of(table: pd.DataFrame, *, target: str) -> pd.DataFrame:
    """The rows of a target.

    Raises:
        DataError: there are none.
    """
    targets_of(table, {target: []})
    return table[table["target"] == target]


def fold_count(scores: pd.DataFrame) -> int:
    """How many folds the scores come from."""
    return len(set(scores["fold"].astype(str)) - _SUMMARIES)


def find_score(scores: pd.DataFrame, *, model: str, target: str, part: str, metric: str) -> Score:
    """One score: the mean over folds with its deviation, or else the only fold's.

    Where a fold lacks the score (it holds one gender, say) the mean is undefined, and the pooled
    score stands in for it. A score that the table lacks is undefined, as one that it has as NaN.
    """
    wanted = {"model": model, "target": target, "part": part, "metric": metric}
    rows = scores
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return scores_by_key(rows).get((model, target, part, metric), Score(math.nan))


def scores_by_key(scores: pd.DataFrame) -> dict[tuple[str, str, str, str], Score]:
    """Every score of a table, as ``find_score`` finds it, by model, target, part and metric."""
    found: dict[tuple[str, str, str, str], dict[str, Score]] = {}
    columns = ["model", "target", "part", "metric", "fold", "value", "low", "high"]
    rows = scores.reindex(columns=columns)  # old runs have no intervals
    for *key, fold, value, low, high in rows.itertuples(index=False):
        model, target, part, metric = map(str, key)
        by_fold = found.setdefault((model, target, part, metric), {})
        by_fold[str(fold)] = Score(float(value), low=float(low), high=float(high))
    return {key: _summary(by_fold) for key, by_fold in found.items()}


def _summary(by_fold: Mapping[str, Score]) -> Score:
    pooled = by_fold.get("all", next(iter(by_fold.values()), Score(math.nan)))
    mean = by_fold.get("mean")
    if mean is None:
        return pooled
    if math.isnan(mean.value):
        return pooled._replace(pooled=not math.isnan(pooled.value))
    return mean._replace(sd=by_fold["sd"].value if "sd" in by_fold else math.nan)
