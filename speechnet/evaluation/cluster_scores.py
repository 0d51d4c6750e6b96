"""How much clusters tell about labels, beside what they tell about labels that say nothing.

Scores against a label column (``C`` the labels, ``K`` the clusters, entropies ``H`` in nats):
    mutual_information: ``I = H(C) - H(C|K)``, 0 to ``H(C)``.
    adjusted_mutual_information: ``(I - E[I]) / (mean(H(C), H(K)) - E[I])`` with the expectation
        over random clusters of the same sizes; 0 is chance, 1 is agreement.
    homogeneity: ``I / H(C)``, 1 if every cluster holds one label only.
    completeness: ``I / H(K)``, 1 if every label lies in one cluster only.
    v_measure: the harmonic mean of the last two.
Speaker and emotion are also compared within gender, as whoever tells the speaker has told the
gender too: the adjusted mutual information within each gender, averaged by number of rows.

Chance:
    The labels change places, the clusters stay. With the sizes of classes and clusters as they are,
    each score rises in a straight line with the mutual information: one p serves all. (Where
    speakers with different numbers of recordings exchange labels, the sizes of the classes change a
    little; the real ones are kept.) The recordings of one speaker are alike, so that they must not
    be shuffled as if they had nothing in common. A label that each speaker has only one of, such as
    the gender, changes places between whole speakers; one that varies within a speaker, such as the
    emotion, between recordings of the same speaker. Speakers themselves change places freely, and
    so do all labels where some speaker is not known: then clusters of speakers may look like
    clusters of anything that goes with them.

References:
    A. Rosenberg, J. Hirschberg, "V-Measure", EMNLP 2007.
    N. Vinh, J. Epps, J. Bailey, "Information Theoretic Measures for Clusterings Comparison",
    JMLR 11, 2010.
    A. Winkler, M. Webster, D. Vidaurre, T. Nichols, S. Smith, "Multi-level block permutation",
    NeuroImage 123, 2015 (exchange between and within blocks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

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

Key = tuple[str, int, str, str]
"""Method, k, label column ("" where no labels take part), metric."""

Scored = dict[Key, tuple[float, Null]]
"""Each score, and what it is under chance."""

AGAINST: Final = ("gender", "emotion", "sentence", "speaker")
"""The label columns that clusters are held against unless the configuration names others."""

COMPARED: Final = ("speaker", "emotion")
"""The labels that are compared within gender."""

WITHIN: Final = " within gender"
"""What follows their names in the column ``against``."""

ADJUSTED: Final = "adjusted_mutual_information"

EXTERNAL: Final = ("homogeneity", "completeness", "v_measure", "mutual_information", ADJUSTED)

_FEWEST: Final = 199
"""Permutations that are made of however many rows."""

_SHUFFLED: Final = 20_000_000
"""Labels to shuffle for one column, all permutations together, unless that makes too few."""

_AT_ONCE: Final = 1_000_000
"""Labels and cells of contingency tables to hold at once."""

_SAME: Final = 1e-9
"""Amounts of information nearer than this are the same."""


class Labels(NamedTuple):
    """What clusters are held against.

    Attributes:
        codes: label columns by name, int64 ``[n]``, -1 where there is no label.
        speakers: int64 ``[n]``, -1 where not known; None if there is no such column.
        parts: for each gender with two speakers and two emotions or more the positions of its rows
            that have both labels; empty where there is only one gender, or one of these is not to
            be compared.
    """

    codes: dict[str, Int64]
    speakers: Int64 | None
    parts: list[Int64]


def read_labels(labels: pd.DataFrame, index: Sequence[str], against: list[str] | None) -> Labels:
    """Number the labels of the rows that are clustered.

    Args:
        labels: indexed by row id.
        index: the ``n`` row ids.
        against: the columns; None for those of ``AGAINST`` that have two values or more.

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
    number = {
        c: pd.factorize(rows[c])[0].astype(np.int64) for c in rows if c in (*against, *AGAINST)
    }
    codes = {column: number[column] for column in against}
    return Labels(codes, number.get("speaker"), _gender_parts(codes, number.get("gender")))


def _gender_parts(codes: Mapping[str, Int64], gender: Int64 | None) -> list[Int64]:
    if gender is None or not {*COMPARED} <= {*codes} or len(np.unique(gender[gender >= 0])) < 2:
        return []
    known = np.all([gender >= 0, *(codes[label] >= 0 for label in COMPARED)], axis=0)
    parts = [np.flatnonzero(known & (gender == one)) for one in np.unique(gender[known])]
    return [
        part for part in parts if all(len(np.unique(codes[label][part])) > 1 for label in COMPARED)
    ]


