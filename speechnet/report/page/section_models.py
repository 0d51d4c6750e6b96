"""The section of the models' scores beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pandas as pd

from speechnet.evaluation.comparison import SIGNIFICANT
from speechnet.report.closing import compared, references_in_words, within_chance
from speechnet.report.names import model_name, points
from speechnet.report.page.material import Material
from speechnet.report.page.overview import best_score, score_text
from speechnet.report.page.parts import (
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
from speechnet.report.tables import POOLED_NOTE, Score, models_of

_SCORES: Final = {
    "train accuracy": ("train", "accuracy"),
    "dev UAR": ("dev", "uar"),
    "test accuracy": ("test", "accuracy"),
    "test UAR": ("test", "uar"),
    "test macro F1": ("test", "macro_f1"),
    "test AUC": ("test", "auc_macro"),
}


def models_section(material: Material) -> Section:
    """Every model's scores, and which are shown to differ."""
    return Section(
        "models",
        "Models side by side",
        "Models",
        "All models saw the same folds. Nothing was chosen on the test part.",
        list(_model_items(material)),
    )


def _model_items(material: Material) -> Iterator[Item]:
    tables = material.tables
    yield _scores(material)
    departures = material.info.get("departures", [])
    published = tables.references
    yield Sentences(
        [
            *within_chance(tables.scores, material.chance),
            *([] if tables.comparisons is None else compared(tables.comparisons, tables.targets)),
            *(
                []
                if published is None
                else references_in_words(tables.scores, published, departures, unit=tables.unit)
            ),
        ]
    )
    for name, title in (("uar", "Unweighted average recall"), ("accuracy", "Accuracy")):
        if name in material.figures:
            best = [best_score(material, target, name) for target in tables.targets]
            caption = f"{title} on the training and the test part, beside chance. {' '.join(best)}"
            yield picture(material.figures[name], name=title, caption=caption.strip())
    if tables.comparisons is None or tables.comparisons.empty:
        yield Empty(
            "The models aren't compared in pairs: it takes two models, enabled below model and "
            "baselines."
        )
        return
    if "comparisons" in material.figures:
        found = " ".join(map(sentence, compared(tables.comparisons, tables.targets)))
        yield picture(
            material.figures["comparisons"],
            name="Models in pairs",
            caption=f"Differences in test UAR in percentage points. {found}",
        )
    yield _comparisons(tables.comparisons)


def _scores(material: Material) -> Table:
    scores = material.tables.scores
    kept = {name: key for name, key in _SCORES.items() if key[0] in set(scores["part"])}
    rows, shown = [], []
    for target in material.tables.targets:
        for model in models_of(scores):
            found = [
                material.score(model=model, target=target, part=part, metric=metric)
                for part, metric in kept.values()
            ]
            shown += found
            rows.append([*words([target, model_name(model)]), *map(score_cell, found)])
    columns = [Column("target"), Column("model"), *(Column(name, "n") for name in kept)]
    notes = [str(material.info["protocol"])]
    if any(score.pooled for score in shown):
        notes.append(POOLED_NOTE)
    return Table("Scores in per cent", columns, rows, f"{'. '.join(notes)}.")


def score_cell(score: Score) -> Cell:
    """A score as ``score_text`` writes it."""
    return number(score.value, score_text(score))


def _comparisons(comparisons: pd.DataFrame) -> Table:
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
    return Table("Models in pairs, test UAR", columns, rows, "p: permutation test, after Holm.")
