"""Do the recordings form groups by themselves, and do the groups resemble the labels?

A description of the whole data set: the scaling, the principal components and the clusters are
fitted on all rows, and no label takes part. Nothing of it may go into a classifier.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
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
from speechnet.evaluation.cluster_scores import Assigned, Labels, Scored, label_scores, read_labels
from speechnet.evaluation.config import ClusteringConfig

CENTROIDS: Final = 1_000
"""How many centroids replace the rows if there are too many for Ward's method."""

SCALERS: Final[dict[str, Any]] = {
    "minmax": MinMaxScaler,
    "standard": StandardScaler,
    "robust": RobustScaler,
}


@dataclass(frozen=True)
class Clustering:
    """What the clustering found.

    Attributes:
        assignments: columns ``file, method, k, cluster``; cluster is 0 to k - 1.
        scores: columns ``method, k, against, metric, value, null_mean, null_sd, p``; ``against`` is
            a label column, "speaker within gender", "emotion within gender", or "" for scores
            without labels. The last three describe chance: mean and standard deviation of the
            draws, and p (``speechnet.evaluation.chance.null_of``). NaN where undefined.
        projection: columns ``file, pc1, pc2``; ``pc2`` is NaN if there is only one component.
        explained: the shares of the variance along ``pc1`` and ``pc2``, 0 to 1.
        notes: deviations from the configuration, and why; a sentence each.
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

    ``X`` is float32 ``[n, d]``, finite; ``labels`` is indexed by row id, with the columns to
    compare with, ``speaker`` and ``gender``. Rows whose label is NA are left out of that
    comparison. More clusters than different rows are left out of the assignments; their scores are
    NaN.

    Raises:
        ConfigError: ``config.against`` names a column that ``labels`` lacks.
        ValueError: ``X`` has fewer than two rows, or no feature that varies.
    """
    if len(X) < 2:
        raise ValueError(f"found {len(X)} rows, expected two or more to find clusters in")
    if (X[0] == X).all():
        raise ValueError("every feature has the same value in all rows")
    notes: list[str] = []
    against, speakers = read_labels(labels, index, config.against)
    chance: dict[str, Any] = {"draws": config.null_draws, "seed": seed, "notes": notes}
    # One thread: sums are taken in the same order on every machine, and small arrays don't wait.
    with threadpool_limits(limits=1):
        Z, explained = _components(X, config, seed=seed, notes=notes)
        assigned = _assign(Z[:, : config.pca], config, seed=seed, notes=notes)
        again = partial(_assign, config=config, seed=seed, notes=[])
        scores = internal_scores(Z[:, : config.pca], assigned, cluster=again, **chance)
        scores |= label_scores(assigned, against, speakers, **chance)
    pc2 = Z[:, 1] if Z.shape[1] > 1 else np.nan
    columns = ["file", "method", "k", "cluster"]
    tables = [
        pd.DataFrame({"file": list(index), "method": method, "k": k, "cluster": clusters})
        for (method, k), clusters in assigned.items()
        if clusters is not None
    ]
    return Clustering(
        assignments=pd.concat(tables or [pd.DataFrame(columns=columns)], ignore_index=True),
        scores=_score_table(scores, assigned, against),
        projection=pd.DataFrame({"file": list(index), "pc1": Z[:, 0], "pc2": pc2}),
        explained=explained,
        notes=tuple(notes),
    )


def _components(
    X: Float32, config: ClusteringConfig, *, seed: int, notes: list[str]
) -> tuple[Float64, tuple[float, float]]:
    """``config.pca`` components, float64 ``[n, p]``, or two for the picture; what two explain."""
    scaled = np.asarray(X, dtype=np.float64)
    if config.scaling != "none":
        scaled = SCALERS[config.scaling]().fit_transform(scaled)
    most = min(len(X) - 1, X.shape[1])
    if config.pca > most:
        notes.append(
            f"{counted(config.pca, 'principal component')} were asked for; "
            f"{counted(len(X), 'row')} of "
            f"{counted(X.shape[1], 'feature')} have {most}."
        )
    pca = PCA(min(max(config.pca, 2), most), random_state=seed)
    Z = pca.fit_transform(scaled)
    ratio = [*map(float, pca.explained_variance_ratio_), 0.0]
    return Z, (ratio[0], ratio[1])


def _assign(Z: Float64, config: ClusteringConfig, *, seed: int, notes: list[str]) -> Assigned:
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
                found = {k: KMeans(k, n_init=10, random_state=seed).fit_predict(Z) for k in ks}
            case "gmm":
                found = {k: _mixture(Z, k, seed=seed, notes=notes) for k in ks}
            case "agglomerative":
                most = config.max_agglomerative
                found = _agglomerative(Z, ks, most=most, seed=seed, notes=notes)
        for k in config.k:
            assigned[method, k] = found[k].astype(np.int64) if k in found else None
    return assigned


def _mixture(Z: Float64, k: int, *, seed: int, notes: list[str]) -> Int64:
    model = GaussianMixture(k, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # goes into the notes instead
        clusters: Int64 = model.fit_predict(Z)
    if not model.converged_:
        notes.append(f"The mixture of {k} did not converge: max_iter is {model.max_iter}.")
    return clusters


def _agglomerative(
    Z: Float64, ks: list[int], *, most: int, seed: int, notes: list[str]
) -> dict[int, Int64]:
    """The clusters of one tree for every k, numbered in order of appearance."""
    points, rows = Z, np.arange(len(Z))
    if len(Z) > most:
        m = min(most, max([CENTROIDS, *ks]))
        notes.append(
            f"Agglomerative: {len(Z)} rows are more than max_agglomerative ({most}), so {m} "
            "k-means centroids were joined in their place."
        )
        means = MiniBatchKMeans(m, n_init=3, random_state=seed).fit(Z)
        points, rows = means.cluster_centers_, means.labels_
    ks = sorted(ks, reverse=True)  # SciPy puts as many clusters as rows into the first column
    cuts = cut_tree(ward(points), ks)
    return {k: pd.factorize(cut)[0][rows] for k, cut in zip(ks, cuts.T, strict=True)}


def _score_table(scores: Scored, assigned: Assigned, labels: Mapping[str, Labels]) -> pd.DataFrame:
    """A row for every score of every clustering, including those without a value."""
    asked = {"": tuple(INTERNAL)} | {against: one.metrics for against, one in labels.items()}
    keys = [
        (*clustering, against, metric)
        for clustering in assigned
        for against, metrics in asked.items()
        for metric in metrics
    ]
    found = [(key, *scores.get(key, (np.nan, UNDEFINED))) for key in keys]
    rows = [(*key, value, *null) for key, value, null in found]
    columns = ["value", "null_mean", "null_sd", "p"]
    table = pd.DataFrame(rows, columns=["method", "k", "against", "metric", *columns])
    return table.astype(dict.fromkeys(columns, np.float64))
