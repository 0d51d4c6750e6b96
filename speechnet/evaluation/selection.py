"""Which model of a run is the best: one rule for all commands, ``load`` and the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

Basis = Literal["only", "dev", "search", "test"]

_REASONS: Final[dict[str, str]] = {
    "only": "the only model",
    "dev": "the best on the dev part",
    "search": "the best on the inner folds of the searches, for want of a dev part",
    "test": "the highest on the test part, for want of a dev part",
}


@dataclass(frozen=True)
class Choice:
    """The best model of a run.

    Attributes:
        model: its name.
        basis: what it was chosen by: it is the ``only`` model, or the mean score was the highest
            on the ``dev`` part, in the ``search``, or on the ``test`` part. The last is nothing to
            apply a model or to compare runs by: the test score it was chosen by is too high.
        score: the mean over ``targets``, in [0, 1]; NaN where there is a single model.
        targets: those whose scores had a say.
    """

    model: str
    basis: Basis
    score: float = math.nan
    targets: tuple[str, ...] = ()

    @property
    def fair(self) -> bool:
        """Whether the test part had no say."""
        return self.basis != "test"

    @property
    def reason(self) -> str:
        """Why it is the best: ``the best on the dev part: UAR 81.2 %, mean over 2 targets``."""
        if math.isnan(self.score):
            return _REASONS[self.basis]
        over = f", mean over {len(self.targets)} targets" if len(self.targets) > 1 else ""
        what = "inner score" if self.basis == "search" else "UAR"
        return f"{_REASONS[self.basis]}: {what} {100 * self.score:.1f} %{over}"


def choose_model(
    scores: pd.DataFrame, models: Sequence[str], searched: pd.DataFrame | None = None
) -> Choice | None:
    """Choose the best model of a run: the highest dev UAR, a mean over folds and then over targets.

    One model for all targets, as it answers for all of them when it is applied. Over folds it is
    the mean and not the UAR of all folds' rows together, for three reasons. A fold's dev part
    scores that fold's classifier, and ``predict`` averages these classifiers, each with the same
    weight. Dev parts of different folds may share recordings, which pooling would count several
    times. And it is the number that the report shows beside each model, and the rule of the
    searches (and of scikit-learn's ``GridSearchCV``). Pooled rows stand in only where a fold's dev
    part lacks a class, so that its UAR is undefined; then for all models of that target.

    A target whose dev UAR is undefined either way doesn't count. Where none is left, what decides
    is the score on the inner folds of the searches; where there were none either, the test part.

    Args:
        scores: columns ``model, target, part, fold, metric, value``, as in ``scores.csv``.
        models: the run's models; of equals the first one is chosen.
        searched: columns ``model, target, chosen, mean``, as in ``search.csv``; None without one.

    Returns:
        The choice; None where nothing tells several models apart.
    """
    if len(models) == 1:
        return Choice(models[0], "only")
    tables: dict[Basis, pd.DataFrame] = {"dev": _uar(scores, "dev")}
    if searched is not None:
        rows = searched[searched["chosen"].astype(bool)]
        tables["search"] = rows.pivot_table("mean", "model", "target", sort=False)
    tables["test"] = _uar(scores, "test")
    for basis, table in tables.items():
        known = table.reindex([*models]).dropna(axis="columns", how="all")
        means = known.mean(axis="columns", skipna=False).dropna()
        if not means.empty:
            targets = tuple(map(str, known.columns))
            return Choice(str(means.idxmax()), basis, float(means.max()), targets)
    return None


def _uar(scores: pd.DataFrame, part: str) -> pd.DataFrame:
    """UAR by model and target: the mean over folds, or pooled where that is undefined."""
    rows = scores[(scores["part"] == part) & (scores["metric"] == "uar")]
    means, pooled = (
        rows[rows["fold"] == fold].pivot_table("value", "model", "target", sort=False, dropna=False)
        for fold in ("mean", "all")
    )
    undefined = [name for name in pooled if name not in means or means[name].isna().any()]
    kept = means.drop(columns=undefined, errors="ignore")
    return pooled[undefined].join(kept, how="outer").reindex(columns=pooled.columns)
