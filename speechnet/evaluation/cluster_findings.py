"""What clusters follow, in words."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.wording import all_of
from speechnet.evaluation.cluster_scores import ADJUSTED, COMPARED, WITHIN
from speechnet.evaluation.significance import SIGNIFICANT, holm

SLIGHT: Final = 0.01
"""Clusters don't follow a label whose information, in two decimals, is below this."""

_Ranked = tuple[dict[str, float], set[str]]
"""The information of one clustering by label, best first, and the labels that it follows."""

_METHODS: Final = {
    "kmeans": "K-means",
    "gmm": "A Gaussian mixture",
    "agglomerative": "Ward's method",
}


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
        ranked = rows.sort_values("value", ascending=False, kind="stable")
        ami = dict(zip(ranked["against"], ranked["value"], strict=True))
        clear = holm(ranked["p"].to_numpy(np.float64)) <= SIGNIFICANT
        followed = {label for label in ranked["against"][clear] if round(ami[label], 2) >= SLIGHT}
        found.append((ami, followed))
        name = f"{_METHODS[str(method)]} with {k} clusters"
        sentences.append(_sentence(name, ami, followed, tested=bool(rows["p"].notna().any())))
    return _headline(found) + sentences


def _sentence(name: str, ami: dict[str, float], followed: set[str], *, tested: bool) -> str:
    scored = {label: f"{label} (AMI {value:.2f})" for label, value in ami.items()}
    overall = [label for label in ami if not label.endswith(WITHIN)]
    within = [label for label in ami if label.endswith(WITHIN)]
    if not tested:
        said = all_of([scored[label] for label in [*overall, *within]])
        return f"{name}, not compared with chance: {said}."
    rest = all_of([label for label in overall if label not in followed])
    if more := _more([scored[label] for label in overall if label in followed]):
        said = f"{name} follows {more}{f', with no clear sign of {rest}' * bool(rest)}"
    else:
        said = f"{name} shows no clear sign of {rest}"
    inside = _more([scored[label].replace(WITHIN, "") for label in within if label in followed])
    return f"{said}; within a gender it follows {inside}." if inside else f"{said}."


def _more(scored: list[str]) -> str:
    return " more than ".join(all_of(names) for names in (scored[:1], scored[1:]) if names)


def _headline(found: list[_Ranked]) -> list[str]:
    """What most clusterings follow: gender first or not, and speaker or emotion more."""
    both = [(ami, followed) for ami, followed in found if {*COMPARED} <= {*ami}]
    first = 0
    for ami, followed in both:
        best = next(label for label in ami if not label.endswith(WITHIN))
        first += best == "gender" and best in followed
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
        known = any(COMPARED[0] + WITHIN in ami for ami, _ in both)
        rest = ", but not clearly within a gender" if known else ""
    return [f"The clusters follow {overall}{rest}."]


def _winner(found: list[_Ranked], suffix: str = "") -> str:
    """Which of speaker and emotion scores higher in most clusterings; "" for neither."""
    for more, less in (COMPARED, COMPARED[::-1]):
        won = sum(
            more + suffix in followed and ami[more + suffix] > ami[less + suffix]
            for ami, followed in found
        )
        if won > len(found) / 2:
            return f"{more} more than {less}"
    return ""
