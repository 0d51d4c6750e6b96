"""The page of a comparison of runs: one HTML file."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from speechnet.core.metrics import shown
from speechnet.report.html.environment import environment
from speechnet.report.html.parts import Cell, Column, Picture, Table, number, words
from speechnet.report.html.svg import inline_svg
from speechnet.report.names import (
    model_name,
    p_value,
    percent,
    percent_interval,
    readable,
    without_place,
)
from speechnet.report.terminal.comparison import (
    RunComparison,
    caption,
    difference_words,
    findings,
    is_shown,
)

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
        svg: the figure, as ``speechnet.report.figures.style.save`` wrote it.
    """
    found = findings(comparison)
    seen = " ".join(f"{sentence}." for sentence in found) or "No two runs could be tested."
    template = environment().get_template("compare.html.j2")
    return template.render(
        comparison=comparison,
        findings=found,
        figure=Picture(_NAME, inline_svg(svg, name=_NAME, description=seen), _CAPTION),
        differing={run.name: _differing(comparison, run.name) for run in comparison.runs},
        scores=[_scores(comparison, target) for target in comparison.targets],
        pairs=[_pairs(comparison, target) for target in comparison.targets],
        settings=_settings(comparison),
        provenance=_provenance(comparison),
    )


def _scores(comparison: RunComparison, target: str) -> Table:
    cells = {
        metric.label: comparison.cells(target, part="test", metric=metric.name)
        for metric in shown("page")
    }
    dev = comparison.cells(target, part="dev", metric="uar")
    above = comparison.above_first(target)
    rows = [
        [
            *words([model_name(model), run]),
            _share(dev[model, run], mark="b" if dev[model, run]["best"] else ""),
            *(_share(of_metric[model, run], ends=True) for of_metric in cells.values()),
            *_difference(above.get((model, run))),
        ]
        for model, run in comparison.rows(target)
    ]
    pooled = any(cell["pooled"] for of_metric in cells.values() for cell in of_metric.values())
    headings = [Column(f"test {label}", "n") for label in cells]
    first = comparison.names[0]
    last = Column(f"UAR above {first}", "n"), Column("p", "n")
    columns = [Column("model"), Column("run"), Column("dev UAR", "n"), *headings, *last]
    name = readable(target, width=40).capitalize()
    return Table(f"{name}: scores in %", columns, rows, f"{caption(comparison, pooled=pooled)}.")


def _share(cell: pd.Series, *, ends: bool = False, mark: str = "") -> Cell:
    value, low, high = (float(cell[name]) for name in ("value", "low", "high"))
    text = percent(value, pooled=bool(cell["pooled"]))
    if ends:
        text = f"{text} {percent_interval(value, low, high).partition(' ')[2]}".strip()
    return number(value, text, mark)


def _difference(row: pd.Series | None) -> list[Cell]:
    """The difference and its p value."""
    if row is None:
        return [number(math.nan, ""), number(math.nan, "")]
    mark = "b" if is_shown(row) else ""
    p = float(row["p_holm"])
    return [number(float(row["difference"]), difference_words(row), mark), number(p, p_value(p))]


def _pairs(comparison: RunComparison, target: str) -> Table:
    table = comparison.pairs[comparison.pairs["target"] == target]
    reasons = (table["untested"] != "").any()
    rows = [
        [
            *words([row["first_run"], model_name(row["first"])]),
            *words([row["second_run"], model_name(row["second"])]),
            *words(["yes" if row["best"] else ""]),
            *_difference(row),
            Cell("") if row["untested"] else number(float(row["rows"]), str(row["rows"])),
            *words([row["untested"]] if reasons else []),
        ]
        for _, row in table.iterrows()
    ]
    columns = [
        *(Column("first run"), Column("its model"), Column("second run"), Column("its model")),
        *(Column("both best"), Column("first less second", "n"), Column("p", "n")),
        *(Column("rows", "n"), *([Column("why not tested", "long")] if reasons else [])),
    ]
    note = (
        "UAR of the first less UAR of the second, in points, with its 95 % interval; p after Holm. "
        "Both best: each is the best model of its run, as told below."
    )
    return Table(f"{readable(target, width=40).capitalize()}: all pairs", columns, rows, note)


def _differing(comparison: RunComparison, run: str) -> str:
    """The settings of a run that differ, where they are few."""
    rows = comparison.settings[comparison.settings["run"] == run]
    if len(rows) > _FEW:
        return ""
    return ", ".join(f"{row['key']} {without_place(row['value'])}" for _, row in rows.iterrows())


def _settings(comparison: RunComparison) -> Table:
    settings = comparison.settings
    rows = [
        words([key, *map(without_place, settings.loc[settings["key"] == key, "value"])])
        for key in dict.fromkeys(settings["key"])
    ]
    columns = [Column("key"), *(Column(name, "long") for name in comparison.names)]
    return Table("Settings that differ", columns, rows)


def _provenance(comparison: RunComparison) -> Table:
    facts = dict.fromkeys(fact for run in comparison.runs for fact in run.facts)
    rows = [words(["folder", *(run.title for run in comparison.runs)])]
    rows += [words([fact, *(run.facts.get(fact, "") for run in comparison.runs)]) for fact in facts]
    columns = [Column("what"), *(Column(name, "long") for name in comparison.names)]
    return Table("The runs", columns, rows)