def label_scores(
    assigned: Assigned, labels: Labels, *, draws: int, seed: int, notes: list[str]
) -> Scored:
    """The scores against each label column, of the rows that have a label.

    Args:
        assigned: clusters.
        labels: what they are held against.
        draws: permutations; 0 for none.
        seed: of them.
        notes: takes a sentence where there are too many rows for that many.

    Returns:
        The scores; NaN where a clustering is missing, where there are fewer than two labels, and
        where a formula divides by 0.
    """
    found: Scored = {}
    for column, codes in labels.codes.items():
        known = codes >= 0
        clusterings = {key: one[known] for key, one in assigned.items() if one is not None}
        if not clusterings or len(np.unique(codes[known])) < 2:
            continue
        truth = np.unique(codes[known], return_inverse=True)[1]
        made = _affordable(draws, len(truth))
        if made < draws:
            notes.append(f"The labels of {column} were permuted {made} times, not {draws}.")
        named = _all_known(labels.speakers, known)
        drawn = draw_scores(truth, [*clusterings.values()], named, draws=made, seed=seed)
        for key, scores in zip(clusterings, drawn, strict=True):
            for metric, values in scores.items():
                found[*key, column, metric] = _beside_chance(values)
    return found


def within_gender_scores(assigned: Assigned, labels: Labels, *, draws: int, seed: int) -> Scored:
    """The adjusted information of speaker and emotion within each gender, averaged by rows.

    Args:
        assigned: clusters.
        labels: what they are held against; without two genders there are no scores.
        draws: permutations within each gender; 0 for none.
        seed: of them.
    """
    there = {key: one for key, one in assigned.items() if one is not None}
    sizes = [len(part) for part in labels.parts]
    found: Scored = {}
    for column in COMPARED if there and sizes else ():
        of_genders = []  # [genders][clusterings], each float64 [1 + draws]
        for gender, part in enumerate(labels.parts):
            drawn = draw_scores(
                np.unique(labels.codes[column][part], return_inverse=True)[1],
                [one[part] for one in there.values()],
                _all_known(labels.speakers, part),
                draws=_affordable(draws, sum(sizes)),
                seed=[seed, gender],
            )
            of_genders.append([scores[ADJUSTED] for scores in drawn])
        for key, values in zip(there, np.average(of_genders, axis=0, weights=sizes), strict=True):
            found[*key, column + WITHIN, ADJUSTED] = _beside_chance(values)
    return found


def _beside_chance(values: Float64) -> tuple[float, Null]:
    return float(values[0]), null_of(values[0], values[1:])


def _affordable(draws: int, rows: int) -> int:
    return min(draws, max(_FEWEST, _SHUFFLED // rows))


def _all_known(speakers: Int64 | None, at: NDArray[Any]) -> Int64 | None:
    """The speakers of these rows, unless some are not known."""
    return None if speakers is None or (speakers[at] < 0).any() else speakers[at]


def draw_scores(
    truth: Int64,
    clusterings: Sequence[Int64],
    speakers: Int64 | None,
    *,
    draws: int,
    seed: int | list[int],
) -> list[dict[str, Float64]]:
    """The scores of clusterings against labels, and against labels that changed places.

    Args:
        truth: labels, int64 ``[n]``, 0 or more.
        clusterings: of the same rows, int64 ``[n]`` each, 0 or more.
        speakers: int64 ``[n]``; None where some are not known.
        draws: how many times labels change places.
        seed: of that; the same for every clustering.

    Returns:
        For each clustering by score float64 ``[1 + draws]``, the real one first; NaN where it is
        undefined.
    """
    classes = int(truth.max()) + 1
    information = np.concatenate(
        [
            [_information(labels, clusters, classes) for clusters in clusterings]
            for labels in _permutations(truth, clusterings, speakers, draws=draws, seed=seed)
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


def _permutations(
    truth: Int64,
    clusterings: Sequence[Int64],
    speakers: Int64 | None,
    *,
    draws: int,
    seed: int | list[int],
) -> Iterator[Int64]:
    """The labels, then as many of their permutations at once as memory allows: ``[r, n]``."""
    yield truth[np.newaxis]
    rng = np.random.default_rng(seed)
    cells = (int(truth.max()) + 1) * max(int(clusters.max()) + 1 for clusters in clusterings)
    at_once = max(1, _AT_ONCE // (len(truth) + cells))
    for start in range(0, draws, at_once):
        yield exchanged(truth, speakers, draws=min(at_once, draws - start), rng=rng)


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
