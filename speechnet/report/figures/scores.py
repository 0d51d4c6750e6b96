"""A score of every model on the training and the test part, as bars.

Published results stand below a run's own, marked as not its own.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.metrics import Metric, shown
from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import heading, in_line, interval_words, percent, readable, sentence
from speechnet.report.scores import POOLED_NOTE, Score, fold_count

_PARTS: Final = {
    "train": ("Training part", style.SKY, "///"),
    "test": ("Test part", style.BLUE, ""),
}
_HEIGHT: Final = 0.36
_REFERENCES_FOR: Final = "emotion"
_ROW: Final = 0.37  # inches of a published result
_HEAD: Final = 0.75  # inches: the label of the axis above, and the heading
_WIDTH: Final = 62  # characters of a system's name, which has one line


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


def _draw(data: ReportData, metric: Metric) -> Figure:
    """With several folds a bar is the mean over them.

    A whisker is the score's 95 % interval; where the table has none, one standard deviation over
    the folds.
    """
    targets, models, name = data.targets, data.models, metric.title
    chance = data.majority if metric.name == "accuracy" else {}
    others = references_of(data.table("references"), metric=metric.name)
    others = others if _REFERENCES_FOR in targets else others.iloc[:0]
    found = _found(data, metric)
    intervals = any(score.has_interval for score in found.values())
    least = math.floor(5 * min(_ends(score)[0] for score in found.values()))
    reach = max(_ends(score)[1] for score in found.values()) + (0.46 if intervals else 0.26)

    def panel(ax: Axes, target: str) -> None:
        for row in range(len(models)):
            for offset, part in zip((-_HEIGHT / 2, _HEIGHT / 2), _PARTS, strict=True):
                _bar(ax, row + offset, found[target, row, part], part=part)
        classes = len(targets[target])
        if metric.chance is not None:
            _chance(ax, chance.get(target, metric.chance(classes)))
        ax.set_title(f"{heading(target)} ({classes} classes)", pad=15)
        ax.set_xlabel(f"{name} (%)")
        _axes(ax, [readable(data.label(model)) for model in models], least=least, reach=reach)
        if target == _REFERENCES_FOR and len(others):
            _add_references(ax, others)

    folds = fold_count(data.scores)
    over = f" ({'mean' if intervals else 'mean and sd'} over {folds} folds)" if folds > 1 else ""
    pooled = f". {POOLED_NOTE}" if any(score.pooled for score in found.values()) else ""
    whisker = f"Whisker: {interval_words(data.unit)}, also in brackets." if intervals else ""
    return style.draw_panels(
        [*targets],
        panel,
        f"{name} of every model{over}{pooled}",
        size=(4.2, 0.7 + 0.5 * len(models) + (_HEAD + _ROW * len(others) if len(others) else 0)),
        margin=(1.3, 0.8),
        max_width=14,
        note=f"{whisker} {_reference_note(others)}".strip(),
    )


def _found(data: ReportData, metric: Metric) -> dict[tuple[str, int, str], Score]:
    """By target, row and part; without deviations if any has an interval, as whiskers are alike."""
    found = {
        (target, row, part): data.score(model=model, target=target, part=part, metric=metric.name)
        for target in data.targets
        for row, model in enumerate(data.models)
        for part in _PARTS
    }
    if any(score.has_interval for score in found.values()):
        return {key: score._replace(sd=math.nan) for key, score in found.items()}
    return found


def _axes(ax: Axes, names: list[str], *, least: int, reach: float) -> None:
    """From ``least`` fifths on, a tick for each fifth up to 1; the numbers reach beyond it."""
    ax.set_xlim(least / 5, max(reach, 1.26))
    ax.set_xticks([i / 5 for i in range(least, 6)], [f"{20 * i}" for i in range(least, 6)])
    ax.spines["bottom"].set_bounds(least / 5, 1)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _ends(score: Score) -> tuple[float, float]:
    """The lowest point of bar and whisker, at most 0, and the highest; 0 and 1 if undefined."""
    if math.isnan(score.value):
        return 0.0, 1.0
    ends = [score.value, score.value - score.sd, score.value + score.sd, score.low, score.high]
    return min(0.0, float(np.nanmin(ends))), float(np.nanmax(ends))


def _bar(ax: Axes, y: float, score: Score, *, part: str) -> None:
    label, colour, hatch = _PARTS[part]
    if math.isnan(score.value):
        style.mark_undefined(ax, (0, y - _HEIGHT / 2), height=_HEIGHT)
        return
    fill: style.Look = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}
    ax.barh(y, score.value, height=_HEIGHT, label=label, **fill)
    ends = [score.low, score.high]
    if not score.has_interval:
        ends = [score.value - score.sd, score.value + score.sd]
    if np.isfinite(ends).all():
        ax.plot(ends, [y, y], color=style.BLACK, linewidth=1, marker="|", markersize=4)
    box: style.Look = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    ax.text(_ends(score)[1] + 0.015, y, score.text(), va="center", fontsize=7.5, bbox=box)


def _chance(ax: Axes, level: float) -> None:
    ax.axvline(level, color=style.BLACK, linestyle="--", linewidth=1, zorder=0.9, label="Chance")
    above: style.Look = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
    ax.annotate(
        f"chance {percent(level)}", (level, 1), xytext=(0, 2), ha="center", fontsize=7.5, **above
    )


def references_of(references: pd.DataFrame, *, metric: str) -> pd.DataFrame:
    """The published results of a metric, highest first, with the number of their source.

    The value is a share, the source "" where there is none; numbers start from 1.
    """
    rows = references[references["metric"].astype(str).str.lower() == metric]
    rows = rows.dropna(subset=["value"]).sort_values("value", ascending=False, kind="stable")
    rows = rows.assign(value=rows["value"].astype(float) / 100, source=rows["source"].fillna(""))
    known = [each for each in rows["source"].unique() if each]
    number = [known.index(each) + 1 if each else 0 for each in rows["source"]]
    return rows.assign(number=number)[["system", "value", "source", "number"]]


def _reference_note(references: pd.DataFrame) -> str:
    """Where they come from, in a sentence."""
    if references.empty:
        return ""
    known = references[references["number"] > 0].drop_duplicates("number")
    sources = [f"[{each.number}] {each.source}" for each in known.itertuples()]
    return f"Reference results are not of this run{': ' * bool(sources)}{'; '.join(sources)}."


def _add_references(ax: Axes, references: pd.DataFrame) -> None:
    """Add a panel of published results below the panel of a run's own, on the same x axis."""
    below = style.panel_below(ax, gap=_HEAD, height=_ROW * len(references))
    values = references["value"].to_numpy(np.float64)
    y = np.arange(len(values))
    below.hlines(y, 0, values, color="#C0C0C0", linewidth=0.8, linestyle=":")
    face: style.Look = {"facecolors": "white", "edgecolors": style.VERMILION}
    below.scatter(values, y, marker="D", s=26, label="reference", **face)
    for place, row in enumerate(references.to_dict("records")):
        value = row["value"]
        below.text(value + 0.03, place, f"{100 * value:.1f}", va="center", fontsize=7.5)
        name = textwrap.shorten(in_line(row["system"]), _WIDTH, placeholder=" ...")
        mark = f" [{row['number']}]" if row["source"] else ""
        above: style.Look = {"xytext": (3, 6), "textcoords": "offset points"}
        below.annotate(f"{name}{mark}", (0, place), fontsize=7.5, **above)
    below.set_yticks([])
    below.set_ylim(len(values) - 0.5, -0.5)
    below.tick_params(axis="x", labelbottom=False)
    below.spines["bottom"].set_bounds(0, 1)
    title = "Reference results, not of this run"
    below.set_title(title, fontsize=8.5, color=style.VERMILION)
