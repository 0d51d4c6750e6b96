"""Who the models are worse for: recall by gender, a figure for each target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.evaluation.groups import UAR, Gap, worst_gap
from speechnet.report.data import ReportData
from speechnet.report.drawing import forest, style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, interval_words, percent_interval, readable, sentence
from speechnet.report.results import in_words, results
from speechnet.report.scores import models_of

_MOST: Final = 6  # panels
_SPREAD: Final = 0.34  # of a row, that its points take up


@FIGURES.register("gender_recall")
def gender_recall(data: ReportData) -> Iterator[Drawing]:
    """The recall of every class by gender, with intervals, a panel per model."""
    for target in data.targets_in("groups"):
        found = [each for each in results(data) if each.subject == target]
        said = " ".join(map(sentence, in_words(found, "gender_gap", "hardest_speakers")))
        caption = said or "Recall of each class among women and among men."
        draw = partial(_draw, data, target)
        yield Drawing.of_target(
            "gender_recall", target, "people", "Recall by gender", caption, draw
        )


def _draw(data: ReportData, target: str) -> Figure:
    """The panel's title names the largest gap, and its class's row is shaded.

    Of more than six models the six of the highest mean recall are shown.
    """
    rows, gaps = data.table("groups", target=target), data.table("gaps", target=target)
    classes, models = data.targets[target], models_of(rows)
    mean = rows.groupby("model")["recall"].mean().sort_values(ascending=False, kind="stable")
    shown = [model for model in models if len(models) <= _MOST or model in mean.index[:_MOST]]
    labels = [forest.wrapped(name) for name in classes]

    def panel(ax: Axes, model: str) -> None:
        _recalls(ax, rows[rows["model"] == model], classes)
        gap = worst_gap(gaps, model, target) if len(gaps) else None
        title = readable(data.label(model), width=44)
        ax.set_title(f"{title}\n{_in_words(gap)}" if gap else title, fontsize=8.5)
        if gap and gap.name in classes:
            place = classes.index(gap.name)
            ax.axhspan(place - 0.5, place + 0.5, color="#FFF3D6", zorder=0.1)
        ax.set_xlabel("Recall (%)")
        forest.name_rows(ax, labels)

    best = f", the best {_MOST} models" if len(shown) < len(models) else ""
    return style.draw_panels(
        shown,
        panel,
        f"Recall by gender on the test part{best}: {in_line(target)}",
        size=(3.5, 1.0 + forest.row_heights(labels)),
        margin=(1.3, 1.0),
        note=f"Whisker: {interval_words(data.unit)}. Shaded: the largest gap; it counts as shown "
        "only after correction for the number of gaps (Bonferroni).",
    )


def _in_words(gap: Gap) -> str:
    doubt = "" if gap.certain else ", no difference shown"
    size = percent_interval(gap.gap, gap.low, gap.high)
    where = f"largest gap: {'UAR' if gap.name == UAR else gap.name}"
    who = f"{gap.higher} above {gap.lower} by {size} points{doubt}"
    return "\n".join(readable(line, width=50) for line in (where, who))


def _recalls(ax: Axes, rows: pd.DataFrame, classes: list[str]) -> None:
    rows = rows.assign(**{"class": rows["class"].astype(str)}).set_index("class")
    by_gender = {str(gender): of_gender for gender, of_gender in rows.groupby("gender")}
    offsets = np.linspace(-_SPREAD / 2, _SPREAD / 2, len(by_gender)) if len(by_gender) > 1 else [0]
    ends = []
    for position, (gender, table) in enumerate(by_gender.items()):
        recall, low, high = forest.columns_of(table.reindex(classes), "recall", "low", "high")
        line: style.Look = style.marker_style(position) | {"low": low, "high": high}
        y = np.arange(len(classes)) + offsets[position]
        forest.draw_intervals(ax, recall, y, label=readable(gender), **line)
        ends.append(recall)
    # The bar between the genders, under their points.
    least, most = np.fmin.reduce(ends), np.fmax.reduce(ends)
    ax.hlines(range(len(classes)), least, most, color="#C0C0C0", zorder=0.9)
    ax.set_xlim(-0.02, 1.02)
    forest.percent_axis(ax.xaxis)
