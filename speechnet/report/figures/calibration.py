"""How far the models' probabilities can be trusted."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speechnet.core.types import Targets
from speechnet.report.figures.forest import columns_of, percent_axis
from speechnet.report.figures.style import (
    BLUE,
    GREY,
    SKY,
    add_footer,
    line_style,
    mark_undefined,
    panel_below,
    panels,
    set_title,
    styled,
)
from speechnet.report.names import model_name, percent, readable
from speechnet.report.tables import models_of, require_columns, rows_of, targets_of

_BINS: Final = ("model", "target", "part", "low", "high", "count", "confidence", "accuracy")
_CURVE: Final = ("model", "target", "part", "coverage", "risk")
_HISTOGRAM: Final = 0.65  # inches


@styled
def draw_reliability(reliability: pd.DataFrame, *, target: str) -> Figure:
    """Accuracy against confidence on the test part, with a histogram, a panel per model.

    Args:
        reliability: columns ``model, target, part, low, high, count, confidence, accuracy``, a
            row for each bin of the predicted class's probability; NaN in an empty bin.
        target: the target to show.

    Raises:
        DataError: the table lacks a column or has no test rows of the target.
    """
    require_columns(reliability, _BINS, name="reliability")
    rows = rows_of(reliability[reliability["part"] == "test"], target=target)
    models = models_of(rows)
    figure, axes = panels(len(models), size=(2.9, 3.9), margin=(0.3, 0.8), share=False)
    for ax, model in zip(axes, models, strict=True):
        _reliability(ax, rows[rows["model"] == model])
        error = percent(calibration_error(rows[rows["model"] == model]))
        ax.set_title(f"{readable(model_name(model), width=30)}\nECE {error} points")
    note = "ECE: the mean distance of the dots from the diagonal, weighted by the counts."
    add_footer(figure, axes, note=note)
    set_title(figure, f"Reliability on the test part: {readable(target, width=200)}")
    return figure


def calibration_error(bins: pd.DataFrame) -> float:
    """The expected calibration error of one model's bins, in [0, 1]; NaN of no recordings.

    ``sum(count * |accuracy - confidence|) / sum(count)`` over the bins that hold any.

    Args:
        bins: columns ``count, confidence, accuracy``.

    References:
        C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks",
        ICML 2017.
    """
    held = bins[bins["count"] > 0]
    count, confidence, accuracy = columns_of(held, "count", "confidence", "accuracy")
    if not count.size:
        return float("nan")
    return float(count @ np.abs(accuracy - confidence) / count.sum())


def _reliability(ax: Axes, bins: pd.DataFrame) -> None:
    low, high, count, confidence, accuracy = columns_of(bins, *_BINS[3:])
    held = (count > 0) & np.isfinite(confidence) & np.isfinite(accuracy)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.9, label="perfectly calibrated")
    if held.any():
        ax.vlines(confidence[held], confidence[held], accuracy[held], color=SKY, linewidth=2.5)
        ax.plot(confidence[held], accuracy[held], ".-", color=BLUE, linewidth=1, label="bin")
    else:
        mark_undefined(ax, (0, 0), width=1, height=1)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="Accuracy (%)")
    percent_axis(ax.yaxis)
    below = panel_below(ax, gap=0.15, height=_HISTOGRAM)
    below.bar(low, count, width=high - low, align="edge", color=SKY, edgecolor="white")
    below.set(xlabel="Confidence (%)", ylabel="Count")
    percent_axis(below.xaxis)
    below.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    ax.tick_params(labelbottom=False)  # the histogram has them


@styled
def draw_risk_coverage(risk_coverage: pd.DataFrame, targets: Targets) -> Figure:
    """The share of errors when only the most confident predictions are kept, a panel per target.

    Args:
        risk_coverage: columns ``model, target, part, coverage, risk``, shares.
        targets: the ordered classes of each target; one without test rows isn't drawn.

    Raises:
        DataError: the table lacks a column or has no test rows of these targets.
    """
    require_columns(risk_coverage, _CURVE, name="risk against coverage")
    table = risk_coverage[risk_coverage["part"] == "test"]
    shown = targets_of(table, targets)
    models = models_of(table)
    figure, axes = panels(len(shown), size=(4.0, 3.1), margin=(0.3, 1.2), share=False)
    for ax, target in zip(axes, shown, strict=True):
        rows = table[table["target"] == target].sort_values("coverage", kind="stable")
        for position, model in enumerate(models):
            coverage, risk = columns_of(rows[rows["model"] == model], "coverage", "risk")
            there = np.isfinite(coverage) & np.isfinite(risk)
            ax.plot(
                coverage[there],
                risk[there],
                marker="." if there.sum() == 1 else None,
                label=readable(model_name(model), width=24),
                **line_style(position),
            )
        for axis in (ax.xaxis, ax.yaxis):
            percent_axis(axis)
        ax.set(xlabel="Coverage: predictions kept (%)", ylabel="Errors among them (%)")
        ax.set_xlim(0, 1.01)
        most = max(0.05, 1.05 * ax.dataLim.y1) if np.isfinite(ax.dataLim.y1) else 1.0
        ax.set_ylim(-0.015 * most, most)  # a risk of 0 stays in view
        ax.set_title(readable(target, width=40).capitalize())
    note = "The most confident predictions are kept first."
    add_footer(figure, axes, note=note)
    set_title(figure, "Risk against coverage on the test part")
    return figure
