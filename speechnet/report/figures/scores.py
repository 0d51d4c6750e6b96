"""A score of every model on the training and the test part, as bars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.metrics import Metric, shown
from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.drawing.references import (
    add_references,
    reference_height,
    reference_note,
    references_of,
)
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import interval_words, percent, readable, sentence
from speechnet.report.scores import POOLED_NOTE, Score, fold_count

_PARTS: Final = {
    "train": ("Training part", style.SKY, "///"),
    "test": ("Test part", style.BLUE, ""),
}
_HEIGHT: Final = 0.36
_REFERENCES_FOR: Final = "emotion"


@FIGURES.register("scores")
def scores(data: ReportData) -> Iterator[Drawing]:
    """A score of every model, training beside test part, a panel per target; a figure each."""
    for metric in sorted(shown("figure"), key=lambda each: each.name != "uar"):
        if (data.scores["metric"] == metric.name).any():
            best = filter(None, (_best(data, target, metric) for target in data.targets))
            beside = ", beside chance" if metric.chance else ""
            caption = f"{metric.title} on the training and the test part{beside}. {' '.join(best)}"
            yield Drawing(
                file=metric.name,
                section="models",
                title=metric.title,
                caption=caption.strip(),
                draw=partial(_draw, data, metric),
            )


def _best(data: ReportData, target: str, metric: Metric) -> str:
    """The model with the best test score, in a sentence; empty where all are undefined."""
    found = {
        model: data.score(model=model, target=target, part="test", metric=metric.name)
        for model in data.models
    }
    defined = {model: score for model, score in found.items() if not math.isnan(score.value)}
    if not defined:
        return ""
    choose, which = (max, "highest") if metric.higher_is_better else (min, "lowest")
    best = choose(defined, key=lambda model: defined[model].value)
    return sentence(f"{target}: {which} {defined[best].text()} % by {data.label(best)}")


@style.styled
def _draw(data: ReportData, metric: Metric) -> Figure:
    """With several folds a bar is the mean over them.

    A whisker is the score's 95 % interval; where the table has none, one standard deviation over
    the folds.
    """
    targets, models, name = data.targets, data.models, metric.title
    chance = data.majority if metric.name == "accuracy" else {}
    others = references_of(data.table("references"), metric=metric.name)
    others = others if _REFERENCES_FOR in targets else None
    found = {
        (target, row, part): data.score(model=model, target=target, part=part, metric=metric.name)
        for target in targets
        for row, model in enumerate(models)
        for part in _PARTS
    }
    intervals = any(score.has_interval for score in found.values())
    if intervals:  # a whisker has one meaning in a figure
        found = {key: score._replace(sd=math.nan) for key, score in found.items()}
    height = 0.7 + 0.5 * len(models) + reference_height(others)
    figure, axes = style.panels(len(targets), size=(4.2, height), margin=(1.3, 0.8), max_width=14)
    for ax, (target, classes) in zip(axes, targets.items(), strict=True):
        for row in range(len(models)):
            for offset, part in zip((-_HEIGHT / 2, _HEIGHT / 2), _PARTS, strict=True):
                _bar(ax, row + offset, found[target, row, part], part=part)
        if metric.chance is not None:
            _chance(ax, chance.get(target, metric.chance(len(classes))))
        ax.set_title(f"{readable(target, width=40).capitalize()} ({len(classes)} classes)", pad=15)
    reach = max(map(_end, found.values())) + (0.46 if intervals else 0.26)
    least = min(map(_start, found.values()))
    labels = [*map(data.label, models)]
    _axes(axes, labels, span=(least, reach), label=f"{name} (%)")
    if others is not None:
        emotion = axes[[*targets].index(_REFERENCES_FOR)]
        add_references(emotion, others)
    pooled = any(score.pooled for score in found.values())
    _title(figure, name, folds=fold_count(data.scores), intervals=intervals, pooled=pooled)
    whisker = f"Whisker: {interval_words(data.unit)}, also in brackets." if intervals else ""
    style.add_footer(figure, axes, note=f"{whisker} {reference_note(others)}".strip())
    return figure


def _title(figure: Figure, name: str, *, folds: int, intervals: bool, pooled: bool) -> None:
    over = f" ({'mean' if intervals else 'mean and sd'} over {folds} folds)" if folds > 1 else ""
    note = f". {POOLED_NOTE}" if pooled else ""
    style.set_title(figure, f"{name} of every model{over}{note}")


def _end(score: Score) -> float:
    """Where bar and whisker end; the gap of an undefined score ends at 1."""
    if not np.isfinite(score.value):
        return 1.0
    return float(np.nanmax([score.value, score.value + score.sd, score.high]))


def _start(score: Score) -> float:
    """Where bar and whisker of a score below 0 end."""
    ends = [score.value, score.value - score.sd, score.low]
    return min([0.0, *(end for end in ends if math.isfinite(end))])


def _bar(ax: Axes, y: float, score: Score, *, part: str) -> None:
    label, colour, hatch = _PARTS[part]
    if math.isnan(score.value):
        style.mark_undefined(ax, (0, y - _HEIGHT / 2), width=1, height=_HEIGHT)
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
        ax.plot(ends, [y, y], color=style.BLACK, linewidth=1, marker="|", markersize=4)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    ax.text(_end(score) + 0.015, y, score.text(), va="center", fontsize=7.5, bbox=box)


def _chance(ax: Axes, level: float) -> None:
    ax.axvline(level, color=style.BLACK, linestyle="--", linewidth=1, zorder=0.9, label="Chance")
    ax.annotate(
        f"chance {percent(level)}",
        (level, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
    )


def _axes(axes: list[Axes], names: list[str], *, span: tuple[float, float], label: str) -> None:
    least = math.floor(5 * span[0])
    for ax in axes:
        ax.set_xlim(least / 5, max(span[1], 1.26))
        ax.set_xticks([i / 5 for i in range(least, 6)], [f"{20 * i}" for i in range(least, 6)])
        ax.spines["bottom"].set_bounds(least / 5, 1)
        ax.set_xlabel(label)
        ax.set_yticks(range(len(names)), [*map(readable, names)])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(names) - 0.5, -0.5)
