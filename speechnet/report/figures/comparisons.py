"""Differences between models, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import interval_words, readable, sentence
from speechnet.report.results import in_words, results


@FIGURES.register("comparisons")
def comparisons(data: ReportData) -> Iterator[Drawing]:
    """The differences in UAR with intervals, a panel per target."""
    if shown := [
        target for target in data.targets if len(data.table("comparisons", target=target))
    ]:
        found = map(sentence, in_words(results(data), "difference"))
        yield Drawing(
            file="comparisons",
            section="pairs",
            title="Models in pairs",
            caption=f"Differences in test UAR in percentage points. {' '.join(found)}".strip(),
            draw=partial(_draw, data, shown),
        )


@style.styled
def _draw(data: ReportData, targets: list[str]) -> Figure:
    pairs = data.table("comparisons")
    pairs = pairs.assign(
        pair=[
            f"{forest.wrapped(data.label(first))}\nminus {forest.wrapped(data.label(second))}"
            for first, second in pairs[["first", "second"]].itertuples(index=False)
        ]
    )
    labels = [str(pair) for pair in pairs["pair"].unique()]
    figure, axes = style.panels(
        len(targets), size=(4.8, 0.55 + forest.row_height(labels) * len(labels)), margin=(1.6, 1.0)
    )
    for ax, target in zip(axes, targets, strict=True):
        rows = pairs[pairs["target"] == target]
        y = np.array([labels.index(pair) for pair in rows["pair"]], np.float64)
        shown = rows["p_holm"].to_numpy(np.float64) <= SIGNIFICANT
        forest.draw_differences(ax, rows, y, shown=shown, texts=forest.difference_texts(rows))
        forest.name_rows(ax, labels)
        ax.set_xlabel("Difference in UAR (percentage points)")
        ax.set_title(readable(target, width=40).capitalize())
    note = f"Whisker: {interval_words(data.unit)}. p: permutation test, after Holm."
    style.add_footer(figure, axes, note=note)
    style.set_title(figure, "Models in pairs on the test part")
    return figure
