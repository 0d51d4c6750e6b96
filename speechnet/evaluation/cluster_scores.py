"""How much clusters tell about labels, and the same in words.

Scores against a label column (``C`` the labels, ``K`` the clusters, entropies ``H`` in nats):
    mutual_information: ``I = H(C) - H(C|K)``, 0 to ``H(C)``.
    adjusted_mutual_information: ``(I - E[I]) / (mean(H(C), H(K)) - E[I])`` with the expectation
        over random clusters of the same sizes; 0 is chance, 1 is agreement.
    homogeneity: ``I / H(C)``, 1 if every cluster holds one label only.
    completeness: ``I / H(K)``, 1 if every label lies in one cluster only.
    v_measure: the harmonic mean of the last two.
Speaker and emotion are also compared within gender, as whoever tells the speaker has told the
gender too: the adjusted mutual information within each gender, averaged by number of rows.
Those without labels are in ``speechnet.evaluation.cluster_reference``.

References:
    A. Rosenberg, J. Hirschberg, "V-Measure", EMNLP 2007; N. Vinh, J. Epps, J. Bailey, "Information
    Theoretic Measures for Clusterings Comparison", JMLR 11, 2010; P. Rousseeuw, 1987; D. Davies,
    D. Bouldin, 1979; T. Caliński, J. Harabasz, 1974. All computed by scikit-learn. S. Holm, "A
    simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float64, Int64
from speechnet.core.wording import all_of
from speechnet.evaluation.cluster_reference import Assigned, internal_scores
from speechnet.evaluation.significance import SIGNIFICANT, holm

AGAINST: Final = ("gender", "emotion", "sentence", "speaker")
"""The label columns that clusters are held against unless the configuration names others."""

COMPARED: Final = ("speaker", "emotion")
"""The labels that are compared within gender."""

WITHIN: Final = " within gender"
"""What follows their names in the column ``against``."""

METHOD_NAMES: Final = {
    "kmeans": "K-means",
    "gmm": "A Gaussian mixture",
    "agglomerative": "Ward's method",
}

EXTERNAL: Final = (
    "homogeneity",
    "completeness",
    "v_measure",
    "mutual_information",
    "adjusted_mutual_information",
)
SLIGHT: Final = 0.01
"""Clusters are not said to follow a label if their information, in two decimals, is below this."""

SILHOUETTE_ROWS: Final = 20_000
"""The silhouette compares every pair of rows: of more rows than this, a random sample is taken."""


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
        ValueError: a row without its labels, or with two.
    """
    missing = set(index) - set(labels.index)
    if missing:
        raise ValueError(
            f"labels lack {len(missing)} of {len(index)} rows, such as {min(missing)!r}"
        )
    if not labels.index.is_unique:
        twice = labels.index[labels.index.duplicated()][0]
        raise ValueError(f"labels have row {twice!r} more than once")
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


def score_clusters(
    Z: Float64,
    assigned: Assigned,
    labels: Labels,
    *,
    seed: int,
    notes: list[str],
) -> pd.DataFrame:
    """Score every clustering, without labels and against each of them.

    Args:
        Z: the rows that were clustered, float64 ``[n, p]``.
        assigned: clusters, int64 ``[n]``, by method and k; None where there are none.
        labels: what they are held against; rows without a label are left out of that.
        seed: of the sample that the silhouette is taken from.
        notes: takes a sentence if there was a sample.

    Returns:
        Columns ``method, k, against, metric, value``; ``against`` is "" where no labels take part.
    """
    sample = np.arange(len(Z))
    if len(Z) > SILHOUETTE_ROWS:
        sample = np.random.default_rng(seed).choice(len(Z), SILHOUETTE_ROWS, replace=False)
        notes.append(f"The silhouette is that of {SILHOUETTE_ROWS} rows drawn at random.")
    rows: list[tuple[str, int, str, str, float]] = []
    for (method, k), clusters in assigned.items():
        internal = internal_scores(Z, clusters, sample)
        rows += [(method, k, "", metric, value) for metric, value in internal.items()]
        for column, truth in labels.codes.items():
            external = _external(truth, clusters)
            rows += [(method, k, column, metric, value) for metric, value in external.items()]
        for column in COMPARED if labels.parts else ():
            value = _within(labels.parts, labels.codes[column], clusters)
            rows.append((method, k, column + WITHIN, "adjusted_mutual_information", value))
    return pd.DataFrame(rows, columns=["method", "k", "against", "metric", "value"])


def _external(truth: Int64, clusters: Int64 | None) -> dict[str, float]:
    """The scores against labels, of the rows that have one; NaN where there is nothing to tell.

    With one label value all are undefined. With one cluster completeness and the V-measure are
    (``0 / 0``), which scikit-learn calls 1.
    """
    known = truth >= 0
    if clusters is None or len(np.unique(truth[known])) < 2:
        return dict.fromkeys(EXTERNAL, np.nan)
    true, cluster = truth[known], clusters[known]
    with warnings.catch_warnings():
        # a remark about regression targets, where a label stands in few rows
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        values = [
            *metrics.homogeneity_completeness_v_measure(true, cluster),
            metrics.mutual_info_score(true, cluster),
            metrics.adjusted_mutual_info_score(true, cluster),
        ]
    scores = {metric: float(value) for metric, value in zip(EXTERNAL, values, strict=True)}
    if len(np.unique(cluster)) < 2:
        scores |= {"completeness": np.nan, "v_measure": np.nan}
    return scores


