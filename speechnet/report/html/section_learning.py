"""The section of how the network learnt and what the searches chose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from speechnet.report.html.parts import (
    Column,
    Empty,
    Heading,
    Item,
    Section,
    Sentences,
    Table,
    count,
    cut,
    number,
    picture,
    words,
)
from speechnet.report.names import model_name, percent
from speechnet.report.report_data import ReportData


def learning_section(report_data: ReportData) -> Section:
    """How the network learnt, and what the searches chose."""
    return Section(
        "learning",
        "Learning curves and searches",
        "Learning",
        "When the network stopped, and which settings were chosen on the training part.",
        list(_learning_items(report_data)),
    )


def _learning_items(report_data: ReportData) -> Iterator[Item]:
    yield Heading("The network")
    history = report_data.tables.history
    if history is None or history.empty:
        yield Empty("No learning curves: no network was trained; model.enabled: true adds one.")
    elif "learning_curves" in report_data.figures:
        yield picture(
            report_data.figures["learning_curves"],
            name="Learning curves of the network",
            caption=_stopped(history),
        )
    else:
        yield Sentences([_stopped(history)])
    yield Heading("Searches")
    if report_data.search is None or report_data.search.empty:
        yield Empty(
            "No searches: they take several values for a key below baselines, or model.grid."
        )
        return
    yield cut(_chosen(report_data.search), file="search.csv")


def _stopped(history: pd.DataFrame) -> str:
    said = "Loss and dev UAR by epoch, a line for each network trained."
    epochs = history["epoch"]
    if "chosen" not in history or not history["chosen"].any():
        return f"{said} The longest training ended with epoch {epochs.max():.0f}."
    kept = epochs[history["chosen"].fillna(value=False).astype(bool)]
    return (
        f"{said} The weights kept are those of epoch {kept.min():.0f} to {kept.max():.0f}; the "
        f"longest training ended with epoch {epochs.max():.0f}."
    )


def _chosen(search: pd.DataFrame) -> Table:
    """What each search chose, of how many."""
    rows = []
    for (fold, model, target), tried in search.groupby(["fold", "model", "target"], sort=False):
        best = tried[tried["chosen"].astype(bool)]
        if best.empty:
            continue
        row = best.iloc[0]
        rows.append(
            [
                *words([target, model_name(str(model)), fold, _settings(row["candidate"])]),
                number(row["mean"], percent(row["mean"], row["sd"])),
                count(len(tried)),
            ]
        )
    columns = [Column("target"), Column("model"), Column("fold"), Column("chosen", "long")]
    return Table(
        "What the searches chose",
        [*columns, Column("score within training, %", "n"), Column("of", "n")],
        rows,
        "By inner folds over speakers of the training part. All candidates are in search.csv.",
        folded=True,
    )


def _settings(candidate: object) -> str:
    try:
        found: Any = json.loads(str(candidate))
    except ValueError:
        return str(candidate)
    if not isinstance(found, dict):
        return str(candidate)
    return ", ".join(f"{key} = {value}" for key, value in found.items())
