"""Runs beside each other, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from speechnet.core.findings import Finding
from speechnet.core.types import Targets
from speechnet.core.wording import counted
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.names import interval_words, model_name, points
from speechnet.report.results import difference
from speechnet.report.scores import POOLED_NOTE, Score

_OF: Final = {
    "difference_of_best": ", best models",
    "difference": ", model by model",
    "same_answers": "",
}
_VALUE: Final = 50
"""How many characters of a setting's value are listed."""
SCORE_COLUMNS: Final = (
    *("run", "model", "target", "part", "metric", "value", "low", "high", "pooled", "best"),
)


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        name: the letter that it goes by.
        title: the end of its path, enough to tell it from the others.
        path: the whole of it.
        facts: what is known of it, in words, by what it is.
    """

    name: str
    title: str
    path: str
    facts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Runs beside each other.

    Attributes:
        targets: the targets that all runs have, with their ordered classes.
        runs: in the order given.
        scores: columns ``SCORE_COLUMNS``; of the parts dev and test the metrics that pages show,
            means over folds; ``best`` is the best model of its run; see
            ``speechnet.evaluation.selection``.
        pairs: as ``speechnet.evaluation.run_significance.compare_runs`` gives them.
        settings: columns ``key, run, value``: those that differ.
        notes: what a reader must know to compare them.
        unit: what the bootstrap of all runs draws, ``speaker`` or ``recording``; None if they
            differ or it isn't known.
    """

    targets: Targets
    runs: list[ComparedRun]
    scores: pd.DataFrame
    pairs: pd.DataFrame
    settings: pd.DataFrame
    notes: list[Finding]
    unit: str | None

    @property
    def names(self) -> list[str]:
        """The letters of the runs."""
        return [run.name for run in self.runs]

    def rows(self, target: str) -> list[tuple[str, str]]:
        """Model and run of every row of a target: the runs of a model stand together."""
        scores = self.scores[self.scores["target"] == target]
        there = set(zip(scores["model"], scores["run"], strict=True))
        models = dict.fromkeys(scores["model"])
        return [(model, run) for model in models for run in self.names if (model, run) in there]

    def score(self, target: str, at: tuple[str, str], *, part: str, metric: str) -> Score:
        """A score of a target, by model and run."""
        wanted = {"target": target, "part": part, "metric": metric}
        wanted |= {"model": at[0], "run": at[1]}
        rows = self.scores.loc[(self.scores[[*wanted]] == pd.Series(wanted)).all(axis="columns")]
        value, low, high, pooled = rows[["value", "low", "high", "pooled"]].iloc[0]
        return Score(float(value), low=float(low), high=float(high), pooled=bool(pooled))

    def is_best(self, at: tuple[str, str]) -> bool:
        """Whether a model is the best of its run."""
        rows = self.scores[(self.scores["model"] == at[0]) & (self.scores["run"] == at[1])]
        return bool(rows["best"].any())

    def above_first(self, target: str) -> dict[tuple[str, str], pd.Series]:
        """By model and run how far that is above the same model of the first run."""
        pairs = self.pairs
        of_first = (pairs["target"] == target) & (pairs["first_run"] == self.names[0])
        rows = pairs[of_first & (pairs["first"] == pairs["second"])]
        ends = {"difference": -rows["difference"], "low": -rows["high"], "high": -rows["low"]}
        return {
            (row["second"], row["second_run"]): row for _, row in rows.assign(**ends).iterrows()
        }


def settings_by_key(comparison: RunComparison) -> pd.DataFrame:
    """The settings that differ: a row for each key, a column for each run."""
    table = comparison.settings.pivot_table("value", "key", "run", aggfunc="first", sort=False)
    return table.reindex(columns=comparison.names)


def caption(comparison: RunComparison) -> str:
    """What the numbers of a table of scores are."""
    notes = [
        f"Mean over folds [{interval_words(comparison.unit)}]",
        "Bold in the column dev: the best model of its run, by its dev scores of all targets",
        "Differences: of the UAR of all folds' rows that both runs test; bold: shown, p at most "
        f"{SIGNIFICANT:g} after Holm",
        *([POOLED_NOTE] if comparison.scores["pooled"].any() else []),
    ]
    return f"{'. '.join(notes)}."


def difference_words(row: pd.Series) -> str:
    """The difference of two runs as a cell shows it."""
    if row["untested"]:
        return "not tested"
    return "same answers" if row["equal"] else points(row["difference"], row["low"], row["high"])


def is_shown(row: pd.Series) -> bool:
    """Whether a pair of models is shown to differ."""
    return bool(row["p_holm"] <= SIGNIFICANT)


def findings(comparison: RunComparison) -> list[Finding]:
    """What the comparison showed: of the models that each run would choose, then of all.

    Args:
        comparison: the runs.

    Returns:
        Up to three for each target, of the checks ``difference_of_best``, ``difference`` and
        ``same_answers``. Where no two runs could be tested against each other there are none; the
        notes say why.
    """
    found = []
    for target in comparison.targets:
        rows = comparison.pairs[comparison.pairs["target"] == target]
        sides = {
            side: rows[side].map(model_name) + " of " + rows[f"{side}_run"]
            for side in ("first", "second")
        }
        same_model = rows["first"] == rows["second"]
        named = rows.assign(**sides)
        tested = named[named["p_holm"].notna() & (named["untested"] == "")]
        for check, chosen in (
            ("difference_of_best", tested["best"].astype(bool)),
            ("difference", same_model[tested.index]),
        ):
            if chosen.any():
                one = difference(tested[chosen], subject=target, family=len(tested))
                found.append(replace(one, check=check))
        equal = named[named["equal"].astype(bool) & (named["untested"] == "")]
        if len(equal):
            who = "; ".join(f"{row.first} and {row.second}" for row in equal.itertuples())
            what = f"the same answers throughout from {who}"
            numbers = {"pairs": len(equal)}
            found.append(Finding("same_answers", "result", what, None, "", target, numbers))
    return found


def in_sentences(comparison: RunComparison) -> list[str]:
    """The findings in words, with their numbers."""
    return [
        f"{each.subject}{_OF[each.check]}: {each.line}{f' ({each.detail})' if each.detail else ''}"
        for each in findings(comparison)
    ]


def settings_in_words(comparison: RunComparison, *, most: int) -> list[str]:
    """What was set differently, a line for each key: ``data.denoise.method: none (A), ... (B)``.

    Args:
        comparison: the runs.
        most: how many keys are listed.
    """
    table = settings_by_key(comparison)
    if table.empty:
        return ["No setting differs."]
    lines = []
    for key, values in table.head(most).iterrows():
        runs_of = {value: ", ".join(values.index[values == value]) for value in values.unique()}
        said = ", ".join(f"{_short(value)} ({runs})" for value, runs in runs_of.items())
        lines.append(f"{key}: {said}")
    if len(table) > most:
        lines.append(f"and {counted(len(table) - most, 'more key')}: --out lists them")
    return lines


def _short(value: str) -> str:
    return value if len(value) <= _VALUE else f"{value[:_VALUE]}..."
