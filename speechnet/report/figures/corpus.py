"""The corpus at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speechnet.core.types import Float64, Targets
from speechnet.core.wording import counted
from speechnet.report.data import ReportData, classes_by_gender
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import readable


@FIGURES.register("corpus")
def corpus(data: ReportData) -> Iterator[Drawing]:
    """Classes by gender for each target, durations, and recordings per speaker."""
    if len(table := data.table("corpus")):
        yield Drawing(
            file="corpus",
            section="corpus",
            title="The corpus at a glance",
            caption="Recordings of each class by gender, how long they are, and how many each "
            "speaker has.",
            draw=partial(_draw, table, data.targets),
        )


@style.styled
def _draw(corpus: pd.DataFrame, targets: Targets) -> Figure:
    # Gender itself is only drawn if it is alone.
    shown = {target: classes for target, classes in targets.items() if target != "gender"}
    shown = shown or targets
    most = max(map(len, shown.values()))
    width = 1.0 + 3.4 * (len(shown) + 2)
    figure = style.new_figure(width, max(3.2, 1.3 + 0.36 * most))
    axes = figure.subplots(1, len(shown) + 2, squeeze=False)[0]
    for ax, (target, classes) in zip(axes, shown.items(), strict=False):
        counts = classes_by_gender(corpus, target=target, classes=classes)
        if target == "gender":
            _classes(ax, counts.sum(axis=1).to_frame("recordings"), title="Gender")
        else:
            _classes(ax, counts, title=f"{readable(target)} by gender".capitalize())
    _durations(axes[-2], corpus["duration"].to_numpy(np.float64))
    _speakers(axes[-1], corpus["speaker"])
    who = counted(corpus["speaker"].nunique(), "speaker")
    style.set_title(figure, f"The corpus: {counted(len(corpus), 'recording')} of {who}")
    return figure


def _classes(ax: Axes, counts: pd.DataFrame, *, title: str) -> None:
    height = 0.8 / max(1, counts.shape[1])
    for position, gender in enumerate(counts.columns):
        offset = (position - (counts.shape[1] - 1) / 2) * height
        fill: style.Look = {"color": style.colour(position), "edgecolor": "white", "linewidth": 0.5}
        fill["hatch"] = style.HATCHES[position % len(style.HATCHES)]
        y = np.arange(len(counts)) + offset
        bars = ax.barh(y, counts[gender], height=height, label=readable(gender), **fill)
        ax.bar_label(bars, padding=2, fontsize=7)
    ax.set_yticks(range(len(counts)), [readable(name) for name in counts.index])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(counts) - 0.5, -0.5)
    ax.margins(x=0.18)
    ax.set(title=title, xlabel="Recordings")
    style.legend_below(ax, columns=3)


def _durations(ax: Axes, seconds: Float64) -> None:
    seconds = seconds[np.isfinite(seconds)]
    ax.set(title="Durations", xlabel="Duration (s)", ylabel="Recordings")
    if not seconds.size:
        style.mark_undefined(ax)
        return
    bins = min(40, max(5, int(np.sqrt(seconds.size))))
    ax.hist(seconds, bins=bins, color=style.SKY, edgecolor="white")
    median = float(np.median(seconds))
    ax.axvline(median, color=style.BLACK, linestyle="--", label=f"median {median:.1f} s")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend_below(ax)


def _speakers(ax: Axes, speakers: pd.Series) -> None:
    counts = speakers.value_counts().to_numpy()
    ax.set(title="Recordings per speaker", ylabel="Recordings")
    ax.set_xlabel(f"The {len(counts)} speakers, most recordings first")
    if not counts.size:
        style.mark_undefined(ax)
        return
    width = 0.9 if len(counts) < 100 else 1
    ax.bar(np.arange(1, len(counts) + 1), counts, width=width, color=style.SKY)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    median = float(np.median(counts))
    ax.axhline(median, color=style.BLACK, linestyle="--", label=f"median {median:g}")
    style.legend_below(ax)
