"""The original experiment's recipe as a notebook has it: nothing shared, nothing kept.

Every step is the plain call of the library that people use for it, in the order and with the
parameters of ``configs/original.yaml``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import librosa
import noisereduce
import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    homogeneity_score,
    mutual_info_score,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

KNN = {
    "model__n_neighbors": list(range(1, 15)),
    "model__weights": ["distance"],
    "model__algorithm": ["auto", "ball_tree", "kd_tree", "brute"],
    "model__metric": ["manhattan", "euclidean"],
}
SVM = {
    "model__C": [1, 2, 3, 4],
    "model__kernel": ["poly", "rbf", "sigmoid"],
    "model__gamma": ["scale", "auto"],
}
MLP = {
    "model__hidden_layer_sizes": [(size,) for size in range(15, 25)],
    "model__activation": ["logistic", "tanh", "relu"],
    "model__solver": ["lbfgs", "sgd", "adam"],
}
LOGREG = {"model__solver": ["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]}

GRIDS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "knn": (KNeighborsClassifier(), KNN, 5),
    # break_ties: the class of the largest decision value, as its probability will have it; without
    # it, scores differ by a row or two and the time does not.
    "svm": (SVC(cache_size=1000, break_ties=True), SVM, 5),
    "sklearn_mlp": (MLPClassifier(max_iter=100, random_state=0), MLP, 3),
    "logreg": (LogisticRegression(max_iter=100, random_state=0), LOGREG, 5),
}


def five_calls(y: np.ndarray, sr: int) -> np.ndarray:
    """The original's 65 values: ``[n_samples] -> [65]``."""
    return np.concatenate(
        [
            librosa.feature.mfcc(y=y, sr=sr, n_mfcc=50).mean(axis=1),
            librosa.feature.chroma_stft(y=y, sr=sr).mean(axis=1),
            librosa.feature.spectral_rolloff(y=y, sr=sr).mean(axis=1),
            librosa.feature.spectral_centroid(y=y, sr=sr).mean(axis=1),
            [librosa.zero_crossings(y, pad=False).sum()],
        ]
    )


def row(path: Path) -> np.ndarray:
    """From the file to its 65 values, what can't be heard being silence in both backends."""
    y, sr = librosa.load(path)
    gated = noisereduce.reduce_noise(y=y, sr=sr)
    audible = np.abs(gated) > 2**-24 * np.abs(y).max()
    return five_calls(np.where(audible, gated, np.float32(0)), int(sr))


def search(name: str, X: np.ndarray, y: np.ndarray, *, folds: Any = None) -> GridSearchCV:
    """The grid search of one model, scaling inside the folds, on two processes."""
    model, grid, count = GRIDS[name]
    pipeline = Pipeline([("scale", MinMaxScaler()), ("model", model)])
    found = GridSearchCV(pipeline, grid, scoring="accuracy", cv=folds or count, n_jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return found.fit(X, y)


def experiment(root: Path) -> dict[tuple[str, str], float]:
    """All of it: test accuracy by target and model."""
    table = pd.read_csv(root / "labels.csv")
    files = {path.stem: path for path in root.rglob("*.wav")}
    X = np.stack([row(files[voice]) for voice in table["voice_id"]])
    train, test = train_test_split(np.arange(len(X)), test_size=0.3, random_state=0)
    scores = {}
    for target, column in {"gender": "Sex", "emotion": "emotion_ID"}.items():
        y = table[column].to_numpy()
        for name in GRIDS:
            best = search(name, X[train], y[train])
            scores[target, name] = float(best.score(X[test], y[test]))
    clusters(X, [table[name].to_numpy() for name in ("Sex", "emotion_ID", "Text_ID")])
    return scores


def clusters(X: np.ndarray, labels: Sequence[np.ndarray]) -> list[float]:
    """Three methods into 2, 4 and 10 clusters, in 14 components, judged by five measures."""
    Z = PCA(14, random_state=0).fit_transform(MinMaxScaler().fit_transform(X))
    values = []
    for k, truth in zip((2, 4, 10), labels, strict=True):
        for method in (
            KMeans(k, n_init=10, random_state=0),
            GaussianMixture(k, random_state=0),
            AgglomerativeClustering(k),
        ):
            found = method.fit_predict(Z)
            values += [homogeneity_score(truth, found), mutual_info_score(truth, found)]
            values += [silhouette_score(Z, found, sample_size=5000, random_state=0)]
            values += [davies_bouldin_score(Z, found), calinski_harabasz_score(Z, found)]
    return values
