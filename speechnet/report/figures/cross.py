"""Trained on one corpus, tested on another."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from speechnet.report.figures.style import (
    BLACK,
    add_footer,
    draw_shares,
    ink_on,
    mark_undefined,
    panels,
    set_title,
    styled,
)
from speechnet.report.names import interval_words, model_name, percent, percent_interval, readable
from speechnet.report.tables import models_of, require_columns, rows_of

_COLUMNS: Final = ("model", "target", "train", "test", "uar", "low", "high", "seen")
_CELL: Final = (1.15, 0.75)  # inches


@styled
def draw_cross(cross: pd.DataFrame, *, target: str, unit: str | None = None) -> Figure:
    """The UAR of every pair of training and test corpus, with intervals, a panel per model.

    Args:
        cross: columns ``model, target, train, test, uar, low, high``, shares, and ``seen``,
            whether both are the same corpus; a pair that isn't listed wasn't tested.
        target: the target to show.
        unit: what the bootstrap draws, ``speaker`` or ``recording``.

    Raises:
        DataError: the table lacks a column or has no rows of the target.
    """
    require_columns(cross, _COLUMNS, name="scores across corpora")
    rows = rows_of(cross, target=target)
    corpora = {side: [str(name) for name in rows[side].unique()] for side in ("train", "test")}
    # In one order on both sides, so that the corpora themselves are on the diagonal.
    order = list(dict.fromkeys([*corpora["test"], *corpora["train"]]))
    corpora = {side: [name for name in order if name in names] for side, names in corpora.items()}
    models = models_of(rows)
    figure, axes = panels(
        len(models),
        size=(_CELL[0] * len(corpora["test"]) + 0.2, _CELL[1] * len(corpora["train"]) + 0.5),
        margin=(2.0, 1.6),
    )
    for ax, model in zip(axes, models, strict=True):
        _panel(ax, rows[rows["model"] == model], corpora)
        ax.set_title(readable(model_name(model), width=30))
    figure.supylabel("Trained on")
    note = f"UAR in per cent; in brackets its {interval_words(unit)}."
    if rows["seen"].astype(bool).any():
        note += " Framed: within one corpus, on unseen speakers."
    add_footer(figure, axes, note=note)
    _colour_bar(figure, axes)
    set_title(figure, f"UAR across corpora: {readable(target, width=200)}")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, corpora: dict[str, list[str]]) -> None:
    matrix = np.full((len(corpora["train"]), len(corpora["test"])), np.nan)
    found = {
        (corpora["train"].index(str(train)), corpora["test"].index(str(test))): values
        for train, test, *values in rows[[*_COLUMNS[2:]]].itertuples(index=False)
    }
    for place, (uar, *_) in found.items():
        matrix[place] = uar
    draw_shares(ax, np.nan_to_num(matrix))
    for place, uar in np.ndenumerate(matrix):
        row, column = place
        if np.isnan(uar):
            text = "undefined" if place in found else "not tested"
            mark_undefined(ax, (column - 0.5, row - 0.5), width=1, height=1, text=text)
        else:
            _, low, high, seen = found[row, column]
            _cell(ax, (column, row), float(uar), low=low, high=high, seen=bool(seen))
    ax.set_xticks(range(len(corpora["test"])), [_name(name) for name in corpora["test"]])
    ax.set_yticks(range(len(corpora["train"])), [_name(name) for name in corpora["train"]])
    ax.tick_params(length=0)
    ax.set_xlabel("Tested on")
    ax.spines[:].set_visible(False)


def _cell(
    ax: Axes, xy: tuple[int, int], uar: float, *, low: float, high: float, seen: bool
) -> None:
    number, _, interval = percent_interval(uar, low, high).partition(" ")
    colour = ink_on(uar)
    lines = [interval, *(["unseen speakers"] if seen else [])]
    ax.text(*xy, number, ha="center", va="bottom", fontsize=10, color=colour)
    ax.text(*xy, "\n".join(lines), ha="center", va="top", fontsize=6.5, color=colour)
    if seen:
        frame = Rectangle((xy[0] - 0.48, xy[1] - 0.48), 0.96, 0.96, fill=False, edgecolor=BLACK)
        ax.add_patch(frame)


def _name(corpus: str) -> str:
    return readable(corpus, width=14)


def _colour_bar(figure: Figure, axes: list[Axes]) -> None:
    shrink = min(1, 2.4 / figure.get_figheight())
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=shrink, aspect=16)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    bar.set_ticks(ticks, labels=[percent(tick).removesuffix(".0") for tick in ticks])
    bar.set_label("UAR (%)")
    bar.outline.set_visible(False)
