"""Runs beside each other: what is shown of them, as a table for the terminal and in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd
from rich.table import Table
from rich.text import Text

from speechnet.core.metrics import EVERYWHERE, METRICS, Metric, shown
from speechnet.core.types import Targets
from speechnet.core.wording import counted
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.names import (
    interval_words,
    model_name,
    p_value,
    percent,
    percent_interval,
    points,
)
from speechnet.report.tables import POOLED_NOTE
from speechnet.report.terminal.tables import plain_table, printable

_SENTENCES: Final = 4
"""How many differences a sentence lists; the others stand in the tables."""

_SETTINGS: Final = 12
"""How many keys are listed in the terminal."""

_VALUE: Final = 50
"""How many characters of a setting's value are."""

_Cells = Mapping[tuple[str, str], pd.Series]


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
        scores: columns ``run, model, target, part, metric, value, low, high, pooled, best``; of the
            parts dev and test the metrics that pages show, means over folds; ``best`` is the best
            model of its run; see ``speechnet.evaluation.selection``.
        pairs: as ``speechnet.evaluation.run_significance.compare_runs`` gives them.
        settings: columns ``key, run, value``: those that differ.
        notes: what a reader must know to compare them, in sentences.
        unit: what the bootstrap of all runs draws, ``speaker`` or ``recording``; None if they
            differ or it isn't known.
    """

    targets: Targets
    runs: list[ComparedRun]
    scores: pd.DataFrame
    pairs: pd.DataFrame
    settings: pd.DataFrame
    notes: list[str]
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

    def cells(self, target: str, *, part: str, metric: str) -> dict[tuple[str, str], pd.Series]:
        """The scores of a target by model and run."""
        scores = self.scores
        wanted = (scores["target"] == target) & (scores["part"] == part)
        rows = _of(scores[wanted & (scores["metric"] == metric)])
        return {(row["model"], row["run"]): row for row in rows}

    def above_first(self, target: str) -> dict[tuple[str, str], pd.Series]:
        """By model and run how far that is above the same model of the first run."""
        pairs = self.pairs
        of_first = (pairs["target"] == target) & (pairs["first_run"] == self.names[0])
        rows = pairs[of_first & (pairs["first"] == pairs["second"])]
        ends = {"difference": -rows["difference"], "low": -rows["high"], "high": -rows["low"]}
        return {(row["second"], row["second_run"]): row for row in _of(rows.assign(**ends))}


def runs_table(comparison: RunComparison) -> Table:
    """Every model of every run, a section per target, the runs of a model below each other.

    Args:
        comparison: the runs.
    """
    first = comparison.names[0]
    table = plain_table("Runs side by side, scores in %")
    table.add_column("")
    keys = [("dev", "uar"), *(("test", each.name) for each in _compared())]
    headings = [f"{part}\n{METRICS[name].short}" for part, name in keys]
    for heading in ("run", *headings, f"UAR: points\nabove {first}"):
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    pooled = False
    for target in comparison.targets:
        table.add_row(printable(target, "bold cyan"))
        cells = {key: comparison.cells(target, part=key[0], metric=key[1]) for key in keys}
        pooled |= any(cell["pooled"] for of_key in cells.values() for cell in of_key.values())
        above, last = comparison.above_first(target), ""
        for at in comparison.rows(target):
            model, run = at
            table.add_row(
                printable(model_name(model)) if model != last else "",
                run,
                *(_value(of_key, at, short=key[1] != "uar") for key, of_key in cells.items()),
                _difference(above.get(at)),
            )
            last = model
        table.add_section()
    table.caption = Text(f"{caption(comparison, pooled=pooled)}.", style="dim italic")
    return table


def _compared() -> list[Metric]:
    """The metrics that are shown everywhere: 80 columns have no room for more."""
    return [each for each in shown("terminal") if {*EVERYWHERE} <= {*each.shown}]


def settings_in_words(comparison: RunComparison) -> list[str]:
    """What was set differently, a line for each key: ``data.denoise.method: none (A), ... (B)``.

    Args:
        comparison: the runs.
    """
    settings = comparison.settings
    if settings.empty:
        return ["No setting differs."]
    lines = []
    for key in dict.fromkeys(settings["key"]):
        rows = settings[settings["key"] == key]
        runs_of = {
            value: ", ".join(rows.loc[rows["value"] == value, "run"])
            for value in dict.fromkeys(rows["value"])
        }
        said = ", ".join(f"{_short(value)} ({runs})" for value, runs in runs_of.items())
        lines.append(f"{printable(key)}: {said}")
    if len(lines) > _SETTINGS:
        lines[_SETTINGS:] = [f"and {counted(len(lines) - _SETTINGS, 'more key')}: --out lists them"]
    return lines


def caption(comparison: RunComparison, *, pooled: bool = False) -> str:
    """What the numbers of the table are.

    Args:
        comparison: the runs.
        pooled: whether a mean that is undefined is replaced by the score of all rows.
    """
    notes = [
        f"Mean over folds [{interval_words(comparison.unit)}]",
        "Bold in the column dev: the best model of its run, by its dev scores of all targets",
        "Differences: of the UAR of all folds' rows that both runs test; bold: shown, p at most "
        f"{SIGNIFICANT:g} after Holm",
        *([POOLED_NOTE] if pooled else []),
    ]
    return ". ".join(notes)


def difference_words(row: pd.Series) -> str:
    """The difference of two runs as a cell shows it.

    Args:
        row: one of the pairs.
    """
    if row["untested"]:
        return "not tested"
    return "same answers" if row["equal"] else points(row["difference"], row["low"], row["high"])


def is_shown(row: pd.Series) -> bool:
    """Whether a pair of models is shown to differ."""
    return bool(row["p_holm"] <= SIGNIFICANT)


def findings(comparison: RunComparison) -> list[str]:
    """What the comparison showed: of the models that each run would choose, then of all.

    Args:
        comparison: the runs.

    Returns:
        Up to three sentences for each target. Where no two runs could be tested against each other
        there are none; the notes say why.
    """
    sentences = []
    for target in comparison.targets:
        rows = comparison.pairs[comparison.pairs["target"] == target]
        rows = rows[rows["untested"] == ""]
        tested = rows[rows["p_holm"].notna()]
        said = [
            f"{target}, {which}: {_judged(of_kind)}"
            for which, of_kind in (
                ("best models", tested[tested["best"]]),
                ("model by model", tested[tested["first"] == tested["second"]]),
            )
            if len(of_kind)
        ]
        if said:
            said[-1] += f" ({_test_words(tested)})"
        sentences += said
        equal = _of(rows[rows["equal"]])
        if equal:
            who = "; ".join(_both(row) for row in equal)
            sentences.append(f"{target}: the same answers throughout from {who}")
    return sentences


def _judged(rows: pd.DataFrame) -> str:
    """Who is better than whom, the largest differences first."""
    shown = rows[rows["p_holm"] <= SIGNIFICANT]
    if shown.empty and len(rows) > 1:
        return f"no difference shown in {counted(len(rows), 'pair')}"
    if shown.empty:
        row = rows.iloc[0]
        by = f"{points(row['difference'], row['low'], row['high'])} points"
        return f"no difference shown between {_both(row)} ({by}, {p_value(row['p_holm'])})"
    largest = shown.reindex(shown["difference"].abs().sort_values(ascending=False).index)
    won = [_won(row) for row in _of(largest.head(_SENTENCES))]
    if len(shown) > _SENTENCES:
        won.append(f"{counted(len(shown) - _SENTENCES, 'more difference')} shown")
    if len(shown) < len(rows):
        won.append("no other difference shown")
    return "; ".join(won)


def _won(row: pd.Series) -> str:
    """A difference that is shown, the better run first."""
    sides = ["first", "second"]
    ends = [row["difference"], row["low"], row["high"]]
    if row["difference"] < 0:
        sides, ends = sides[::-1], [-ends[0], -ends[2], -ends[1]]
    by = f"by {points(*ends)} points ({p_value(row['p_holm'])})"
    if row["first"] == row["second"]:
        better, worse = (row[f"{side}_run"] for side in sides)
        return f"{model_name(str(row['first']))} of {better} is better than that of {worse} {by}"
    return f"{_side(row, sides[0])} is better than {_side(row, sides[1])} {by}"


def _test_words(tested: pd.DataFrame) -> str:
    """How it was tested, and whether anything could have come of it."""
    pairs, units, unit = len(tested), int(tested["units"].min()), tested["unit"].iloc[0]
    words = (
        f"paired permutation tests over {counted(units, unit)}, Holm over {counted(pairs, 'pair')}"
    )
    least = min(1.0, 2.0 ** (1 - units) * pairs)  # all units favour the same of the two
    if least > SIGNIFICANT:
        words += f"; so few {unit}s can't show a difference: p is {least:.2g} at the very least"
    return words


def _both(row: pd.Series) -> str:
    if row["first"] == row["second"]:
        return f"{model_name(str(row['first']))} of {row['first_run']} and of {row['second_run']}"
    return f"{_side(row, 'first')} and {_side(row, 'second')}"


def _side(row: pd.Series, which: str) -> str:
    return f"{model_name(str(row[which]))} of {row[f'{which}_run']}"


def _value(cells: _Cells, at: tuple[str, str], *, short: bool) -> Text:
    """A score with its interval, or without one where there is no room; the best one in bold."""
    cell = cells.get(at)
    if cell is None:
        return Text(percent(math.nan))
    short = short or cell["part"] == "dev"
    words = percent(cell["value"], pooled=cell["pooled"])
    if not short and words != percent(math.nan):
        _, _, ends = percent_interval(cell["value"], cell["low"], cell["high"]).partition(" ")
        words = f"{words} {ends}".rstrip()
    return Text(words, "bold" if cell["best"] and cell["part"] == "dev" else "")


def _difference(row: pd.Series | None) -> Text:
    return Text() if row is None else Text(difference_words(row), "bold" if is_shown(row) else "")


def _short(value: str) -> str:
    text = printable(value).plain
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}..."


def _of(table: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in table.iterrows()]
