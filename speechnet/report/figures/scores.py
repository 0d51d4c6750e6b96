"""One score of every model on the training and the test part, as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.metrics import METRICS
from speechnet.core.types import Targets
from speechnet.report.figures.references import (
    add_references,
    reference_height,
    reference_note,
    references_of,
)
from speechnet.report.figures.style import (
    BLACK,
    BLUE,
    SKY,
    add_footer,
    mark_undefined,
    panels,
    set_title,
    styled,
)
from speechnet.report.names import interval_words, model_name, percent, percent_interval, readable
from speechnet.report.tables import (
    POOLED_NOTE,
    SCORE_COLUMNS,
    Score,
    find_score,
    fold_count,
    models_of,
    require_columns,
)

_PARTS: Final = {
    "train": ("Training part", SKY, "///"),
    "test": ("Test part", BLUE, ""),
}
_HEIGHT: Final = 0.36
_REFERENCES_FOR: Final = "emotion"

_Scores = dict[tuple[str, int, str], Score]
"""Scores by target, row of the model, and part."""


@styled
def draw_scores(
    scores: pd.DataFrame,
    targets: Targets,
    *,
    metric: str = "accuracy",
    chance: Mapping[str, float] | None = None,
    references: pd.DataFrame | None = None,
    unit: str | None = None,
) -> Figure:
    """Bars of a score of every model, training beside test part, one panel per target.

    With several folds a bar is the mean over them. A whisker is the score's 95 % interval; where
    the table has none, one standard deviation over the folds.

    Args:
        scores: columns ``model, target, part, fold, metric, value``, and ``low, high`` where there
            are intervals.
        targets: the ordered classes of each target.
        metric: the registered metric to show.
        chance: the score of guessing, by target; what the metric says where it isn't given.
        references: results to compare with, columns ``system, metric, value`` (in per cent) and
            ``source``; those of the metric stand below the emotions' panel, marked as not ours.
        unit: what the intervals' bootstrap draws, ``speaker`` or ``recording``.

    Raises:
        DataError: a table lacks a column or the scores have no rows.
        ConfigError: there is no such metric.
    """
    require_columns(scores, SCORE_COLUMNS, name="scores")
    models = models_of(scores)
    name, guessing = METRICS[metric].title, METRICS[metric].chance
    shown = _lookup(scores, [*targets], models, metric=metric)
    intervals = any(score.has_interval for score in shown.values())
    if intervals:  # a whisker has one meaning in a figure
        shown = {key: score._replace(sd=math.nan) for key, score in shown.items()}
    others = references_of(references, metric=metric) if _REFERENCES_FOR in targets else None
    height = 0.7 + 0.5 * len(models) + reference_height(others)
    figure, axes = panels(len(targets), size=(4.2, height), margin=(1.3, 0.8), max_width=14)
    for ax, (target, classes) in zip(axes, targets.items(), strict=True):
        for row in range(len(models)):
            for offset, part in zip((-_HEIGHT / 2, _HEIGHT / 2), _PARTS, strict=True):
                _bar(ax, row + offset, shown[target, row, part], part=part)
        if guessing is not None:
            _chance(ax, (chance or {}).get(target, guessing(len(classes))))
        ax.set_title(f"{readable(target, width=40).capitalize()} ({len(classes)} classes)", pad=15)
    reach = max(map(_end, shown.values())) + (0.46 if intervals else 0.26)
    least = min([0.0, *(_start(score) for score in shown.values())])
    _axes(axes, models, span=(least, reach), label=f"{name} (%)")
    if others is not None:
        emotion = axes[[*targets].index(_REFERENCES_FOR)]
        add_references(emotion, others)
    pooled = any(score.pooled for score in shown.values())
    _title(figure, name, folds=fold_count(scores), intervals=intervals, pooled=pooled)
    whisker = f"Whisker: {interval_words(unit)}, also in brackets." if intervals else ""
    add_footer(figure, axes, note=f"{whisker} {reference_note(others)}".strip())
    return figure


def _lookup(scores: pd.DataFrame, targets: list[str], models: list[str], *, metric: str) -> _Scores:
    return {
        (target, row, part): find_score(
            scores, model=model, target=target, part=part, metric=metric
        )
        for target in targets
        for row, model in enumerate(models)
        for part in _PARTS
    }


def _title(figure: Figure, name: str, *, folds: int, intervals: bool, pooled: bool) -> None:
    over = f" ({'mean' if intervals else 'mean and sd'} over {folds} folds)" if folds > 1 else ""
    note = f". {POOLED_NOTE}" if pooled else ""
    set_title(figure, f"{name} of every model{over}{note}")


def _end(score: Score) -> float:
    """Where bar and whisker end; the gap of an undefined score ends at 1."""
    if not np.isfinite(score.value):
        return 1.0
    return float(np.nanmax([score.value, score.value + score.sd, score.high]))


def _start(score: Score) -> float:
    """Where bar and whisker of a score below 0 end."""
    ends = [score.value, score.value - score.sd, score.low]
    return min([0.0, *(end for end in ends if math.isfinite(end))])


def _text(score: Score) -> str:
    if not score.has_interval:
        return score.text()
    number, _, interval = percent_interval(score.value, score.low, score.high).partition(" ")
    return f"{number}{'*' if score.pooled else ''} {interval}"


def _bar(ax: Axes, y: float, score: Score, *, part: str) -> None:
    label, colour, hatch = _PARTS[part]
    if math.isnan(score.value):
        mark_undefined(ax, (0, y - _HEIGHT / 2), width=1, height=_HEIGHT)
        return
    ax.barh(
        y,
        score.value,
        height=_HEIGHT,
        color=colour,
        hatch=hatch,
        edgecolor="white",
        linewidth=0.5,
        label=label,
    )
    ends = [score.low, score.high]
    if not score.has_interval:
        ends = [score.value - score.sd, score.value + score.sd]
    if np.isfinite(ends).all():
        ax.plot(ends, [y, y], color=BLACK, linewidth=1, marker="|", markersize=4)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    ax.text(_end(score) + 0.015, y, _text(score), va="center", fontsize=7.5, bbox=box)


def _chance(ax: Axes, level: float) -> None:
    ax.axvline(level, color=BLACK, linestyle="--", linewidth=1, zorder=0.9, label="Chance")
    ax.annotate(
        f"chance {percent(level)}",
        (level, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
    )


def _axes(axes: list[Axes], models: list[str], *, span: tuple[float, float], label: str) -> None:
    least = math.floor(5 * span[0])
    for ax in axes:
        ax.set_xlim(least / 5, max(span[1], 1.26))
        ax.set_xticks([i / 5 for i in range(least, 6)], [f"{20 * i}" for i in range(least, 6)])
        ax.spines["bottom"].set_bounds(least / 5, 1)
        ax.set_xlabel(label)
        ax.set_yticks(range(len(models)), [readable(model_name(model)) for model in models])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(models) - 0.5, -0.5)
