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


def large(y: np.ndarray, sr: int) -> np.ndarray:
    """Contours and their statistics, the first 574 columns of ``functionals_large`` and its pitch.

    ``[n_samples] -> [581]``. Correlations and modulation spectra, which are beyond librosa, are
    left out.
    """
    feature, length, hop = librosa.feature, 1_024, sr // 100
    S, freq = np.abs(librosa.stft(y, n_fft=length, hop_length=hop)), np.arange(513) * sr / length
    seen: dict[str, Any] = {"S": S[freq <= 7_000], "freq": freq[freq <= 7_000]}
    power = feature.melspectrogram(S=S**2, sr=sr, n_fft=length, n_mels=40, fmax=7_000)
    mel = librosa.power_to_db(power)
    mfcc = feature.mfcc(S=mel, n_mfcc=20)
    spectrum = np.vstack(
        [
            feature.spectral_centroid(**seen),
            feature.spectral_bandwidth(**seen),
            *(feature.spectral_rolloff(**seen, roll_percent=p) for p in (0.25, 0.5, 0.85)),
            librosa.power_to_db(feature.spectral_flatness(S=seen["S"]), top_db=None),
            feature.zero_crossing_rate(y, frame_length=length, hop_length=hop),
            librosa.onset.onset_strength(S=mel, sr=sr, center=False),
        ]
    )
    contrast = feature.spectral_contrast(**seen, sr=sr, n_bands=5)
    level = librosa.amplitude_to_db(feature.rms(S=S, frame_length=length))
    slopes = 100 * feature.delta(np.vstack((mfcc, spectrum)), width=25, mode="nearest")
    f0 = librosa.yin(y, fmin=65, fmax=500, sr=sr, frame_length=length, hop_length=hop)
    voiced = (_periodicity(y, f0, sr, length, hop) > 0.7) & (level[0] > level.max() - 40)
    semitones = 12 * np.log2(f0[voiced] / 55) if voiced.any() else np.zeros(1)
    bands = mel.reshape(20, 2, -1).mean(axis=1)
    contours = [mfcc, slopes[:20], bands, spectrum, slopes[20:], contrast, semitones[None]]
    return np.concatenate([_statistics(values) for values in contours])


def _periodicity(y: np.ndarray, f0: np.ndarray, sr: int, length: int, hop: int) -> np.ndarray:
    """Each frame times itself a period later, over the mean of both squares: ``[frames]``."""
    padded, found = np.pad(y, length // 2), []
    for i, lag in enumerate(np.rint(sr / f0).astype(int)):
        frame = padded[i * hop : i * hop + length]
        a, b = frame[:-lag], frame[lag:]
        found.append(2 * (a @ b) / max(a @ a + b @ b, 1e-30))
    return np.array(found)


def _statistics(values: np.ndarray) -> np.ndarray:
    percentiles = np.percentile(values, [5, 25, 50, 75, 95], axis=1)
    return np.concatenate([values.mean(axis=1), values.std(axis=1), *percentiles])


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
