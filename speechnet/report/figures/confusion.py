"""Confusion matrices of every model for one target."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64, Int64
from speechnet.report.figures.style import (
    draw_shares,
    ink_on,
    mark_undefined,
    panels,
    set_title,
    styled,
)
from speechnet.report.names import model_name, readable
from speechnet.report.tables import models_of, require_columns

_COLUMNS: Final = ("model", "target", "part", "truth", "predicted", "count")
_CELLS: Final = (0.62, 0.52)  # inches, for few classes and for many
_CHARACTER: Final = 0.07  # inches, in a class name
_LINE: Final = 12  # characters of a class name in one line


@styled
def draw_confusion(
    confusion: pd.DataFrame, *, target: str, classes: list[str], folds: int = 1
) -> Figure:
    """Confusion matrices on the test part: counts and shares of the true class, a panel per model.

    The colour is the share of the true class. A class without a recording has no shares: its row
    is hatched.

    Args:
        confusion: columns ``model, target, part, truth, predicted, count``; a pair that isn't
            listed was never seen.
        target: the target to show.
        classes: its ordered classes.
        folds: how many folds the counts are pooled over, for the title.

    Raises:
        DataError: the table lacks a column or has no test rows for the target.
    """
    require_columns(confusion, _COLUMNS, name="confusion counts")
    rows = confusion[(confusion["target"] == target) & (confusion["part"] == "test")]
    models = models_of(rows)
    # Dozens of classes get small cells, and small print, rather than a page of a metre.
    side = min(max(1.7, _CELLS[len(classes) > 5] * len(classes)), 8.0)
    scale = min(1.0, side / len(classes) / _CELLS[1])
    names = [readable(name, width=_LINE) for name in classes]
    # Inches of the longest line of a name; where that is wider than a cell, names stand upright.
    longest = scale * _CHARACTER * max(len(line) for name in names for line in name.split("\n"))
    upright = longest > side / len(classes)
    figure, axes = panels(
        len(models),
        size=(side + 0.15, side + 0.3),
        margin=(longest + 1.2, 0.6 + (longest if upright else 0.2)),
        max_width=16,
    )
    for ax, model in zip(axes, models, strict=True):
        _panel(ax, count_matrix(rows[rows["model"] == model], classes), size=7.2 * scale)
        ax.set_title(readable(model_name(model), width=24))
        ax.set_xticks(range(len(names)), names, fontsize=8 * scale, rotation=90 if upright else 0)
        ax.set_yticks(range(len(names)), names, fontsize=8 * scale)
        ax.tick_params(length=0)
    figure.supxlabel("Predicted class")
    figure.supylabel("True class")
    pooled = f", pooled over {folds} folds" if folds > 1 else ""
    set_title(figure, f"Confusion on the test part{pooled}: {readable(target)}")
    _colour_bar(figure, axes)
    return figure


def count_matrix(rows: pd.DataFrame, classes: list[str]) -> Int64:
    """The counts of one model as a matrix, truth by prediction.

    Args:
        rows: columns ``truth, predicted, count``.
        classes: the ``k`` ordered classes.

    Returns:
        int64 ``[k, k]``.
    """
    counts = rows.groupby(["truth", "predicted"], observed=True)["count"].sum()
    pairs = pd.MultiIndex.from_product([classes, classes])
    matrix = counts.reindex(pairs, fill_value=0).to_numpy(np.int64)
    return matrix.reshape(len(classes), len(classes))


def _panel(ax: Axes, counts: Int64, *, size: float) -> None:
    totals = counts.sum(axis=1, keepdims=True)
    shares: Float64 = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    draw_shares(ax, shares)
    ax.set_aspect("equal")
    for truth, row in enumerate(counts):
        if not totals[truth]:
            mark_undefined(
                ax, (-0.5, truth - 0.5), width=len(counts), height=1, text="no recordings"
            )
            continue
        for predicted, count in enumerate(row):
            share = shares[truth, predicted]
            ax.text(
                predicted,
                truth,
                f"{count}\n{100 * share:.0f} %",
                ha="center",
                va="center",
                fontsize=size,
                color=ink_on(share),
            )
    ax.spines[:].set_visible(False)


def _colour_bar(figure: Figure, axes: list[Axes]) -> None:
    shrink = min(1, 2.4 / figure.get_figheight())
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=shrink, aspect=16)
    bar.set_label("Share of the true class (%)")
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
    bar.outline.set_visible(False)
