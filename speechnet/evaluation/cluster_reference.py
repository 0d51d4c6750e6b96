"""How compact clusters are, beside those of clouds of the same spread that have none.

Scores without labels, by Euclidean distance between the rows that were clustered:
    silhouette: -1 to 1, higher is better.
    davies_bouldin: 0 or more, lower is better.
    calinski_harabasz: 0 or more, higher is better.

In a cloud every component is drawn by itself, from the distribution with one peak that is nearest
to the component's own: Grenander's estimator, which rises up to the peak and falls after it. Skew
and tails stay, groups don't. (A normal distribution would take every skewed cloud for groups;
shuffling each component would leave two groups that differ along one component as they are.)

References:
    P. Rousseeuw, 1987; D. Davies, D. Bouldin, 1979; T. Caliński, J. Harabasz, 1974 (the scores,
    computed by scikit-learn);
    R. Tibshirani, G. Walther, T. Hastie, "Estimating the number of clusters in a data set via the
    gap statistic", JRSS B 63, 2001 (a reference drawn along the principal components);
    U. Grenander, "On the theory of mortality measurement II", Skandinavisk Aktuarietidskrift 39,
    1956.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import joblib
import numpy as np
from sklearn import metrics
from sklearn.isotonic import isotonic_regression
from threadpoolctl import threadpool_limits

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.chance import Null, null_of

Assigned = Mapping[tuple[str, int], Int64 | None]
"""Clusters, int64 ``[n]``, by method and k; None where there are none."""

Key = tuple[str, int, str]
"""Method, k and metric."""

INTERNAL: Final[dict[str, Callable[[Float64, Int64], float]]] = {
    "silhouette": metrics.silhouette_score,
    "davies_bouldin": metrics.davies_bouldin_score,
    "calinski_harabasz": metrics.calinski_harabasz_score,
}

ROWS: Final = 500
"""Rows of a cloud at most, so that its cost doesn't grow with the corpus."""

_PEAKS: Final = 25
"""Where a peak is sought: at so many quantiles."""

_SAME: Final = 1e-9
"""Values nearer than this share of the range are as good as the same."""


def internal_scores(Z: Float64, clusters: Int64 | None, sample: Int64) -> dict[str, float]:
    """The scores without labels, by metric.

    Args:
        Z: the rows that were clustered, float64 ``[n, p]``.
        clusters: int64 ``[n]``, or None where there are none.
        sample: positions of the rows that the silhouette is taken from.

    Returns:
        For each of ``INTERNAL`` its score; NaN unless there are 2 to n - 1 clusters.
    """
    if clusters is None:
        return dict.fromkeys(INTERNAL, np.nan)
    scores = {}
    for metric, function in INTERNAL.items():
        at = sample if metric == "silhouette" else slice(None)
        defined = 2 <= len(np.unique(clusters[at])) < len(Z[at])
        scores[metric] = float(function(Z[at], clusters[at])) if defined else np.nan
    return scores


def reference_nulls(
    Z: Float64,
    values: Mapping[Key, float],
    cluster: Callable[[Float64], Assigned],
    *,
    draws: int,
    seed: int,
) -> dict[Key, Null]:
    """Set the scores without labels beside those of clouds.

    Args:
        Z: the rows that were clustered, in uncorrelated components, float64 ``[n, p]``.
        values: their scores.
        cluster: clusters such rows; goes to other processes, as ``joblib.parallel_config`` says.
        draws: number of clouds.
        seed: of the clouds, which have ``ROWS`` rows at most.

    Returns:
        For each of ``values`` its null.
    """
    n, m = len(Z), min(len(Z), ROWS)
    peaks = [_one_peaked(column) for column in Z.T]
    run = joblib.delayed(_score_cloud)
    found = joblib.Parallel()(run(peaks, m, cluster, seed, number) for number in range(draws))
    nulls = {}
    for (method, k, metric), value in values.items():
        drawn = np.array([one[method, k, metric] for one in found])
        if metric == "calinski_harabasz" and m > k:
            drawn *= (n - k) / (m - k)  # it grows with the rows, as the others don't
        nulls[method, k, metric] = null_of(value, drawn, lower_is_better=metric == "davies_bouldin")
    return nulls


class _OnePeaked(NamedTuple):
    """A distribution in steps: from, to, probability; float64 ``[steps]`` each."""

    low: Float64
    high: Float64
    share: Float64

    def draw(self, size: int, rng: np.random.Generator) -> Float64:
        step = rng.choice(len(self.share), size, p=self.share)
        return self.low[step] + (self.high - self.low)[step] * rng.random(size)


def _one_peaked(x: Float64) -> _OnePeaked:
    """The likeliest density of values ``[n]`` that rises up to a peak and falls after it.

    Between neighbours the raw density is ``1 / ((n - 1) gap)``; its isotonic regression, weighted
    by the gaps, is the maximum of the likelihood on either side of the peak.
    """
    x = np.sort(x)
    if x[0] == x[-1]:
        return _OnePeaked(x[:1], x[:1], np.ones(1))
    gaps = np.maximum(np.diff(x), _SAME * (x[-1] - x[0]))
    peaks = np.unique(np.linspace(0, len(gaps), _PEAKS).astype(int))
    fits = [
        np.concatenate(
            [
                _monotone(gaps[:peak], rises=True),
                _monotone(gaps[peak:], rises=False),
            ]
        )
        for peak in peaks
    ]
    density = max(fits, key=lambda fit: float(np.log(fit).sum()))
    cuts = np.flatnonzero(np.concatenate([[True], np.diff(density) != 0, [True]]))
    return _OnePeaked(x[cuts[:-1]], x[cuts[1:]], np.diff(cuts) / len(gaps))


def _monotone(gaps: Float64, *, rises: bool) -> Float64:
    if len(gaps) < 2:
        return 1 / gaps
    return np.asarray(isotonic_regression(1 / gaps, sample_weight=gaps, increasing=rises))


def _score_cloud(
    peaks: list[_OnePeaked],
    rows: int,
    cluster: Callable[[Float64], Assigned],
    seed: int,
    number: int,
) -> dict[Key, float]:
    """The scores of one cloud, whichever process draws it."""
    rng = np.random.default_rng([seed, number])
    Z = np.column_stack([peak.draw(rows, rng) for peak in peaks])
    with threadpool_limits(limits=1):
        return {
            (*key, metric): value
            for key, clusters in cluster(Z).items()
            for metric, value in internal_scores(Z, clusters, np.arange(rows)).items()
        }
