"""Differences between models, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import heading, interval_words, sentence
from speechnet.report.results import in_words, results


@FIGURES.register("comparisons")
def comparisons(data: ReportData) -> Iterator[Drawing]:
    """The differences in UAR with intervals, a panel per target."""
    if shown := data.targets_in("comparisons"):
        found = map(sentence, in_words(results(data), "difference"))
        yield Drawing(
            file="comparisons",
            section="pairs",
            title="Models in pairs",
            caption=f"Differences in test UAR in percentage points. {' '.join(found)}".strip(),
            draw=partial(_draw, data, shown),
        )


def _draw(data: ReportData, targets: list[str]) -> Figure:
    pairs = data.table("comparisons")
    names = {side: pairs[side].map(data.label).map(forest.wrapped) for side in ("first", "second")}
    pairs = pairs.assign(pair=names["first"] + "\nminus " + names["second"])
    labels = list(pairs["pair"].unique())

    def panel(ax: Axes, target: str) -> None:
        rows = pairs[pairs["target"] == target]
        y = np.array([labels.index(pair) for pair in rows["pair"]], np.float64)
        forest.draw_differences(ax, rows, y)
        forest.name_rows(ax, labels)
        ax.set(title=heading(target), xlabel="Difference in UAR (percentage points)")

    return style.draw_panels(
        targets,
        panel,
        "Models in pairs on the test part",
        size=(4.8, 0.55 + forest.row_heights(labels)),
        margin=(1.6, 1.0),
        note=f"Whisker: {interval_words(data.unit)}. p: permutation test, after Holm.",
    )
