"""Trained on one corpus, tested on another, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing, file_name
from speechnet.report.names import interval_words, percent_interval, readable
from speechnet.report.scores import models_of

_CELL: Final = (1.15, 0.75)  # inches


@FIGURES.register("cross")
def cross(data: ReportData) -> Iterator[Drawing]:
    """The UAR of every pair of training and test corpus, with intervals, a panel per model."""
    for target in data.targets_in("cross"):
        yield Drawing(
            file=f"cross_{file_name(target)}",
            section="cross",
            title=f"Across corpora: {target}",
            caption="Test UAR of every pair of corpus trained on and corpus tested on.",
            draw=partial(_draw, data, target),
            target=target,
        )


@style.styled
def _draw(data: ReportData, target: str) -> Figure:
    rows = data.table("cross", target=target)
    corpora = {side: [str(name) for name in rows[side].unique()] for side in ("train", "test")}
    # In one order on both sides, so that the corpora themselves are on the diagonal.
    order = list(dict.fromkeys([*corpora["test"], *corpora["train"]]))
    corpora = {side: [name for name in order if name in names] for side, names in corpora.items()}
    models = models_of(rows)
    figure, axes = style.panels(
        len(models),
        size=(_CELL[0] * len(corpora["test"]) + 0.2, _CELL[1] * len(corpora["train"]) + 0.5),
        margin=(2.0, 1.6),
    )
    for ax, model in zip(axes, models, strict=True):
        _panel(ax, rows[rows["model"] == model], corpora)
        ax.set_title(readable(data.label(model), width=30))
    figure.supylabel("Trained on")
    note = f"UAR in per cent; in brackets its {interval_words(data.unit)}."
    if rows["seen"].astype(bool).any():
        note += " Framed: within one corpus, on unseen speakers."
    style.add_footer(figure, axes, note=note)
    style.share_bar(figure, axes, "UAR (%)")
    style.set_title(figure, f"UAR across corpora: {readable(target, width=200)}")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, corpora: dict[str, list[str]]) -> None:
    trained, tested = corpora["train"], corpora["test"]
    matrix = np.full((len(trained), len(tested)), np.nan)
    places = zip(rows["train"].map(trained.index), rows["test"].map(tested.index), strict=True)
    found: dict[tuple[int, ...], Any] = dict(zip(places, rows.itertuples(), strict=True))
    for place, row in found.items():
        matrix[place] = row.uar
    style.draw_shares(ax, np.nan_to_num(matrix))
    for place, uar in np.ndenumerate(matrix):
        y, x = place
        if np.isnan(uar):
            text = "undefined" if place in found else "not tested"
            style.mark_undefined(ax, (x - 0.5, y - 0.5), width=1, height=1, text=text)
        else:
            row = found[y, x]
            text = percent_interval(uar, float(row.low), float(row.high))
            _cell(ax, (x, y), text, colour=style.ink_on(uar), seen=bool(row.seen))
    ax.set_xticks(range(len(tested)), [readable(name, width=14) for name in tested])
    ax.set_yticks(range(len(trained)), [readable(name, width=14) for name in trained])
    ax.tick_params(length=0)
    ax.set_xlabel("Tested on")
    ax.spines[:].set_visible(False)


def _cell(ax: Axes, xy: tuple[int, int], text: str, *, colour: str, seen: bool) -> None:
    number, _, interval = text.partition(" ")
    lines = [interval, *(["unseen speakers"] if seen else [])]
    ax.text(*xy, number, ha="center", va="bottom", fontsize=10, color=colour)
    ax.text(*xy, "\n".join(lines), ha="center", va="top", fontsize=6.5, color=colour)
    if seen:
        frame = Rectangle(
            (xy[0] - 0.48, xy[1] - 0.48), 0.96, 0.96, fill=False, edgecolor=style.BLACK
        )
        ax.add_patch(frame)
