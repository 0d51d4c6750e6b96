"""Clusters in the first two principal components, beside the true labels."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.core.types import Float64, Int64
from speechnet.report.figures.style import legend_below, marker_style, new_figure, set_title, styled
from speechnet.report.names import method_name, readable
from speechnet.report.tables import require_columns

_PANEL: Final = 2.2  # inches
_LAYERS: Final = 8  # how often the groups take turns: none lies wholly on top of another
_LEGEND: Final = 12  # more groups than this aren't listed


@styled
def draw_clusters(
    clusters: pd.DataFrame,
    projection: pd.DataFrame,
    *,
    variance: tuple[float, float],
    labels: pd.DataFrame,
) -> Figure:
    """A grid of scatter plots, methods by numbers of clusters, below a row of the true labels.

    Args:
        clusters: columns ``file, method, k, cluster``.
        projection: columns ``file, pc1, pc2``; ``pc2`` is NaN where there is no second one.
        variance: the shares of variance that the two components explain, in [0, 1].
        labels: indexed by file, a column for each true label to show; a missing one isn't drawn.

    Raises:
        DataError: a table lacks a column.
    """
    require_columns(clusters, ("file", "method", "k", "cluster"), name="clusters")
    require_columns(projection, ("file", "pc1", "pc2"), name="the projection")
    points = projection.set_index("file")[["pc1", "pc2"]].fillna({"pc2": 0.0})
    methods = list(clusters["method"].unique())
    sizes = sorted(clusters["k"].unique())
    columns = max(len(sizes), labels.shape[1])
    rows = len(methods) + 1
    figure = new_figure(0.5 + columns * _PANEL, 1.2 + rows * _PANEL)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, label in zip(grid[0], labels.columns, strict=False):
        _panel(ax, points, labels[label], legend=True)
        ax.set_title(f"True {readable(label)}")
    for row, method in enumerate(methods, start=1):
        for ax, k in zip(grid[row], sizes, strict=False):
            found = clusters[(clusters["method"] == method) & (clusters["k"] == k)]
            _panel(ax, points, found.set_index("file")["cluster"], legend=False)
            ax.set_title(f"{method_name(str(method))}, k = {k}")
    _finish(figure, grid, variance)
    return figure


def _panel(ax: Axes, points: pd.DataFrame, groups: pd.Series, *, legend: bool) -> None:
    groups = groups.reindex(points.index).astype("category")
    names = groups.cat.categories
    codes = np.asarray(groups.cat.codes, np.int64)
    _scatter(ax, points.to_numpy(np.float64), codes, count=len(names))
    if legend and len(names) <= _LEGEND:
        for position, name in enumerate(names):
            style = marker_style(position)
            ax.plot([], [], linestyle="none", markersize=4, label=readable(name, width=13), **style)
        legend_below(ax, gap=20, size=7)


def _scatter(ax: Axes, xy: Float64, codes: Int64, *, count: int) -> None:
    """Draw the groups in turns, as an image inside the SVG: one path per point is too many."""
    order = np.random.default_rng(0).permutation(len(xy))
    size = float(np.clip(60 / np.sqrt(len(xy) + 1), 1.2, 3.5))
    for layer in np.array_split(order, _LAYERS):
        for group in range(count):
            x, y = xy[layer[codes[layer] == group]].T
            style = marker_style(group)
            ax.plot(
                x,
                y,
                linestyle="none",
                markersize=size,
                markeredgewidth=0,
                rasterized=True,
                **style,
            )


def _finish(figure: Figure, grid: np.ndarray, variance: tuple[float, float]) -> None:
    for column in grid.T:
        shown = [ax for ax in column if ax.get_title()]
        shown[-1].tick_params(labelbottom=True)  # what is below it may be empty
        for ax in set(column) - set(shown):
            ax.set_axis_off()
    figure.supxlabel(f"PC1 ({100 * variance[0]:.0f} % of variance)")
    figure.supylabel(f"PC2 ({100 * variance[1]:.0f} % of variance)")
    set_title(figure, "Clusters and true labels in the first two principal components")
