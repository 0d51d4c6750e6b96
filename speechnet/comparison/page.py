"""The page of a comparison of runs: one HTML file."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from speechnet.comparison.result import (
    RunComparison,
    caption,
    difference_words,
    in_sentences,
    is_shown,
    settings_by_key,
)
from speechnet.core.metrics import Metric, shown
from speechnet.report.html.environment import environment
from speechnet.report.html.parts import Cell, Kind, Picture, Table, number
from speechnet.report.html.svg import inline_svg
from speechnet.report.names import model_name, p_value, readable, sentence, without_places

_NAME: Final = "Runs side by side on the test part"
_CAPTION: Final = (
    "The runs of a model stand below each other. Intervals may overlap where a difference is shown "
    "all the same: runs are compared on the same recordings, whose difficulty is the same for both."
)
_FEW: Final = 4
"""So many differing settings are told beside each run; more stand in the table alone."""


def compare_page(comparison: RunComparison, svg: str) -> str:
    """Fill the page.

    Args:
        comparison: the runs.
        svg: the figure, as ``speechnet.report.drawing.style.save`` wrote it.
    """
    found = in_sentences(comparison)
    seen = " ".join(map(sentence, found)) or "No two runs could be tested."
    settings = settings_by_key(comparison).map(without_places)
    facts = pd.DataFrame({run.name: {"folder": run.title, **run.facts} for run in comparison.runs})
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            findings=found,
            figure=Picture(inline_svg(svg, name=_NAME, description=seen), _CAPTION),
            differing={run: _differing(settings[run]) for run in comparison.names},
            scores=[_scores(comparison, target) for target in comparison.targets],
            pairs=[_pairs(comparison, target) for target in comparison.targets],
            settings=_by_run("Settings that differ", "key", settings),
            provenance=_by_run("The runs", "what", facts.fillna("")),
        )
    )


def _metrics() -> list[Metric]:
    """The one that differences are of comes first."""
    return sorted(shown("page"), key=lambda metric: metric.name != "uar")


def _scores(comparison: RunComparison, target: str) -> Table:
    first = comparison.names[0]
    above = comparison.above_first(target)
    rows = []
    columns: dict[str, Kind] = {"model": "t", "run": "t"}
    for model, run in comparison.rows(target):
        dev = comparison.score(target, (model, run), part="dev", metric="uar")
        mark = "b" if comparison.is_best((model, run)) else ""
        row = [Cell(model_name(model)), Cell(run)]
        row.append(number(dev.value, dev.text(interval=False), mark))
        for metric in _metrics():
            score = comparison.score(target, (model, run), part="test", metric=metric.name)
            row.append(number(score.value, score.text()))
        rows.append([*row, *_difference(above.get((model, run)))])
    tested = [f"test {metric.label}" for metric in _metrics()]
    names = ["dev UAR", *tested, f"UAR above {first}", "p"]
    return Table(
        f"{readable(target, width=40).capitalize()}: scores in %",
        columns | dict.fromkeys(names, "n"),
        rows,
        caption(comparison),
    )


def _difference(row: pd.Series | None) -> list[Cell]:
    """The difference and its p value."""
    if row is None:
        return [number(math.nan, ""), number(math.nan, "")]
    p = float(row["p_holm"])
    words = number(float(row["difference"]), difference_words(row), "b" if is_shown(row) else "")
    return [words, number(p, p_value(p))]


def _pairs(comparison: RunComparison, target: str) -> Table:
    rows = []
    for _, row in comparison.pairs[comparison.pairs["target"] == target].iterrows():
        names = [row["first_run"], model_name(row["first"])]
        names += [row["second_run"], model_name(row["second"]), "yes" if row["best"] else ""]
        count = Cell("") if row["untested"] else number(float(row["rows"]), str(row["rows"]))
        rows.append([*map(Cell, names), *_difference(row), count, Cell(row["untested"])])
    columns = [
        *(("first run", "t"), ("first model", "t"), ("second run", "t"), ("second model", "t")),
        *(("both best", "t"), ("first less second", "n"), ("p", "n"), ("rows", "n")),
        ("why not tested", "long"),
    ]
    if not any(cells[-1].text for cells in rows):
        rows, columns = [cells[:-1] for cells in rows], columns[:-1]
    note = (
        "UAR of the first less UAR of the second, in points, with its 95 % interval; p after Holm. "
        "Both best: each is the best model of its run, as told below."
    )
    name = readable(target, width=40).capitalize()
    return Table(f"{name}: all pairs", dict(columns), rows, note)  # type: ignore[arg-type] # kinds


def _differing(settings: pd.Series) -> str:
    """The settings of a run that differ, where they are few."""
    return "" if len(settings) > _FEW else ", ".join(f"{k} {v}" for k, v in settings.items())


def _by_run(caption: str, what: str, table: pd.DataFrame) -> Table:
    rows = [[Cell(str(cell)) for cell in (key, *values)] for key, values in table.T.items()]
    columns: dict[str, Kind] = {what: "t"}
    return Table(caption, columns | dict.fromkeys(table.columns, "long"), rows)
