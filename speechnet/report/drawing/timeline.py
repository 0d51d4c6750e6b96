"""A model's probabilities over a long recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator, PercentFormatter

from speechnet.core.types import Float64, Targets
from speechnet.report.drawing import style
from speechnet.report.names import NO_LABELS, model_name, readable

_MOST: Final = 400  # steps side by side: of a figure's 1,700 pixels each has four

_BETWEEN_TICKS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds."""

_TICKS: Final = 9  # ticks at most, but for recordings of more than nine hours

_IN_A_ROW: Final = 5  # classes in a line of a legend

_SILENCE: Final[style.Look] = {"label": "Silence", "facecolor": "#D9D9D9"}
_FAULT: Final[style.Look] = {
    "label": "Can't be used", "facecolor": "none", "edgecolor": style.GREY, "hatch": "xxxx"
}  # fmt: skip
_UNLIKE: Final[style.Look] = {
    "label": "Unlike the training data", "facecolor": "none", "hatch": "///",
    "edgecolor": style.BLACK,
}  # fmt: skip
_UNSURE: Final[style.Look] = {
    "label": "No label: not sure enough",
    "facecolor": style.BLACK,
    "clip_on": False,
}


@style.styled
def draw_timeline(
    timeline: pd.DataFrame,
    targets: Targets,
    *,
    model: str,
    labels: Mapping[str, str] = NO_LABELS,
) -> Figure:
    """Every class's probability over time, stacked, a panel per target.

    A window is drawn around its middle, as wide as the step to the next one. Of more than 400
    windows neighbours are drawn as one, with their mean, which the footer says. Silence is grey,
    what can't be used otherwise is hatched; a bar above a panel marks windows without a label;
    lines across it say that windows are unlike the training data.

    Args:
        timeline: columns ``start, end`` (s), ``model, reason``, and for each target its label and
            ``<target>_<class>``; novelty, where it is known; the windows in order.
        targets: each target's ordered classes.
        model: whose rows to draw.
        labels: what models are called.
    """
    windows = timeline[timeline["model"] == model]
    figure, axes = style.panels(len(targets), size=(9.0, 2.1), margin=(0.6, 1.1), max_width=9.6)
    for ax, (target, classes) in zip(axes, targets.items(), strict=True):
        _panel(ax, windows, target=target, classes=classes)
    axes[-1].set_xlabel("Time (minutes:seconds)")
    together = -(-len(windows) // _MOST)
    note = f"Each step is the mean of {together} neighbouring windows." if together > 1 else ""
    if note or any(ax.get_legend_handles_labels()[0] for ax in axes):
        style.add_footer(figure, axes, note=note)
    style.set_title(figure, f"{model_name(model, labels)}: probabilities over time")
    return figure


def _panel(ax: Axes, windows: pd.DataFrame, *, target: str, classes: list[str]) -> None:
    steps = np.arange(len(windows)) // -(-len(windows) // _MOST)
    edges = _edges(windows, steps)
    usable = windows["reason"] == ""
    marks = pd.DataFrame({"heard": usable, "silent": windows["reason"] == "silent"})
    marks["unsure"] = usable & (windows[target] == "")
    marks["unlike"] = windows["novelty"] > 1 if "novelty" in windows else False
    share = marks.groupby(steps).mean()
    # A mean leaves out NaN: a step has none only where no window of it was heard.
    columns = windows[[f"{target}_{name}" for name in classes]]
    tops = columns.groupby(steps).mean().to_numpy(float).cumsum(axis=1)
    bottoms = np.column_stack([np.zeros(len(tops)), tops[:, :-1]])
    layers = []
    for number in range(len(classes)):
        hatch = style.HATCHES[number // len(style.PALETTE) % len(style.HATCHES)]
        fill: style.Look = {"facecolor": style.colour(number), "edgecolor": "white", "hatch": hatch}
        layer: style.Look = {"baseline": bottoms[:, number], "fill": True, "linewidth": 0}
        layers.append(ax.stairs(tops[:, number], edges, **layer, **fill))
    # Each panel has its own: other targets have the same colours. Above its left end, where it can
    # be seen on a narrow page too; from the lowest layer on.
    place: style.Look = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.06)}
    names = [readable(name) for name in classes]
    ax.legend(layers, names, ncols=min(len(classes), _IN_A_ROW), **place)
    unheard = share["heard"] == 0
    for which, mark, (low, high) in (
        (unheard & (share["silent"] > 0), _SILENCE, (0.0, 1.0)),
        (unheard & (share["silent"] == 0), _FAULT, (0.0, 1.0)),
        (share["unsure"] > share["heard"] / 2, _UNSURE, (1.03, 1.08)),  # above the panel
        (share["unlike"] > share["heard"] / 2, _UNLIKE, (0.0, 1.0)),
    ):
        if which.any():
            height = np.where(which, high, np.nan)
            ax.stairs(height, edges, baseline=low, fill=True, linewidth=0, **mark)
    _axes(ax, edges, name=readable(target))


def _edges(windows: pd.DataFrame, steps: np.ndarray) -> Float64:
    """Where each step begins and the last one ends, float64 ``[steps + 1]``, in seconds."""
    start, end = (windows[name].to_numpy(float) for name in ("start", "end"))
    middle = (start + end) / 2
    between = (middle[1:] + middle[:-1]) / 2
    return np.concatenate([start[:1], between[np.diff(steps) > 0], end[-1:]])


def _axes(ax: Axes, edges: Float64, *, name: str) -> None:
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), ylabel=name)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    length = edges[-1] - edges[0]
    step = next((s for s in _BETWEEN_TICKS if length / s <= _TICKS), _BETWEEN_TICKS[-1])
    ax.xaxis.set_major_locator(MultipleLocator(step))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))


def clock(seconds: float) -> str:
    """A time as minutes and seconds, ``75:05``; tenths where there are any, ``0:00.5``."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes}:{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")
