"""Runs compared as a table for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from speechnet.comparison.result import RunComparison, caption
from speechnet.core.metrics import EVERYWHERE, METRICS, shown
from speechnet.report.terminal import plain_table, printable


def runs_table(comparison: RunComparison) -> Table:
    """Every model of every run, a section per target, the runs of a model below each other.

    The UAR of the test part has its interval, for which there is room; the dev score of a run's
    best model is bold.
    """
    # Of the metrics those shown everywhere, as 80 columns have no room for more.
    tested = [each.name for each in shown("terminal") if {*EVERYWHERE} <= {*each.shown}]
    keys = [("dev", "uar"), *(("test", name) for name in tested)]
    table = plain_table("Runs side by side, scores in %")
    for heading in ("", "run"):
        table.add_column(heading, no_wrap=bool(heading))
    headings = [f"{part}\n{METRICS[name].short}" for part, name in keys]
    for heading in (*headings, f"UAR: points\nabove {comparison.names[0]}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for target in comparison.targets:
        table.add_row(printable(target, "bold cyan"))
        last = ""
        for line in comparison.lines(target):
            cells = [
                Text(
                    line.scores[key].text(interval=key == ("test", "uar")),
                    "bold" if line.best and key[0] == "dev" else "",
                )
                for key in keys
            ]
            if (above := line.above) is not None:
                cells.append(Text(above.words, "bold" if above.shown else ""))
            name = "" if line.model == last else comparison.label(line.model)
            table.add_row(printable(name), line.run, *cells)
            last = line.model
        table.add_section()
    table.caption = Text(caption(comparison), style="dim italic")
    return table
