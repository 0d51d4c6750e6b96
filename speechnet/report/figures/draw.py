"""All figures of a run, written to one folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from speechnet.console.progress import progress
from speechnet.core.metrics import shown
from speechnet.core.types import Targets
from speechnet.report.figures.ablation import draw_ablation, draw_importance
from speechnet.report.figures.calibration import draw_reliability, draw_risk_coverage
from speechnet.report.figures.chance import draw_chance
from speechnet.report.figures.clusters import draw_clusters
from speechnet.report.figures.comparisons import draw_comparisons, draw_inflation
from speechnet.report.figures.confusion import draw_confusion
from speechnet.report.figures.corpus import draw_corpus
from speechnet.report.figures.cross import draw_cross
from speechnet.report.figures.groups import draw_gender_recall
from speechnet.report.figures.learning import draw_learning_curves
from speechnet.report.figures.roc import draw_roc
from speechnet.report.figures.scores import draw_scores
from speechnet.report.figures.speakers import draw_speakers
from speechnet.report.figures.style import save
from speechnet.report.tables import Tables, fold_count, models_of, require_columns

Drawings = dict[str, Callable[[], Figure]]
"""What draws each figure, by file name."""


def draw_all(tables: Tables, folder: Path) -> list[Path]:
    """Draw every figure that there are tables for, as PNG and SVG.

    Args:
        tables: what to draw.
        folder: where to; made if there is none.

    Returns:
        The paths of all files, each whole.

    Raises:
        DataError: a table lacks what a figure needs.
        StorageError: the folder can't be written to, or there is no space left.
    """
    drawings = {
        **_model_drawings(tables),
        **_evidence_drawings(tables),
        **_target_drawings(tables),
        **_data_drawings(tables),
    }
    paths: list[Path] = []
    with progress("drawing", len(drawings)) as advance:
        for name, draw in drawings.items():
            paths += save(draw(), folder, name)
            advance(1)
    return paths


def _model_drawings(tables: Tables) -> Drawings:
    """The figures of the models' scores."""
    scores, targets = tables.scores, tables.targets
    drawings: Drawings = {
        metric.name: partial(
            draw_scores,
            scores,
            targets,
            metric=metric.name,
            chance=tables.majority if metric.name == "accuracy" else None,
            references=tables.references,
            unit=tables.unit,
        )
        for metric in shown("figure")
        if (scores["metric"] == metric.name).any()
    }
    folds = fold_count(scores)
    for target, classes in targets.items():
        name = file_name(target)
        drawings[f"confusion_{name}"] = partial(
            draw_confusion, tables.confusion, target=target, classes=classes, folds=folds
        )
        drawings[f"roc_{name}"] = partial(draw_roc, tables.roc, target=target)
    return drawings


def _evidence_drawings(tables: Tables) -> Drawings:
    """The figures, a panel for each target, of how much the scores are worth."""
    targets, unit = tables.targets, tables.unit
    drawings: Drawings = {}
    if (pairs := _rows(tables.comparisons, targets, name="comparisons")) is not None:
        drawings["comparisons"] = partial(draw_comparisons, pairs, targets, unit=unit)
    if (inflation := _rows(tables.inflation, targets, name="inflation")) is not None:
        drawings["inflation"] = partial(draw_inflation, inflation, targets, unit=unit)
    curves = _rows(tables.risk_coverage, targets, name="risk against coverage", part="test")
    if curves is not None:
        drawings["risk_coverage"] = partial(draw_risk_coverage, curves, targets)
    return drawings


def _target_drawings(tables: Tables) -> Drawings:
    """The figures, one or more for each target, of how much the scores are worth."""
    unit = tables.unit
    drawings: Drawings = {}
    for target, classes in tables.targets.items():
        name, only = file_name(target), [target]
        bins = _rows(tables.reliability, only, name="reliability", part="test")
        if bins is not None:
            drawings[f"reliability_{name}"] = partial(draw_reliability, bins, target=target)
        if (groups := _rows(tables.groups, only, name="groups")) is not None:
            drawings[f"gender_recall_{name}"] = partial(
                draw_gender_recall,
                groups,
                target=target,
                classes=classes,
                gaps=tables.gaps,
                unit=unit,
            )
        speakers = _rows(tables.speakers, only, name="speakers")
        if speakers is not None and speakers["uar"].notna().any():  # each has but one gender
            drawings[f"speakers_{name}"] = partial(draw_speakers, speakers, target=target)
        if (ablation := _rows(tables.ablation, only, name="the ablation")) is not None:
            drawings[f"ablation_{name}"] = partial(
                draw_ablation, ablation, target=target, unit=unit
            )
        if (drops := _rows(tables.importance, only, name="importance")) is not None:
            for model in models_of(drops):
                drawings[f"importance_{name}_{file_name(model)}"] = partial(
                    draw_importance, drops, target=target, model=model, unit=unit
                )
        if (cross := _rows(tables.cross, only, name="scores across corpora")) is not None:
            drawings[f"cross_{name}"] = partial(draw_cross, cross, target=target, unit=unit)
    return drawings


def _data_drawings(tables: Tables) -> Drawings:
    """The figures of the network's training, the clusters and the corpus, by file name."""
    drawings: Drawings = {}
    if tables.history is not None and len(tables.history):
        drawings["learning_curves"] = partial(draw_learning_curves, tables.history)
    corpus = tables.corpus
    if corpus is not None and tables.statistics is not None:
        drawings["corpus"] = partial(draw_corpus, corpus, tables.statistics, tables.targets)
    if (
        tables.clusters is not None
        and len(tables.clusters)
        and tables.projection is not None
        and tables.variance is not None
        and corpus is not None
    ):
        drawings["clusters"] = partial(
            draw_clusters,
            tables.clusters,
            tables.projection,
            variance=tables.variance,
            labels=_labels(corpus, tables.targets),
        )
    scores = tables.clustering
    if scores is not None and {"null_mean", "null_sd"} <= {*scores.columns} and len(scores):
        drawings["clusters_chance"] = partial(draw_chance, scores)
    return drawings


def _labels(corpus: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """The columns of the corpus that clusters are held against by eye."""
    labels = corpus[[*targets]].copy()
    for target, classes in targets.items():
        labels[target] = pd.Categorical(labels[target], categories=classes)
    if "sentence" in corpus and corpus["sentence"].notna().any():
        labels["sentence"] = corpus["sentence"]
    return labels


def _rows(
    table: pd.DataFrame | None, targets: Iterable[str], *, name: str, part: str | None = None
) -> pd.DataFrame | None:
    """The rows of these targets, and of a part; None where there are none."""
    if table is None:
        return None
    require_columns(table, ("target", *(["part"] if part else [])), name=name)
    chosen = table["target"].isin([*targets])
    if part:
        chosen &= table["part"] == part
    return table[chosen] if chosen.any() else None


def file_name(name: str) -> str:
    """A target's or a model's name as it stands in the names of its figures."""
    return re.sub(r"[^\w-]+", "_", name)
