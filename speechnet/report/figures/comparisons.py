"""Models against each other, and one protocol against another."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Targets
from speechnet.report.figures.forest import (
    SIGNIFICANT,
    columns_of,
    draw_differences,
    draw_intervals,
    name_rows,
    percent_axis,
    row_height,
    wrapped,
    write_right,
)
from speechnet.report.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    add_footer,
    panels,
    set_title,
    styled,
)
from speechnet.report.names import interval_words, model_name, p_value, percent, points, readable
from speechnet.report.tables import models_of, require_columns, targets_of

_PAIRS: Final = ("target", "first", "second", "difference", "low", "high", "p_holm")
_INFLATION: Final = ("model", "target", "random", "disjoint", "difference", "low", "high")


@styled
def draw_comparisons(
    comparisons: pd.DataFrame, targets: Targets, *, unit: str | None = None
) -> Figure:
    """The differences in UAR between models, pair by pair, with intervals, a panel per target.

    Args:
        comparisons: columns ``target, first, second, difference, low, high, p_holm``; the
            difference, first minus second, and its interval are shares.
        targets: the ordered classes of each target; one without a pair isn't drawn.
        unit: what the bootstrap draws, ``speaker`` or ``recording``.

    Raises:
        DataError: the table lacks a column or has no rows of these targets.
    """
    require_columns(comparisons, _PAIRS, name="comparisons")
    shown = targets_of(comparisons, targets)
    pairs = comparisons.assign(
        pair=[
            f"{wrapped(model_name(str(first)))}\nminus {wrapped(model_name(str(second)))}"
            for first, second in comparisons[["first", "second"]].itertuples(index=False)
        ]
    )
    labels = [str(pair) for pair in pairs["pair"].unique()]
    figure, axes = panels(
        len(shown), size=(4.8, 0.55 + row_height(labels) * len(labels)), margin=(1.6, 1.0)
    )
    for ax, target in zip(axes, shown, strict=True):
        rows = pairs[pairs["target"] == target]
        y = np.array([labels.index(pair) for pair in rows["pair"]], np.float64)
        texts = [
            f"{points(difference, low, high)}\n{p_value(p)}"
            for difference, low, high, p in zip(
                *columns_of(rows, "difference", "low", "high", "p_holm"), strict=True
            )
        ]
        significant = rows["p_holm"].to_numpy(np.float64) <= SIGNIFICANT
        draw_differences(ax, rows, y, shown=significant, texts=texts)
        name_rows(ax, labels)
        ax.set_xlabel("Difference in UAR (percentage points)")
        ax.set_title(readable(target, width=40).capitalize())
    add_footer(
        figure, axes, note=f"Whisker: {interval_words(unit)}. p: permutation test, after Holm."
    )
    set_title(figure, "Models in pairs on the test part")
    return figure


@styled
def draw_inflation(inflation: pd.DataFrame, targets: Targets, *, unit: str | None = None) -> Figure:
    """What a random split would have reported beside what unseen speakers get, a panel per target.

    Args:
        inflation: columns ``model, target, random, disjoint, difference, low, high``, shares.
        targets: the ordered classes of each target; one without rows isn't drawn.
        unit: what the bootstrap draws, ``speaker`` or ``recording``.

    Raises:
        DataError: the table lacks a column or has no rows of these targets.
    """
    require_columns(inflation, _INFLATION, name="inflation")
    shown = targets_of(inflation, targets)
    models = models_of(inflation)
    labels = [wrapped(model_name(model)) for model in models]
    figure, axes = panels(
        len(shown), size=(4.8, 0.6 + row_height(labels) * len(labels)), margin=(1.4, 1.0)
    )
    for ax, target in zip(axes, shown, strict=True):
        rows = inflation[inflation["target"] == target]
        _protocols(ax, rows, np.array([models.index(str(model)) for model in rows["model"]]))
        ax.axvline(1 / len(targets[target]), color=GREY, linestyle=":", label="chance")
        name_rows(ax, labels)
        ax.set_xlabel("UAR (%)")
        ax.set_title(readable(target, width=40).capitalize())
    note = f"Whisker: the random split's lead, its {interval_words(unit)}."
    add_footer(figure, axes, note=note)
    set_title(figure, "The same model under a random split and on unseen speakers")
    return figure


def _protocols(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    names = ("random", "disjoint", "difference", "low", "high")
    random, disjoint, difference, low, high = columns_of(rows, *names)
    ax.hlines(y, disjoint, random, color="#C0C0C0", linewidth=3, zorder=0.9)
    none = np.full(len(y), np.nan)
    draw_intervals(ax, disjoint, y, low=none, high=none, color=BLUE, label="unseen speakers")
    draw_intervals(
        ax,
        random,
        y,
        low=disjoint + low,
        high=disjoint + high,
        color=ORANGE,
        marker="D",
        label="random split: speakers on both sides",
    )
    for place, *numbers, before, after in zip(
        y, difference, low, high, random, disjoint, strict=True
    ):
        text = f"{points(*numbers)}\n{percent(before)} against {percent(after)}"
        write_right(ax, float(place), text)
    percent_axis(ax.xaxis)
