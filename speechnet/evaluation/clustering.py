"""Do the recordings fall into groups by themselves, and do the groups resemble the labels?

A description of the whole data set: the scaling, the principal components and the clusters are
fitted on all rows, and no label takes part. Nothing of it may go into a classifier.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, ward
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

from speechnet.core.types import Float32, Float64, Int64
from speechnet.core.wording import counted
from speechnet.evaluation.chance import UNDEFINED
from speechnet.evaluation.cluster_reference import INTERNAL, internal_scores
from speechnet.evaluation.cluster_scores import (
    ADJUSTED,
    COMPARED,
    EXTERNAL,
    WITHIN,
    Assigned,
    Labels,
    Scored,
    label_scores,
    read_labels,
    within_gender_scores,
)
from speechnet.evaluation.config import ClusteringConfig

CENTROIDS: Final = 1_000
"""How many centroids stand for the rows where these are too many for Ward's method."""

SCALERS: Final = {
    "minmax": MinMaxScaler,
    "standard": StandardScaler,
    "robust": RobustScaler,
    "none": None,
}


@dataclass(frozen=True)
class Clustering:
    """What the clustering found.

    Attributes:
        assignments: columns ``file, method, k, cluster``; cluster is 0 to k - 1.
        scores: columns ``method, k, against, metric, value, null_mean, null_sd, p``; ``against``
            is "" where no labels take part, and there are rows for "speaker within gender" and
            "emotion within gender". The last three say what chance gives: mean and standard
            deviation of the draws, and the share of them that are at least as good, the real value
            counted as one. NaN where undefined, and without draws.
        projection: columns ``file, pc1, pc2``, the first two components; ``pc2`` is NaN if there
            is only one.
        explained: the shares of the variance along ``pc1`` and ``pc2``, 0 to 1.
        notes: what was done otherwise than asked for, and why; a sentence each.
    """

    assignments: pd.DataFrame
    scores: pd.DataFrame
    projection: pd.DataFrame
    explained: tuple[float, float]
    notes: tuple[str, ...]


def cluster_features(
    X: Float32, index: Sequence[str], labels: pd.DataFrame, config: ClusteringConfig, *, seed: int
) -> Clustering:
    """Scale, reduce, cluster by every method and k, and score.

    Everything is fitted on all rows given, see the head of this module. A number of clusters
    beyond the number of different rows is left out of the assignments, and its scores are NaN.

    Args:
        X: float32 ``[n, d]``, finite, ``n`` at least 2.
        index: the ``n`` row ids.
        labels: indexed by row id, with the columns to compare with. Rows whose label is NA are
            left out of that comparison. ``speaker`` decides which labels may change places in the
            comparison with chance; within each ``gender`` speaker and emotion are compared.
        config: what to do.
        seed: of k-means, the mixture, the component solver, the silhouette's sample and chance.

    Returns:
        Assignments, scores, projection and notes.

    Raises:
        ConfigError: ``config.against`` names a column that ``labels`` lacks.
        ValueError: ``X`` has fewer than two rows, or no feature that varies.
    """
    if len(X) < 2:
        raise ValueError(f"found {len(X)} rows, expected two or more to find clusters in")
    if (X[0] == X).all():
        raise ValueError("every feature has the same value in all rows")
    notes: list[str] = []
    against = read_labels(labels, index, config.against)
    # One thread: sums in one order on every machine, and no waiting on small arrays.
    with threadpool_limits(limits=1):
        Z, projection, explained = _project(X, config, seed=seed, notes=notes)
        assigned = _assign(Z, config, seed=seed, notes=notes)
        of_chance = {"draws": config.null_draws, "seed": seed}
        again = partial(_assign, config=config, seed=seed, notes=[])
        scores = internal_scores(Z, assigned, cluster=again, notes=notes, **of_chance)
        scores |= label_scores(assigned, against, notes=notes, **of_chance)
        scores |= within_gender_scores(assigned, against, **of_chance)
    return Clustering(
        assignments=_assignment_table(index, assigned),
        scores=_score_table(scores, assigned, against),
        projection=pd.DataFrame({"file": list(index)} | projection),
        explained=explained,
        notes=tuple(notes),
    )


