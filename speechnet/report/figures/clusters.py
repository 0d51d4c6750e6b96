"""Clusters in the first two principal components, beside the true labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import method_name, readable

_PANEL: Final = 2.2  # inches
_LAYERS: Final = 8  # how often the groups take turns: none lies wholly on top of another
_LEGEND: Final = 12  # more groups than this aren't listed


@FIGURES.register("clusters")
def clusters(data: ReportData) -> Iterator[Drawing]:
    """A grid of scatter plots, methods by numbers of clusters, below a row of the true labels."""
    explained = data.info.get("clustering", {}).get("explained")
    if explained and all(len(data.table(name)) for name in ("clusters", "projection", "corpus")):
        yield Drawing(
            file="clusters",
            section="clusters",
            title="Clusters and true labels",
            caption="Every recording in the first two principal components: coloured by its labels "
            "above and by its cluster below. Each panel has its own colours.",
            draw=partial(_draw, data, explained),
        )


def _labels(data: ReportData) -> pd.DataFrame:
    """The labels of each file that the clusters are compared with; a missing one isn't drawn."""
    labels = data.table("corpus").set_index("file")
    ordered = {
        target: pd.Categorical(labels[target], categories=classes)
        for target, classes in data.targets.items()
    }
    known = "sentence" in labels and labels["sentence"].notna().any()
    return labels.assign(**ordered)[[*ordered, *(["sentence"] if known else [])]]


@style.styled
def _draw(data: ReportData, explained: tuple[float, float]) -> Figure:
    found, labels = data.table("clusters"), _labels(data)
    points = data.table("projection").set_index("file")[["pc1", "pc2"]].fillna({"pc2": 0.0})
    methods, sizes = list(found["method"].unique()), sorted(found["k"].unique())
    columns, rows = max(len(sizes), labels.shape[1]), len(methods) + 1
    figure = style.new_figure(0.5 + columns * _PANEL, 1.2 + rows * _PANEL)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, label in zip(grid[0], labels.columns, strict=False):
        _scatter(ax, points, labels[label], legend=True)
        ax.set_title(f"True {readable(label)}")
    for row, method in enumerate(methods, start=1):
        for ax, k in zip(grid[row], sizes, strict=False):
            chosen = found[(found["method"] == method) & (found["k"] == k)]
            _scatter(ax, points, chosen.set_index("file")["cluster"], legend=False)
            ax.set_title(f"{method_name(str(method))}, k = {k}")
    for column in grid.T:
        shown = [ax for ax in column if ax.get_title()]
        shown[-1].tick_params(labelbottom=True)  # what is below it may be empty
        for ax in set(column) - set(shown):
            ax.set_axis_off()
    figure.supxlabel(f"PC1 ({100 * explained[0]:.0f} % of variance)")
    figure.supylabel(f"PC2 ({100 * explained[1]:.0f} % of variance)")
    style.set_title(figure, "Clusters and true labels in the first two principal components")
    return figure


def _scatter(ax: Axes, points: pd.DataFrame, groups: pd.Series, *, legend: bool) -> None:
    """Draw the groups in turns, as an image inside the SVG: one path per point is too many."""
    groups = groups.reindex(points.index).astype("category")
    names, codes, xy = groups.cat.categories, groups.cat.codes.to_numpy(), points.to_numpy()
    order = np.random.default_rng(0).permutation(len(xy))
    size = float(np.clip(60 / np.sqrt(len(xy) + 1), 1.2, 3.5))
    dots: style.Look = {
        "linestyle": "none",
        "markersize": size,
        "markeredgewidth": 0,
        "rasterized": True,
    }
    for layer in np.array_split(order, _LAYERS):
        for group in range(len(names)):
            x, y = xy[layer[codes[layer] == group]].T
            ax.plot(x, y, **dots, **style.marker_style(group))
    if legend and len(names) <= _LEGEND:
        for group, name in enumerate(names):
            line: style.Look = style.marker_style(group) | {"linestyle": "none", "markersize": 4}
            ax.plot([], [], label=readable(name, width=13), **line)
        style.legend_below(ax, gap=20, size=7)
