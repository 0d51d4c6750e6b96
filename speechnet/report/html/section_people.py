"""The sections of whom a model is worse for, and of what lies close together."""

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
    Sentences,
    Table,
    count,
    cut,
    number,
    p_cell,
    picture,
    sentence,
    words,
)
from speechnet.report.names import UNDEFINED, method_name, model_name, percent, points
from speechnet.report.report_data import ReportData
from speechnet.report.terminal.conclusions import groups_in_words

_AMI: Final = "adjusted_mutual_information"


def people_section(report_data: ReportData) -> Section:
    """The recall of women and men, and of each speaker."""
    return Section(
        "people",
        "Who it is worse for",
        "Who it is worse for",
        "Prediction that is good on average may be bad for some.",
        list(_people_items(report_data)),
    )


def _people_items(report_data: ReportData) -> Iterator[Item]:
    tables = report_data.tables
    found: list[str] = []
    if tables.gaps is not None and tables.speakers is not None and report_data.shown:
        found = groups_in_words(report_data.shown, tables.gaps, tables.speakers)
        yield Sentences(found)
    for target in tables.targets:
        name = file_name(target)
        said = " ".join(sentence(each) for each in found if each.startswith(f"{target}, "))
        for figure, title, caption in (
            (f"gender_recall_{name}", f"Recall by gender: {target}", said),
            (f"speakers_{name}", f"Each speaker: {target}", "Test UAR of each speaker and model."),
        ):
            if figure in report_data.figures:
                yield picture(
                    report_data.figures[figure],
                    name=title,
                    caption=caption or "Recall of each class among women and among men.",
                )
    if tables.gaps is None or tables.gaps.empty:
        yield Empty(
            "No recall by gender: it takes a gender for the recordings, and another target beside "
            "it in data.targets."
        )
    else:
        yield cut(_gaps(tables.gaps), file="gaps.csv")
    if tables.speakers is None or not tables.speakers["uar"].notna().any():
        yield Empty("No scores by speaker: it takes speakers with recordings of several classes.")
    else:
        yield cut(_speakers(report_data, tables.speakers), file="speakers.csv")


def _gaps(gaps: pd.DataFrame) -> Table:
    rows = []
    for _, row in gaps.iterrows():
        # Of a run of before no gap is known to be more than chance.
        certain = row.get("certain", False) in (True, "True")
        name = "all (UAR)" if row["class"] == "uar" else row["class"]
        rows.append(
            [
                *words([row["target"], model_name(row["model"]), name, row["higher"]]),
                number(row["gap"], points(row["gap"], row["low"], row["high"])),
                Cell("yes" if certain else "no", mark="b" if certain else ""),
            ]
        )
    columns = [Column("target"), Column("model"), Column("class"), Column("better for")]
    return Table(
        "Gaps between the genders",
        [*columns, Column("by, points of recall", "n"), Column("more than chance?")],
        rows,
        "The last column is corrected for the number of gaps of a model.",
        folded=True,
    )


def _speakers(report_data: ReportData, speakers: pd.DataFrame) -> Table:
    rows = []
    for target in report_data.tables.targets:
        of_target = speakers["target"] == target
        found = speakers[of_target & (speakers["model"] == report_data.shown)]
        for _, row in found.dropna(subset=["uar"]).sort_values("uar", kind="stable").iterrows():
            rows.append(
                [
                    *words([target, row["speaker"], _known(row["gender"])]),
                    count(row["n"]),
                    number(row["uar"], percent(row["uar"])),
                ]
            )
    columns = [Column("target"), Column("speaker"), Column("gender"), Column("recordings", "n")]
    note = "By the model that is named above all sections; the hardest speakers first."
    return Table(
        "Each speaker's test UAR", [*columns, Column("UAR, %", "n")], rows, note, folded=True
    )


def _known(value: object) -> str:
    return "unknown" if pd.isna(value) else str(value)  # type: ignore[call-overload]


def clusters_section(report_data: ReportData) -> Section:
    """What groups there are in the features without any label."""
    return Section(
        "clusters",
        "Clusters",
        "Clusters",
        "Groups found in the features without looking at a label, held against labels and chance.",
        list(_cluster_items(report_data)),
    )


def _cluster_items(report_data: ReportData) -> Iterator[Item]:
    table = report_data.tables.clustering
    if table is None or table.empty:
        yield Empty("No clusters: evaluation.clustering.enabled: true finds them.")
        return
    info = report_data.info.get("clustering", {})
    found = info.get("findings", [])
    if found:
        yield Sentences([found[0], *info.get("notes", [])])
        yield Sentences(found[1:], folded="Each clustering in words")
    first = found[0] if found else ""
    for figure, title, caption in (
        (
            "clusters_chance",
            "Clusters against chance",
            f"How much clusters tell of each label, and how compact they are, beside what chance "
            f"gives. {first}",
        ),
        (
            "clusters",
            "Clusters and true labels",
            "Every recording in the first two principal components: above by its labels, below by "
            "its cluster. Colours are given anew in each panel.",
        ),
    ):
        if figure in report_data.figures:
            yield picture(report_data.figures[figure], name=title, caption=caption.strip())
    if (table["metric"] == _AMI).any():
        yield _agreement(table[table["metric"] == _AMI])


def _agreement(table: pd.DataFrame) -> Table:
    rows = []
    for _, row in table.iterrows():
        rows.append(
            [
                Cell(method_name(str(row["method"]))),
                count(row["k"]),
                Cell(str(row["against"])),
                _decimal(row["value"]),
                _decimal(row.get("null_mean", math.nan)),
                p_cell(row.get("p", math.nan)),
            ]
        )
    columns = [Column("method"), Column("clusters", "n"), Column("label")]
    columns += [Column(name, "n") for name in ("AMI", "by chance", "p")]
    note = "Adjusted mutual information: 0 is chance, 1 is agreement."
    return Table("Clusters and labels", columns, rows, note, folded=True)


def _decimal(value: float) -> Cell:
    return number(value, UNDEFINED if math.isnan(value) else f"{value:.2f}")
