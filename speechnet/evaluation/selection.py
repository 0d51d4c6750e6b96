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
    "search": "the best on the inner folds of the searches, without a dev part",
    "test": "the best on the test part, without a dev part",
}


@dataclass(frozen=True)
class Choice:
    """The best model of a run.

    ``basis`` says why it was chosen: it is the ``only`` model, or its mean ``score`` over
    ``targets`` (0 to 1; NaN if it is the only one) was the highest on the ``dev`` part, in the
    ``search``, or on the ``test`` part. A choice by the test part
    doesn't serve to apply a model or to compare runs: its test score is biased upwards.
    """

    model: str
    basis: Basis
    score: float = math.nan
    targets: tuple[str, ...] = ()

    @property
    def fair(self) -> bool:
        """Whether the choice ignored the test part."""
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
    """Choose the model with the highest dev UAR, averaged over folds and then over targets.

    One model is chosen for all targets, because it predicts all of them. The mean over folds
    decides, not the UAR of all folds' rows together, for three reasons: each fold's dev part scores
    that fold's classifier, and ``predict`` averages these classifiers with equal weights; dev parts
    of different folds may share recordings, which pooling would count repeatedly; and the report
    shows this number beside each model, as do the searches (and scikit-learn's ``GridSearchCV``).
    Where a fold's dev part lacks a class, its UAR is undefined: pooled rows then replace the mean
    for all models of that target.

    A target whose dev UAR is undefined either way doesn't count. If no target is left, the score on
    the inner folds of the searches decides, and without searches the test part. Of equals, the
    first model is chosen.

    Args:
        scores: columns ``model, target, part, fold, metric, value``, as in ``scores.csv``.
        models: the run's models.
        searched: columns ``model, target, chosen, mean``, as in ``search.csv``; None without one.

    Returns:
        The choice; None if nothing distinguishes several models.
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
