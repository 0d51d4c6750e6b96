"""How far the models' probabilities can be trusted, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, percent, readable
from speechnet.report.scores import find_score, models_of

_HISTOGRAM: Final = 0.65  # inches


@FIGURES.register("reliability")
def reliability(data: ReportData) -> Iterator[Drawing]:
    """Accuracy against confidence on the test part, with a histogram, a panel per model."""
    for target in data.targets_in("reliability", part="test"):
        caption = (
            "How often a model is right among recordings for which it claims so much; the diagonal "
            "is honest."
        )
        if (model := data.shown) is not None:
            caption += (
                f" {data.label(model)}: expected calibration error of all folds' rows pooled "
                f"{_error(data, target, model)} points."
            )
        draw = partial(_draw, data, target)
        yield Drawing.of_target("reliability", target, "confusion", "Reliability", caption, draw)


def _draw(data: ReportData, target: str) -> Figure:
    rows = data.table("reliability", target=target, part="test")

    def panel(ax: Axes, model: str) -> None:
        _bins(ax, rows[rows["model"] == model])
        error = _error(data, target, model)
        ax.set_title(f"{readable(data.label(model), width=30)}\nECE {error} points")

    return style.draw_panels(
        models_of(rows),
        panel,
        f"Reliability on the test part: {in_line(target)}",
        size=(2.9, 3.9),
        margin=(0.3, 0.8),
        share=False,
        note="ECE: the mean distance of the dots from the diagonal, weighted by the counts.",
    )


def _error(data: ReportData, target: str, model: str) -> str:
    """The expected calibration error of all folds' rows together, in points."""
    pooled = data.scores[data.scores["fold"] == "all"]
    score = find_score(pooled, model=model, target=target, part="test", metric="ece")
    return percent(score.value)


def _bins(ax: Axes, bins: pd.DataFrame) -> None:
    names = ("low", "high", "count", "confidence", "accuracy")
    low, high, count, confidence, accuracy = forest.columns_of(bins, *names)
    held = (count > 0) & np.isfinite(confidence) & np.isfinite(accuracy)
    diagonal: style.Look = {"color": style.GREY, "linestyle": "--", "linewidth": 0.9}
    ax.plot([0, 1], [0, 1], label="perfectly calibrated", **diagonal)
    x, y = confidence[held], accuracy[held]
    if len(x):
        ax.vlines(x, x, y, color=style.SKY, linewidth=2.5)
        ax.plot(x, y, ".-", color=style.BLUE, linewidth=1, label="bin")
    else:
        style.mark_undefined(ax)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="Accuracy (%)")
    forest.percent_axis(ax.yaxis)
    below = style.panel_below(ax, gap=0.15, height=_HISTOGRAM)
    below.bar(low, count, width=high - low, align="edge", color=style.SKY, edgecolor="white")
    below.set(xlabel="Confidence (%)", ylabel="Count")
    forest.percent_axis(below.xaxis)
    below.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    ax.tick_params(labelbottom=False)  # the histogram has them
