"""Published results below a run's own, marked as not its own."""

from __future__ import annotations

import textwrap
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from speechnet.report.drawing.style import VERMILION, panel_below
from speechnet.report.names import readable

_ROW: Final = 0.37  # inches
_HEAD: Final = 0.75  # inches: the label of the axis above, and the heading
_WIDTH: Final = 62  # characters of a system's name, which has one line


def references_of(references: pd.DataFrame, *, metric: str) -> pd.DataFrame | None:
    """The reference results of a metric, highest first, or None.

    Args:
        references: columns ``system, metric, value`` and perhaps ``source``.
        metric: the metric.

    Returns:
        Columns ``system, value, source``, the value a share and the source "" where there is none.
    """
    rows = references[references["metric"].astype(str).str.lower() == metric]
    rows = rows.dropna(subset=["value"]).sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return None
    source = rows["source"].fillna("") if "source" in rows else ""
    return rows.assign(value=rows["value"] / 100, source=source)[["system", "value", "source"]]


def reference_height(references: pd.DataFrame | None) -> float:
    """Inches that a panel needs for them below itself."""
    return 0.0 if references is None else _HEAD + _ROW * len(references)


def reference_note(references: pd.DataFrame | None) -> str:
    """Where they come from, in a sentence."""
    if references is None:
        return ""
    numbers = _numbers(references)
    sources = "; ".join(f"[{number}] {source}" for source, number in numbers.items())
    return f"Reference results are not of this run{': ' + sources if sources else ''}."


def add_references(ax: Axes, references: pd.DataFrame) -> None:
    """Add a panel of reference results below the panel of one's own, on the same x axis.

    Args:
        ax: the panel of one's own.
        references: as ``references_of`` gives them.
    """
    below = panel_below(ax, gap=_HEAD, height=_ROW * len(references))
    numbers = _numbers(references)
    values = references["value"].to_numpy(np.float64)
    y = np.arange(len(values))
    below.hlines(y, 0, values, color="#C0C0C0", linewidth=0.8, linestyle=":")
    below.scatter(
        values, y, marker="D", s=26, facecolors="white", edgecolors=VERMILION, label="reference"
    )
    marks = [f" [{numbers[source]}]" if source else "" for source in references["source"]]
    for place, system, mark, value in zip(y, references["system"], marks, values, strict=True):
        below.text(value + 0.03, float(place), f"{100 * value:.1f}", va="center", fontsize=7.5)
        name = textwrap.shorten(readable(f"{system}", width=200), _WIDTH, placeholder=" ...")
        below.annotate(
            f"{name}{mark}",
            (0, float(place)),
            xytext=(3, 6),
            textcoords="offset points",
            fontsize=7.5,
        )
    below.set_yticks([])
    below.set_ylim(len(values) - 0.5, -0.5)
    below.tick_params(axis="x", labelbottom=False)
    below.spines["bottom"].set_bounds(0, 1)
    below.set_title("Reference results, not of this run", fontsize=8.5, color=VERMILION)


def _numbers(references: pd.DataFrame) -> dict[str, int]:
    """The sources in order of appearance, counted from 1."""
    sources = [str(source) for source in references["source"].unique() if source]
    return {source: number for number, source in enumerate(sources, start=1)}
