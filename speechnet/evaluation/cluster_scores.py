"""How much clusters tell about labels, compared with permuted labels.

Scores against a label column (``C`` the labels, ``K`` the clusters, entropies ``H`` in nats):
    mutual_information: ``I = H(C) - H(C|K)``, 0 to ``H(C)``.
    adjusted_mutual_information: ``(I - E[I]) / (mean(H(C), H(K)) - E[I])`` with the expectation
        over random clusters of the same sizes; 0 is chance, 1 is agreement.
    homogeneity: ``I / H(C)``, 1 if every cluster holds one label only.
    completeness: ``I / H(K)``, 1 if every label lies in one cluster only.
    v_measure: the harmonic mean of the last two.
Clusters that tell the speaker also tell the gender, so speaker and emotion are also compared within
gender: by the adjusted mutual information of each gender, averaged by number of rows.

Chance:
    The labels are permuted, the clusters stay. With the sizes of classes and clusters fixed, each
    score is a rising linear function of the mutual information, so one p serves all. (If speakers
    with different numbers of recordings exchange labels, the class sizes change a little; the real
    ones are used.) The recordings of a speaker are alike and must not be permuted as if they were
    independent. A label that is constant within each speaker, such as the gender, is permuted among
    speakers; one that varies within a speaker, such as the emotion, among recordings of the same
    speaker. Speakers themselves are permuted freely, and so are all labels if any speaker is
    unknown: clusters of speakers may then look like clusters of anything related to them.

References:
    A. Rosenberg, J. Hirschberg, "V-Measure", EMNLP 2007.
    N. Vinh, J. Epps, J. Bailey, "Information Theoretic Measures for Clusterings Comparison",
    JMLR 11, 2010.
    A. Winkler, M. Webster, D. Vidaurre, T. Nichols, S. Smith, "Multi-level block permutation",
    NeuroImage 123, 2015 (exchange between and within blocks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import entropy
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.chance import Null, null_of

Assigned = Mapping[tuple[str, int], Int64 | None]
"""Clusters, int64 ``[n]``, by method and k; None where there are none."""

Scored = dict[tuple[str, int, str, str], tuple[float, Null]]
"""Each score and its null, by method, k, label column ("" for none) and metric."""

AGAINST: Final = ("gender", "emotion", "sentence", "speaker")
"""The label columns that clusters are compared with unless the configuration names others."""

COMPARED: Final = ("speaker", "emotion")
WITHIN: Final = " within gender"
"""Labels that are also compared within gender, and what follows their names then."""

ADJUSTED: Final = "adjusted_mutual_information"
EXTERNAL: Final = ("homogeneity", "completeness", "v_measure", "mutual_information", ADJUSTED)

_SHUFFLED: Final = 20_000_000  # labels to permute for a column, all permutations together
_FEWEST: Final = 199  # permutations, however many rows there are
_AT_ONCE: Final = 1_000_000  # labels and cells of contingency tables to hold at once
_SAME: Final = 1e-9  # amounts of information nearer than this are the same


class Labels(NamedTuple):
    """Labels that clusters are compared with.

    Attributes:
        codes: int64 ``[n]``, -1 where there is no label.
        parts: positions of the rows that are scored together, int64 each; scores are averaged over
            parts by number of rows. Empty if nothing can be compared.
        metrics: which scores.
    """

    codes: Int64
    parts: list[Int64]
    metrics: tuple[str, ...] = EXTERNAL


def read_labels(
    labels: pd.DataFrame, index: Sequence[str], against: list[str] | None
) -> tuple[dict[str, Labels], Int64 | None]:
    """Number the labels of the rows that are clustered, and the speakers.

    ``labels`` is indexed by row id; ``against`` names columns, None for those of ``AGAINST`` that
    have two values or more.

    Returns:
        The labels by column. If speaker and emotion are among these and there are two genders or
        more, also within gender, where a gender has two speakers and two emotions or more. And the
        speakers, int64 ``[n]``, -1 where unknown; None if there is no such column.

    Raises:
        ConfigError: a column that ``labels`` lacks.
    """
    rows = labels.loc[list(index)]
    if against is None:
        against = [c for c in AGAINST if c in rows and len(rows[c].dropna().unique()) > 1]
    unknown = [column for column in against if column not in rows]
    if unknown:
        raise ConfigError(
            f"evaluation.clustering.against names {unknown}, expected some of {[*rows]}"
        )
    codes = {
        c: pd.factorize(rows[c])[0].astype(np.int64) for c in rows if c in (*against, *AGAINST)
    }
    found = {c: Labels(codes[c], _varying([codes[c] >= 0], [codes[c]])) for c in against}
    gender = codes.get("gender", np.full(len(rows), -1))
    genders = np.unique(gender[gender >= 0])
    if len(genders) > 1 and {*COMPARED} <= {*against}:
        both = [codes[label] for label in COMPARED]
        known = np.all([label >= 0 for label in both], axis=0)
        parts = _varying([known & (gender == one) for one in genders], both)
        if parts:
            found |= {c + WITHIN: Labels(codes[c], parts, (ADJUSTED,)) for c in COMPARED}
    return found, codes.get("speaker")


def _varying(masks: Sequence[NDArray[np.bool_]], labels: Sequence[Int64]) -> list[Int64]:
    """The parts, as positions, in which each of some labels has two values or more."""
    return [
        np.flatnonzero(mask)
        for mask in masks
        if all(len(np.unique(label[mask])) > 1 for label in labels)
    ]


def label_scores(
    assigned: Assigned,
    labels: Mapping[str, Labels],
    speakers: Int64 | None,
    *,
    draws: int,
    seed: int,
    notes: list[str],
) -> Scored:
    """The scores of clusters against labels; ``labels`` and ``speakers`` as ``read_labels`` gives.

    Labels are permuted ``draws`` times; ``notes`` gets a sentence if there are too many rows for
    that. A score whose formula divides by 0 is NaN; what can't be compared is left out.
    """
    there = {key: one for key, one in assigned.items() if one is not None}
    found: Scored = {}
    for against, (codes, parts, metrics) in labels.items():
        if not (there and parts):
            continue
        sizes = [len(part) for part in parts]
        made = min(draws, max(_FEWEST, _SHUFFLED // sum(sizes)))
        if made < draws:
            notes.append(f"The labels of {against} were permuted {made} times, not {draws}.")
        of_parts = [
            draw_scores(
                codes[part],
                [one[part] for one in there.values()],
                None if speakers is None or (speakers[part] < 0).any() else speakers[part],
                draws=made,
                seed=[seed, number],
            )
            for number, part in enumerate(parts)
        ]
        weights = sizes if len(sizes) > 1 else [1]  # a single part keeps its scores to the bit
        for key, *each in zip(there, *of_parts, strict=True):
            for metric in metrics:
                values = np.average([one[metric] for one in each], axis=0, weights=weights)
                found[*key, against, metric] = float(values[0]), null_of(values[0], values[1:])
    return found


def draw_scores(
    labels: Int64,
    clusterings: Sequence[Int64],
    speakers: Int64 | None,
    *,
    draws: int,
    seed: int | list[int],
) -> list[dict[str, Float64]]:
    """The scores of clusterings against labels and against ``draws`` permutations of them.

    All arguments are int64 ``[n]``, 0 or more; ``speakers`` is None if any is unknown. All
    clusterings are compared with the same permutations.

    Returns:
        For each clustering float64 ``[1 + draws]`` by score, the real one first; NaN if undefined.
    """
    truth = np.unique(labels, return_inverse=True)[1]
    classes, rng = int(truth.max()) + 1, np.random.default_rng(seed)
    cells = classes * max(int(clusters.max()) + 1 for clusters in clusterings)
    at_once = max(1, _AT_ONCE // (len(truth) + cells))
    sizes = [min(at_once, draws - start) for start in range(0, draws, at_once)]
    permuted = (exchanged(truth, speakers, draws=size, rng=rng) for size in sizes)
    information = np.concatenate(
        [
            [_information(some, clusters, classes) for clusters in clusterings]
            for some in chain([truth[np.newaxis]], permuted)
        ],
        axis=1,
    )
    found = []
    for clusters, amounts in zip(clusterings, information, strict=True):
        scores = {}
        for metric, (zero, one) in _lines(truth, clusters).items():
            span = one - zero if one - zero > _SAME else np.nan
            scores[metric] = (amounts - zero) / span
        found.append(scores)
    return found


def _lines(truth: Int64, clusters: Int64) -> dict[str, tuple[float, float]]:
    """By score the information at which it is 0 and that at which it is 1."""
    table = contingency_matrix(truth, clusters, sparse=True)
    of_labels, of_clusters = (entropy(np.bincount(codes)) for codes in (truth, clusters))
    mean = (of_labels + of_clusters) / 2
    return {
        "homogeneity": (0.0, of_labels),
        "completeness": (0.0, of_clusters),
        "v_measure": (0.0, mean if of_clusters > _SAME else 0.0),
        "mutual_information": (0.0, 1.0),
        ADJUSTED: (expected_mutual_information(table, len(truth)), mean),
    }


def _information(labels: Int64, clusters: Int64, classes: int) -> Float64:
    """Mutual information in nats of each row of labels ``[R, n]`` with the clusters ``[n]``.

    ``I = log n + (sum f(n_ck) - sum f(n_c) - sum f(n_k)) / n`` with ``f(m) = m log m``.
    """
    (draws, n), k = labels.shape, int(clusters.max()) + 1
    cell = np.arange(draws)[:, None] * (classes * k) + labels * k + clusters
    counts = np.bincount(cell.ravel(), minlength=draws * classes * k).reshape(draws, classes, k)
    f = xlogy(np.arange(n + 1), np.arange(n + 1))  # of every possible count
    joint = f[counts].sum(axis=(1, 2))
    of_classes, of_clusters = (f[counts.sum(axis=axis)].sum(axis=1) for axis in (2, 1))
    return np.asarray(np.log(n) + (joint - of_classes - of_clusters) / n)


def exchanged(
    truth: Int64, speakers: Int64 | None, *, draws: int, rng: np.random.Generator
) -> Int64:
    """Labels ``[n]``, permuted as the head of this module says: int64 ``[draws, n]``."""
    if speakers is None:
        return rng.permuted(np.tile(truth, (draws, 1)), axis=1)
    _, first, speaker = np.unique(speakers, return_index=True, return_inverse=True)
    of_speaker = truth[first]
    if not (of_speaker[speaker] == truth).all():
        order = np.argsort(speaker, kind="stable")
        # sorted by speaker, then at random: the rows of each speaker stay together
        keys = speaker[order] + rng.random((draws, len(truth)))
        out = np.empty((draws, len(truth)), dtype=np.int64)
        out[:, order] = truth[order][np.argsort(keys, axis=1)]
        return out
    if len(np.unique(of_speaker)) < len(of_speaker):
        return rng.permuted(np.tile(of_speaker, (draws, 1)), axis=1)[:, speaker]
    return exchanged(truth, None, draws=draws, rng=rng)  # the label is the speaker
