"""ROC curves of every model for one target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.errors import DataError
from speechnet.report.figures.style import (
    BLACK,
    GREY,
    legend_below,
    line_style,
    panels,
    set_title,
    styled,
)
from speechnet.report.names import model_name, readable
from speechnet.report.tables import Curve, Curves

_AVERAGES: Final[dict[str, dict[str, Any]]] = {
    "micro": {"color": BLACK, "linestyle": "--", "linewidth": 1.8},
    "macro": {"color": BLACK, "linestyle": ":", "linewidth": 1.8},
}


@styled
def draw_roc(roc: Mapping[tuple[str, str], Curves], *, target: str) -> Figure:
    """ROC curves on the test part, a panel per model, the AUC of each curve in the legend.

    A curve whose AUC is NaN isn't drawn; the legend calls it undefined.

    Args:
        roc: the curves by model and target.
        target: the target to show.

    Raises:
        DataError: there are no curves for the target.
    """
    by_model = {model: curves for (model, name), curves in roc.items() if name == target}
    if not by_model:
        raise DataError(f"no ROC curves for the target {target!r}: found {sorted(roc)}")
    names = {name for curves in by_model.values() for name in curves}
    lines = 1 + sum(_name(name).count("\n") + 1 for name in names)
    # Square axes, left to the layout: a fixed aspect would put the legend on the row below.
    figure, axes = panels(
        len(by_model), size=(3.4, 3.7 + 0.065 * lines), margin=(0.1, 0.35), share=False
    )
    for ax, (model, curves) in zip(axes, by_model.items(), strict=True):
        _panel(ax, curves)
        ax.set_title(readable(model_name(model), width=36))
    set_title(figure, f"ROC curves on the test part: {readable(target)}")
    return figure


def _panel(ax: Axes, curves: Curves) -> None:
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="chance (AUC 0.50)")
    for position, (name, curve) in enumerate(curves.items()):
        style = _AVERAGES.get(name) or {**line_style(position), "linewidth": 1.3}
        if _defined(curve):
            ax.plot(curve.fpr, curve.tpr, label=f"{_name(name)} (AUC {curve.auc:.2f})", **style)
        else:
            ax.plot([], [], label=f"{_name(name)} (undefined)", linestyle="none")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set(xlabel="False positive rate", ylabel="True positive rate")
    legend_below(ax, size=7)  # inside, it would hide a curve that runs below chance


def _name(name: str) -> str:
    return f"{name} average" if name in _AVERAGES else readable(name, width=15)


def _defined(curve: Curve) -> bool:
    return bool(
        np.isfinite(curve.auc) and np.isfinite(curve.fpr).all() and np.isfinite(curve.tpr).all()
    )
