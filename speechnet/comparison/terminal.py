"""Runs beside each other as a table for the terminal."""

from __future__ import annotations

import pandas as pd
from rich.table import Table
from rich.text import Text

from speechnet.comparison.result import RunComparison, caption, difference_words, is_shown
from speechnet.core.metrics import EVERYWHERE, METRICS, shown
from speechnet.report.names import model_name
from speechnet.report.terminal import plain_table, printable


def runs_table(comparison: RunComparison) -> Table:
    """Every model of every run, a section per target, the runs of a model below each other.

    Args:
        comparison: the runs.
    """
    table = plain_table("Runs side by side, scores in %")
    for heading in ("", "run"):
        table.add_column(heading, no_wrap=bool(heading))
    headings = [f"{part}\n{METRICS[name].short}" for part, name in _columns()]
    for heading in (*headings, f"UAR: points\nabove {comparison.names[0]}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for target in comparison.targets:
        table.add_row(printable(target, "bold cyan"))
        above, last = comparison.above_first(target), ""
        for model, run in comparison.rows(target):
            table.add_row(
                printable(model_name(model)) if model != last else "",
                run,
                *_scores(comparison, target, (model, run)),
                _difference(above.get((model, run))),
            )
            last = model
        table.add_section()
    table.caption = Text(caption(comparison), style="dim italic")
    return table


def _columns() -> list[tuple[str, str]]:
    """Part and metric: of those shown everywhere, as 80 columns have no room for more."""
    tested = [each.name for each in shown("terminal") if {*EVERYWHERE} <= {*each.shown}]
    return [("dev", "uar"), *(("test", name) for name in tested)]


def _scores(comparison: RunComparison, target: str, at: tuple[str, str]) -> list[Text]:
    """An interval stands where there is room for one, the best model's dev score in bold."""
    cells = []
    for part, metric in _columns():
        score = comparison.score(target, at, part=part, metric=metric)
        words = score.text(interval=(part, metric) == ("test", "uar"))
        cells.append(Text(words, "bold" if part == "dev" and comparison.is_best(at) else ""))
    return cells


def _difference(row: pd.Series | None) -> Text:
    return Text() if row is None else Text(difference_words(row), "bold" if is_shown(row) else "")
