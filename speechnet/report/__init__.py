"""Figures and terminal tables, drawn from tables alone."""

from speechnet.report.figures import draw_all
from speechnet.report.summary import (
    counts_table,
    dropped_table,
    scores_table,
    set_aside_table,
)
from speechnet.report.tables import Tables

__all__ = [
    "Tables",
    "counts_table",
    "draw_all",
    "dropped_table",
    "scores_table",
    "set_aside_table",
]
