"""What each part of an experiment brings, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, interval_words, percent, readable
from speechnet.report.scores import models_of


@FIGURES.register("ablation")
def ablation(data: ReportData) -> Iterator[Drawing]:
    """How the UAR changes with each variant, with intervals, grouped by part, a panel per model."""
    for target in data.targets_in("ablation"):
        rows = data.table("ablation", target=target)
        shown = int((rows["p_holm"] <= SIGNIFICANT).sum())
        caption = (
            "Change of test UAR with each variant, in percentage points. "
            f"{shown or 'None'} of {len(rows)} changes {'is' if shown == 1 else 'are'} shown "
            "to be more than chance."
        )
        title, draw = "What each part contributes", partial(_draw, data, target)
        yield Drawing.of_target("ablation", target, "ablation", title, caption, draw)


def _draw(data: ReportData, target: str) -> Figure:
    rows = data.table("ablation", target=target)
    places: list[tuple[str, str | None]] = []  # from the top: each part, then its variants
    for part, table in rows.groupby("part", sort=False):
        places.append((str(part), None))
        places += [(str(part), str(variant)) for variant in table["variant"].unique()]
    labels = [forest.wrapped(part if variant is None else variant) for part, variant in places]

    def panel(ax: Axes, model: str) -> None:
        table = rows[rows["model"] == model]
        keys = zip(table["part"].astype(str), table["variant"].astype(str), strict=True)
        y = np.array([places.index(key) for key in keys], np.float64)
        forest.draw_differences(ax, table, y)
        forest.name_rows(ax, labels)
        ax.set_title(f"{readable(data.label(model), width=44)}\n{_baseline(table)}")
        ax.set_xlabel("Change of UAR (percentage points)")
        # A panel within the grid has no labels of its own.
        for label, (_, variant) in zip(ax.get_yticklabels(), places, strict=False):
            if variant is None:
                label.set_fontweight("bold")

    return style.draw_panels(
        models_of(rows),
        panel,
        f"What each part contributes on the test part: {in_line(target)}",
        size=(4.3, 0.7 + forest.row_heights(labels)),
        margin=(1.6, 1.0),
        note=f"Whisker: {interval_words(data.unit)}. p: permutation test, after Holm. Left of zero "
        "the variant is worse than the configuration as it is.",
    )


def _baseline(table: pd.DataFrame) -> str:
    """Baselines differ where a variant excludes other recordings."""
    (values,) = forest.columns_of(table, "baseline")
    values = values[np.isfinite(values)]
    if not values.size:
        return "as configured: UAR undefined"
    low, high = percent(float(values.min())), percent(float(values.max()))
    return f"as configured: UAR {low if low == high else f'{low} to {high}'} %"
