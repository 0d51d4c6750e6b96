"""The section of what each part of an experiment brings."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.figures.draw import file_name
from speechnet.report.html.parts import (
    Cell,
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
    p_cell,
    picture,
    sentence,
    words,
)
from speechnet.report.names import (
    model_name,
    percent,
    percent_interval,
    points,
)
from speechnet.report.report_data import ReportData
from speechnet.report.terminal.conclusions import inflated


def parts_section(report_data: ReportData) -> Section:
    """Ablation, importance, what a random split would report, other corpora."""
    return Section(
        "parts",
        "What each part brings",
        "What brings what",
        "The experiment with one thing changed, everything else as it was.",
        [
            Heading("One part left out"),
            *_ablation_items(report_data),
            Heading("Features shuffled"),
            *_importance_items(report_data),
            Heading("What a random split would report"),
            *_inflation_items(report_data),
            Heading("Across corpora"),
            *_cross_items(report_data),
        ],
    )


def _ablation_items(report_data: ReportData) -> Iterator[Item]:
    table = report_data.tables.ablation
    if table is None or table.empty:
        yield Empty(
            "Nothing was left out; evaluation.ablate.parts: [denoise, features, speakers, heads] "
            "does it."
        )
        return
    corrected = "p_holm" if "p_holm" in table else "p"
    for target in report_data.tables.targets:
        tried = table[table["target"] == target]
        shown = int((tried[corrected] <= SIGNIFICANT).sum())
        if (figure := f"ablation_{file_name(target)}") in report_data.figures:
            yield picture(
                report_data.figures[figure],
                name=f"What each part brings: {target}",
                caption="Change of test UAR with each variant, in percentage points. "
                f"{shown or 'None'} of {len(tried)} changes "
                f"{'is' if shown == 1 else 'are'} shown to be more than chance.",
            )
    yield cut(_ablation(table, corrected), file="ablation.csv")


def _ablation(table: pd.DataFrame, corrected: str) -> Table:
    rows = [
        [
            *words([row["target"], model_name(row["model"]), row["part"], row["variant"]]),
            number(row["baseline"], percent(row["baseline"])),
            number(row["difference"], points(row["difference"], row["low"], row["high"])),
            p_cell(row[corrected]),
        ]
        for _, row in table.iterrows()
    ]
    columns = [Column("target"), Column("model"), Column("part"), Column("variant")]
    columns += [Column(name, "n") for name in ("as configured, UAR %", "change, points", "p")]
    return Table("Variants", columns, rows, "p: permutation test, after Holm.", folded=True)


def _importance_items(report_data: ReportData) -> Iterator[Item]:
    table = report_data.tables.importance
    if table is None or table.empty:
        yield Empty("No feature was shuffled; evaluation.ablate.importance: true does it.")
        return
    for target in report_data.tables.targets:
        found = table[table["target"] == target]
        for model in dict.fromkeys(found["model"].astype(str)):
            figure = f"importance_{file_name(target)}_{file_name(model)}"
            if figure in report_data.figures:
                yield picture(
                    report_data.figures[figure],
                    name=f"Importance of features: {target}, {model_name(model)}",
                    caption=_most_important(found[found["model"] == model], model),
                )
    ordered = table.sort_values("drop", ascending=False, kind="stable")
    yield cut(_importance(ordered), file="importance.csv")


def _most_important(rows: pd.DataFrame, model: str) -> str:
    said = "How much test UAR is lost where a feature's values are dealt out anew."
    groups = rows[rows["level"] == "group"].dropna(subset=["drop"])
    if groups.empty:
        return said
    first = groups.nlargest(1, "drop").iloc[0]
    lost = points(first["drop"], first["low"], first["high"])
    return f"{said} {model_name(model)} loses most without {first['name']}: {lost} points."


def _importance(table: pd.DataFrame) -> Table:
    rows = [
        [
            *words([row["target"], model_name(row["model"]), row["level"], row["name"]]),
            number(row["drop"], points(row["drop"], row["low"], row["high"])),
        ]
        for _, row in table.iterrows()
    ]
    columns = [Column("target"), Column("model"), Column("level"), Column("name")]
    return Table(
        "Test UAR lost by shuffling", [*columns, Column("lost, points", "n")], rows, folded=True
    )


def _inflation_items(report_data: ReportData) -> Iterator[Item]:
    table = report_data.tables.inflation
    if table is None or table.empty:
        yield Empty(
            "A random split wasn't tried: it takes several speakers with several recordings each, "
            "all of them known."
        )
        return
    sentences = [sentence(f"{each.line} ({each.detail})") for each in inflated(table)]
    if "inflation" in report_data.figures:
        yield picture(
            report_data.figures["inflation"],
            name="A random split and unseen speakers",
            caption=" ".join(sentences),
        )
    else:
        yield Sentences(sentences)
    rows = [
        [
            Cell(str(row["target"])),
            number(row["random"], percent(row["random"])),
            number(row["disjoint"], percent(row["disjoint"])),
            number(row["difference"], points(row["difference"], row["low"], row["high"])),
        ]
        for _, row in table.iterrows()
    ]
    names = ("random split, UAR %", "unseen speakers, UAR %", "difference, points")
    columns = [Column("target"), *(Column(name, "n") for name in names)]
    yield Table("A random split and unseen speakers", columns, rows, "Of one SVM, not of this run.")


def _cross_items(report_data: ReportData) -> Iterator[Item]:
    table = report_data.tables.cross
    if table is None or table.empty:
        yield Empty(
            "One corpus was not tried on another: it takes several in data.corpora, and "
            "evaluation.cross: true."
        )
        return
    for target in report_data.tables.targets:
        if (figure := f"cross_{file_name(target)}") in report_data.figures:
            yield picture(
                report_data.figures[figure],
                name=f"Across corpora: {target}",
                caption="Test UAR of every pair of corpus trained on and corpus tested on.",
            )
    yield _cross(table)


def _cross(table: pd.DataFrame) -> Table:
    rows = [
        [
            *words([row["target"], model_name(row["model"]), row["train"], row["test"]]),
            number(row["uar"], percent_interval(row["uar"], row["low"], row["high"])),
            count(row["n"]),
        ]
        for _, row in table.iterrows()
    ]
    columns = [Column("target"), Column("model"), Column("trained on"), Column("tested on")]
    columns += [Column("UAR, %", "n"), Column("recordings", "n")]
    return Table("Across corpora", columns, rows)
