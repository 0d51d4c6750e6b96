"""Made-up results of a run, in many shapes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from speechnet.core.types import Targets
from speechnet.models.model import MODELS as REGISTRY
from speechnet.report.data import ReportData
from speechnet.report.figure import FIGURES

EMOTIONS = ["angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised"]
MODELS = ["mlp", "knn", "svm", "logreg", "sklearn_mlp", "random_forest"]
LABELS = {name: model.label for name, model in REGISTRY.items()}
"""What the models of this package are called."""

TARGETS: Targets = {"gender": ["female", "male"], "emotion": EMOTIONS[:4]}


def make_scores(
    targets: Targets, models: list[str], *, folds: int, parts: tuple[str, ...]
) -> pd.DataFrame:
    """Scores as the evaluation writes them: a row per fold, pooled, and mean and sd."""
    rng = np.random.default_rng(1)
    level = {"train": 0.85, "dev": 0.6, "test": 0.55}
    rows = []
    for model in models:
        for target in targets:
            for part in parts:
                for metric in ("accuracy", "uar", "auc_macro"):
                    values = np.clip(level[part] + rng.normal(0.03, 0.06, folds), 0, 1)
                    by_fold = {str(fold): value for fold, value in enumerate(values)}
                    by_fold["all"] = values.mean()
                    if folds > 1:
                        by_fold |= {"mean": values.mean(), "sd": values.std(ddof=1)}
                    rows += [
                        (model, target, part, fold, metric, value)
                        for fold, value in by_fold.items()
                    ]
    return pd.DataFrame(rows, columns=["model", "target", "part", "fold", "metric", "value"])


def make_confusion(targets: Targets, models: list[str]) -> pd.DataFrame:
    """Counts with a strong diagonal; unseen pairs aren't listed."""
    rng = np.random.default_rng(2)
    rows = []
    for model in models:
        for target, classes in targets.items():
            for truth in classes:
                counts = rng.poisson(9, len(classes)) * (rng.random(len(classes)) < 0.8)
                for predicted, count in zip(classes, counts, strict=True):
                    number = int(count) + 60 * (truth == predicted)
                    if number:
                        rows.append((model, target, "test", truth, predicted, number))
    columns = ["model", "target", "part", "truth", "predicted", "count"]
    return pd.DataFrame(rows, columns=columns)


def make_predictions(targets: Targets, models: list[str], *, n: int = 80) -> pd.DataFrame:
    """Test rows in which each class is half as likely again as it would be by chance."""
    rng = np.random.default_rng(2)
    tables = []
    for model in models:
        for target, classes in targets.items():
            truth = np.arange(n) % len(classes)
            weights = rng.exponential(1.0, (n, len(classes)))
            weights[np.arange(n), truth] *= 2.5
            p = weights / weights.sum(axis=1, keepdims=True)
            table = pd.DataFrame(p, columns=[f"p_{name}" for name in classes]).assign(
                file=[f"a/{row:05d}.wav" for row in range(n)], model=model, target=target,
                part="test", fold="0", truth=np.array(classes)[truth],
                predicted=np.array(classes)[p.argmax(axis=1)],
            )  # fmt: skip
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def make_history(targets: Targets, *, folds: int, dev: bool) -> pd.DataFrame:
    """Falling training loss; development loss with its lowest point halfway."""
    rng = np.random.default_rng(3)
    tables = []
    for fold in range(folds):
        epochs = np.arange(30 + 3 * fold)
        noise = rng.normal(0, 0.02, len(epochs))
        table = pd.DataFrame({"model": "mlp", "fold": fold, "member": 0, "epoch": epochs})
        table["train_loss"] = 1.4 * np.exp(-epochs / 12) + 0.1 + noise
        if dev:
            table["dev_loss"] = 0.9 + ((epochs - 17) / 25) ** 2 + noise
            for offset, target in enumerate(targets):
                table[f"dev_uar_{target}"] = 0.5 + 0.2 * offset - np.exp(-epochs / 5) / 4 + noise
            table["dev_uar"] = table.filter(like="dev_uar_").mean(axis=1)
            table["chosen"] = epochs == 15 + fold
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def make_corpus(targets: Targets, *, n: int, speakers: int) -> pd.DataFrame:
    """The corpus table."""
    rng = np.random.default_rng(4)
    owner = rng.integers(0, speakers, n)
    corpus = pd.DataFrame(
        {
            "file": [f"a/{number:05d}.wav" for number in range(n)],
            "speaker": [f"s{each:03d}" for each in owner],
            "gender": np.where(owner % 2, "female", "male"),
            "sentence": [f"{each:02d}" for each in rng.integers(1, 11, n)],
        }
    )
    for target, classes in targets.items():
        if target != "gender":
            corpus[target] = rng.choice(classes, n)
    return corpus.assign(duration=rng.gamma(20, 0.18, n))


def make_clusters(
    corpus: pd.DataFrame, ks: tuple[int, ...] = (2, 4, 10)
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clusters by the angle of each point, and the points."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(len(corpus), 2)) * (3, 1.5)
    points[:, 0] += np.where(corpus["gender"] == "male", 3, -3)
    angle = (np.arctan2(points[:, 1], points[:, 0]) + np.pi) / (2 * np.pi + 1e-9)
    tables = [
        pd.DataFrame({"file": corpus["file"], "method": method, "k": k, "cluster": (angle * k)})
        for method in ("kmeans", "gmm", "agglomerative")
        for k in ks
    ]
    clusters = pd.concat(tables, ignore_index=True).astype({"cluster": int})
    projection = pd.DataFrame({"file": corpus["file"], "pc1": points[:, 0], "pc2": points[:, 1]})
    return clusters, projection


def build_data(
    targets: Targets,
    *,
    models: int | list[str] = 4,
    folds: int = 1,
    dev: bool = True,
    n: int = 60,
    speakers: int = 24,
    **tables: pd.DataFrame,
) -> ReportData:
    """A run with the tables that every run has, and any others."""
    names = MODELS[:models] if isinstance(models, int) else models
    parts = ("train", "dev", "test") if dev else ("train", "test")
    corpus = make_corpus(targets, n=n, speakers=speakers)
    clusters, projection = make_clusters(corpus)
    given = {
        "scores": make_scores(targets, names, folds=folds, parts=parts),
        "confusion": make_confusion(targets, names),
        "predictions": make_predictions(targets, names),
        "history": make_history(targets, folds=folds, dev=dev),
        "clusters": clusters,
        "projection": projection,
        "corpus": corpus,
    }
    info: dict[str, Any] = {
        "targets": targets,
        "labels": LABELS,
        "unit": "speaker",
        "corpus": {},
        "clustering": {"explained": [0.312, 0.144]},
    }
    return ReportData(folder="run", info=info, tables=given | tables, config="", settings={})


def with_tables(data: ReportData, **tables: pd.DataFrame | None) -> ReportData:
    """The same run with other tables; None takes one away."""
    changed = {name: table for name, table in (data.tables | tables).items() if table is not None}  # type: ignore[operator] # a dict
    return replace(data, tables=changed)


def with_info(data: ReportData, **info: Any) -> ReportData:
    """The same run with something else in ``run.json``."""
    return replace(data, info={**data.info, **info})


def draw(data: ReportData, figure: str, file: str = "") -> Figure:
    """Draw a figure, the one of this file's name if it yields several."""
    (drawing,) = [each for each in FIGURES[figure](data) if file in {"", each.file}]
    return drawing.draw()
