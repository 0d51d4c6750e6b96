"""Rows of values with intervals, as several figures have them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from speechnet.core.types import Float64
from speechnet.report.drawing import style
from speechnet.report.names import p_value, points, readable

_LINE: Final = 0.15  # inches, of text in a row
_GAP: Final = 0.1  # inches, between rows


def row_height(labels: list[str], *, lines: int = 2) -> float:
    """Inches that each row needs for the longest label.

    Args:
        labels: of the rows.
        lines: of text that a row needs anyway.
    """
    return _GAP + _LINE * max([lines, *(1 + label.count("\n") for label in labels)])


def columns_of(table: pd.DataFrame, *names: str) -> list[Float64]:
    """Columns of a table as float64 arrays."""
    return [table[name].to_numpy(np.float64) for name in names]


def draw_intervals(
    ax: Axes,
    x: Float64,
    y: Float64,
    *,
    low: Float64,
    high: Float64,
    color: str,
    marker: str = "o",
    filled: bool = True,
    label: str | None = None,
) -> None:
    """Points with whiskers from left to right; what isn't finite is left out.

    Args:
        ax: the panel.
        x: the values, ``[n]``.
        y: their rows, ``[n]``.
        low: the left ends of the whiskers, ``[n]``; NaN where there is none.
        high: the right ends, ``[n]``.
        color: of points and whiskers.
        marker: the points' shape.
        filled: whether the points are.
        label: for the legend.
    """
    whole = np.isfinite(low) & np.isfinite(high)
    if whole.any():  # of nothing, matplotlib can't find the extent
        ax.hlines(y[whole], low[whole], high[whole], color=color, linewidth=1.3)
    there = np.isfinite(x)
    ax.scatter(
        x[there],
        y[there],
        s=26,
        marker=marker,
        facecolors=color if filled else "white",
        edgecolors=color,
        label=label,
        zorder=3,
    )


def draw_differences(
    ax: Axes, table: pd.DataFrame, y: Float64, *, shown: np.ndarray, texts: list[str]
) -> None:
    """A forest plot: differences with intervals about a zero line, those not shown in grey.

    Args:
        ax: the panel.
        table: ``n`` rows with columns ``difference, low, high``, shares.
        y: the rows' places, ``[n]``.
        shown: bool ``[n]``, whether there is a difference.
        texts: what is written to the right of each row.
    """
    ax.axvline(0, color=style.BLACK, linewidth=0.8, zorder=0.9)
    x, low, high = columns_of(table, "difference", "low", "high")
    for chosen, color, label in (
        (shown, style.BLUE, "difference shown"),
        (~shown, style.GREY, "no difference shown"),
    ):
        if (chosen & np.isfinite(x)).any():
            draw_intervals(
                ax,
                x[chosen],
                y[chosen],
                low=low[chosen],
                high=high[chosen],
                color=color,
                filled=color != style.GREY,
                label=label,
            )
    for place, text, strong in zip(y, texts, shown, strict=True):
        write_right(ax, float(place), text, color=style.BLACK if strong else style.GREY)
    percent_axis(ax.xaxis)


def difference_texts(table: pd.DataFrame) -> list[str]:
    """What is written beside differences: points with their interval, and the p value.

    Args:
        table: columns ``difference, low, high, p_holm``.
    """
    columns = columns_of(table, "difference", "low", "high", "p_holm")
    return [f"{points(*ends)}\n{p_value(p)}" for *ends, p in zip(*columns, strict=True)]


def write_right(ax: Axes, y: float, text: str, *, color: str = style.BLACK) -> None:
    """Write to the right of a panel, at a row."""
    across = blended_transform_factory(ax.transAxes, ax.transData)
    ax.text(1.02, y, text, transform=across, va="center", fontsize=7.5, color=color)


def percent_axis(axis: Axis) -> None:
    """Label an axis of shares in per cent, or in percentage points."""
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6) + 0.0:g}")
    if isinstance(axis, XAxis):
        axis.set_tick_params(labelbottom=True)  # in every row of panels


def name_rows(ax: Axes, labels: list[str]) -> None:
    """Name the rows of a panel, from its upper edge down."""
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="y", color="#ECECEC", linewidth=0.7)


def wrapped(name: object) -> str:
    """A row's label, in lines that fit beside a panel."""
    return readable(name, width=26)
