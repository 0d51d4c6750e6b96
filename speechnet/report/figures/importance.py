"""How much UAR is lost when features are shuffled, a figure for each target and model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, interval_words, points, readable

_FEATURES: Final = 20
_LEVELS: Final = {"group": "Groups of features", "feature": "Single features"}
_PALE: Final = "#C8C8C8"


@FIGURES.register("importance")
def importance(data: ReportData) -> Iterator[Drawing]:
    """All groups of features, and the twenty features that lose most."""
    for target in data.targets:
        found = data.table("importance", target=target)
        for model, rows in found.groupby("model", sort=False):
            label = data.label(model)
            yield Drawing(
                file=f"importance_{target}_{model}",
                section="importance",
                title=f"Importance of features: {target}, {label}",
                caption=_caption(rows, label),
                draw=partial(_draw, rows, f"{in_line(target)}, {in_line(label)}", data.unit),
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


def ranked(rows: pd.DataFrame, *, level: str) -> pd.DataFrame:
    """The rows of a level, the largest drop first: all groups, but only twenty features."""
    chosen = rows[rows["level"] == level].dropna(subset=["drop"])
    chosen = chosen.sort_values("drop", ascending=False, kind="stable")
    return chosen.head(_FEATURES) if level == "feature" else chosen


def _draw(rows: pd.DataFrame, of: str, unit: str | None) -> Figure:
    tables = {level: ranked(rows, level=level) for level in _LEVELS}
    labels = {
        level: [readable(name, width=36) for name in table["name"]]
        for level, table in tables.items()
    }
    count = max(map(len, labels.values()))
    row = forest.row_height([*labels["group"], *labels["feature"]], lines=1)

    def panel(ax: Axes, level: str) -> None:
        table, total = tables[level], int((rows["level"] == level).sum())
        _bars(ax, table, thickness=0.7 * max(0.4, len(table) / count))
        forest.name_rows(ax, labels[level])
        ax.grid(visible=False)
        shown = f"all {total}" if len(table) == total else f"the first {len(table)} of {total}"
        ax.set_title(f"{_LEVELS[level]}: {shown}")

    return style.draw_panels(
        [level for level in _LEVELS if len(tables[level])],
        panel,
        f"UAR lost when features are shuffled: {of}",
        size=(4.8, 0.6 + row * max(1, count)),
        margin=(0.6, 1.0),
        share=False,
        note=f"Whisker: {interval_words(unit)}. Pale: it includes zero. Features that tell the "
        "same stand in for each other: each alone may lose little.",
    )


def _bars(ax: Axes, table: pd.DataFrame, *, thickness: float) -> None:
    drop, low, high = forest.columns_of(table, "drop", "low", "high")
    y = np.arange(len(table), dtype=np.float64)
    sure = (low > 0) | (high < 0)
    ax.barh(y, drop, height=thickness, color=np.where(sure, style.BLUE, _PALE).tolist())
    whole = np.isfinite(low) & np.isfinite(high)
    if whole.any():
        ax.hlines(y[whole], low[whole], high[whole], color=style.BLACK, linewidth=1)
    ax.axvline(0, color=style.BLACK, linewidth=0.8)
    forest.percent_axis(ax.xaxis)
    ax.set_xlabel("Drop of UAR (percentage points)")
