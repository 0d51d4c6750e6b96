"""Row 8: the original's grids, both targets, against a plain GridSearchCV on the same folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks import plain
from benchmarks.extraction import RECIPE
from benchmarks.harness import Measured, gate, timed
from speechnet.config.experiment import read_experiment
from speechnet.core.types import encode_all
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.reader import load_corpus
from speechnet.features.extraction.extract import extract_features
from speechnet.models.candidates import Tried
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.search import best, search

CONFIG: Final = Path(__file__).parents[1] / "configs" / "original.yaml"
TARGETS: Final = {"knn": 5.0, "svm": 2.0, "logreg": None}


def grids(root: Path, folder: Path, *, rows: int, full: bool) -> list[Measured]:
    """The row, one round of each side: a search takes minutes.

    Args:
        root: a corpus of more recordings than ``rows``.
        folder: for its features.
        rows: how many are searched on, drawn at random as the original's split does.
        full: whether that is the original's size.
    """
    corpus = load_corpus(
        CorpusConfig(root=str(root), name="original"), {"gender": None, "emotion": None}
    )
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = extract_features(root, corpus.table, RECIPE, cache_dir=folder / "cache_searches")
    matrix = found.features.matrix
    chosen = np.sort(np.random.default_rng(0).permutation(len(matrix.index))[:rows])
    labels = encode_all(corpus.table.loc[list(matrix.index)], corpus.targets)[chosen]
    config, _ = read_experiment(["--config", str(CONFIG)])
    measured = []
    for name in TARGETS:
        for column, target in enumerate(corpus.targets):
            X, y, model = matrix.X[chosen], labels[:, column], config.models[name]
            one = _search(name, target, X, y, model)
            aim = TARGETS[name]
            small = "" if aim is None else f"of 11,810 rows (--full): {aim:g}x"
            measured.append(one if full else replace(one, target=None, verdict=small))
    return measured


def _search(name: str, target: str, X: np.ndarray, y: np.ndarray, model: Any) -> Measured:
    folds = list(StratifiedKFold(model.folds, shuffle=True, random_state=0).split(X, y))
    run = FitAndScore(model, X, y, "minmax", "accuracy", 0)
    tried: list[Tried] = []
    plainly: list[Any] = []

    def ours() -> None:
        with joblib.parallel_config(backend="loky", n_jobs=2):
            tried.extend(search(run.model.sharing(run), model.candidates(), folds))

    def theirs() -> None:
        plainly.append(plain.search(name, X.astype(np.float64), y, folds=folds))

    seconds = timed(ours), timed(theirs)
    found = plainly[0].cv_results_
    expected = np.stack([found[f"split{i}_test_score"] for i in range(len(folds))], axis=1)
    worst = float(np.abs(np.array([one.scores for one in tried]) - expected).max())
    same = tried.index(best(tried)) == plainly[0].best_index_
    gate(same and worst == 0, f"{name}, {target}: same winner {same}, scores off by {worst:.0e}")
    what = f"{name}, {target}, {len(tried)} candidates, {len(folds)} folds, {len(X):,} x 65"
    return Measured("8", what, "GridSearchCV, n_jobs=2", [seconds[0]], [seconds[1]],
                    target=TARGETS[name], gate="same winner, all scores equal"
                 + "; SVC with break_ties" * (name == "svm"))  # fmt: skip
