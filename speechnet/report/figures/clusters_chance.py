"""Clusters against chance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speechnet.core.errors import DataError
from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import method_name, readable

_WITHOUT_LABELS: Final = {
    "silhouette": "Silhouette",
    "davies_bouldin": "Davies-Bouldin\n(lower is better)",
    "calinski_harabasz": "Calinski-Harabasz",
}
_AGAINST_LABELS: Final = "adjusted_mutual_information"
_BAND: Final = 2.0  # standard deviations


@FIGURES.register("clusters_chance")
def clusters_chance(data: ReportData) -> Iterator[Drawing]:
    """Scores of clusters beside what chance gives, a panel for each label and each criterion."""
    table = data.table("clustering")
    if len(table) and {"null_mean", "null_sd"} <= {*table.columns}:
        found = data.info.get("clustering", {}).get("findings", [])
        yield Drawing(
            file="clusters_chance",
            section="clusters",
            title="Clusters against chance",
            caption="How much clusters tell of each label, and how compact they are, beside what "
            f"chance gives. {found[0] if found else ''}".strip(),
            draw=partial(_draw, table),
        )


@style.styled
def _draw(clustering: pd.DataFrame) -> Figure:
    """Of the scores against labels the adjusted mutual information is shown.

    The others grow with the number of clusters, or with that of labels.
    """
    against = clustering["against"].astype(object).where(clustering["against"].notna(), "")
    table = clustering.assign(against=against.astype(str))
    within = table["against"].str.endswith(" within gender")  # the table is enough for these
    labelled = table[(table["metric"] == _AGAINST_LABELS) & ~within]
    shown = {
        f"Adjusted mutual information\nwith {readable(label, width=30)}": rows
        for label, rows in labelled.groupby("against", sort=False)
    } | {
        title: rows
        for metric, title in _WITHOUT_LABELS.items()
        if len(rows := table[table["metric"] == metric])
    }
    if not shown:
        known = ", ".join((_AGAINST_LABELS, *_WITHOUT_LABELS))
        found = ", ".join(sorted(map(str, table["metric"].unique()))) or "no rows"
        raise DataError(f"the clustering scores hold {found}, expected any of {known}")
    places = list(dict.fromkeys(zip(table["method"], table["k"], strict=True)))
    labels = [f"{readable(method_name(str(method)))}, k = {k}" for method, k in places]
    figure, axes = style.panels(
        len(shown), size=(2.6, 0.8 + 0.2 * len(labels)), margin=(1.8, 1.0), share=False
    )
    for ax, (title, rows) in zip(axes, shown.items(), strict=True):
        y = [places.index(place) for place in zip(rows["method"], rows["k"], strict=True)]
        _panel(ax, rows, np.array(y, np.float64))
        forest.name_rows(ax, labels)
        ax.set_title(title)
        place = ax.get_subplotspec()
        ax.tick_params(labelleft=place is None or place.is_first_col())
    _same_reach(axes[: labelled["against"].nunique()])
    note = (
        "Chance, against labels: the labels shuffled; without labels: clouds of the same spread "
        f"that have no groups, clustered likewise. Band: mean ± {_BAND:.0f} standard deviations."
    )
    style.add_footer(figure, axes, note=note)
    style.set_title(figure, "Clusters against chance")
    return figure


def _same_reach(axes: list[Axes]) -> None:
    """Labels are compared with each other: which of them do the clusters follow most?"""
    ends = [end for ax in axes for end in ax.get_xlim()]
    for ax in axes:
        ax.set_xlim(min(ends), max(ends))
        ax.axvline(0, color=style.BLACK, linewidth=0.8, zorder=0.9)


def _panel(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    value, mean, sd = forest.columns_of(rows, "value", "null_mean", "null_sd")
    known = np.isfinite(mean) & np.isfinite(sd)
    ax.barh(
        y[known],
        2 * _BAND * sd[known],
        left=mean[known] - _BAND * sd[known],
        height=0.6,
        color="#D9D9D9",
        edgecolor=style.GREY,
        linewidth=0.6,
        label="chance",
    )
    there = np.isfinite(value)
    ax.scatter(value[there], y[there], s=22, color=style.BLUE, zorder=3, label="clusters")
    ax.xaxis.set_major_locator(MaxNLocator(4))
