"""The section of the models' scores beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd

from speechnet.core.metrics import METRICS, shown
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.html.overview import best_score, pairs_note, score_text
from speechnet.report.html.parts import (
    Cell,
    Column,
    Empty,
    Item,
    Section,
    Sentences,
    Table,
    number,
    p_cell,
    picture,
    sentence,
    words,
)
from speechnet.report.names import interval_words, model_name, points
from speechnet.report.report_data import ReportData
from speechnet.report.tables import POOLED_NOTE, Score, models_of
from speechnet.report.terminal.conclusions import compared, references_in_words, within_chance

_BESIDES: Final = (("train", "accuracy"), ("dev", "uar"))
"""What is shown beside the scores of the test part: the fit, and what the best is chosen by."""


def models_section(report_data: ReportData) -> Section:
    """Every model's scores, and which are shown to differ."""
    return Section(
        "models",
        "Models side by side",
        "Models",
        _lead(report_data),
        list(_model_items(report_data)),
    )


def _lead(report_data: ReportData) -> str:
    said = "All models saw the same folds."
    if report_data.best is None or not report_data.best.fair:
        return said
    return f"{said} Nothing was chosen on the test part."


def _model_items(report_data: ReportData) -> Iterator[Item]:
    tables = report_data.tables
    yield _scores(report_data)
    departures = report_data.info.get("departures", [])
    published = tables.references
    yield Sentences(
        [
            *within_chance(tables.scores, report_data.chance),
            *([] if tables.comparisons is None else compared(tables.comparisons, tables.targets)),
            *(
                []
                if published is None
                else references_in_words(tables.scores, published, departures, unit=tables.unit)
            ),
        ]
    )
    for metric in shown("figure"):
        if metric.name in report_data.figures:
            best = [best_score(report_data, target, metric) for target in tables.targets]
            beside = ", beside chance" if metric.chance else ""
            caption = f"{metric.title} on the training and the test part{beside}. {' '.join(best)}"
            svg = report_data.figures[metric.name]
            yield picture(svg, name=metric.title, caption=caption.strip())
    if tables.comparisons is None or tables.comparisons.empty:
        yield Empty(
            "The models aren't compared in pairs: it takes two models, enabled below model and "
            "baselines."
        )
        return
    if "comparisons" in report_data.figures:
        found = " ".join(map(sentence, compared(tables.comparisons, tables.targets)))
        yield picture(
            report_data.figures["comparisons"],
            name="Models in pairs",
            caption=f"Differences in test UAR in percentage points. {found}",
        )
    notes = filter(None, ["p: permutation test, after Holm", pairs_note(tables.scores)])
    yield _comparisons(tables.comparisons, f"{'; '.join(notes)}.")


def _scores(report_data: ReportData) -> Table:
    scores = report_data.tables.scores
    parts = set(scores["part"])
    keys = [*_BESIDES, *(("test", metric.name) for metric in shown("page"))]
    kept = {f"{part} {METRICS[m].label}": (part, m) for part, m in keys if part in parts}
    rows_of = [
        (target, model) for target in report_data.tables.targets for model in models_of(scores)
    ]
    found = [
        [
            _of_part(report_data.score(model=model, target=target, part=part, metric=metric), part)
            for part, metric in kept.values()
        ]
        for target, model in rows_of
    ]
    cells = score_rows(found)
    rows = [
        [*words([target, model_name(model)]), *row]
        for (target, model), row in zip(rows_of, cells, strict=True)
    ]
    columns = [Column("target"), Column("model"), *(Column(name, "n") for name in kept)]
    notes = [
        sentence(str(report_data.info["protocol"])),
        spread_note(cells, unit=report_data.tables.unit),
    ]
    if any(score.pooled for row in found for score in row):
        notes.append(sentence(POOLED_NOTE))
    return Table("Scores in per cent", columns, rows, " ".join(filter(None, notes)))


def _of_part(score: Score, part: str) -> Score:
    """Without its interval, unless it is of the test part: the few dev speakers say little."""
    return score if part == "test" else score._replace(low=math.nan, high=math.nan)


def score_rows(scores: Sequence[Sequence[Score]]) -> list[list[Cell]]:
    """Rows of scores as cells, with one kind of spread in each column.

    Intervals stand where every score of the column that is defined has one, else deviations.
    """
    columns = zip(*scores, strict=True)
    defined = [[each for each in column if not math.isnan(each.value)] for column in columns]
    whole = [all(each.has_interval for each in column) for column in defined]
    return [
        [
            number(each.value, score_text(each) if interval else each.text())
            for each, interval in zip(row, whole, strict=True)
        ]
        for row in scores
    ]


def spread_note(cells: Sequence[Sequence[Cell]], *, unit: str | None) -> str:
    """What the brackets and the deviations of a table's cells are, as a sentence."""
    texts = [cell.text for row in cells for cell in row]
    said = [f"[ ]: {interval_words(unit)}"] if any("[" in text for text in texts) else []
    said += ["±: standard deviation over folds"] if any("±" in text for text in texts) else []
    return sentence("; ".join(said))


def _comparisons(comparisons: pd.DataFrame, note: str) -> Table:
    rows = []
    for _, row in comparisons.iterrows():
        p = float(row["p_holm"])
        shown = p <= SIGNIFICANT
        rows.append(
            [
                *words([row["target"], model_name(row["first"]), model_name(row["second"])]),
                number(row["difference"], points(row["difference"], row["low"], row["high"])),
                p_cell(p),
                Cell("yes" if shown else "no", mark="b" if shown else ""),
            ]
        )
    columns = [Column("target"), Column("first"), Column("second")]
    columns += [Column("first minus second, points", "n"), Column("p", "n"), Column("shown?")]
    return Table("Models in pairs, test UAR", columns, rows, note)
