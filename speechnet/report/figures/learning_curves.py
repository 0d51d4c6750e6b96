"""How the network learned, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from speechnet.report.data import ReportData
from speechnet.report.drawing import style
from speechnet.report.figure import FIGURES, Drawing
from speechnet.report.names import readable

# The first that the log has carries the marks of the chosen epochs.
_LOSSES: Final = {"dev_loss": "Development part", "train_loss": "Training part"}
_UAR: Final = "dev_uar"
_NETWORK: Final = ["fold", "member"]


@FIGURES.register("learning_curves")
def learning_curves(data: ReportData) -> Iterator[Drawing]:
    """Loss and development UAR by epoch, a picture per model, a thin line per network."""
    by_model = dict(list(data.table("history").groupby("model", sort=False)))
    for model, rows in by_model.items():
        several = len(by_model) > 1
        title = f"Learning curves: {data.label(model)}" if several else "Learning curves"
        yield Drawing(
            file="learning_curves_" + str(model) if several else "learning_curves",
            section="network",
            title=title if several else "Learning curves of the network",
            caption=epochs_in_words(rows),
            draw=partial(_draw, rows, title),
        )


def epochs_in_words(history: pd.DataFrame) -> str:
    """When the networks stopped, in sentences."""
    said = "Loss and dev UAR by epoch, a line for each network trained."
    epochs = history["epoch"]
    ended = f"longest training ended with epoch {epochs.max():.0f}."
    if "chosen" not in history or not history["chosen"].any():
        return f"{said} The {ended}"
    kept = epochs[history["chosen"].fillna(value=False).astype(bool)]
    return (
        f"{said} The weights kept are those of epoch {kept.min():.0f} to {kept.max():.0f}; the "
        f"{ended}"
    )


def _draw(history: pd.DataFrame, title: str) -> Figure:
    # Any of these may be missing, and a NaN wasn't logged in that row: train_loss, dev_loss,
    # dev_uar, dev_uar_<target>, chosen.
    history = history.sort_values([*_NETWORK, "epoch"])
    logged = set(history.columns[history.notna().any()])
    losses = {column: label for column, label in _LOSSES.items() if column in logged}
    recalls = {_UAR: "Mean of targets"} if _UAR in logged else {}
    recalls |= {
        column: readable(column.removeprefix(f"{_UAR}_"))
        for column in history.columns
        if column in logged and column.startswith(f"{_UAR}_")
    }

    def panel(ax: Axes, columns: Mapping[str, str]) -> None:
        _curves(ax, history, columns)
        ax.set_ylabel("Loss" if columns is losses else "UAR on the development part (%)")
        if columns is recalls:
            ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))

    several = {"folds": history["fold"].nunique(), "networks": history["member"].nunique()}
    counts = [f"{count} {what}" for what, count in several.items() if count > 1]
    each = f", a line for each of {' and '.join(counts)}" if counts else ""
    drawn = [losses, recalls] if recalls else [losses]
    return style.draw_panels(drawn, panel, title + each, size=(4.2, 3.2), share=False)


def _curves(ax: Axes, history: pd.DataFrame, columns: Mapping[str, str]) -> None:
    """A line for each column and network; the chosen epochs are marked on those of the first."""
    networks = [rows.set_index("epoch") for _, rows in history.groupby(_NETWORK)]
    several = len(networks) > 1
    for position, (column, label) in enumerate(columns.items()):
        line: style.Look = style.line_style(position)
        line |= {"linewidth": 0.8, "alpha": 0.8} if several else {"linewidth": 1.5, "alpha": 1}
        for number, rows in enumerate(networks):
            curve = rows[column].dropna()
            marker = "." if len(curve) == 1 else None
            named = label if number == 0 else None
            ax.plot(curve.index, curve.to_numpy(), label=named, marker=marker, **line)
    if columns and "chosen" in history:
        first = next(iter(columns))
        best = history[history["chosen"].astype(bool)].dropna(subset=[first])
        mark: style.Look = {"marker": "o", "markersize": 5, "markerfacecolor": "white", "zorder": 3}
        mark |= {"linestyle": "none", "markeredgecolor": style.BLACK}
        if len(best):
            ax.plot(best["epoch"], best[first], label="Chosen epoch", **mark)
    ax.set_xlabel("Epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend_below(ax)
