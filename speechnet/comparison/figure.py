"""Runs beside each other: each model's UAR, and how far it is above that of the first run."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.comparison.result import RunComparison, difference_words, is_shown
from speechnet.core.types import Float64
from speechnet.report.drawing import forest, style
from speechnet.report.names import interval_words, model_name, p_value, readable
from speechnet.report.scores import Score
from speechnet.report.terminal import printable

_ROW: Final = 0.2  # inches, of a run
_BLOCK: Final = 0.5  # rows, between two models
_COLUMNS: Final = (8, 96)  # points right of the panel: the scores, the differences
_TITLE: Final = 60  # characters of a run's path in the legend
_Row = tuple[str, str]


@style.styled
def draw_runs(comparison: RunComparison) -> Figure:
    """A forest plot: a panel for each target, a row for each model and run.

    The runs of a model stand below each other, with their UAR on the test part and how far that is
    above the first run's. The model that is best on its run's dev part is filled.

    Args:
        comparison: the runs.
    """
    rows = {target: comparison.rows(target) for target in comparison.targets}
    most = max(_places(of_target)[-1] for of_target in rows.values()) + 1
    legend = 0.25 * len(comparison.runs)
    figure, axes = style.panels(
        len(rows),
        size=(8.6, 0.85 + _ROW * most),
        margin=(0, 0.8 + legend),
        max_width=0,
        share=False,
    )
    for ax, target in zip(axes, rows, strict=True):
        _panel(ax, comparison, target, rows[target])
    first = comparison.names[0]
    note = (
        f"Whisker: {interval_words(comparison.unit)}. Filled: the model that is best on its run's "
        f"dev part. Above {first}: difference in UAR in points, of the rows that both test, with p "
        "of a permutation test after Holm; grey: no difference shown."
    )
    style.add_footer(figure, axes, note=note)
    style.set_title(figure, "Runs side by side on the test part")
    return figure


def _panel(ax: Axes, comparison: RunComparison, target: str, rows: list[_Row]) -> None:
    y = _places(rows)
    scores = [comparison.score(target, at, part="test", metric="uar") for at in rows]
    best = np.array([comparison.is_best(at) for at in rows])
    for number, run in enumerate(comparison.runs):
        line = style.marker_style(number)
        mine = np.array([name == run.name for _, name in rows])
        for filled in (True, False):
            chosen = np.flatnonzero(mine & (best == filled))
            _draw(ax, [scores[i] for i in chosen], y[chosen], line, filled)
        title = textwrap.shorten(printable(run.title).plain, _TITLE, placeholder="...")
        ax.scatter([], [], s=26, **line, label=f"{run.name}: {title}")
    above = comparison.above_first(target)
    for at, place, score in zip(rows, y, scores, strict=True):
        _write(ax, place, 0, score._replace(pooled=False).text())
        if (difference := above.get(at)) is not None:
            words = f"{difference_words(difference)}  {p_value(difference['p_holm'])}".strip()
            _write(ax, place, 1, words, color=style.BLACK if is_shown(difference) else style.GREY)
    head = -0.85
    _write(ax, head, 0, "UAR in %", color=style.GREY)
    _write(ax, head, 1, f"above {comparison.names[0]}", color=style.GREY)
    _finish(ax, y, rows, chance=1 / len(comparison.targets[target]))
    ax.set_title(readable(target, width=40).capitalize())


def _draw(ax: Axes, scores: list[Score], y: Float64, line: dict[str, str], filled: bool) -> None:
    ends = [(score.value, score.low, score.high) for score in scores]
    x, low, high = np.array(ends, np.float64).reshape(-1, 3).T
    forest.draw_intervals(ax, x, y, low=low, high=high, filled=filled, **line)


def _finish(ax: Axes, y: Float64, rows: list[_Row], *, chance: float) -> None:
    """Names, limits and, where it is near, chance."""
    models = [model for model, _ in rows]
    labels = [
        f"{forest.wrapped(model_name(model))}   {run}" if models.index(model) == i else run
        for i, (model, run) in enumerate(rows)
    ]
    ax.set_yticks(y, labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y[-1] + 0.6, -0.6)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="x", color="#ECECEC", linewidth=0.7)
    left, right = ax.get_xlim()
    ax.set_xlim(max(left, 0.0), min(right, 1.01))
    if chance >= left:
        ax.axvline(
            chance, color=style.BLACK, linestyle="--", linewidth=1, zorder=0.9, label="chance"
        )
    forest.percent_axis(ax.xaxis)
    ax.set_xlabel("UAR (%)")


def _places(rows: list[_Row]) -> Float64:
    """Where the rows stand, from above, with a gap between two models."""
    models = [model for model, _ in rows]
    changes = [0.0, *(_BLOCK * (one != other) for one, other in pairwise(models))]
    return np.asarray(np.arange(len(rows)) + np.cumsum(changes), dtype=np.float64)


def _write(ax: Axes, y: float, column: int, text: str, *, color: str = style.BLACK) -> None:
    """Write into a column to the right of a panel, at a row."""
    ax.annotate(
        text,
        (1, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(_COLUMNS[column], 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=color,
    )
