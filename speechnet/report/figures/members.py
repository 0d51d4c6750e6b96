"""What each model brings to an ensemble."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import heading, in_line, interval_words, percent, sentence
from speechnet.report.results import in_words, results
from speechnet.report.scores import models_of


@FIGURES.register("members")
def members(data: ReportData) -> Iterator[Drawing]:
    """The UAR that an ensemble loses without each of its models, a panel per target."""
    targets = data.targets_in("members")
    table = data.table("members")
    for model in models_of(table) if targets else []:
        found = map(sentence, in_words(results(data), "members"))
        yield Drawing(
            file=f"members_{model}",
            section="members",
            title=f"{in_line(data.label(model))}: what each model brings",
            caption=f"Test UAR lost without it, in percentage points. {' '.join(found)}".strip(),
            draw=partial(_draw, data, model, targets),
        )


def _draw(data: ReportData, model: str, targets: list[str]) -> Figure:
    table = data.table("members")
    table = table[table["model"] == model]
    names = list(table["name"].unique())
    labels = [forest.wrapped(data.label(name)) for name in names]

    def panel(ax: Axes, target: str) -> None:
        rows = table[table["target"] == target]
        forest.draw_differences(ax, rows, np.array([*map(names.index, rows["name"])], np.float64))
        forest.name_rows(ax, labels)
        ax.set_title(f"{heading(target)}: {percent(float(rows['together'].iloc[0]))} % together")
        ax.set_xlabel("UAR lost without it (percentage points)")

    return style.draw_panels(
        targets,
        panel,
        f"{in_line(data.label(model))}: what each model brings on the test part",
        size=(4.8, 0.6 + forest.row_heights(labels)),
        margin=(1.4, 1.0),
        note=f"Whisker: {interval_words(data.unit)}. p: permutation test, after Holm.",
    )
