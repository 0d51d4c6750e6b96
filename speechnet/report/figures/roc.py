"""ROC curves of every model, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.evaluation.roc import RocCurve
from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing, file_name
from speechnet.report.names import percent, readable

_AVERAGES: Final[dict[str, dict[str, Any]]] = {
    "micro": {"color": style.BLACK, "linestyle": "--", "linewidth": 1.8},
    "macro": {"color": style.BLACK, "linestyle": ":", "linewidth": 1.8},
}


@FIGURES.register("roc")
def roc(data: ReportData) -> Iterator[Drawing]:
    """The test part's curves of each class against the rest, a panel per model."""
    for target in data.targets:
        if any(of == target for _, of in data.roc):
            caption = "A curve for each class against the rest, and their averages."
            if curves := data.roc.get((str(data.shown), target)):
                area = curves["macro"].auc
                caption += (
                    f" {data.label(data.shown)}: macro AUC of all folds' rows pooled "
                    f"{percent(area)} %, where 50 % is chance."
                )
            yield Drawing(
                file=f"roc_{file_name(target)}",
                section="confusion",
                title=f"ROC curves: {target}",
                caption=caption,
                draw=partial(_draw, data, target),
                target=target,
            )


@style.styled
def _draw(data: ReportData, target: str) -> Figure:
    by_model = {model: curves for (model, of), curves in data.roc.items() if of == target}
    names = {name for curves in by_model.values() for name in curves}
    lines = 1 + sum(_name(name).count("\n") + 1 for name in names)
    # Square axes, left to the layout: a fixed aspect would put the legend on the row below.
    figure, axes = style.panels(
        len(by_model), size=(3.4, 3.7 + 0.065 * lines), margin=(0.1, 0.35), share=False
    )
    for ax, (model, curves) in zip(axes, by_model.items(), strict=True):
        _panel(ax, curves)
        ax.set_title(readable(data.label(model), width=36))
    style.set_title(figure, f"ROC curves on the test part: {readable(target)}")
    return figure


def _panel(ax: Axes, curves: Mapping[str, RocCurve]) -> None:
    """A curve whose AUC is NaN isn't drawn; the legend calls it undefined."""
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.8, label="chance (AUC 0.50)")
    for position, (name, curve) in enumerate(curves.items()):
        line = _AVERAGES.get(name) or {**style.line_style(position), "linewidth": 1.3}
        if np.isfinite(curve.auc):
            ax.plot(curve.fpr, curve.tpr, label=f"{_name(name)} (AUC {curve.auc:.2f})", **line)
        else:
            ax.plot([], [], label=f"{_name(name)} (undefined)", linestyle="none")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set(xlabel="False positive rate", ylabel="True positive rate")
    style.legend_below(ax, size=7)  # inside, it would hide a curve that runs below chance


def _name(name: str) -> str:
    return f"{name} average" if name in _AVERAGES else readable(name, width=15)
