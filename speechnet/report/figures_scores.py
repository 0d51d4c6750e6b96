"""One score of every model on the training and the test part, as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.names import model_name, percent, readable
from speechnet.report.style import BLACK, BLUE, SKY, mark_undefined, panels, set_title, styled
from speechnet.report.tables import (
    POOLED_NOTE,
    SCORE_COLUMNS,
    Score,
    find_score,
    fold_count,
    models_of,
    require_columns,
)
from speechnet.types import Targets

_METRICS: Final = {
    "accuracy": "Accuracy",
    "uar": "Unweighted average recall",
    "macro_f1": "Macro F1",
}
_PARTS: Final = {
    "train": ("Training part", SKY, "///"),
    "test": ("Test part", BLUE, ""),
}
_HEIGHT: Final = 0.36


@styled
def draw_scores(
    scores: pd.DataFrame,
    targets: Targets,
    *,
    metric: str = "accuracy",
    chance: Mapping[str, float] | None = None,
) -> Figure:
    """Bars of a score of every model, training beside test part, one panel per target.

    With several folds a bar is the mean over them and a whisker one standard deviation.

    Args:
        scores: columns ``model, target, part, fold, metric, value``, values in [0, 1].
        targets: the ordered classes of each target.
        metric: the score to show.
        chance: the score of guessing, by target; 1 / number of classes where it isn't given.

    Raises:
        DataError: the table lacks a column or has no rows.
    """
    require_columns(scores, SCORE_COLUMNS, name="scores")
    models = models_of(scores)
    name = _METRICS.get(metric, readable(metric))
    figure, axes = panels(
        len(targets), size=(4.2, 0.7 + 0.5 * len(models)), margin=(1.3, 0.7), max_width=14
    )
    shown: list[Score] = []
    for ax, (target, classes) in zip(axes, targets.items(), strict=True):
        for row, model in enumerate(models):
            for offset, part in zip((-_HEIGHT / 2, _HEIGHT / 2), _PARTS, strict=True):
                score = find_score(scores, model=model, target=target, part=part, metric=metric)
                shown.append(score)
                _bar(ax, row + offset, score, part=part)
        level = (chance or {}).get(target, 1 / len(classes))
        _chance(ax, level)
        ax.set_title(f"{readable(target, width=40).capitalize()} ({len(classes)} classes)", pad=15)
    _axes(axes, models, reach=max(map(_end, shown)), label=f"{name} (%)")
    folds = fold_count(scores)
    over = f" (mean and sd over {folds} folds)" if folds > 1 else ""
    note = f". {POOLED_NOTE}" if any(score.pooled for score in shown) else ""
    set_title(figure, f"{name} of every model{over}{note}")
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3)
    return figure


def _end(score: Score) -> float:
    """Where bar and whisker end; the gap of an undefined score ends at 1."""
    return float(np.nansum([score.value, score.sd])) if np.isfinite(score.value) else 1.0


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
        xerr=None if math.isnan(score.sd) else score.sd,
        error_kw={"elinewidth": 1, "capsize": 2},
        label=label,
    )
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    ax.text(_end(score) + 0.015, y, score.text(), va="center", fontsize=7.5, bbox=box)


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


def _axes(axes: list[Axes], models: list[str], *, reach: float, label: str) -> None:
    for ax in axes:
        # Room for "100.0 ± 12.3" behind the longest bar.
        ax.set_xlim(0, max(1.0, reach) + 0.26)
        ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "20", "40", "60", "80", "100"])
        ax.spines["bottom"].set_bounds(0, 1)
        ax.set_xlabel(label)
        ax.set_yticks(range(len(models)), [readable(model_name(model)) for model in models])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(models) - 0.5, -0.5)
