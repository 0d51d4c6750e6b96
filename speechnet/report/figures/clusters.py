"""Clusters in the first two principal components, beside the true labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64, Int64, Targets
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
    tables = [data.table(name) for name in ("clusters", "projection", "corpus")]
    found, projection, corpus = tables
    explained = data.info.get("clustering", {}).get("explained")
    if explained and all(map(len, tables)):
        yield Drawing(
            file="clusters",
            section="clusters",
            title="Clusters and true labels",
            caption="Every recording in the first two principal components: above by its labels, "
            "below by its cluster. Colours are given anew in each panel.",
            draw=partial(_draw, found, projection, _labels(corpus, data.targets), explained),
        )


def _labels(corpus: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """By file what clusters are held against by eye; a missing label isn't drawn."""
    labels = corpus.set_index("file")
    ordered = {
        target: pd.Categorical(labels[target], categories=classes)
        for target, classes in targets.items()
    }
    told = "sentence" in labels and labels["sentence"].notna().any()
    return labels.assign(**ordered)[[*targets, *(["sentence"] if told else [])]]


@style.styled
def _draw(
    clusters: pd.DataFrame,
    projection: pd.DataFrame,
    labels: pd.DataFrame,
    explained: tuple[float, float],
) -> Figure:
    points = projection.set_index("file")[["pc1", "pc2"]].fillna({"pc2": 0.0})
    methods = list(clusters["method"].unique())
    sizes = sorted(clusters["k"].unique())
    columns = max(len(sizes), labels.shape[1])
    rows = len(methods) + 1
    figure = style.new_figure(0.5 + columns * _PANEL, 1.2 + rows * _PANEL)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, label in zip(grid[0], labels.columns, strict=False):
        _panel(ax, points, labels[label], legend=True)
        ax.set_title(f"True {readable(label)}")
    for row, method in enumerate(methods, start=1):
        for ax, k in zip(grid[row], sizes, strict=False):
            found = clusters[(clusters["method"] == method) & (clusters["k"] == k)]
            _panel(ax, points, found.set_index("file")["cluster"], legend=False)
            ax.set_title(f"{method_name(str(method))}, k = {k}")
    _finish(figure, grid, explained)
    return figure


def _panel(ax: Axes, points: pd.DataFrame, groups: pd.Series, *, legend: bool) -> None:
    groups = groups.reindex(points.index).astype("category")
    names = groups.cat.categories
    codes = np.asarray(groups.cat.codes, np.int64)
    _scatter(ax, points.to_numpy(np.float64), codes, count=len(names))
    if legend and len(names) <= _LEGEND:
        for position, name in enumerate(names):
            line = style.marker_style(position)
            ax.plot([], [], linestyle="none", markersize=4, label=readable(name, width=13), **line)
        style.legend_below(ax, gap=20, size=7)


def _scatter(ax: Axes, xy: Float64, codes: Int64, *, count: int) -> None:
    """Draw the groups in turns, as an image inside the SVG: one path per point is too many."""
    order = np.random.default_rng(0).permutation(len(xy))
    size = float(np.clip(60 / np.sqrt(len(xy) + 1), 1.2, 3.5))
    for layer in np.array_split(order, _LAYERS):
        for group in range(count):
            x, y = xy[layer[codes[layer] == group]].T
            line = style.marker_style(group)
            ax.plot(
                x,
                y,
                linestyle="none",
                markersize=size,
                markeredgewidth=0,
                rasterized=True,
                **line,
            )


def _finish(figure: Figure, grid: np.ndarray, explained: tuple[float, float]) -> None:
    for column in grid.T:
        shown = [ax for ax in column if ax.get_title()]
        shown[-1].tick_params(labelbottom=True)  # what is below it may be empty
        for ax in set(column) - set(shown):
            ax.set_axis_off()
    figure.supxlabel(f"PC1 ({100 * explained[0]:.0f} % of variance)")
    figure.supylabel(f"PC2 ({100 * explained[1]:.0f} % of variance)")
    style.set_title(figure, "Clusters and true labels in the first two principal components")
