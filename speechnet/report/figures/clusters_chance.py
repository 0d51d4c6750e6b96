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
    if len(table := data.table("clustering")):
        found = data.info.get("clustering", {}).get("findings", [])
        yield Drawing(
            file="clusters_chance",
            section="clusters",
            title="Clusters against chance",
            caption="How well the clusters match each label, and how compact they are, beside "
            f"chance. {found[0] if found else ''}".strip(),
            draw=partial(_draw, table),
        )


def _shown(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each panel by its title.

    Of the scores against labels the adjusted mutual information is shown: the others grow with the
    number of clusters, or with that of labels.
    """
    against = table["against"].astype(object).where(table["against"].notna(), "").astype(str)
    within = against.str.endswith(" within gender")  # the table is enough for these
    labelled = table[(table["metric"] == _AGAINST_LABELS) & ~within]
    return {
        f"Adjusted mutual information\nwith {readable(label, width=30)}": rows
        for label, rows in labelled.groupby(against, sort=False)
    } | {
        title: rows
        for metric, title in _WITHOUT_LABELS.items()
        if len(rows := table[table["metric"] == metric])
    }


def _draw(table: pd.DataFrame) -> Figure:
    shown = _shown(table)
    places = list(dict.fromkeys(zip(table["method"], table["k"], strict=True)))
    labels = [f"{readable(method_name(str(method)))}, k = {k}" for method, k in places]
    compared: list[Axes] = []  # which label do the clusters follow most?

    def panel(ax: Axes, title: str) -> None:
        rows = shown[title]
        y = [places.index(place) for place in zip(rows["method"], rows["k"], strict=True)]
        _scores(ax, rows, np.array(y, np.float64))
        forest.name_rows(ax, labels)
        ax.set_title(title)
        place = ax.get_subplotspec()
        ax.tick_params(labelleft=place is None or place.is_first_col())
        if title not in _WITHOUT_LABELS.values():
            compared.append(ax)
            ends = [end for each in compared for end in each.get_xlim()]
            ax.axvline(0, color=style.BLACK, linewidth=0.8, zorder=0.9)
            for each in compared:
                each.set_xlim(min(ends), max(ends))

    return style.draw_panels(
        [*shown],
        panel,
        "Clusters against chance",
        size=(2.6, 0.8 + 0.2 * len(labels)),
        margin=(1.8, 1.0),
        share=False,
        note="Chance, against labels: the labels shuffled; without labels: clouds of the same "
        f"spread that have no groups, clustered likewise. Band: mean ± {_BAND:.0f} standard "
        "deviations.",
    )


def _scores(ax: Axes, rows: pd.DataFrame, y: np.ndarray) -> None:
    value, mean, sd = forest.columns_of(rows, "value", "null_mean", "null_sd")
    known = np.isfinite(mean) & np.isfinite(sd)
    low, width = (mean - _BAND * sd)[known], (2 * _BAND * sd)[known]
    band: style.Look = {
        "color": "#D9D9D9",
        "edgecolor": style.GREY,
        "linewidth": 0.6,
        "label": "chance",
    }
    ax.barh(y[known], width, left=low, height=0.6, **band)
    there = np.isfinite(value)
    ax.scatter(value[there], y[there], s=22, color=style.BLUE, zorder=3, label="clusters")
    ax.xaxis.set_major_locator(MaxNLocator(4))
