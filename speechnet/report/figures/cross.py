"""Trained on one corpus, tested on another, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, interval_words, percent_interval, readable
from speechnet.report.scores import models_of

_CELL: Final = (1.15, 0.75)  # inches


@FIGURES.register("cross")
def cross(data: ReportData) -> Iterator[Drawing]:
    """The UAR of every pair of training and test corpus, with intervals, a panel per model."""
    for target in data.targets_in("cross"):
        caption = "Test UAR of every pair of corpus trained on and corpus tested on."
        draw = partial(_draw, data, target)
        yield Drawing.of_target("cross", target, "cross", "Across corpora", caption, draw)


@style.styled
def _draw(data: ReportData, target: str) -> Figure:
    rows = data.table("cross", target=target).astype({"train": str, "test": str})
    # In one order on both sides, so that the corpora themselves are on the diagonal.
    tested = list(rows["test"].unique())
    order = list(dict.fromkeys([*tested, *rows["train"]]))
    trained = [name for name in order if (rows["train"] == name).any()]

    def panel(ax: Axes, model: str) -> None:
        _cells(ax, rows[rows["model"] == model], trained, tested)
        ax.set_title(readable(data.label(model), width=30))

    note = f"UAR in per cent; in brackets its {interval_words(data.unit)}."
    if rows["seen"].astype(bool).any():
        note += " Framed: within one corpus, on unseen speakers."
    figure = style.draw_panels(
        models_of(rows),
        panel,
        f"UAR across corpora: {in_line(target)}",
        size=(_CELL[0] * len(tested) + 0.2, _CELL[1] * len(trained) + 0.5),
        margin=(2.0, 1.6),
        note=note,
    )
    figure.supylabel("Trained on")
    style.share_bar(figure, "UAR (%)")
    return figure


def _cells(ax: Axes, rows: pd.DataFrame, trained: list[str], tested: list[str]) -> None:
    cells = rows.set_index(["train", "test"])
    uar = cells["uar"].unstack().reindex(index=trained, columns=tested).to_numpy(np.float64)  # noqa: PD010
    style.draw_shares(ax, np.nan_to_num(uar))
    for (y, x), value in np.ndenumerate(uar):
        place = (trained[y], tested[x])
        if np.isnan(value):
            text = "undefined" if place in cells.index else "not tested"
            style.mark_undefined(ax, (x - 0.5, y - 0.5), text=text)
            continue
        cell = dict(cells.loc[[place]].iloc[0])
        number, _, interval = percent_interval(value, cell["low"], cell["high"]).partition(" ")
        below = f"{interval}\nunseen speakers" if cell["seen"] else interval
        ink = style.ink_on(value)
        ax.text(x, y, number, ha="center", va="bottom", fontsize=10, color=ink)
        ax.text(x, y, below, ha="center", va="top", fontsize=6.5, color=ink)
        if cell["seen"]:
            frame: style.Look = {"fill": False, "edgecolor": style.BLACK}
            ax.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, **frame))
    ax.set_xticks(range(len(tested)), [readable(name, width=14) for name in tested])
    ax.set_yticks(range(len(trained)), [readable(name, width=14) for name in trained])
    ax.set_xlabel("Tested on")
