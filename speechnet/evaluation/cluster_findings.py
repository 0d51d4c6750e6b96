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
"""Clusters don't follow a label whose information, in two decimals, is below this."""

_METHODS: Final = {
    "kmeans": "K-means",
    "gmm": "A Gaussian mixture",
    "agglomerative": "Ward's method",
}


class _Ranked(NamedTuple):
    """The scores of one clustering by label, best first, and the labels that it follows."""

    overall: dict[str, float]
    within: dict[str, float]
    followed: set[str]


def cluster_findings(scores: pd.DataFrame) -> list[str]:
    """Say what the clusters follow, in words.

    The adjusted mutual information decides, as it is 0 at chance however many labels there are.
    Clusters follow a label if it is at least 0.01 when rounded and p at most 0.05, corrected by
    Holm's method for all comparisons of one clustering. Without p they follow nothing.

    Args:
        scores: columns ``method, k, against, metric, value, p``, as ``Clustering.scores`` has them.

    Returns:
        First what holds for most clusterings, if anything: whether the gender comes first, and
        whether the clusters follow the speaker more than the emotion or the reverse, within a
        gender where that is known. Then a sentence for each clustering that has scores. Empty if
        nothing was compared.
    """
    compared = scores[(scores["metric"] == ADJUSTED) & scores["value"].notna()]
    found: list[_Ranked] = []
    sentences = []
    for (method, k), rows in compared.groupby(["method", "k"], sort=False):
        name = f"{_METHODS[str(method)]} with {k} clusters"
        one = _ranked(rows)
        found.append(one)
        if rows["p"].notna().any():
            sentences.append(_sentence(name, one))
        else:
            said = all_of(_scored(one.overall | one.within))
            sentences.append(f"{name}, not compared with chance: {said}.")
    return _headline(found) + sentences


def _ranked(rows: pd.DataFrame) -> _Ranked:
    rows = rows.sort_values("value", ascending=False, kind="stable")
    ami = dict(zip(rows["against"], rows["value"], strict=True))
    clear = holm(rows["p"].to_numpy(np.float64)) <= SIGNIFICANT
    return _Ranked(
        overall={label: value for label, value in ami.items() if not label.endswith(WITHIN)},
        within={label: value for label, value in ami.items() if label.endswith(WITHIN)},
        followed={label for label in rows["against"][clear] if round(ami[label], 2) >= SLIGHT},
    )


def _sentence(name: str, one: _Ranked) -> str:
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
    first, *others = _scored(labels) or [""]
    return " more than ".join([first, all_of(others)] if others else [first])


def _headline(found: list[_Ranked]) -> list[str]:
    """What most clusterings follow: gender first or not, and speaker or emotion more."""
    both = [one for one in found if {*COMPARED} <= {*one.overall}]
    first = sum(next(iter(one.overall)) == "gender" and "gender" in one.followed for one in both)
    overall, inside = _winner(both), _winner(both, WITHIN)
    if first > len(both) / 2:
        more = f"; within a gender they follow {inside}" if inside else ""
        return [f"The clusters follow gender most{more}."]
    if not overall:
        return [f"Within a gender the clusters follow {inside}."] if inside else []
    if inside == overall:
        rest = ", within a gender too"
    elif inside:
        rest = f", but within a gender {inside}"
    else:
        rest = ", but not clearly within a gender" if any(one.within for one in both) else ""
    return [f"The clusters follow {overall}{rest}."]


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
