"""The share of errors when only the most confident predictions are kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import heading, readable
from speechnet.report.scores import models_of


@FIGURES.register("risk_coverage")
def risk_coverage(data: ReportData) -> Iterator[Drawing]:
    """Errors on the test part against coverage, a panel per target."""
    if shown := data.targets_in("risk_coverage", part="test"):
        yield Drawing(
            file="risk_coverage",
            section="confusion",
            title="Risk against coverage",
            caption="How often a model is wrong if it answers only where it is most confident, "
            "from few recordings on the left to all of them on the right.",
            draw=partial(_draw, data, shown),
        )


def _draw(data: ReportData, targets: list[str]) -> Figure:
    models = models_of(data.table("risk_coverage", part="test"))

    def panel(ax: Axes, target: str) -> None:
        rows = data.table("risk_coverage", target=target, part="test")
        rows = rows.sort_values("coverage", kind="stable")
        for position, model in enumerate(models):
            coverage, risk = forest.columns_of(rows[rows["model"] == model], "coverage", "risk")
            there = np.isfinite(coverage) & np.isfinite(risk)
            line: style.Look = style.line_style(position) | {
                "marker": "." if there.sum() == 1 else None
            }
            label = readable(data.label(model), width=24)
            ax.plot(coverage[there], risk[there], label=label, **line)
        for axis in (ax.xaxis, ax.yaxis):
            forest.percent_axis(axis)
        ax.set(xlabel="Coverage: predictions kept (%)", ylabel="Errors among them (%)")
        ax.set_xlim(0, 1.01)
        most = max(0.05, 1.05 * ax.dataLim.y1) if np.isfinite(ax.dataLim.y1) else 1.0
        ax.set_ylim(-0.015 * most, most)  # a risk of 0 stays in view
        ax.set_title(heading(target))

    return style.draw_panels(
        targets,
        panel,
        "Risk against coverage on the test part",
        size=(4.0, 3.1),
        margin=(0.3, 1.2),
        share=False,
        note="The most confident predictions are kept first.",
    )
