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
from speechnet.report.figure import FIGURES, Drawing, file_name
from speechnet.report.names import interval_words, percent_interval, readable, sentence
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
        yield Drawing(
            file=f"gender_recall_{file_name(target)}",
            section="people",
            title=f"Recall by gender: {target}",
            caption=said or "Recall of each class among women and among men.",
            draw=partial(_draw, data, target),
            target=target,
        )


@style.styled
def _draw(data: ReportData, target: str) -> Figure:
    """The panel's title names the largest gap, and its class's row is shaded.

    Of more than six models the six of the highest mean recall are shown.
    """
    rows, gaps = data.table("groups", target=target), data.table("gaps", target=target)
    classes = data.targets[target]
    models = _best(rows)
    labels = [forest.wrapped(name) for name in classes]
    genders = sorted(map(str, rows["gender"].dropna().unique()))
    figure, axes = style.panels(
        len(models), size=(3.5, 1.0 + forest.row_height(labels) * len(labels)), margin=(1.3, 1.0)
    )
    for ax, model in zip(axes, models, strict=True):
        _panel(ax, rows[rows["model"] == model], classes=classes, genders=genders)
        gap = worst_gap(gaps, model, target) if len(gaps) else None
        title = readable(data.label(model), width=44)
        if gap is not None:
            title += f"\n{_in_words(gap)}"
        if gap is not None and gap.name in classes:
            place = classes.index(gap.name)
            ax.axhspan(place - 0.5, place + 0.5, color="#FFF3D6", zorder=0.1)
        ax.set_title(title, fontsize=8.5)
        ax.set_xlabel("Recall (%)")
        forest.name_rows(ax, labels)
    style.add_footer(
        figure,
        axes,
        note=f"Whisker: {interval_words(data.unit)}. Shaded: the largest gap; it counts as shown "
        "only after correction for the number of gaps (Bonferroni).",
    )
    left_out = rows["model"].nunique() - len(models)
    best = f", the best {_MOST} models" if left_out else ""
    style.set_title(
        figure, f"Recall by gender on the test part{best}: {readable(target, width=200)}"
    )
    return figure


def _in_words(gap: Gap) -> str:
    doubt = "" if gap.certain else ", no difference shown"
    size = percent_interval(gap.gap, gap.low, gap.high)
    sentence = f"{gap.higher} above {gap.lower} by {size} points{doubt}"
    where = f"largest gap: {'UAR' if gap.name == UAR else gap.name}"
    return "\n".join(readable(line, width=50) for line in (where, sentence))


def _best(rows: pd.DataFrame) -> list[str]:
    models = models_of(rows)
    if len(models) <= _MOST:
        return models
    mean = rows.groupby("model")["recall"].mean().sort_values(ascending=False, kind="stable")
    best = set(mean.index[:_MOST])
    return [model for model in models if model in best]


def _panel(ax: Axes, rows: pd.DataFrame, *, classes: list[str], genders: list[str]) -> None:
    offsets = np.linspace(-_SPREAD / 2, _SPREAD / 2, len(genders)) if len(genders) > 1 else [0.0]
    ends = pd.DataFrame(np.nan, index=classes, columns=genders)
    for gender, offset, colour, marker in zip(
        genders, offsets, style.PALETTE, style.MARKERS, strict=False
    ):
        of_gender = rows[rows["gender"] == gender]
        table = of_gender.assign(**{"class": of_gender["class"].astype(str)}).set_index("class")
        table = table.reindex(classes)
        recall, low, high = forest.columns_of(table, "recall", "low", "high")
        y = np.arange(len(classes)) + offset
        forest.draw_intervals(
            ax, recall, y, low=low, high=high, color=colour, marker=marker, label=readable(gender)
        )
        ends[gender] = recall
    # The bar between the genders, under their points.
    ax.hlines(range(len(classes)), ends.min(axis=1), ends.max(axis=1), color="#C0C0C0", zorder=0.9)
    ax.set_xlim(-0.02, 1.02)
    forest.percent_axis(ax.xaxis)
