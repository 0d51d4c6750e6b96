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
_Rows = Mapping[tuple[str, ...], Sequence[Score]]
"""Scores of a row by the texts that stand before them."""


def score_table(data: ReportData) -> Table:
    """Every model's scores."""
    there = set(data.scores["part"])
    keys = [*_BESIDES, *(("test", metric.name) for metric in shown("page"))]
    kept = {f"{part} {METRICS[m].label}": (part, m) for part, m in keys if part in there}
    rows: dict[tuple[str, ...], list[Score]] = {}
    for target in data.targets:
        for model in data.models:
            found = [
                data.score(model=model, target=target, part=part, metric=metric)
                for part, metric in kept.values()
            ]
            # The few dev speakers say little: intervals stand at the test part alone.
            parts = [part for part, _ in kept.values()]
            rows[target, data.label(model)] = [
                score if part == "test" else score._replace(low=math.nan, high=math.nan)
                for score, part in zip(found, parts, strict=True)
            ]
    notes = [sentence(str(data.info["protocol"])), _spread_note(rows, unit=data.unit)]
    if any(score.pooled for row in rows.values() for score in row):
        notes.append(sentence(POOLED_NOTE))
    headings = ("target", "model", *kept)
    return _table("Scores in per cent", headings, rows, " ".join(filter(None, notes)))


def class_table(data: ReportData) -> Table:
    """The test scores of each class."""
    by_class = [metric for metric in METRICS.values() if metric.over == "class"]
    rows: _Rows = {
        (target, label, data.label(model)): [
            data.score(model=model, target=target, part="test", metric=f"{metric.name}_{label}")
            for metric in by_class
        ]
        for target, classes in data.targets.items()
        for label in classes
        for model in data.models
    }
    headings = ("target", "class", "model", *(metric.label for metric in by_class))
    note = _spread_note(rows, unit=data.unit)
    return _table("Test scores of each class in per cent", headings, rows, note, folded=True)


def _table(
    caption: str, headings: Sequence[str], rows: _Rows, note: str, *, folded: bool = False
) -> Table:
    shown = pd.DataFrame(
        [[*key, *scores] for key, scores in rows.items()], columns=pd.Index(headings), dtype=object
    )
    names = len(next(iter(rows)))
    columns = {name: text(name) for name in headings[:names]}
    whole = _whole(rows)
    columns |= {
        name: _scores(name, interval=interval)
        for name, interval in zip(headings[names:], whole, strict=True)
    }
    return Table.of(caption, shown, columns, note=note, folded=folded, file="scores.csv")


def _scores(name: str, *, interval: bool) -> Column:
    return Column("n", lambda row: number(row[name].value, row[name].text(interval=interval)))


def _whole(rows: _Rows) -> list[bool]:
    """Which columns show intervals: where all scores that are defined have one, else deviations."""
    columns = zip(*rows.values(), strict=True)
    defined = [[each for each in column if not math.isnan(each.value)] for column in columns]
    return [all(each.has_interval for each in column) for column in defined]


def _spread_note(rows: _Rows, *, unit: str | None) -> str:
    """What the brackets and the deviations of a table's cells are, as a sentence."""
    whole = _whole(rows)
    texts = [
        score.text(interval=interval)
        for row in rows.values()
        for score, interval in zip(row, whole, strict=True)
    ]
    said = [f"[ ]: {interval_words(unit)}"] if any("[" in text for text in texts) else []
    said += ["±: standard deviation over folds"] if any("±" in text for text in texts) else []
    return sentence("; ".join(said))


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
        found = [pooled.get((*map(str, key), "test", metric), Score(math.nan)) for key in keys]  # type: ignore[arg-type] # of two
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
