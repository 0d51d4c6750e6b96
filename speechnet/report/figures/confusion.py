"""Confusion matrices of every model, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64, Int64
from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import percent, readable
from speechnet.report.scores import fold_count, models_of

_CELLS: Final = (0.62, 0.52)  # inches, for few classes and for many
_CHARACTER: Final = 0.07  # inches, in a class name
_LINE: Final = 12  # characters of a class name in one line


@FIGURES.register("confusion")
def confusion(data: ReportData) -> Iterator[Drawing]:
    """Counts and shares of the true class on the test part, a panel per model."""
    for target in data.targets_in("confusion", part="test"):
        caption, draw = _caption(data, target), partial(_draw, data, target)
        yield Drawing.of_target("confusion", target, "confusion", "Confusion", caption, draw)


def _caption(data: ReportData, target: str) -> str:
    said = "Rows are true classes, columns what the model said; shares are of the true class."
    rows = data.table("confusion", target=target, part="test")
    rows = rows[rows["model"] == data.shown]
    share = rows["count"] / rows.groupby("truth")["count"].transform("sum")
    share = share[(rows["truth"] != rows["predicted"]) & (rows["count"] > 0)]
    if share.empty:
        return said
    worst = rows.loc[rows.index == share.idxmax()].iloc[0]
    return (
        f"{said} {data.label(data.shown)} most often takes {worst['truth']} for "
        f"{worst['predicted']}: {percent(float(share.max()))} % of them."
    )


@style.styled
def _draw(data: ReportData, target: str) -> Figure:
    rows = data.table("confusion", target=target, part="test")
    classes, folds, models = data.targets[target], fold_count(data.scores), models_of(rows)
    # Dozens of classes get small cells, and small print, rather than a page of a metre.
    side = min(max(1.7, _CELLS[len(classes) > 5] * len(classes)), 8.0)
    scale = min(1.0, side / len(classes) / _CELLS[1])
    names = [readable(name, width=_LINE) for name in classes]
    # Inches of the longest line of a name; where that is wider than a cell, names stand upright.
    longest = scale * _CHARACTER * max(len(line) for name in names for line in name.split("\n"))
    upright = longest > side / len(classes)

    def panel(ax: Axes, model: str) -> None:
        counts = rows[rows["model"] == model].groupby(["truth", "predicted"])["count"].sum()
        matrix = counts.unstack().reindex(index=classes, columns=classes)
        _cells(ax, matrix.fillna(0).to_numpy(np.int64), size=7.2 * scale)
        ax.set_title(readable(data.label(model), width=24))
        ax.set_xticks(range(len(names)), names, fontsize=8 * scale, rotation=90 if upright else 0)
        ax.set_yticks(range(len(names)), names, fontsize=8 * scale)

    pooled = f", pooled over {folds} folds" if folds > 1 else ""
    figure = style.draw_panels(
        models,
        panel,
        f"Confusion on the test part{pooled}: {readable(target)}",
        size=(side + 0.15, side + 0.3),
        margin=(longest + 1.2, 0.6 + (longest if upright else 0.2)),
        max_width=16,
    )
    figure.supxlabel("Predicted class")
    figure.supylabel("True class")
    style.share_bar(figure, "Share of the true class (%)")
    return figure


def _cells(ax: Axes, counts: Int64, *, size: float) -> None:
    """A class without a recording has no shares: its row is hatched."""
    totals = counts.sum(axis=1, keepdims=True)
    shares: Float64 = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    style.draw_shares(ax, shares)
    ax.set_aspect("equal")
    for (truth, predicted), share in np.ndenumerate(shares):
        if totals[truth]:
            text = f"{counts[truth, predicted]}\n{100 * share:.0f} %"
            color = style.ink_on(float(share))
            ax.text(predicted, truth, text, ha="center", va="center", fontsize=size, color=color)
    for truth in np.flatnonzero(totals == 0):
        corner = (-0.5, float(truth) - 0.5)
        style.mark_undefined(ax, corner, width=len(counts), text="no recordings")
