"""Who the models are worse for: the score of every speaker, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64
from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, percent, readable
from speechnet.report.results import HARDEST, hardest
from speechnet.report.scores import models_of

_UNKNOWN: Final = "unknown gender"
_BIN: Final = 0.012  # of the axis: points closer than this are put one above the other
_STEP: Final = 0.11  # of a row, between two points above one another at most
_STRIP: Final = 0.8  # of a row, that its points may take up


@FIGURES.register("speakers")
def speakers(data: ReportData) -> Iterator[Drawing]:
    """A point for each speaker's UAR, a row per model, the three hardest speakers named.

    A speaker whose UAR is NaN (of fewer than two classes) has no point.
    """
    for target in data.targets:
        if data.table("speakers", target=target)["uar"].notna().any():
            caption, draw = "Test UAR of each speaker and model.", partial(_draw, data, target)
            yield Drawing.of_target("speakers", target, "people", "Each speaker", caption, draw)


def _draw(data: ReportData, target: str) -> Figure:
    rows = data.table("speakers", target=target)
    rows = rows.assign(gender=rows["gender"].astype(object).where(rows["gender"].notna(), _UNKNOWN))
    models = models_of(rows)
    genders = sorted(map(str, rows["gender"].unique()), key=lambda name: (name == _UNKNOWN, name))
    named = [hardest(rows[rows["model"] == model]) for model in models]
    texts = [
        "\n".join(
            f"{readable(speaker, width=44)}  {percent(float(uar))}"
            for speaker, uar in table[["speaker", "uar"]].itertuples(index=False)
        )
        for table in named
    ]
    lines = max(2, *(text.count("\n") + 1 for text in texts))
    classes = rows.loc[rows["uar"].notna(), "classes"].unique()

    def panel(ax: Axes, _: str) -> None:
        if len(classes) == 1:  # else it isn't the same for all
            ax.axvline(1 / classes[0], color=style.GREY, linestyle=":", label="chance")
        for place, (model, table) in enumerate(zip(models, named, strict=True)):
            _strip(ax, place, rows[rows["model"] == model], genders=genders, ringed=table)
            forest.write_right(ax, place, texts[place])
        forest.name_rows(ax, [forest.wrapped(data.label(model)) for model in models])
        forest.percent_axis(ax.xaxis)
        ax.set_xlabel("UAR of a speaker (%)")

    note = f"Ringed and listed: the {HARDEST} hardest speakers. Bar: the median."
    missing = int(rows.groupby("speaker")["uar"].apply(lambda uar: uar.isna().all()).sum())
    if missing:
        note += f" Without a UAR, of a single class: {missing}."
    return style.draw_panels(
        [target],
        panel,
        f"Each of {rows['speaker'].nunique()} speakers on the test part: {in_line(target)}",
        size=(8.2, 1.5 + len(models) * max(0.75, 0.14 * lines + 0.15)),
        margin=(0, 0),
        note=note,
    )


def _strip(
    ax: Axes, place: int, rows: pd.DataFrame, *, genders: list[str], ringed: pd.DataFrame
) -> None:
    rows = rows.dropna(subset=["uar"])
    uar = rows["uar"].to_numpy(np.float64)
    y = place + stacked(uar)
    for position, gender in enumerate(genders):
        chosen = (rows["gender"] == gender).to_numpy()
        dots: style.Look = style.marker_style(position) | {"linewidths": 0, "alpha": 0.8}
        dots |= {"s": 18 if len(uar) < 100 else 10, "label": None if place else readable(gender)}
        ax.scatter(uar[chosen], y[chosen], **dots)
    rings = rows.index.isin(ringed.index)
    ring: style.Look = {"facecolors": "none", "edgecolors": style.BLACK, "linewidths": 0.9}
    ax.scatter(uar[rings], y[rings], s=48, **ring)
    if uar.size:
        ends = (place - _STRIP / 2, place + _STRIP / 2)
        ax.vlines(np.median(uar), *ends, color=style.BLACK, zorder=0.9)


def stacked(values: Float64) -> Float64:
    """Offsets, in rows, that keep shares ``[n]`` of nearly the same value apart."""
    alike = pd.Series(values).groupby(np.round(values / _BIN))
    rank, size = alike.rank(method="first"), alike.transform("size")
    step = min(_STEP, _STRIP / max(1, size.max() - 1)) if len(values) else _STEP
    return ((rank - (size + 1) / 2) * step).to_numpy(np.float64)
