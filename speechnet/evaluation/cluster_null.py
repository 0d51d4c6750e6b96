"""Clusters against labels that say nothing: the labels change places, the clusters stay.

The recordings of one speaker are alike, so that they must not be shuffled as if they had nothing
in common. A label that each speaker has only one of, such as the gender, changes places between
whole speakers; one that varies within a speaker, such as the emotion, between recordings of the
same speaker. Speakers themselves change places freely, and so do all labels where some speaker is
not known: then clusters of speakers may look like clusters of anything that goes with them.

References:
    A. Winkler, M. Webster, D. Vidaurre, T. Nichols, S. Smith, "Multi-level block permutation",
    NeuroImage 123, 2015 (exchange between and within blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import entropy
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.chance import UNDEFINED, Null, null_of
from speechnet.evaluation.cluster_reference import Assigned, reference_nulls
from speechnet.evaluation.cluster_scores import COMPARED, WITHIN, Labels

REFERENCE_DRAWS: Final = 19
"""Clouds without clusters: the fewest that can give p = 0.05; each costs a whole clustering."""

_FEWEST: Final = 199
"""Permutations that are made of however many rows."""

_SHUFFLED: Final = 20_000_000
"""Labels to shuffle for one column, all permutations together, unless that makes too few."""

_AT_ONCE: Final = 1_000_000
"""Labels and cells of contingency tables to hold at once."""

_SAME: Final = 1e-9
"""Amounts of information nearer than this are the same."""

_ADJUSTED: Final = "adjusted_mutual_information"

Key = tuple[str, int, str, str]
"""Method, k, label column ("" where no labels take part), metric."""


def add_nulls(
    scores: pd.DataFrame,
    Z: Float64,
    assigned: Assigned,
    labels: Labels,
    *,
    cluster: Callable[[Float64], Assigned],
    draws: int,
    seed: int,
    notes: list[str],
) -> pd.DataFrame:
    """Set every score beside what chance gives.

    Args:
        scores: columns ``method, k, against, metric, value``.
        Z: the rows that were clustered, in uncorrelated components, float64 ``[n, p]``.
        assigned: their clusters.
        labels: what they are held against.
        cluster: clusters other rows by the same methods.
        draws: permutations of the labels; at most ``REFERENCE_DRAWS`` clouds. 0 for none.
        seed: of all that is drawn.
        notes: takes a sentence where there are too many rows for all this.

    Returns:
        ``scores`` with the columns ``null_mean, null_sd, p``: mean and standard deviation of the
        draws, and the share of them that are at least as good, the real value counted as one. NaN
        where the score is undefined or can't be anything else, and without draws.
    """
    nulls: dict[Key, Null] = {}
    if draws:
        plain = scores[scores["against"] == ""].set_index(["method", "k", "metric"])["value"]
        clouds = min(draws, REFERENCE_DRAWS)
        found = reference_nulls(Z, dict(plain), cluster, draws=clouds, seed=seed)
        nulls |= {(method, k, "", metric): null for (method, k, metric), null in found.items()}
        codes, speakers, _ = labels
        nulls |= label_nulls(assigned, codes, speakers, draws=draws, seed=seed, notes=notes)
        nulls |= within_gender_nulls(assigned, labels, draws=draws, seed=seed)
    keys = scores[["method", "k", "against", "metric"]].itertuples(index=False, name=None)
    rows = [
        UNDEFINED if np.isnan(value) else nulls.get(key, UNDEFINED)
        for key, value in zip(keys, scores["value"], strict=True)
    ]
    columns = pd.DataFrame(rows, columns=["null_mean", "null_sd", "p"], index=scores.index)
    return pd.concat([scores, columns.astype(np.float64)], axis=1)


def label_nulls(
    assigned: Assigned,
    codes: Mapping[str, Int64],
    speakers: Int64 | None,
    *,
    draws: int,
    seed: int,
    notes: list[str],
) -> dict[Key, Null]:
    """The nulls of all scores against labels.

    With the sizes of classes and clusters as they are, each score rises in a straight line with
    the mutual information: one p serves all. (Where speakers with different numbers of recordings
    exchange labels, the sizes of the classes change a little; the real ones are kept.)

    Args:
        assigned: clusters.
        codes: label columns by name, int64 ``[n]``, -1 in the rows to leave out.
        speakers: int64 ``[n]``, -1 where not known; None if there is no such column.
        draws: permutations.
        seed: of them.
        notes: takes a sentence where there are too many rows for that many.
    """
    nulls: dict[Key, Null] = {}
    for column, labels in codes.items():
        known = labels >= 0
        clusterings = {key: one[known] for key, one in assigned.items() if one is not None}
        if not clusterings or len(np.unique(labels[known])) < 2:
            continue
        truth = np.unique(labels[known], return_inverse=True)[1]
        made = _affordable(draws, len(truth))
        if made < draws:
            notes.append(f"The labels of {column} were permuted {made} times, not {draws}.")
        named = _all_known(speakers, known)
        amounts = information_draws(truth, [*clusterings.values()], named, draws=made, seed=seed)
        for (key, clusters), drawn in zip(clusterings.items(), amounts, strict=True):
            for metric, null in _scored(truth, clusters, drawn).items():
                nulls[*key, column, metric] = null
    return nulls


def within_gender_nulls(
    assigned: Assigned, labels: Labels, *, draws: int, seed: int
) -> dict[Key, Null]:
    """The nulls of speaker and emotion within gender: labels change places within each gender.

    Args:
        assigned: clusters.
        labels: what they are held against.
        draws: permutations.
        seed: of them.
    """
    keys = [key for key, one in assigned.items() if one is not None]
    sizes = [len(part) for part in labels.parts]
    if not keys or not sizes:
        return {}
    nulls: dict[Key, Null] = {}
    for column in COMPARED:
        scores = []  # [genders][clusterings][1 + draws], the real one first
        for gender, part in enumerate(labels.parts):
            truth = np.unique(labels.codes[column][part], return_inverse=True)[1]
            clusterings = [one[part] for one in assigned.values() if one is not None]
            amounts = information_draws(
                truth,
                clusterings,
                _all_known(labels.speakers, part),
                draws=_affordable(draws, sum(sizes)),
                seed=[seed, gender],
            )
            scores.append(
                [_adjusted(truth, *one) for one in zip(clusterings, amounts, strict=True)]
            )
        for key, found in zip(keys, np.average(scores, axis=0, weights=sizes), strict=True):
            nulls[*key, column + WITHIN, _ADJUSTED] = null_of(found[0], found[1:])
    return nulls


def _affordable(draws: int, rows: int) -> int:
    return min(draws, max(_FEWEST, _SHUFFLED // rows))


def _all_known(speakers: Int64 | None, at: NDArray[Any]) -> Int64 | None:
    """The speakers of these rows, unless some are not known."""
    return None if speakers is None or (speakers[at] < 0).any() else speakers[at]


def _scored(truth: Int64, clusters: Int64, amounts: Float64) -> dict[str, Null]:
    """The null of each score against labels, from draws of the mutual information ``[R]``."""
    nulls = {}
    for metric, (zero, one) in _lines(truth, clusters).items():
        if one - zero > _SAME:  # else the score is undefined, or the same for every permutation
            scores = (_with_real(truth, clusters, amounts) - zero) / (one - zero)
            nulls[metric] = null_of(scores[0], scores[1:])
    return nulls


def _adjusted(truth: Int64, clusters: Int64, amounts: Float64) -> Float64:
    """The adjusted information ``[1 + R]``, the real one first; NaN where it can't vary."""
    zero, one = _lines(truth, clusters)[_ADJUSTED]
    return (_with_real(truth, clusters, amounts) - zero) / (
        one - zero if one - zero > _SAME else np.nan
    )


