"""The page of a comparison of runs: one HTML file."""

from __future__ import annotations

from typing import Final

import pandas as pd

from speechnet.comparison.result import Difference, RunComparison, caption, in_sentences
from speechnet.core.metrics import shown
from speechnet.report.html.environment import environment
from speechnet.report.html.parts import Cell, Kind, Picture, Table, number
from speechnet.report.html.svg import inline_svg
from speechnet.report.names import heading, p_value, sentence, without_places

_NAME: Final = "Runs side by side on the test part"
_CAPTION: Final = (
    "The runs of a model stand below each other. Intervals may overlap where a difference is shown "
    "all the same: runs are compared on the same recordings, whose difficulty is the same for both."
)
_FEW: Final = 4
"""So many differing settings are told beside each run; more stand in the table alone."""
_PAIRS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("first run", "first model", "second run", "second model", "both best"), "t"),
    **dict.fromkeys(("first less second", "p", "rows"), "n"),
    "why not tested": "long",
}


def compare_page(comparison: RunComparison, svg: str) -> str:
    """Fill the page.

    Args:
        comparison: the runs.
        svg: the figure, as ``speechnet.report.drawing.style.save`` wrote it.
    """
    found = in_sentences(comparison)
    seen = " ".join(map(sentence, found)) or "No two runs could be tested."
    settings = comparison.settings_by_key().map(without_places)
    facts = pd.DataFrame({run.name: {"folder": run.title, **run.facts} for run in comparison.runs})
    differing = {
        run: ", ".join(f"{key} {value}" for key, value in settings[run].items())
        for run in comparison.names
    }
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            findings=found,
            figure=Picture(inline_svg(svg, name=_NAME, description=seen), _CAPTION),
            differing=differing if len(settings) <= _FEW else dict.fromkeys(differing, ""),
            scores=[_scores(comparison, target) for target in comparison.targets],
            pairs=[_pairs(comparison, target) for target in comparison.targets],
            settings=_by_run("Settings that differ", "key", settings),
            provenance=_by_run("The runs", "what", facts.fillna("")),
        )
    )


def _scores(comparison: RunComparison, target: str) -> Table:
    # The metric that differences are of comes first.
    metrics = sorted(shown("page"), key=lambda metric: metric.name != "uar")
    rows = []
    for line in comparison.lines(target):
        dev = line.scores["dev", "uar"]
        tested = [line.scores["test", metric.name] for metric in metrics]
        rows.append(
            [
                Cell(comparison.label(line.model)),
                Cell(line.run),
                number(dev.value, dev.text(interval=False), "b" if line.best else ""),
                *(number(score.value, score.text()) for score in tested),
                *(_difference(line.above) if line.above else [Cell("", ""), Cell("", "")]),
            ]
        )
    names = ["dev UAR", *(f"test {metric.label}" for metric in metrics)]
    names += [f"UAR above {comparison.names[0]}", "p"]
    columns: dict[str, Kind] = {"model": "t", "run": "t"}
    columns |= dict.fromkeys(names, "n")
    return Table(f"{heading(target)}: scores in %", columns, rows, caption(comparison))


def _difference(found: Difference) -> list[Cell]:
    """The difference and its p value."""
    words = number(found.value, found.words, "b" if found.shown else "")
    return [words, number(found.p, p_value(found.p))]


def _pairs(comparison: RunComparison, target: str) -> Table:
    rows = []
    pairs = comparison.pairs[comparison.pairs["target"] == target]
    for row in pairs.to_dict("records"):
        names = [row["first_run"], comparison.label(row["first"])]
        names += [row["second_run"], comparison.label(row["second"]), "yes" if row["best"] else ""]
        count = Cell("") if row["untested"] else number(row["rows"], str(row["rows"]))
        difference = _difference(Difference.of(row))
        rows.append([*map(Cell, names), *difference, count, Cell(row["untested"])])
    columns = dict(_PAIRS)
    if not pairs["untested"].any():
        columns.popitem()
    note = (
        "UAR of the first less UAR of the second, in points, with its 95 % interval; p after Holm. "
        "Both best: each is the best model of its run, as told below."
    )
    rows = [row[: len(columns)] for row in rows]
    return Table(f"{heading(target)}: all pairs", columns, rows, note)


def _by_run(caption: str, what: str, table: pd.DataFrame) -> Table:
    rows = [[Cell(str(cell)) for cell in (key, *values)] for key, values in table.T.items()]
    columns: dict[str, Kind] = {what: "t"}
    return Table(caption, columns | dict.fromkeys(table.columns, "long"), rows)
