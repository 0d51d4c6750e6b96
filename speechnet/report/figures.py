"""All figures of a run, written to one folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.progress import track

from speechnet.report.figures_clusters import draw_clusters
from speechnet.report.figures_confusion import draw_confusion
from speechnet.report.figures_corpus import draw_corpus
from speechnet.report.figures_learning import draw_learning_curves
from speechnet.report.figures_roc import draw_roc
from speechnet.report.figures_scores import draw_scores
from speechnet.report.style import save
from speechnet.report.tables import Tables, fold_count


def draw_all(tables: Tables, folder: Path, *, progress: bool = False) -> list[Path]:
    """Draw every figure that there are tables for, as PNG and SVG.

    Args:
        tables: what to draw.
        folder: where to; made if there is none.
        progress: whether to show a progress bar.

    Returns:
        The paths of all files, each whole.

    Raises:
        DataError: a table lacks what a figure needs.
        StorageError: the folder can't be written to, or there is no space left.
    """
    drawings = {**_model_drawings(tables), **_data_drawings(tables)}
    paths: list[Path] = []
    for name, draw in track(
        drawings.items(), description="Figures", disable=not progress, transient=True
    ):
        paths += save(draw(), folder, name)
    return paths


def _model_drawings(tables: Tables) -> dict[str, Callable[[], Figure]]:
    """The figures that compare models, by file name."""
    scores, targets = tables.scores, tables.targets
    drawings: dict[str, Callable[[], Figure]] = {
        "accuracy": partial(draw_scores, scores, targets, chance=tables.majority),
        "uar": partial(draw_scores, scores, targets, metric="uar"),
    }
    folds = fold_count(scores)
    for target, classes in targets.items():
        name = re.sub(r"[^\w-]+", "_", target)
        drawings[f"confusion_{name}"] = partial(
            draw_confusion, tables.confusion, target=target, classes=classes, folds=folds
        )
        drawings[f"roc_{name}"] = partial(draw_roc, tables.roc, target=target)
    return drawings


def _data_drawings(tables: Tables) -> dict[str, Callable[[], Figure]]:
    """The figures of the network's training, the clusters and the corpus, by file name."""
    drawings: dict[str, Callable[[], Figure]] = {}
    if tables.history is not None and len(tables.history):
        drawings["learning_curves"] = partial(draw_learning_curves, tables.history)
    corpus = tables.corpus
    if corpus is not None and tables.facts is not None:
        drawings["corpus"] = partial(draw_corpus, corpus, tables.facts, tables.targets)
    if (
        tables.clusters is not None
        and len(tables.clusters)
        and tables.projection is not None
        and tables.variance is not None
        and corpus is not None
    ):
        labels = corpus[[*tables.targets]].copy()
        for target, classes in tables.targets.items():
            labels[target] = pd.Categorical(labels[target], categories=classes)
        if "sentence" in corpus and corpus["sentence"].notna().any():
            labels["sentence"] = corpus["sentence"]
        drawings["clusters"] = partial(
            draw_clusters,
            tables.clusters,
            tables.projection,
            variance=tables.variance,
            labels=labels,
        )
    return drawings
