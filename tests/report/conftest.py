"""Made-up results in many shapes."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from speechnet.core.types import Targets
from speechnet.report.tables import Tables

EMOTIONS = ["angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised"]
MODELS = ["mlp", "knn", "svm", "logreg", "sklearn_mlp", "random_forest"]


def make_targets(*sizes: int) -> Targets:
    """A target for each number of classes: gender for 2, emotions otherwise."""
    named = {2: ("gender", ["female", "male"])}
    return dict(named.get(size, ("emotion", EMOTIONS[:size])) for size in sizes)


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


def make_roc(
    targets: Targets, models: list[str]
) -> dict[tuple[str, str], dict[str, SimpleNamespace]]:
    """Power curves, whose area is known: tpr = fpr ** a has the AUC 1 / (1 + a)."""
    fpr = np.linspace(0, 1, 201)
    roc = {}
    for position, model in enumerate(models):
        for target, classes in targets.items():
            powers = np.linspace(0.08, 1.2, len(classes) + 2) + 0.01 * position
            roc[model, target] = {
                name: SimpleNamespace(fpr=fpr, tpr=fpr**power, auc=1 / (1 + power))
                for name, power in zip([*classes, "micro", "macro"], powers, strict=True)
            }
    return roc


def make_history(targets: Targets, *, folds: int, dev: bool) -> pd.DataFrame:
    """Falling training loss; development loss with its lowest point halfway."""
    rng = np.random.default_rng(3)
    tables = []
    for fold in range(folds):
        epochs = np.arange(30 + 3 * fold)
        noise = rng.normal(0, 0.02, len(epochs))
        table = pd.DataFrame({"fold": fold, "epoch": epochs})
        table["train_loss"] = 1.4 * np.exp(-epochs / 12) + 0.1 + noise
        if dev:
            table["dev_loss"] = 0.9 + ((epochs - 17) / 25) ** 2 + noise
            for offset, target in enumerate(targets):
                table[f"dev_uar_{target}"] = 0.5 + 0.2 * offset - np.exp(-epochs / 5) / 4 + noise
            table["dev_uar"] = table.filter(like="dev_uar_").mean(axis=1)
            table["chosen"] = epochs == 15 + fold
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def make_corpus(targets: Targets, *, n: int, speakers: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The corpus table, and the durations of its recordings."""
    rng = np.random.default_rng(4)
    files = pd.Index([f"a/{number:05d}.wav" for number in range(n)], name="file")
    owner = rng.integers(0, speakers, n)
    corpus = pd.DataFrame(
        {"speaker": [f"s{each:03d}" for each in owner]},
        index=files,
    )
    corpus["gender"] = np.where(owner % 2, "female", "male")
    corpus["sentence"] = [f"{each:02d}" for each in rng.integers(1, 11, n)]
    for target, classes in targets.items():
        if target != "gender":
            corpus[target] = rng.choice(classes, n)
    statistics = pd.DataFrame({"file": files, "duration": rng.gamma(20, 0.18, n)})
    return corpus, statistics


def make_clusters(
    corpus: pd.DataFrame, ks: tuple[int, ...] = (2, 4, 10)
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clusters by the angle of each point, and the points."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(len(corpus), 2)) * (3, 1.5)
    points[:, 0] += np.where(corpus["gender"] == "male", 3, -3)
    angle = (np.arctan2(points[:, 1], points[:, 0]) + np.pi) / (2 * np.pi + 1e-9)
    tables = [
        pd.DataFrame({"file": corpus.index, "method": method, "k": k, "cluster": (angle * k)})
        for method in ("kmeans", "gmm", "agglomerative")
        for k in ks
    ]
    clusters = pd.concat(tables, ignore_index=True).astype({"cluster": int})
    projection = pd.DataFrame({"file": corpus.index, "pc1": points[:, 0], "pc2": points[:, 1]})
    return clusters, projection


def build_tables(
    targets: Targets,
    *,
    models: int = 4,
    folds: int = 1,
    dev: bool = True,
    n: int = 60,
    speakers: int = 24,
) -> Tables:
    """All tables of one run."""
    names = MODELS[:models]
    parts = ("train", "dev", "test") if dev else ("train", "test")
    corpus, statistics = make_corpus(targets, n=n, speakers=speakers)
    clusters, projection = make_clusters(corpus)
    return Tables(
        targets=targets,
        scores=make_scores(targets, names, folds=folds, parts=parts),
        confusion=make_confusion(targets, names),
        roc=make_roc(targets, names),
        history=make_history(targets, folds=folds, dev=dev),
        clusters=clusters,
        projection=projection,
        variance=(0.312, 0.144),
        corpus=corpus,
        statistics=statistics,
    )


def visible_texts(figure: Figure) -> list[Text]:
    """Every text that is drawn: tick labels count only where their tick is in view."""
    figure.draw_without_rendering()
    ticks, in_view = set(), []
    for ax in figure.findobj(Axes):  # also those within another
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                ticks |= {tick.label1, tick.label2}
                if low <= tick.get_loc() <= high and ax.axison:
                    in_view += [tick.label1, tick.label2]
    others = [text for text in figure.findobj(Text) if text not in ticks]
    return [text for text in in_view + others if text.get_visible() and text.get_text().strip()]


@pytest.fixture
def texts() -> Callable[[Figure], list[Text]]:
    """Lists every text that is drawn in a figure."""
    return visible_texts


@pytest.fixture
def build() -> Callable[..., Tables]:
    """Builds all tables of one run: ``build(targets, models=4, folds=1, ...)``."""
    return build_tables


@pytest.fixture
def targets() -> Targets:
    """Gender and four emotions."""
    return make_targets(2, 4)
