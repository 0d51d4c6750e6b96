"""What clusters follow, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from speechnet.core.wording import all_of
from speechnet.evaluation.cluster_scores import ADJUSTED, COMPARED, WITHIN
from speechnet.evaluation.significance import SIGNIFICANT, holm

SLIGHT: Final = 0.01
"""Clusters are not said to follow a label if their information, in two decimals, is below this."""

_METHODS: Final = {
    "kmeans": "K-means",
    "gmm": "A Gaussian mixture",
    "agglomerative": "Ward's method",
}


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
    compared = scores[(scores["metric"] == ADJUSTED) & scores["value"].notna()]
    found: list[_Ranked] = []
    sentences = []
    for (method, k), rows in compared.groupby(["method", "k"], sort=False):
        found.append(_ranked(rows))
        sentences.append(_sentence(f"{_METHODS[str(method)]} with {k} clusters", found[-1]))
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
