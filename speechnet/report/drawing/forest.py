"""Rows of values with intervals, as several figures have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import MaxNLocator

from speechnet.core.types import Float64
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.drawing import style
from speechnet.report.names import p_value, points, readable

_LINE: Final = 0.15  # inches, of text in a row
_GAP: Final = 0.1  # inches, between rows


def row_height(labels: Sequence[str], *, lines: int = 2) -> float:
    """Inches that each row needs for the longest of its labels, or for so many lines of text."""
    return _GAP + _LINE * max([lines, *(1 + label.count("\n") for label in labels)])


def row_heights(labels: Sequence[str]) -> float:
    """Inches that the rows of these labels need together."""
    return len(labels) * row_height(labels)


def columns_of(table: pd.DataFrame, *names: str) -> list[Float64]:
    """Columns of a table as float64 arrays."""
    return [table[name].to_numpy(np.float64) for name in names]


def draw_intervals(
    ax: Axes,
    x: Float64,
    y: Float64,
    *,
    color: str,
    low: Float64 | None = None,
    high: Float64 | None = None,
    marker: str = "o",
    filled: bool = True,
    label: str | None = None,
) -> None:
    """Draw points at values ``x`` and rows ``y``, whiskers from ``low`` to ``high``, all ``[n]``.

    Values that aren't finite are left out; ends are NaN where there is no whisker.
    """
    if low is not None and high is not None:
        whole = np.isfinite(low) & np.isfinite(high)
        if whole.any():  # of nothing, matplotlib can't find the extent
            ax.hlines(y[whole], low[whole], high[whole], color=color, linewidth=1.3)
    there = np.isfinite(x)
    face = color if filled else "white"
    dots: style.Look = {
        "s": 26,
        "marker": marker,
        "facecolors": face,
        "edgecolors": color,
        "zorder": 3,
    }
    ax.scatter(x[there], y[there], label=label, **dots)


def draw_differences(ax: Axes, table: pd.DataFrame, y: Float64) -> None:
    """Draw differences with their intervals about a zero line, those not shown in grey.

    ``table`` has ``n`` rows with columns ``difference, low, high``, shares, and ``p_holm``; ``y``
    are their places, ``[n]``. The numbers stand to the right, with the p value.
    """
    ax.axvline(0, color=style.BLACK, linewidth=0.8, zorder=0.9)
    x, low, high, p = columns_of(table, "difference", "low", "high", "p_holm")
    shown = p <= SIGNIFICANT
    for chosen, color, label in (
        (shown, style.BLUE, "difference shown"),
        (~shown, style.GREY, "no difference shown"),
    ):
        if (chosen & np.isfinite(x)).any():
            whisker: style.Look = {
                "low": low[chosen],
                "high": high[chosen],
                "filled": color != style.GREY,
            }
            draw_intervals(ax, x[chosen], y[chosen], color=color, label=label, **whisker)
    for place, *ends, each in zip(y, x, low, high, p, strict=True):
        ink = style.BLACK if each <= SIGNIFICANT else style.GREY
        write_right(ax, float(place), f"{points(*ends)}\n{p_value(each)}", color=ink)
    percent_axis(ax.xaxis)


def write_right(ax: Axes, y: float, text: str, *, color: str = style.BLACK) -> None:
    """Write to the right of a panel, at a row."""
    ax.text(
        1.02, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=7.5, color=color
    )


def percent_axis(axis: Axis) -> None:
    """Label an axis of shares in per cent, or in percentage points."""
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6) + 0.0:g}")
    if isinstance(axis, XAxis):
        axis.set_tick_params(labelbottom=True)  # in every row of panels


def name_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Name the rows of a panel, from its upper edge down."""
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="y", color="#ECECEC", linewidth=0.7)


def wrapped(name: object) -> str:
    """A row's label, in lines that fit beside a panel."""
    return readable(name, width=26)
