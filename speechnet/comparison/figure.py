"""Runs compared: each model's UAR, and how far it is above that of the first run."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.comparison.result import Line, RunComparison
from speechnet.core.types import Float64
from speechnet.report.drawing import forest, style
from speechnet.report.names import heading, interval_words, p_value
from speechnet.report.terminal import printable

_ROW: Final = 0.2  # inches, of a run
_BLOCK: Final = 0.5  # rows, between two models
_COLUMNS: Final = (8, 96)  # points right of the panel: the scores, the differences
_TITLE: Final = 60  # characters of a run's path in the legend


def draw_runs(comparison: RunComparison) -> Figure:
    """A forest plot: a panel for each target, a row for each model and run.

    The runs of a model stand below each other, with their UAR on the test part and how far that is
    above the first run's. The model that is best on its run's dev part is filled.
    """
    lines = {target: comparison.lines(target) for target in comparison.targets}
    first = comparison.names[0]

    def panel(ax: Axes, target: str) -> None:
        y = _places(lines[target])
        _intervals(ax, comparison, lines[target], y)
        for place, line in zip(y, lines[target], strict=True):
            _write(ax, place, 0, line.scores["test", "uar"]._replace(pooled=False).text())
            if (above := line.above) is not None:
                ink = style.BLACK if above.shown else style.GREY
                _write(ax, place, 1, f"{above.words}  {p_value(above.p)}".strip(), color=ink)
        _write(ax, -0.85, 0, "UAR in %", color=style.GREY)
        _write(ax, -0.85, 1, f"above {first}", color=style.GREY)
        _finish(
            ax, _names(comparison, lines[target]), y, chance=1 / len(comparison.targets[target])
        )
        ax.set_title(heading(target))

    most = max(_places(of_target)[-1] for of_target in lines.values()) + 1
    return style.draw_panels(
        [*lines],
        panel,
        "Runs side by side on the test part",
        size=(8.6, 0.85 + _ROW * most),
        margin=(0, 0.8 + 0.25 * len(comparison.runs)),
        max_width=0,
        share=False,
        note=f"Whisker: {interval_words(comparison.unit)}. Filled: the model that is best on its "
        f"run's dev part. Above {first}: difference in UAR in points, of the rows that both test, "
        "with p of a permutation test after Holm; grey: no difference shown.",
    )


def _names(comparison: RunComparison, lines: list[Line]) -> list[str]:
    """Each row's run, behind the model's name where its first run stands."""
    models = [line.model for line in lines]
    return [
        f"{forest.wrapped(comparison.label(line.model))}   {line.run}"
        if models.index(line.model) == place
        else line.run
        for place, line in enumerate(lines)
    ]


def _intervals(ax: Axes, comparison: RunComparison, lines: list[Line], y: Float64) -> None:
    scores = [line.scores["test", "uar"] for line in lines]
    x, low, high = np.array([(s.value, s.low, s.high) for s in scores], np.float64).T
    for number, run in enumerate(comparison.runs):
        look = style.marker_style(number)
        for filled in (True, False):
            chosen = [line.run == run.name and line.best == filled for line in lines]
            whisker: style.Look = {"low": low[chosen], "high": high[chosen], "filled": filled}
            forest.draw_intervals(ax, x[chosen], y[chosen], **whisker, **look)
        title = textwrap.shorten(printable(run.title).plain, _TITLE, placeholder="...")
        ax.scatter([], [], s=26, **look, label=f"{run.name}: {title}")


def _finish(ax: Axes, names: list[str], y: Float64, *, chance: float) -> None:
    """Names, limits and, where it is near, chance."""
    ax.set_yticks(y, names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y[-1] + 0.6, -0.6)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="x", color="#ECECEC", linewidth=0.7)
    left, right = ax.get_xlim()
    ax.set_xlim(max(left, 0.0), min(right, 1.01))
    if chance >= left:
        look: style.Look = {"color": style.BLACK, "linestyle": "--", "linewidth": 1}
        ax.axvline(chance, zorder=0.9, label="chance", **look)
    forest.percent_axis(ax.xaxis)
    ax.set_xlabel("UAR (%)")


def _places(lines: list[Line]) -> Float64:
    """Where the rows stand, from above, with a gap between two models."""
    changes = [0.0, *(_BLOCK * (one.model != other.model) for one, other in pairwise(lines))]
    return np.asarray(np.arange(len(lines)) + np.cumsum(changes), dtype=np.float64)


def _write(ax: Axes, y: float, column: int, text: str, *, color: str = style.BLACK) -> None:
    """Write into a column to the right of a panel, at a row."""
    beside: style.Look = {"xytext": (_COLUMNS[column], 0), "textcoords": "offset points"}
    across = ax.get_yaxis_transform()
    ax.annotate(text, (1, y), xycoords=across, va="center", fontsize=7.5, color=color, **beside)