def _with_real(truth: Int64, clusters: Int64, amounts: Float64) -> Float64:
    return np.append(_information(truth[None], clusters, int(truth.max()) + 1), amounts)


def _lines(truth: Int64, clusters: Int64) -> dict[str, tuple[float, float]]:
    """By score the information at which it is 0 and that at which it is 1."""
    table = contingency_matrix(truth, clusters, sparse=True)
    of_labels, of_clusters = (entropy(np.bincount(codes)) for codes in (truth, clusters))
    mean = (of_labels + of_clusters) / 2
    return {
        "homogeneity": (0.0, of_labels),
        "completeness": (0.0, of_clusters),
        "v_measure": (0.0, mean),
        "mutual_information": (0.0, 1.0),
        _ADJUSTED: (expected_mutual_information(table, len(truth)), mean),
    }


def information_draws(
    truth: Int64,
    assigned: Sequence[Int64],
    speakers: Int64 | None,
    *,
    draws: int,
    seed: int | list[int],
) -> Float64:
    """Mutual information of clusters with labels that changed places.

    Args:
        truth: labels, int64 ``[n]``, 0 or more.
        assigned: clusterings of the same rows, int64 ``[n]`` each, 0 or more.
        speakers: int64 ``[n]``; None where some are not known.
        draws: how many times.
        seed: of the permutations, which are the same for every clustering.

    Returns:
        In nats, float64 ``[clusterings, draws]``.
    """
    rng = np.random.default_rng(seed)
    classes = int(truth.max()) + 1
    cells = classes * max(int(clusters.max()) + 1 for clusters in assigned)
    at_once = max(1, _AT_ONCE // (len(truth) + cells))
    pieces = []
    for start in range(0, draws, at_once):
        labels = exchanged(truth, speakers, draws=min(at_once, draws - start), rng=rng)
        pieces.append([_information(labels, clusters, classes) for clusters in assigned])
    return np.concatenate(pieces, axis=1)


def exchanged(
    truth: Int64, speakers: Int64 | None, *, draws: int, rng: np.random.Generator
) -> Int64:
    """Labels that changed places; see the head of this module.

    Args:
        truth: int64 ``[n]``.
        speakers: int64 ``[n]``; None where some are not known.
        draws: how many times.
        rng: what is drawn from.

    Returns:
        int64 ``[draws, n]``.
    """
    if speakers is not None:
        _, first, speaker = np.unique(speakers, return_index=True, return_inverse=True)
        of_speaker = truth[first]
        if not (of_speaker[speaker] == truth).all():
            return _exchanged_within(truth, speaker, draws, rng)
        if len(np.unique(of_speaker)) < len(of_speaker):  # else the label is the speaker
            return rng.permuted(np.tile(of_speaker, (draws, 1)), axis=1)[:, speaker]
    return rng.permuted(np.tile(truth, (draws, 1)), axis=1)


def _exchanged_within(truth: Int64, speaker: Int64, draws: int, rng: np.random.Generator) -> Int64:
    """Labels that changed places within speakers ``0 ... S - 1``, int64 ``[draws, n]``."""
    order = np.argsort(speaker, kind="stable")
    # sorted by speaker, then at random: the rows of each speaker stay together
    keys = speaker[order] + rng.random((draws, len(truth)))
    out = np.empty((draws, len(truth)), dtype=np.int64)
    out[:, order] = truth[order][np.argsort(keys, axis=1)]
    return out


def _information(labels: Int64, clusters: Int64, classes: int) -> Float64:
    """Mutual information in nats of each row of labels ``[R, n]`` with the clusters ``[n]``.

    ``I = log n + (sum f(n_ck) - sum f(n_c) - sum f(n_k)) / n`` with ``f(m) = m log m``.
    """
    (draws, n), k = labels.shape, int(clusters.max()) + 1
    cell = np.arange(draws)[:, None] * (classes * k) + labels * k + clusters
    counts = np.bincount(cell.ravel(), minlength=draws * classes * k).reshape(draws, classes, k)
    f = xlogy(np.arange(n + 1), np.arange(n + 1))  # of every count there can be
    joint = f[counts].sum(axis=(1, 2))
    of_classes, of_clusters = (f[counts.sum(axis=axis)].sum(axis=1) for axis in (2, 1))
    return np.asarray(np.log(n) + (joint - of_classes - of_clusters) / n)
