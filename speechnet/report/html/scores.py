"""The tables of scores in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from speechnet.core.metrics import METRICS, shown
from speechnet.report.data import ReportData
from speechnet.report.html.parts import Column, Empty, Table, decimal, number, share, text
from speechnet.report.names import interval_words, sentence
from speechnet.report.scores import POOLED_NOTE, Score, fold_count, scores_by_key

_BESIDES: Final = (("train", "accuracy"), ("dev", "uar"))
"""What is shown beside the scores of the test part: the fit, and what the best is chosen by."""


def score_table(data: ReportData) -> Table:
    """Every model's scores."""
    there = set(data.scores["part"])
    keys = [*_BESIDES, *(("test", metric.name) for metric in shown("page"))]
    kept = [(part, metric) for part, metric in keys if part in there]
    rows: dict[tuple[str, ...], list[Score]] = {}
    for target in data.targets:
        for model in data.models:
            rows[target, data.label(model)] = [
                _of_part(data.score(model=model, target=target, part=part, metric=metric), part)
                for part, metric in kept
            ]
    pooled = any(score.pooled for row in rows.values() for score in row)
    notes = [sentence(data.info["protocol"]), sentence(POOLED_NOTE) if pooled else ""]
    headings = [f"{part} {METRICS[metric].label}" for part, metric in kept]
    names = ("target", "model")
    return _table("Scores in per cent", names, headings, rows, notes=notes, unit=data.unit)


def _of_part(score: Score, part: str) -> Score:
    """The few dev speakers say little: intervals stand at the test part alone."""
    return score if part == "test" else score._replace(low=math.nan, high=math.nan)


def class_table(data: ReportData) -> Table:
    """The test scores of each class."""
    by_class = [metric for metric in METRICS.values() if metric.over == "class"]
    rows: dict[tuple[str, ...], list[Score]] = {
        (target, label, data.label(model)): [
            data.score(model=model, target=target, part="test", metric=f"{metric.name}_{label}")
            for metric in by_class
        ]
        for target, classes in data.targets.items()
        for label in classes
        for model in data.models
    }
    names, headings = ("target", "class", "model"), [metric.label for metric in by_class]
    caption = "Test scores of each class in per cent"
    return _table(caption, names, headings, rows, unit=data.unit, folded=True)


def _table(
    caption: str,
    names: Sequence[str],
    headings: Sequence[str],
    rows: Mapping[tuple[str, ...], Sequence[Score]],
    *,
    unit: str | None,
    notes: Sequence[str] = ("", ""),
    folded: bool = False,
) -> Table:
    """A table of scores, whose note says what brackets and deviations are.

    A column shows intervals where all its scores that are defined have one, else deviations.
    """
    columns = {name: text(name) for name in names}
    spread: dict[str, str] = {}
    for heading, column in zip(headings, zip(*rows.values(), strict=True), strict=True):
        defined = [score for score in column if not math.isnan(score.value)]
        whole = all(score.has_interval for score in defined)
        columns[heading] = _scores(heading, interval=whole)
        if whole and defined:
            spread["[ ]"] = interval_words(unit)
        elif any(not math.isnan(score.sd) for score in defined):
            spread["±"] = "standard deviation over folds"
    said = sentence("; ".join(f"{sign}: {what}" for sign, what in sorted(spread.items())))
    note = " ".join(filter(None, [notes[0], said, notes[1]]))
    shown = [[*key, *scores] for key, scores in rows.items()]
    table = pd.DataFrame(shown, columns=pd.Index([*columns]), dtype=object)
    return Table.of(caption, table, columns, note=note, folded=folded, file="scores.csv")


def _scores(name: str, *, interval: bool) -> Column:
    return Column("n", lambda row: number(row[name].value, row[name].text(interval=interval)))


def pairs_note(scores: pd.DataFrame) -> str:
    """What the differences of pairs are of; empty where it goes without saying."""
    if fold_count(scores) == 1:
        return ""
    return (
        "differences are of the UAR of all folds' rows together, so they may differ a little from "
        "the means above"
    )


def calibration_table(data: ReportData) -> Table | Empty:
    """What the temperatures changed."""
    table = data.table("calibration")
    if table.empty:
        return Empty(
            "The probabilities weren't calibrated: it takes evaluation.calibrate: true and a dev "
            "part, data.split.dev."
        )
    means = ["temperature", "ece_before", "ece_after"]
    rows = table.groupby(["target", "model"], sort=False)[means].mean().reset_index()
    pooled = scores_by_key(data.scores[data.scores["fold"] == "all"])
    for metric in ("ece", "brier", "log_loss"):
        keys = zip(rows["model"], rows["target"], strict=True)
        found = [pooled.get((str(m), str(t), "test", metric), Score(math.nan)) for m, t in keys]
        rows[metric] = [score.value for score in found]
    columns = {
        "target": text("target"),
        "model": text("model", data.label),
        "temperature, mean over folds": decimal("temperature"),
        "ECE before, mean over folds": share("ece_before"),
        "ECE after, mean over folds": share("ece_after"),
        "ECE after, pooled": share("ece"),
        "Brier, pooled": decimal("brier", 3),
        "log loss, pooled": decimal("log_loss", 3),
    }
    note = (
        "Test part. Pooled: of all folds' rows together, as in the figures. ECE: expected "
        "calibration error in percentage points; that of a fold, which has fewer rows, is biased "
        "upwards, and so is the mean. A temperature, found on the dev part, above 1 makes a model "
        "less sure of itself."
    )
    return Table.of("Calibration", rows, columns, note=note)
