"""What a random split would have reported beside what unseen speakers get."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64
from speechnet.report.data import ReportData
from speechnet.report.drawing.forest import (
    columns_of,
    draw_intervals,
    name_rows,
    percent_axis,
    row_height,
    wrapped,
    write_right,
)
from speechnet.report.drawing.style import (
    BLUE,
    GREY,
    ORANGE,
    add_footer,
    panels,
    set_title,
    styled,
)
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.findings import inflated
from speechnet.report.names import interval_words, percent, points, readable, sentence
from speechnet.report.scores import models_of


@FIGURES.register("inflation")
def inflation(data: ReportData) -> Iterator[Drawing]:
    """The same model under both protocols, a panel per target."""
    if shown := data.targets_in("inflation"):
        found = inflated(data.table("inflation"))
        yield Drawing(
            file="inflation",
            section="inflation",
            title="A random split and unseen speakers",
            caption=" ".join(sentence(f"{each.line} ({each.detail})") for each in found),
            draw=partial(_draw, data, shown),
        )


@styled
def _draw(data: ReportData, targets: list[str]) -> Figure:
    models = models_of(data.table("inflation"))
    labels = [wrapped(data.label(model)) for model in models]
    figure, axes = panels(
        len(targets), size=(4.8, 0.6 + row_height(labels) * len(labels)), margin=(1.4, 1.0)
    )
    for ax, target in zip(axes, targets, strict=True):
        rows = data.table("inflation", target=target)
        _protocols(ax, rows, np.array([models.index(str(model)) for model in rows["model"]]))
        ax.axvline(1 / len(data.targets[target]), color=GREY, linestyle=":", label="chance")
        name_rows(ax, labels)
        ax.set_xlabel("UAR (%)")
        ax.set_title(readable(target, width=40).capitalize())
    note = f"Whisker: the random split's lead, its {interval_words(data.unit)}."
    add_footer(figure, axes, note=note)
    set_title(figure, "The same model under a random split and on unseen speakers")
    return figure


def _protocols(ax: Axes, rows: pd.DataFrame, y: Float64) -> None:
    names = ("random", "disjoint", "difference", "low", "high")
    random, disjoint, difference, low, high = columns_of(rows, *names)
    ax.hlines(y, disjoint, random, color="#C0C0C0", linewidth=3, zorder=0.9)
    none = np.full(len(y), np.nan)
    draw_intervals(ax, disjoint, y, low=none, high=none, color=BLUE, label="unseen speakers")
    draw_intervals(
        ax,
        random,
        y,
        low=disjoint + low,
        high=disjoint + high,
        color=ORANGE,
        marker="D",
        label="random split: speakers on both sides",
    )
    for place, *numbers, before, after in zip(
        y, difference, low, high, random, disjoint, strict=True
    ):
        text = f"{points(*numbers)}\n{percent(before)} against {percent(after)}"
        write_right(ax, float(place), text)
    percent_axis(ax.xaxis)
