"""Which layers of an encoder the networks weigh most, and which the searches chose."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from speechnet.core.wording import counted, listing
from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import in_line, percent

_FITTED: Final = ["model", "fold", "member", "target"]
_EQUAL: Final = 1e-6
"""Rounding of a share."""

_TICKS: Final = 13
"""Layers that are named at most."""
_ASIDE: Final = 0.1
"""Of a layer, by which the models' marks stand beside each other."""


class _Panel(NamedTuple):
    """The weights of the networks, or the choices of the other models, for one encoder."""

    features: str
    learnt: bool
    rows: pd.DataFrame


@FIGURES.register("layer_weights")
def layer_weights(data: ReportData) -> Iterator[Drawing]:
    """A panel for each encoder: the learnt weights, and beside them the layers chosen."""
    table = data.table("layers")
    table = table.assign(target=table["target"].fillna(""), label=table["model"].map(data.label))
    panels = [
        panel
        for features, rows in table.groupby("features", sort=False)
        for panel in _panels(str(features), rows)
    ]
    if panels:
        yield Drawing(
            file="layer_weights",
            section="network",
            title="Layers of the encoder",
            caption=" ".join(map(_caption, panels)),
            draw=partial(_draw, panels),
        )


def _panels(features: str, rows: pd.DataFrame) -> Iterator[_Panel]:
    """Networks have no target of their own; models that always take the mean aren't shown."""
    learnt = rows["target"] == ""
    if learnt.any():
        yield _Panel(features, True, rows[learnt])
    rest = rows[~learnt]
    if rest.empty:
        return
    single = rest.groupby(_FITTED)["weight"].transform("max") > 1 - _EQUAL
    rest = rest.assign(weight=rest["weight"].where(single, 0.0))
    chosen = rest[rest["model"].isin(rest.loc[single, "model"])]
    if len(chosen):
        yield _Panel(features, False, chosen)


def _caption(panel: _Panel) -> str:
    """In a sentence which layers count most."""
    of = f"layers of {in_line(panel.features)}"
    told, names = [], dict(zip(panel.rows["layer"], panel.rows["name"], strict=True))
    for label, rows in panel.rows.groupby("label", sort=False):
        means = rows.groupby("layer")["weight"].mean()
        top = means.argmax()
        layer, share = names[means.index[int(top)]], means.iloc[int(top)]
        if panel.learnt:
            told.append(f"{label} weighs layer {layer} most, {percent(share)} %")
            continue
        searches = len(rows.groupby(_FITTED))
        times, average = round(share * searches), round((1 - means.sum()) * searches)
        of_all = counted(searches, "search", "searches")
        took = f"{label} took layer {layer} most often, in {times} of {of_all}"
        told.append(took + (f", and the mean of all in {average}" if average else ""))
    if panel.learnt:
        equal = percent(1 / panel.rows["layer"].nunique())
        return f"Of the {of} {listing(told)}; equal weights would be {equal} %."
    return f"Searches among the {of}: {'; '.join(told)}."


def _draw(panels: list[_Panel]) -> Figure:
    labels = list(dict.fromkeys(label for panel in panels for label in panel.rows["label"]))
    return style.draw_panels(
        panels,
        partial(_panel, labels=labels),
        "Weights of an encoder's layers",
        size=(4.4, 3.0),
        margin=(0.6, 1.0),
        share=False,
        note="Lines are means over folds and members, bands one standard deviation.",
    )


def _panel(ax: Axes, panel: _Panel, *, labels: list[str]) -> None:
    layers = panel.rows["layer"].nunique()
    for label, rows in panel.rows.groupby("label", sort=False):
        position = labels.index(str(label))
        by_layer = rows.groupby("layer")["weight"]
        mean, sd = by_layer.mean(), by_layer.std(ddof=0)
        look = style.line_style(position) | style.marker_style(position)
        if not panel.learnt:  # single layers: a line would say that there is something between
            look |= {"linestyle": "none"}
            mean = mean[mean > 0]
            mean.index += _ASIDE * (position - (len(labels) - 1) / 2)
        ax.plot(mean.index, mean, label=in_line(label), markersize=4, linewidth=1.2, **look)
        if panel.learnt:
            band = ((mean - sd).clip(lower=0), mean + sd)
            ax.fill_between(mean.index, *band, color=look["color"], alpha=0.2, linewidth=0)
    if panel.learnt:
        ax.axhline(
            1 / layers, color=style.GREY, linewidth=0.8, linestyle=":", label="Equal weights"
        )
    ax.set_title(f"{in_line(panel.features)}: {'learnt' if panel.learnt else 'chosen by search'}")
    ax.set(xlabel="Layer", ylabel=f"{'Weight' if panel.learnt else 'Share of searches'} (%)")
    ax.set_ylim(bottom=0)
    ax.set_xlim(-0.5, layers - 0.5)
    some = panel.rows.drop_duplicates("layer").iloc[:: -(-layers // _TICKS)]
    ax.set_xticks(some["layer"], [in_line(name) for name in some["name"]])
    ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
