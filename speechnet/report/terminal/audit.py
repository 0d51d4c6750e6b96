"""The audit's findings as a table for the terminal."""

from __future__ import annotations

import pandas as pd
from rich.table import Table
from rich.text import Text

from speechnet.report.tables import require_columns
from speechnet.report.terminal.tables import plain_table, printable

_STYLES = {"fault": "bold red", "warning": "yellow"}


def findings_table(findings: pd.DataFrame) -> Table:
    """One row for each finding, the worst first.

    Args:
        findings: columns ``severity, what, count, detail``.

    Raises:
        DataError: the table lacks a column.
    """
    require_columns(findings, ("severity", "what", "count", "detail"), name="findings")
    table = plain_table("Audit")
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("found", overflow="fold")
    for _, row in findings.iterrows():
        found = printable(row["what"])
        if row["detail"]:
            for line in str(row["detail"]).split("\n"):
                found.append("\n").append_text(printable(line, style="dim"))
        severity = str(row["severity"])
        table.add_row(Text(severity, _STYLES.get(severity, "")), str(row["count"]), found)
    if findings.empty:
        table.add_row("", "", Text("nothing was found", style="dim"))
    return table
