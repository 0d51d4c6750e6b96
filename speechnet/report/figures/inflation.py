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
from speechnet.report.names import heading, interval_words, percent, points, sentence
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


def _draw(data: ReportData, targets: list[str]) -> Figure:
    models = models_of(data.table("inflation"))
    labels = [forest.wrapped(data.label(model)) for model in models]

    def panel(ax: Axes, target: str) -> None:
        rows = data.table("inflation", target=target)
        _protocols(ax, rows, np.array([models.index(str(model)) for model in rows["model"]]))
        ax.axvline(1 / len(data.targets[target]), color=style.GREY, linestyle=":", label="chance")
        forest.name_rows(ax, labels)
        ax.set(title=heading(target), xlabel="UAR (%)")

    return style.draw_panels(
        targets,
        panel,
        "The same model under a random split and on unseen speakers",
        size=(4.8, 0.6 + forest.row_heights(labels)),
        margin=(1.4, 1.0),
        note=f"Whisker: the random split's lead, its {interval_words(data.unit)}.",
    )


def _protocols(ax: Axes, rows: pd.DataFrame, y: Float64) -> None:
    names = ("random", "disjoint", "difference", "low", "high")
    random, disjoint, difference, low, high = forest.columns_of(rows, *names)
    ax.hlines(y, disjoint, random, color="#C0C0C0", linewidth=3, zorder=0.9)
    forest.draw_intervals(ax, disjoint, y, color=style.BLUE, label="unseen speakers")
    whisker: style.Look = {"low": disjoint + low, "high": disjoint + high}
    label = "random split: speakers on both sides"
    forest.draw_intervals(ax, random, y, color=style.ORANGE, marker="D", label=label, **whisker)
    for place, before, after, *lead in zip(y, random, disjoint, difference, low, high, strict=True):
        text = f"{points(*lead)}\n{percent(before)} against {percent(after)}"
        forest.write_right(ax, float(place), text)
    forest.percent_axis(ax.xaxis)
