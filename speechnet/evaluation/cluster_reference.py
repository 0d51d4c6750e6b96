"""How compact clusters are, compared with clouds of the same spread that have no clusters.

Scores without labels, by Euclidean distance between the rows that were clustered: silhouette (-1 to
1), Davies-Bouldin (0 or more, lower is better) and Caliński-Harabasz (0 or more), by scikit-learn.

The components of a cloud are drawn independently, each from the unimodal distribution nearest to
its own: Grenander's estimator, which rises up to the peak and falls after it. Skew and tails stay,
groups don't. (With a normal distribution every skewed cloud would seem to have groups; permuting
each component would keep two groups that differ along one component.)

References:
    R. Tibshirani, G. Walther, T. Hastie, "Estimating the number of clusters in a data set via the
    gap statistic", JRSS B 63, 2001 (a reference drawn along the principal components);
    U. Grenander, "On the theory of mortality measurement II", Skandinavisk Aktuarietidskrift 39,
    1956.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import joblib
import numpy as np
from sklearn import metrics
from sklearn.isotonic import isotonic_regression
from threadpoolctl import threadpool_limits

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.chance import UNDEFINED, null_of
from speechnet.evaluation.cluster_scores import Assigned, Scored

INTERNAL: Final[dict[str, Callable[[Float64, Int64], float]]] = {
    "silhouette": metrics.silhouette_score,
    "davies_bouldin": metrics.davies_bouldin_score,
    "calinski_harabasz": metrics.calinski_harabasz_score,
}

_Cluster = Callable[[Float64], Assigned]

CLOUDS: Final = 19
"""The most clouds: the fewest that can give p = 0.05; each costs a whole clustering."""

SILHOUETTE_ROWS: Final = 20_000
"""The silhouette compares every pair of rows: of more rows than this, a random sample is taken."""

ROWS: Final = 500
"""The most rows of a cloud, so that its cost doesn't grow with the corpus."""

_PEAKS: Final = 25  # quantiles at which a peak is sought
_SAME: Final = 1e-9  # values nearer than this share of the range count as the same


def internal_scores(
    Z: Float64, assigned: Assigned, *, cluster: _Cluster, draws: int, seed: int, notes: list[str]
) -> Scored:
    """The scores without labels, and those of clouds; NaN unless there are 2 to n - 1 clusters.

    ``Z`` is float64 ``[n, p]``, in uncorrelated components. ``cluster`` clusters the rows of a
    cloud by the same methods, in the processes of ``joblib.parallel_config``. There are ``draws``
    clouds, ``CLOUDS`` at most. ``notes`` gets a sentence if the silhouette is that of a sample.
    """
    n, m = len(Z), min(len(Z), ROWS)
    sample = np.arange(n)
    if n > SILHOUETTE_ROWS:
        sample = np.random.default_rng(seed).choice(n, SILHOUETTE_ROWS, replace=False)
        notes.append(f"The silhouette is that of {SILHOUETTE_ROWS} rows drawn at random.")
    peaks = [_one_peaked(column) for column in Z.T] if draws else []
    clouds = joblib.Parallel()(
        joblib.delayed(_score_cloud)(peaks, m, cluster, seed, number)
        for number in range(min(draws, CLOUDS))
    )
    found: Scored = {}
    for (method, k), clusters in assigned.items():
        for metric, value in _internal(Z, clusters, sample).items():
            null = UNDEFINED
            if clouds:
                drawn = np.array([one[method, k][metric] for one in clouds])
                if metric == "calinski_harabasz" and m > k:
                    drawn *= (n - k) / (m - k)  # unlike the others, it grows with the rows
                null = null_of(value, drawn, lower_is_better=metric == "davies_bouldin")
            found[method, k, "", metric] = value, null
    return found


def _internal(Z: Float64, clusters: Int64 | None, sample: Int64) -> dict[str, float]:
    """The scores of one clustering, the silhouette of a sample of the rows."""
    scores = dict.fromkeys(INTERNAL, float("nan"))
    if clusters is None:
        return scores
    for metric, function in INTERNAL.items():
        at = sample if metric == "silhouette" else np.arange(len(Z))
        if 2 <= len(np.unique(clusters[at])) < len(at):
            scores[metric] = float(function(Z[at], clusters[at]))
    return scores


class _OnePeaked(NamedTuple):
    """A distribution in steps: from, to, probability; float64 ``[steps]`` each."""

    low: Float64
    high: Float64
    share: Float64

    def draw(self, size: int, rng: np.random.Generator) -> Float64:
        step = rng.choice(len(self.share), size, p=self.share)
        return self.low[step] + (self.high - self.low)[step] * rng.random(size)


def _one_peaked(x: Float64) -> _OnePeaked:
    """The maximum-likelihood density of values ``[n]`` that rises to a peak and falls after it.

    Between neighbours the raw density is ``1 / ((n - 1) gap)``; its isotonic regression, weighted
    by the gaps, maximises the likelihood on either side of the peak.
    """
    x = np.sort(x)
    if x[0] == x[-1]:
        return _OnePeaked(x[:1], x[:1], np.ones(1))
    gaps = np.maximum(np.diff(x), _SAME * (x[-1] - x[0]))
    peaks = np.unique(np.linspace(0, len(gaps), _PEAKS).astype(int))
    fits = [
        np.concatenate([_monotone(gaps[:at], rises=True), _monotone(gaps[at:], rises=False)])
        for at in peaks
    ]
    density = max(fits, key=lambda fit: float(np.log(fit).sum()))
    cuts = np.flatnonzero(np.concatenate([[True], np.diff(density) != 0, [True]]))
    return _OnePeaked(x[cuts[:-1]], x[cuts[1:]], np.diff(cuts) / len(gaps))


def _monotone(gaps: Float64, *, rises: bool) -> Float64:
    if len(gaps) < 2:
        return 1 / gaps
    return np.asarray(isotonic_regression(1 / gaps, sample_weight=gaps, increasing=rises))


def _score_cloud(
    peaks: list[_OnePeaked], rows: int, cluster: _Cluster, seed: int, number: int
) -> dict[tuple[str, int], dict[str, float]]:
    """The scores of one cloud, the same in whichever process draws it."""
    rng = np.random.default_rng([seed, number])
    Z = np.column_stack([peak.draw(rows, rng) for peak in peaks])
    with threadpool_limits(limits=1):
        return {key: _internal(Z, found, np.arange(rows)) for key, found in cluster(Z).items()}
