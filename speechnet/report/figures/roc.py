"""ROC curves of every model, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import percent, readable

_AVERAGES: Final[dict[str, style.Look]] = {
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
                caption += (
                    f" {data.label(data.shown)}: macro AUC of all folds' rows pooled "
                    f"{percent(curves['macro'].auc)} %, where 50 % is chance."
                )
            draw = partial(_draw, data, target)
            yield Drawing.of_target("roc", target, "confusion", "ROC curves", caption, draw)


def _draw(data: ReportData, target: str) -> Figure:
    by_model = {model: curves for (model, of), curves in data.roc.items() if of == target}
    names = {name for curves in by_model.values() for name in curves}
    lines = 1 + sum(_name(name).count("\n") + 1 for name in names)

    def panel(ax: Axes, model: str) -> None:
        """A curve whose AUC is NaN isn't drawn; the legend calls it undefined."""
        ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.8, label="chance (AUC 0.50)")
        for position, (name, curve) in enumerate(by_model[model].items()):
            line = _AVERAGES.get(name) or {**style.line_style(position), "linewidth": 1.3}
            if np.isfinite(curve.auc):
                ax.plot(curve.fpr, curve.tpr, label=f"{_name(name)} (AUC {curve.auc:.2f})", **line)
            else:
                ax.plot([], [], label=f"{_name(name)} (undefined)", linestyle="none")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.set(xlabel="False positive rate", ylabel="True positive rate")
        style.legend_below(ax, size=7)  # inside, it would hide a curve that runs below chance
        ax.set_title(readable(data.label(model), width=36))

    return style.draw_panels(
        [*by_model],
        panel,
        f"ROC curves on the test part: {readable(target)}",
        # Square axes, left to the layout: a fixed aspect would put the legend on the row below.
        size=(3.4, 3.7 + 0.065 * lines),
        margin=(0.1, 0.35),
        share=False,
    )


def _name(name: str) -> str:
    return f"{name} average" if name in _AVERAGES else readable(name, width=15)