def _within(parts: Sequence[Int64], truth: Int64, clusters: Int64 | None) -> float:
    """The adjusted mutual information within each part, averaged by number of rows."""
    if clusters is None:
        return np.nan
    values = [_external(truth[part], clusters[part]) for part in parts]
    amounts = [one["adjusted_mutual_information"] for one in values]
    return float(np.average(amounts, weights=[len(part) for part in parts]))


def cluster_findings(scores: pd.DataFrame) -> list[str]:
    """Say what the clusters follow, in words.

    The adjusted mutual information decides, as it is 0 at chance however many labels there are. A
    label counts as followed if that is at least 0.01 when rounded and p at most 0.05, by Holm's
    method for all comparisons of one clustering. Without p nothing counts as followed.

    Args:
        scores: columns ``method, k, against, metric, value, p``, as ``Clustering.scores`` has them.

    Returns:
        First what holds for most clusterings, if anything: whether the gender comes first, and
        whether the clusters follow the speaker more than the emotion or the reverse, within a
        gender where that can be told. Then a sentence for each clustering that has scores. Empty
        where nothing was compared.
    """
    compared = scores[(scores["metric"] == "adjusted_mutual_information") & scores["value"].notna()]
    found: list[_Ranked] = []
    sentences = []
    for (method, k), rows in compared.groupby(["method", "k"], sort=False):
        found.append(_ranked(rows))
        sentences.append(_sentence(f"{METHOD_NAMES[str(method)]} with {k} clusters", found[-1]))
    return _headline(found) + sentences


class _Ranked(NamedTuple):
    """One clustering: what the labels score, best first, and which of them it follows."""

    overall: dict[str, float]
    within: dict[str, float]
    followed: set[str]
    tested: bool


def _ranked(rows: pd.DataFrame) -> _Ranked:
    rows = rows.sort_values("value", ascending=False, kind="stable")
    ami = dict(zip(rows["against"], rows["value"], strict=True))
    clear = holm(rows["p"].to_numpy(np.float64)) <= SIGNIFICANT
    return _Ranked(
        overall={label: value for label, value in ami.items() if not label.endswith(WITHIN)},
        within={label: value for label, value in ami.items() if label.endswith(WITHIN)},
        followed={label for label in rows["against"][clear] if round(ami[label], 2) >= SLIGHT},
        tested=bool(rows["p"].notna().any()),
    )


def _sentence(name: str, one: _Ranked) -> str:
    if not one.tested:
        return f"{name}, not compared with chance: {all_of(_scored(one.overall | one.within))}."
    followed, inside = (
        {label: value for label, value in scores.items() if label in one.followed}
        for scores in (one.overall, one.within)
    )
    rest = all_of([label for label in one.overall if label not in followed])
    if followed:
        said = f"{name} follows {_more(followed)}{f', with no clear sign of {rest}' * bool(rest)}"
    else:
        said = f"{name} shows no clear sign of {rest}"
    more = _more({label.removesuffix(WITHIN): value for label, value in inside.items()})
    return f"{said}; within a gender it follows {more}." if inside else f"{said}."


def _scored(labels: Mapping[str, float]) -> list[str]:
    return [f"{label} (AMI {value:.2f})" for label, value in labels.items()]


def _more(labels: Mapping[str, float]) -> str:
    first, others = _scored(labels)[:1], _scored(labels)[1:]
    return " more than ".join(all_of(names) for names in (first, others) if names)


def _headline(found: list[_Ranked]) -> list[str]:
    """Speaker against emotion, and whether that is more than the gender; as most clusterings go."""
    both = [one for one in found if {*COMPARED} <= {*one.overall}]
    first = sum(next(iter(one.overall)) == "gender" and "gender" in one.followed for one in both)
    overall, inside = _winner(both), _winner(both, WITHIN)
    if first > len(both) / 2:
        return [
            "The clusters follow gender most"
            + (f"; within a gender they follow {inside}." if inside else ".")
        ]
    if not overall:
        return [f"Within a gender the clusters follow {inside}."] if inside else []
    if inside == overall:
        return [f"The clusters follow {overall}, within a gender too."]
    if inside:
        return [f"The clusters follow {overall}, but within a gender {inside}."]
    unclear = any(one.within for one in both)
    return [f"The clusters follow {overall}{', but not clearly within a gender' * unclear}."]


def _winner(found: list[_Ranked], suffix: str = "") -> str:
    """Which of speaker and emotion scores higher in most clusterings; "" for neither."""
    for more, less in (COMPARED, COMPARED[::-1]):
        won = 0
        for one in found:
            ami = one.overall | one.within
            won += more + suffix in one.followed and ami[more + suffix] > ami[less + suffix]
        if won > len(found) / 2:
            return f"{more} more than {less}"
    return ""
