"""How much UAR is lost when features are shuffled, a figure for each target and model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64
from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing, file_name
from speechnet.report.names import interval_words, points, readable

_FEATURES: Final = 20
_LEVELS: Final = {"Groups of features": "group", "Single features": "feature"}
_PALE: Final = "#C8C8C8"


@FIGURES.register("importance")
def importance(data: ReportData) -> Iterator[Drawing]:
    """All groups of features, and the twenty features that lose most."""
    for target in data.targets:
        found = data.table("importance", target=target)
        for model, rows in found.groupby("model", sort=False):
            yield Drawing(
                file=f"importance_{file_name(target)}_{file_name(str(model))}",
                section="importance",
                title=f"Importance of features: {target}, {data.label(model)}",
                caption=_caption(rows, data.label(model)),
                draw=partial(_draw, data, rows, target, str(model)),
                target=target,
            )


def _caption(rows: pd.DataFrame, label: str) -> str:
    said = "How much test UAR is lost when a feature's values are shuffled."
    groups = ranked(rows, level="group")
    if groups.empty:
        return said
    first = groups.iloc[0]
    lost = points(first["drop"], first["low"], first["high"])
    return f"{said} {label} loses most without {first['name']}: {lost} points."


@style.styled
def _draw(data: ReportData, rows: pd.DataFrame, target: str, model: str) -> Figure:
    levels = {
        f"{title}: {_of(len(table), int((rows['level'] == level).sum()))}": table
        for title, level in _LEVELS.items()
        if len(table := ranked(rows, level=level))
    }
    count = max(map(len, levels.values()), default=1)
    labels = [_feature(name) for table in levels.values() for name in table["name"]]
    figure, axes = style.panels(
        max(1, len(levels)),
        size=(4.8, 0.6 + forest.row_height(labels, lines=1) * count),
        margin=(0.6, 1.0),
        share=False,
    )
    for ax, (title, table) in zip(axes, levels.items(), strict=False):
        _bars(ax, table, thickness=0.7 * max(0.4, len(table) / count))
        ax.set_title(title)
    note = (
        f"Whisker: {interval_words(data.unit)}. Pale: it includes zero. Features that tell the "
        "same stand in for each other: each alone may lose little."
    )
    style.add_footer(figure, axes, note=note)
    style.set_title(
        figure,
        f"UAR lost when features are shuffled: {readable(target, width=200)}, "
        f"{readable(data.label(model), width=200)}",
    )
    return figure


def ranked(rows: pd.DataFrame, *, level: str) -> pd.DataFrame:
    """The rows of a level, the largest drop first: all groups, but only twenty features.

    Args:
        rows: of one model and target, columns ``level, name, drop``.
        level: ``group`` or ``feature``.
    """
    chosen = rows[rows["level"] == level].dropna(subset=["drop"])
    chosen = chosen.sort_values("drop", ascending=False, kind="stable")
    return chosen.head(_FEATURES) if level == "feature" else chosen


def _of(count: int, total: int) -> str:
    return f"all {count}" if count == total else f"the first {count} of {total}"


def _feature(name: object) -> str:
    return readable(name, width=36)


def _bars(ax: Axes, table: pd.DataFrame, *, thickness: float) -> None:
    drop, low, high = forest.columns_of(table, "drop", "low", "high")
    y: Float64 = np.arange(len(table), dtype=np.float64)
    sure = (low > 0) | (high < 0)
    ax.barh(y, drop, height=thickness, color=np.where(sure, style.BLUE, _PALE).tolist())
    whole = np.isfinite(low) & np.isfinite(high)
    if whole.any():
        ax.hlines(y[whole], low[whole], high[whole], color=style.BLACK, linewidth=1)
    ax.axvline(0, color=style.BLACK, linewidth=0.8)
    forest.name_rows(ax, [_feature(name) for name in table["name"]])
    ax.grid(visible=False)
    forest.percent_axis(ax.xaxis)
    ax.set_xlabel("Drop of UAR (percentage points)")
