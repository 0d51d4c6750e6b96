"""The section of mistakes by class, and of how far probabilities can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import pandas as pd

from speechnet.report.figures.draw import file_name
from speechnet.report.html.parts import (
    Cell,
    Column,
    Empty,
    Item,
    Section,
    Table,
    cut,
    number,
    picture,
    words,
)
from speechnet.report.html.section_models import score_rows, spread_note
from speechnet.report.names import UNDEFINED, model_name, percent
from speechnet.report.report_data import ReportData
from speechnet.report.tables import Score, find_score, models_of, scores_by_key

_BY_CLASS: Final = ("precision", "recall", "f1", "auc")


def confusion_section(report_data: ReportData) -> Section:
    """Which classes are taken for which, and whether probabilities can be believed."""
    return Section(
        "confusion",
        "Confusion, ROC, calibration",
        "Confusion",
        "Which classes are taken for which, how well a threshold could do, and whether a "
        "probability of 80 % is right four times in five.",
        list(_confusion_items(report_data)),
    )


def _confusion_items(report_data: ReportData) -> Iterator[Item]:
    for target in report_data.tables.targets:
        name = file_name(target)
        for figure, title, caption in (
            (f"confusion_{name}", f"Confusion: {target}", _confused(report_data, target)),
            (f"roc_{name}", f"ROC curves: {target}", _areas(report_data, target)),
            (f"reliability_{name}", f"Reliability: {target}", _reliable(report_data, target)),
        ):
            if figure in report_data.figures:
                yield picture(report_data.figures[figure], name=title, caption=caption)
    if "risk_coverage" in report_data.figures:
        yield picture(
            report_data.figures["risk_coverage"],
            name="Risk against coverage",
            caption="How often a model is wrong if it answers only where it is surest, from few "
            "recordings on the left to all of them on the right.",
        )
    yield cut(_by_class(report_data), file="scores.csv")
    if report_data.calibration is None or report_data.calibration.empty:
        yield Empty(
            "The probabilities weren't calibrated: it takes evaluation.calibrate: true and a dev "
            "part, data.split.dev."
        )
    else:
        yield _calibration(report_data, report_data.calibration)


def _confused(report_data: ReportData, target: str) -> str:
    said = "Rows are true classes, columns what the model said; shares are of the true class."
    model, table = report_data.shown, report_data.tables.confusion
    rows = table[(table["target"] == target) & (table["model"] == model)]
    rows = rows[rows["part"] == "test"]
    share = rows["count"] / rows.groupby("truth")["count"].transform("sum")
    share = share[(rows["truth"] != rows["predicted"]) & (rows["count"] > 0)]
    if model is None or share.empty:
        return said
    worst = rows.loc[rows.index == share.idxmax()].iloc[0]
    return (
        f"{said} {model_name(model)} most often takes {worst['truth']} for {worst['predicted']}: "
        f"{percent(float(share.max()))} % of them."
    )


def _areas(report_data: ReportData, target: str) -> str:
    said = "A curve for each class against the rest, and their averages."
    model = report_data.shown
    if model is None:
        return said
    area = report_data.tables.roc[model, target]["macro"].auc
    return (
        f"{said} {model_name(model)}: macro AUC of all folds' rows pooled {percent(area)} %, where "
        "50 % is chance."
    )


def _reliable(report_data: ReportData, target: str) -> str:
    said = "How often a model is right among recordings for which it claims so much; the diagonal "
    said += "is honest."
    model = report_data.shown
    if model is None:
        return said
    scores = report_data.tables.scores
    pooled = scores[scores["fold"] == "all"]  # as the figure is
    score = find_score(pooled, model=model, target=target, part="test", metric="ece")
    return (
        f"{said} {model_name(model)}: expected calibration error of all folds' rows pooled "
        f"{percent(score.value)} points."
    )


def _by_class(report_data: ReportData) -> Table:
    scores = report_data.tables.scores
    keys = [
        (target, label, model)
        for target, classes in report_data.tables.targets.items()
        for label in classes
        for model in models_of(scores)
    ]
    found = [
        [
            report_data.score(model=model, target=target, part="test", metric=f"{metric}_{label}")
            for metric in _BY_CLASS
        ]
        for target, label, model in keys
    ]
    cells = score_rows(found)
    rows = [
        [*words([target, label, model_name(model)]), *row]
        for (target, label, model), row in zip(keys, cells, strict=True)
    ]
    columns = [Column("target"), Column("class"), Column("model")]
    columns += [Column(name, "n") for name in ("precision", "recall", "F1", "AUC")]
    note = spread_note(cells, unit=report_data.tables.unit)
    return Table("Test scores of each class in per cent", columns, rows, note, folded=True)


def _calibration(report_data: ReportData, table: pd.DataFrame) -> Table:
    rows = []
    pooled = scores_by_key(report_data.tables.scores[report_data.tables.scores["fold"] == "all"])
    for (target, model), found in table.groupby(["target", "model"], sort=False):
        ece, *test = (
            pooled.get((str(model), str(target), "test", metric), Score(math.nan))
            for metric in ("ece", "brier", "log_loss")
        )
        rows.append(
            [
                *words([target, model_name(str(model))]),
                _plain(found["temperature"].mean(), 2),
                *(_points(found[f"ece_{when}"].mean()) for when in ("before", "after")),
                _points(ece.value),
                *(_plain(score.value, 3) for score in test),
            ]
        )
    means = ("temperature", "ECE before", "ECE after")
    names = [f"{name}, mean over folds" for name in means]
    names += [f"{name}, pooled" for name in ("ECE after", "Brier", "log loss")]
    return Table(
        "Calibration",
        [Column("target"), Column("model"), *(Column(name, "n") for name in names)],
        rows,
        "Test part. Pooled: of all folds' rows together, as in the figures. ECE: expected "
        "calibration error in percentage points; that of a fold, which has fewer rows, is biased "
        "upwards, and so is the mean. A temperature, found on the dev part, above 1 makes a model "
        "less sure of itself.",
    )


def _plain(value: float, digits: int) -> Cell:
    return number(value, UNDEFINED if math.isnan(value) else f"{value:.{digits}f}")


def _points(value: float) -> Cell:
    return number(value, percent(value))
