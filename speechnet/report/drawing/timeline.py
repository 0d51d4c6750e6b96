"""A model's probabilities over a long recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator, PercentFormatter
from numpy.typing import NDArray

from speechnet.core.errors import DataError
from speechnet.core.types import Float64, Int64, Targets
from speechnet.report.data import require_columns
from speechnet.report.drawing import style
from speechnet.report.names import model_name, readable
from speechnet.report.scores import models_of

_NEEDED: Final = ("start", "end", "model", "reason")

_MOST: Final = 400
"""Steps side by side: of a figure's 1,700 pixels each has four."""

_BETWEEN_TICKS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds."""

_TICKS: Final = 9
"""Ticks at most, but for recordings of more than nine hours."""

_WHOLE: Final = (0.0, 1.0)
_ABOVE: Final = (1.03, 1.08)
"""Lower and upper edge of what is shaded, as shares of a panel's height."""

_IN_A_ROW: Final = 5
"""Classes in a line of a legend."""

_SILENCE: Final = {"label": "Silence", "facecolor": "#D9D9D9"}
_FAULT: Final = {
    "label": "Can't be used", "facecolor": "none", "edgecolor": style.GREY, "hatch": "xxxx"
}  # fmt: skip
_UNLIKE: Final = {
    "label": "Unlike the training data", "facecolor": "none", "hatch": "///",
    "edgecolor": style.BLACK,
}  # fmt: skip
_UNSURE: Final = {"label": "No label: not sure enough", "facecolor": style.BLACK, "clip_on": False}


@style.styled
def draw_timeline(timeline: pd.DataFrame, targets: Targets, *, model: str | None = None) -> Figure:
    """Every class's probability over time, stacked, a panel per target.

    A window is drawn around its middle, as wide as the step to the next one. Of more than 400
    windows neighbours are drawn as one, with their mean, which the footer says. Silence is grey,
    what can't be used otherwise is hatched; a bar above a panel marks windows without a label;
    lines across it say that windows are unlike the training data.

    Args:
        timeline: columns ``start, end`` (s), ``model, reason``, and for each target its label and
            ``<target>_<class>``; novelty, where it is known; the windows in order.
        targets: each target's ordered classes.
        model: whose rows to draw; needed where the timeline has several models'.

    Raises:
        DataError: the table lacks a column or the model, or has several models.
    """
    columns = [_column(target, name) for target in targets for name in targets[target]]
    require_columns(timeline, [*_NEEDED, *targets, *columns], name="windows")
    name = _one_model(timeline, model)
    windows = timeline[timeline["model"] == name]
    steps = _Steps.of(windows)
    figure, axes = style.panels(len(targets), size=(9.0, 2.1), margin=(0.6, 1.1), max_width=9.6)
    for ax, (target, classes) in zip(axes, targets.items(), strict=True):
        _panel(ax, windows, steps, target=target, classes=classes)
    axes[-1].set_xlabel("Time (minutes:seconds)")
    together = int(steps.counts.max())
    note = "" if together == 1 else f"Each step is the mean of {together} neighbouring windows."
    if note or any(ax.get_legend_handles_labels()[0] for ax in axes):
        style.add_footer(figure, axes, note=note)
    style.set_title(figure, f"{model_name(name)}: probabilities over time")
    return figure


def clock(seconds: float) -> str:
    """A time as minutes and seconds, ``75:05``; tenths where there are any, ``0:00.5``."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes}:{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")


def _one_model(timeline: pd.DataFrame, model: str | None) -> str:
    models = models_of(timeline)
    if model is None and len(models) > 1:
        raise DataError(f"the windows are of {', '.join(models)}: name the model to draw")
    if model is not None and model not in models:
        raise DataError(f"the windows are of {', '.join(models)}, not of {model}")
    return models[0] if model is None else model


@dataclass(frozen=True)
class _Steps:
    """Neighbouring windows that are drawn as one.

    Attributes:
        step: which step each window belongs to, int64 ``[windows]``, ascending.
        edges: where each step begins and the last one ends, float64 ``[steps + 1]``, in seconds.
    """

    step: Int64
    edges: Float64

    @classmethod
    def of(cls, windows: pd.DataFrame) -> _Steps:
        """As few windows a step as leaves no more steps than can be seen."""
        step = np.arange(len(windows)) // -(-len(windows) // _MOST)
        start, end = (windows[name].to_numpy(float) for name in ("start", "end"))
        middle = (start + end) / 2
        between = (middle[1:] + middle[:-1]) / 2
        inner = between[np.diff(step) > 0]
        return cls(step, np.concatenate([start[:1], inner, end[-1:]]))

    @property
    def counts(self) -> Int64:
        """Windows of each step."""
        return np.bincount(self.step)

    def share(self, which: NDArray[np.bool_]) -> Float64:
        """The share of each step's windows that are among some."""
        return np.bincount(self.step, weights=which) / self.counts

    def shade(
        self, ax: Axes, which: NDArray[np.bool_], height: tuple[float, float], line: dict[str, Any]
    ) -> None:
        """Fill some steps between two heights."""
        if which.any():
            tops = np.where(which, height[1], np.nan)
            ax.stairs(tops, self.edges, baseline=height[0], fill=True, linewidth=0, **line)


def _panel(
    ax: Axes, windows: pd.DataFrame, steps: _Steps, *, target: str, classes: list[str]
) -> None:
    usable = (windows["reason"] == "").to_numpy()
    silent = steps.share((windows["reason"] == "silent").to_numpy())
    unsure = steps.share(usable & (windows[target] == "").to_numpy())
    heard = steps.share(usable)
    # A mean leaves out NaN: a step has none only where no window of it was heard.
    columns = windows[[_column(target, name) for name in classes]]
    tops = columns.groupby(steps.step).mean().to_numpy(float).cumsum(axis=1)
    bottom = np.zeros(len(tops))
    layers = []
    for number in range(len(classes)):
        layers.append(
            ax.stairs(
                tops[:, number],
                steps.edges,
                baseline=bottom,
                fill=True,
                facecolor=style.PALETTE[number % len(style.PALETTE)],
                edgecolor="white",
                hatch=style.HATCHES[number // len(style.PALETTE) % len(style.HATCHES)],
                linewidth=0,
            )
        )
        bottom = tops[:, number]
    # Each panel has its own: other targets have the same colours. Above its left end, where it can
    # be seen on a narrow page too; from the lowest layer on.
    ax.legend(
        layers,
        [readable(name) for name in classes],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.06),
        ncols=min(len(classes), _IN_A_ROW),
    )
    steps.shade(ax, (heard == 0) & (silent > 0), _WHOLE, _SILENCE)
    steps.shade(ax, (heard == 0) & (silent == 0), _WHOLE, _FAULT)
    steps.shade(ax, unsure > heard / 2, _ABOVE, _UNSURE)
    if "novelty" in windows:
        unlike = steps.share((windows["novelty"] > 1).to_numpy())
        steps.shade(ax, unlike > heard / 2, _WHOLE, _UNLIKE)
    _axes(ax, steps.edges, name=readable(target))


def _axes(ax: Axes, edges: Float64, *, name: str) -> None:
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1), ylabel=name)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    length = edges[-1] - edges[0]
    step = next((s for s in _BETWEEN_TICKS if length / s <= _TICKS), _BETWEEN_TICKS[-1])
    ax.xaxis.set_major_locator(MultipleLocator(step))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))


def _column(target: str, name: str) -> str:
    return f"{target}_{name}"