def _project(
    X: Float32, config: ClusteringConfig, *, seed: int, notes: list[str]
) -> tuple[Float64, dict[str, Float64], tuple[float, float]]:
    """The rows in ``config.pca`` components, float64 ``[n, p]``, and in the first two by name."""
    scaler = SCALERS[config.scaling]
    scaled = np.asarray(X, dtype=np.float64)
    if scaler is not None:
        scaled = scaler().fit_transform(scaled)
    most = min(len(X) - 1, X.shape[1])
    if config.pca > most:
        notes.append(
            f"{counted(config.pca, 'principal component')} were asked for; "
            f"{counted(len(X), 'row')} of "
            f"{counted(X.shape[1], 'feature')} have {most}."
        )
    # Two for the picture, even if clusters are sought in one.
    pca = PCA(min(max(config.pca, 2), most), random_state=seed)
    Z = pca.fit_transform(scaled)
    ratio = pca.explained_variance_ratio_
    if most == 1:
        return Z, {"pc1": Z[:, 0], "pc2": np.full(len(Z), np.nan)}, (float(ratio[0]), 0.0)
    pair = float(ratio[0]), float(ratio[1])
    return Z[:, : config.pca], {"pc1": Z[:, 0], "pc2": Z[:, 1]}, pair


def _assign(Z: Float64, config: ClusteringConfig, *, seed: int, notes: list[str]) -> Assigned:
    """Clusters, int64 ``[n]``, by method and k; None where there are too few different rows."""
    # Rounded, because equal rows may come out of the projection different in the last bit.
    distinct = len(np.unique(np.round(Z / np.abs(Z).max(), 9), axis=0))
    ks = [k for k in config.k if k <= distinct]
    if len(ks) < len(config.k):
        few = [k for k in config.k if k > distinct]
        notes.append(
            f"No clustering into {few}: the rows take only {counted(distinct, 'different value')}."
        )
    assigned: dict[tuple[str, int], Int64 | None] = {}
    for method in config.methods:
        match method:
            case "kmeans":
                found = _kmeans(Z, ks, seed=seed)
            case "gmm":
                found = _gmm(Z, ks, seed=seed, notes=notes)
            case "agglomerative":
                most = config.max_agglomerative
                found = _agglomerative(Z, ks, most=most, seed=seed, notes=notes)
        assigned |= {(method, k): found.get(k) for k in config.k}
    return assigned


def _kmeans(Z: Float64, ks: list[int], *, seed: int) -> dict[int, Int64]:
    return {k: _int64(KMeans(k, n_init=10, random_state=seed).fit_predict(Z)) for k in ks}


def _gmm(Z: Float64, ks: list[int], *, seed: int, notes: list[str]) -> dict[int, Int64]:
    found = {}
    for k in ks:
        model = GaussianMixture(k, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # goes into the notes instead
            found[k] = _int64(model.fit_predict(Z))
        if not model.converged_:
            notes.append(f"The mixture of {k} did not converge: max_iter is {model.max_iter}.")
    return found


def _agglomerative(
    Z: Float64, ks: list[int], *, most: int, seed: int, notes: list[str]
) -> dict[int, Int64]:
    if len(Z) <= most:
        return _ward(Z, ks)
    m = min(most, max([CENTROIDS, *ks]))
    notes.append(
        f"Agglomerative: {len(Z)} rows are more than max_agglomerative ({most}), so {m} k-means "
        "centroids were joined in their place."
    )
    means = MiniBatchKMeans(m, n_init=3, random_state=seed).fit(Z)
    of_centroid = _ward(means.cluster_centers_, ks)
    return {k: clusters[means.labels_] for k, clusters in of_centroid.items()}


def _ward(Z: Float64, ks: list[int]) -> dict[int, Int64]:
    """The clusters of one tree for every k, numbered in order of appearance."""
    ks = sorted(ks, reverse=True)  # SciPy puts as many clusters as rows into the first column
    cuts = cut_tree(ward(Z), ks)
    return {k: _int64(pd.factorize(cut)[0]) for k, cut in zip(ks, cuts.T, strict=True)}


def _assignment_table(index: Sequence[str], assigned: Assigned) -> pd.DataFrame:
    columns = ["file", "method", "k", "cluster"]
    frames = [
        pd.DataFrame({"file": list(index), "method": method, "k": k, "cluster": clusters})
        for (method, k), clusters in assigned.items()
        if clusters is not None
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _score_table(scores: Scored, assigned: Assigned, labels: Labels) -> pd.DataFrame:
    """A row for every score of every clustering, those without a value too."""
    asked = {"": tuple(INTERNAL), **dict.fromkeys(labels.codes, EXTERNAL)}
    asked |= {column + WITHIN: (ADJUSTED,) for column in COMPARED if labels.parts}
    keys = [
        (method, k, against, metric)
        for method, k in assigned
        for against, metrics in asked.items()
        for metric in metrics
    ]
    rows = []
    for key in keys:
        value, null = scores.get(key, (np.nan, UNDEFINED))
        rows.append((*key, value, *null))
    columns = ["value", "null_mean", "null_sd", "p"]
    table = pd.DataFrame(rows, columns=["method", "k", "against", "metric", *columns])
    return table.astype(dict.fromkeys(columns, np.float64))


def _int64(labels: NDArray[Any]) -> Int64:
    return labels.astype(np.int64)
