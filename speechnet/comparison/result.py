"""Runs compared, and what is shown of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import pandas as pd

from speechnet.core.findings import Finding
from speechnet.core.metrics import shown
from speechnet.core.types import Targets
from speechnet.core.wording import counted
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.names import UNDEFINED, interval_words, model_name, points
from speechnet.report.results import difference
from speechnet.report.scores import POOLED_NOTE, Score

_OF: Final = {
    "difference_of_best": ", best models",
    "difference": ", model by model",
    "same_answers": "",
}
_LACKING: Final = f"{UNDEFINED}: undefined, or the run doesn't have this score"
_VALUE: Final = 50  # how many characters of a setting's value are listed
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


class Difference(NamedTuple):
    """The difference of two models of runs: a share, its p value after Holm, and its cell."""

    value: float
    p: float
    words: str

    @property
    def shown(self) -> bool:
        """Whether the two are shown to differ."""
        return self.p <= SIGNIFICANT

    @classmethod
    def of(cls, pair: Mapping[Any, Any], *, turned: bool = False) -> Difference:
        """That of a row of pairs: of the first above the second, or turned, the other way round."""
        by, low, high = (float(pair[name]) for name in ("difference", "low", "high"))
        if turned:
            by, low, high = -by, -high, -low
        words = "same answers" if pair["equal"] else points(by, low, high)
        return cls(by, float(pair["p_holm"]), "not tested" if pair["untested"] else words)


class Line(NamedTuple):
    """A model of a run.

    Attributes:
        model: its name.
        run: the run's letter.
        best: whether it is the best model of its run.
        scores: by part and metric; NaN is undefined, or the run doesn't have it.
        above: how far its UAR is above that of the same model of the first run, if it has one.
    """

    model: str
    run: str
    best: bool
    scores: Mapping[tuple[str, str], Score]
    above: Difference | None


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Runs compared.

    Attributes:
        targets: the targets that all runs have, with their ordered classes.
        runs: in the order given.
        scores: columns ``SCORE_COLUMNS``; of the parts dev and test the metrics that pages show,
            means over folds; ``best`` is the best model of its run; see
            ``speechnet.evaluation.selection``. What a run doesn't have has no row.
        pairs: as ``speechnet.evaluation.run_significance.compare_runs`` gives them.
        settings: columns ``key, run, value``: those that differ.
        notes: what a reader must know to compare them.
        labels: what the models are called.
        unit: what the bootstrap of all runs draws, ``speaker`` or ``recording``; None if they
            differ or it isn't known.
    """

    targets: Targets
    runs: list[ComparedRun]
    scores: pd.DataFrame
    pairs: pd.DataFrame
    settings: pd.DataFrame
    notes: list[Finding]
    labels: Mapping[str, str]
    unit: str | None

    def label(self, model: str) -> str:
        """What a model is called for readers."""
        return model_name(model, self.labels)

    @property
    def names(self) -> list[str]:
        """The letters of the runs."""
        return [run.name for run in self.runs]

    def lines(self, target: str) -> list[Line]:
        """Every model of every run; the runs of a model stand together."""
        found: dict[str, dict[str, dict[tuple[str, str], Score]]] = {}
        scores = self.scores[self.scores["target"] == target]
        for row in scores.to_dict("records"):
            of_run = found.setdefault(row["model"], {})
            of_model = of_run.setdefault(row["run"], defaultdict(lambda: Score(math.nan)))
            given = {name: row[name] for name in ("value", "low", "high", "pooled")}
            of_model[row["part"], row["metric"]] = Score(**given)
        best = scores.loc[scores["best"].astype(bool), ["model", "run"]].to_numpy().tolist()
        of_first = (self.pairs["target"] == target) & (self.pairs["first_run"] == self.names[0])
        pairs = self.pairs[of_first & (self.pairs["first"] == self.pairs["second"])]
        above = {
            (pair["second"], pair["second_run"]): Difference.of(pair, turned=True)
            for pair in pairs.to_dict("records")
        }
        return [
            Line(model, run, [model, run] in best, of_run[run], above.get((model, run)))
            for model, of_run in found.items()
            for run in self.names
            if run in of_run
        ]

    @property
    def lacks_scores(self) -> bool:
        """Whether a run doesn't have a score that others may have."""
        each = self.scores.groupby(["run", "model", "target"]).size()
        return bool((each < 2 * len(shown("page"))).any())

    def settings_by_key(self) -> pd.DataFrame:
        """The settings that differ: a row for each key, a column for each run."""
        table = self.settings.pivot_table("value", "key", "run", aggfunc="first", sort=False)
        return table.reindex(columns=self.names)


def caption(comparison: RunComparison) -> str:
    """What the numbers of a table of scores are."""
    notes = [
        f"Mean over folds [{interval_words(comparison.unit)}]",
        "Bold in the column dev: the best model of its run, by its dev scores of all targets",
        "Differences: of the UAR of all folds' rows that both runs test; bold: shown, p at most "
        f"{SIGNIFICANT:g} after Holm",
        *([POOLED_NOTE] if comparison.scores["pooled"].any() else []),
        *([_LACKING] if comparison.lacks_scores else []),
    ]
    return f"{'. '.join(notes)}."


def findings(comparison: RunComparison) -> list[Finding]:
    """What the comparison showed: of the models that each run would choose, then of all.

    Up to three for each target, of the checks ``difference_of_best``, ``difference`` and
    ``same_answers``. Where no two runs could be tested against each other there are none; the notes
    say why.
    """
    found = []
    for target in comparison.targets:
        rows = comparison.pairs[comparison.pairs["target"] == target]
        rows = rows[rows["untested"] == ""]
        same_model = rows["first"] == rows["second"]
        named = rows.assign(
            first=rows["first"].map(comparison.label) + " of " + rows["first_run"],
            second=rows["second"].map(comparison.label) + " of " + rows["second_run"],
        )
        tested = named["p_holm"].notna()
        for check, chosen in (
            ("difference_of_best", tested & named["best"].astype(bool)),
            ("difference", tested & same_model),
        ):
            if chosen.any():
                one = difference(named[chosen], subject=target, family=int(tested.sum()))
                found.append(replace(one, check=check))
        equal = named[named["equal"].astype(bool)]
        if len(equal):
            who = "; ".join(equal["first"] + " and " + equal["second"])
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

    After so many keys the rest are counted.
    """
    table = comparison.settings_by_key()
    if table.empty:
        return ["No setting differs."]
    lines = []
    for key, values in table.head(most).iterrows():
        said = []
        for value in values.unique():
            short = value if len(value) <= _VALUE else f"{value[:_VALUE]}..."
            said.append(f"{short} ({', '.join(values.index[values == value])})")
        lines.append(f"{key}: {', '.join(said)}")
    if len(table) > most:
        lines.append(f"and {counted(len(table) - most, 'more key')}: --out lists them")
    return lines
