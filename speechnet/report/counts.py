"""How many recordings there are of each class."""

from __future__ import annotations

from typing import Final

import pandas as pd

from speechnet.core.types import Targets

_UNKNOWN: Final = "unknown"


def counts(corpus: pd.DataFrame, targets: Targets) -> dict[str, pd.DataFrame]:
    """Recordings of each class by gender, and how many speakers they come from, by target.

    Args:
        corpus: with columns ``speaker, gender`` and one for each target.
        targets: their ordered classes. Gender itself, which the columns say already, is only among
            them if it is alone.

    Returns:
        A row for each class, the columns of ``classes_by_gender``, ``all`` and ``speakers``.
    """
    found = {}
    for target, classes in targets.items():
        if target != "gender" or len(targets) == 1:
            by_gender = classes_by_gender(corpus, target=target, classes=classes)
            speakers = corpus["speaker"].groupby(corpus[target].astype(object)).nunique()
            more = {"all": by_gender.sum(axis=1), "speakers": speakers.reindex(classes)}
            found[target] = by_gender.assign(**more).fillna(0).astype(int)
    return found


def classes_by_gender(corpus: pd.DataFrame, *, target: str, classes: list[str]) -> pd.DataFrame:
    """Count the recordings of each class by gender.

    Args:
        corpus: with columns ``gender`` and ``target``; a row without the target's label isn't
            counted, one without a gender counts as ``unknown``.
        target: the target's column.
        classes: its ordered classes.

    Returns:
        int64, a row per class, a column per gender in alphabetical order, ``unknown`` last.
    """
    gender = corpus["gender"].astype("object").where(corpus["gender"].notna(), _UNKNOWN)
    counts = pd.crosstab(corpus[target].astype("object"), gender)
    columns = sorted(counts.columns, key=lambda name: (name == _UNKNOWN, str(name)))
    return counts.reindex(index=classes, columns=columns, fill_value=0)
