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
from speechnet.report.drawing import forest, style
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


@style.styled
def _draw(data: ReportData, targets: list[str]) -> Figure:
    models = models_of(data.table("inflation"))
    labels = [forest.wrapped(data.label(model)) for model in models]
    figure, axes = style.panels(
        len(targets), size=(4.8, 0.6 + forest.row_height(labels) * len(labels)), margin=(1.4, 1.0)
    )
    for ax, target in zip(axes, targets, strict=True):
        rows = data.table("inflation", target=target)
        _protocols(ax, rows, np.array([models.index(str(model)) for model in rows["model"]]))
        ax.axvline(1 / len(data.targets[target]), color=style.GREY, linestyle=":", label="chance")
        forest.name_rows(ax, labels)
        ax.set_xlabel("UAR (%)")
        ax.set_title(readable(target, width=40).capitalize())
    note = f"Whisker: the random split's lead, its {interval_words(data.unit)}."
    style.add_footer(figure, axes, note=note)
    style.set_title(figure, "The same model under a random split and on unseen speakers")
    return figure


def _protocols(ax: Axes, rows: pd.DataFrame, y: Float64) -> None:
    names = ("random", "disjoint", "difference", "low", "high")
    random, disjoint, difference, low, high = forest.columns_of(rows, *names)
    ax.hlines(y, disjoint, random, color="#C0C0C0", linewidth=3, zorder=0.9)
    none = np.full(len(y), np.nan)
    forest.draw_intervals(
        ax, disjoint, y, low=none, high=none, color=style.BLUE, label="unseen speakers"
    )
    forest.draw_intervals(
        ax,
        random,
        y,
        low=disjoint + low,
        high=disjoint + high,
        color=style.ORANGE,
        marker="D",
        label="random split: speakers on both sides",
    )
    for place, *numbers, before, after in zip(
        y, difference, low, high, random, disjoint, strict=True
    ):
        text = f"{points(*numbers)}\n{percent(before)} against {percent(after)}"
        forest.write_right(ax, float(place), text)
    forest.percent_axis(ax.xaxis)
