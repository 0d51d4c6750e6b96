"""What each part of an experiment brings."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64
from speechnet.report.figures.forest import (
    SIGNIFICANT,
    columns_of,
    draw_differences,
    name_rows,
    percent_axis,
    row_height,
    wrapped,
)
from speechnet.report.figures.style import BLACK, BLUE, add_footer, panels, set_title, styled
from speechnet.report.names import interval_words, model_name, p_value, percent, points, readable
from speechnet.report.tables import models_of, require_columns, rows_of

_ABLATION: Final = (
    "part",
    "variant",
    "model",
    "target",
    "baseline",
    "difference",
    "low",
    "high",
)
_IMPORTANCE: Final = ("model", "target", "level", "name", "drop", "low", "high")
_FEATURES: Final = 20
_PALE: Final = "#C8C8C8"


@styled
def draw_ablation(ablation: pd.DataFrame, *, target: str, unit: str | None = None) -> Figure:
    """How the UAR changes with each variant, with intervals, grouped by part, a panel per model.

    Args:
        ablation: columns ``part, variant, model, target, baseline, difference, low, high`` and
            ``p_holm``, or ``p`` where a run of before had the corrected value there; the
            difference, variant minus baseline, and its interval are shares.
        target: the target to show.
        unit: what the bootstrap draws, ``speaker`` or ``recording``.

    Raises:
        DataError: the table lacks a column or has no rows of the target.
    """
    corrected = "p" if "p_holm" not in ablation and "p" in ablation else "p_holm"
    require_columns(ablation, [*_ABLATION, corrected], name="the ablation")
    rows = rows_of(ablation, target=target)
    places = _places(rows)
    labels = [wrapped(part if variant is None else variant) for part, variant in places]
    models = models_of(rows)
    figure, axes = panels(
        len(models), size=(4.3, 0.7 + row_height(labels) * len(labels)), margin=(1.6, 1.0)
    )
    for ax, model in zip(axes, models, strict=True):
        table = rows[rows["model"] == model]
        keys = zip(table["part"].astype(str), table["variant"].astype(str), strict=True)
        y = np.array([places.index(key) for key in keys], np.float64)
        texts = [
            f"{points(difference, low, high)}\n{p_value(p)}"
            for difference, low, high, p in zip(
                *columns_of(table, "difference", "low", "high", corrected), strict=True
            )
        ]
        significant = table[corrected].to_numpy(np.float64) <= SIGNIFICANT
        draw_differences(ax, table, y, shown=significant, texts=texts)
        name_rows(ax, labels)
        ax.set_title(f"{readable(model_name(model), width=44)}\n{_baseline(table)}")
        ax.set_xlabel("Change of UAR (percentage points)")
    _embolden(axes, places)
    add_footer(
        figure,
        axes,
        note=f"Whisker: {interval_words(unit)}. p: permutation test, after Holm. Left of zero the "
        "variant is worse than the configuration as it is.",
    )
    set_title(figure, f"What each part brings on the test part: {readable(target, width=200)}")
    return figure


def _places(rows: pd.DataFrame) -> list[tuple[str, str | None]]:
    """The rows of the figure from the top: each part, then its variants."""
    places: list[tuple[str, str | None]] = []
    for part, table in rows.groupby("part", sort=False):
        places.append((str(part), None))
        places += [(str(part), str(variant)) for variant in table["variant"].unique()]
    return places


def _baseline(table: pd.DataFrame) -> str:
    """Baselines differ where a variant excludes other recordings."""
    (values,) = columns_of(table, "baseline")
    values = values[np.isfinite(values)]
    if not values.size:
        return "as configured: UAR undefined"
    low, high = percent(float(values.min())), percent(float(values.max()))
    return f"as configured: UAR {low if low == high else f'{low} to {high}'} %"


def _embolden(axes: list[Axes], places: list[tuple[str, str | None]]) -> None:
    for ax in axes:
        # A panel within the grid has no labels of its own.
        for label, (_, variant) in zip(ax.get_yticklabels(), places, strict=False):
            if variant is None:
                label.set_fontweight("bold")


@styled
def draw_importance(
    importance: pd.DataFrame, *, target: str, model: str, unit: str | None = None
) -> Figure:
    """How much UAR is lost when features are shuffled: all groups, and the twenty that lose most.

    Args:
        importance: columns ``model, target, level, name, drop, low, high``; ``level`` is ``group``
            or ``feature``, the rest shares.
        target: the target to show.
        model: the model to show.
        unit: what the bootstrap draws, ``speaker`` or ``recording``.

    Raises:
        DataError: the table lacks a column or has no rows of the target and the model.
    """
    require_columns(importance, _IMPORTANCE, name="importance")
    rows = rows_of(importance[importance["model"] == model], target=target)
    levels = {
        f"{title}: {_of(len(table), int((rows['level'] == level).sum()))}": table
        for title, level in (("Groups of features", "group"), ("Single features", "feature"))
        if len(table := ranked(rows, level=level))
    }
    count = max(map(len, levels.values()), default=1)
    labels = [_feature(name) for table in levels.values() for name in table["name"]]
    figure, axes = panels(
        max(1, len(levels)),
        size=(4.8, 0.6 + row_height(labels, lines=1) * count),
        margin=(0.6, 1.0),
        share=False,
    )
    for ax, (title, table) in zip(axes, levels.items(), strict=False):
        _bars(ax, table, thickness=0.7 * max(0.4, len(table) / count))
        ax.set_title(title)
    note = (
        f"Whisker: {interval_words(unit)}. Pale: it includes zero. Features that tell the same "
        "stand in for each other: each alone may lose little."
    )
    add_footer(figure, axes, note=note)
    set_title(
        figure,
        f"UAR lost when features are shuffled: {readable(target, width=200)}, "
        f"{readable(model_name(model), width=200)}",
    )
    return figure


def ranked(rows: pd.DataFrame, *, level: str) -> pd.DataFrame:
    """The rows of a level, the largest drop first: all groups, but only twenty features.

    Args:
        rows: of one model and target, columns ``level, name, drop``.
        level: ``group`` or ``feature``.
    """
    chosen = rows[rows["level"] == level].dropna(subset=["drop"])
    chosen = chosen.sort_values("drop", ascending=False, kind="stable")
    return chosen.head(_FEATURES) if level == "feature" else chosen


def _of(count: int, total: int) -> str:
    return f"all {count}" if count == total else f"the first {count} of {total}"


def _feature(name: object) -> str:
    return readable(name, width=36)


def _bars(ax: Axes, table: pd.DataFrame, *, thickness: float) -> None:
    drop, low, high = columns_of(table, "drop", "low", "high")
    y: Float64 = np.arange(len(table), dtype=np.float64)
    sure = (low > 0) | (high < 0)
    ax.barh(y, drop, height=thickness, color=np.where(sure, BLUE, _PALE).tolist())
    whole = np.isfinite(low) & np.isfinite(high)
    if whole.any():
        ax.hlines(y[whole], low[whole], high[whole], color=BLACK, linewidth=1)
    ax.axvline(0, color=BLACK, linewidth=0.8)
    name_rows(ax, [_feature(name) for name in table["name"]])
    ax.grid(visible=False)
    percent_axis(ax.xaxis)
    ax.set_xlabel("Drop of UAR (percentage points)")
