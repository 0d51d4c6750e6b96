"""What the models still recognise in worse recordings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, interval_words, readable, sentence
from speechnet.report.results import in_words, results
from speechnet.report.scores import models_of
from speechnet.report.worsened import CLEAN, EFFECTS, worsened


@FIGURES.register("robustness")
def robustness(data: ReportData) -> Iterator[Drawing]:
    """UAR against severity, a panel for each effect, a figure for each target."""
    found = results(data)
    for target in data.targets_in("robustness"):
        own = [each for each in found if each.subject == target]
        said = map(sentence, in_words(own, "robustness"))
        caption = f"Test UAR of recordings made worse, the mildest on the left. {' '.join(said)}"
        title, draw = "Worse recordings", partial(_draw, data, target)
        yield Drawing.of_target("robustness", target, "robustness", title, caption.strip(), draw)


def _draw(data: ReportData, target: str) -> Figure:
    table = worsened(data)
    table = table[table["target"] == target]
    models = models_of(table)
    chance = 1 / len(data.targets[target])
    found = table[["value", "low", "high"]].to_numpy(np.float64)
    ends = np.append(found[np.isfinite(found)], chance)

    def panel(ax: Axes, effect: str) -> None:
        rows = table[table["effect"].isin([CLEAN, effect])]
        labels = [f"{one:g}" for one in rows.loc[rows["effect"] == effect, "severity"].unique()]
        for position, model in enumerate(models):
            _line(ax, rows[rows["model"] == model], position, models, data.label(model))
        ax.axhline(chance, color=style.GREY, linestyle=":", label="chance")
        ax.set_xticks(range(len(labels) + 1), ["as it is", *labels])
        ax.set(title=EFFECTS[effect].title, xlabel=EFFECTS[effect].axis, ylabel="UAR (%)")
        ax.set_ylim(ends.min() - 0.03, ends.max() + 0.03)
        forest.percent_axis(ax.yaxis)

    return style.draw_panels(
        [effect for effect in EFFECTS if (table["effect"] == effect).any()],
        panel,
        f"Worse recordings of the test part: {in_line(target)}",
        size=(3.2, 2.9),
        margin=(0.5, 1.0),
        share=False,
        note=f"Whisker: {interval_words(data.unit)}.",
    )


def _line(ax: Axes, rows: pd.DataFrame, position: int, models: list[str], label: str) -> None:
    """One model's scores; models stand beside each other, so that whiskers don't cover others."""
    value, low, high = forest.columns_of(rows, "value", "low", "high")
    x = np.arange(len(rows)) + 0.08 * (position - (len(models) - 1) / 2)
    line = style.line_style(position)
    ax.plot(x, value, label=readable(label, width=24), marker=".", **line)
    whole = np.isfinite(low) & np.isfinite(high)
    ax.vlines(x[whole], low[whole], high[whole], color=line["color"], linewidth=1.0)
