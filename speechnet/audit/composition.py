"""Who says what: classes by gender by speaker, and how much of the labels the speaker gives away.

Where a speaker has recordings of one class only, or mostly of one, a model may learn voices in
place of what is asked for, and standardising by speaker takes away what tells the classes apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics.cluster import expected_mutual_information

from speechnet.core.types import Float64, Targets

PERSONAL: Final = frozenset({"gender"})
"""Targets that belong to the speaker: that each speaker has one class of them is no finding."""

COMPOSITION_COLUMNS: Final = ("target", "class", "gender", "speaker", "count")


@dataclass(frozen=True)
class Tells:
    """How well the speaker alone, or the sentence or the corpus, tells a target's class.

    Attributes:
        uar: mean recall over classes of the rule "the class that most of the same speaker's other
            recordings have" (ties share the recording between them).
        chance: one over the number of classes, what the rule would reach without a connection. In
            a corpus where every speaker has as many recordings of each class it reaches less, for
            the recording that is asked about is missing among the others.
        certainty: the share of the class's uncertainty that the speaker takes away, corrected for
            what would come about by chance: ``(I - E[I]) / (H - E[I])``, with the mutual
            information ``I`` of class and speaker, its expectation under permuted labels and the
            classes' entropy ``H``. 1 if each speaker has one class, 0 on average if classes are
            spread by chance, below 0 if they are spread more evenly than that.
        recordings: labelled recordings of speakers who have two or more of them.
        groups: how many speakers these are, or sentences or corpora.
    """

    uar: float
    chance: float
    certainty: float
    recordings: int
    groups: int


def classes_by_gender_by_speaker(table: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Count the recordings of each class by each speaker.

    Args:
        table: the corpus table, with columns ``speaker``, ``gender`` and the targets.
        targets: each target with its classes.

    Returns:
        Columns ``target, class, gender, speaker, count``: a row for each combination that occurs;
        gender and speaker are NA where they are unknown. Classes in the order of ``targets``.
    """
    tables = []
    for target, classes in targets.items():
        labels = pd.Categorical(table[target], categories=classes)
        keys = {"class": labels, "gender": table["gender"], "speaker": table["speaker"]}
        known = pd.DataFrame(keys, index=table.index)[labels.notna()]
        counts = known.groupby(list(keys), dropna=False, observed=True).size()
        tables.append(counts.rename("count").reset_index().assign(target=target))
    counted = pd.concat(tables, ignore_index=True)
    return counted.astype({"class": object})[list(COMPOSITION_COLUMNS)]


def single_class_speakers(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Speakers with several recordings, all of one class.

    Args:
        table: the corpus table.
        target: the column of labels.

    Returns:
        Columns ``speaker, class, count``, by speaker; only speakers with two labelled recordings
        or more can be in it.
    """
    by_speaker = _of_several(table, target).groupby("speaker", observed=True)["label"]
    found = by_speaker.agg(["nunique", "first", "size"])
    single = found[found["nunique"] == 1].drop(columns="nunique").reset_index()
    return single.rename(columns={"first": "class", "size": "count"})


def normalising_harms(table: pd.DataFrame, targets: Targets, *, share: float) -> list[str]:
    """Targets whose classes standardisation by speaker would take away.

    Args:
        table: the corpus table.
        targets: each target with its classes; those of ``PERSONAL`` don't count.
        share: of the speakers with several recordings, how many of one class only are too many.

    Returns:
        The targets, in their order.
    """
    harmed = []
    for target in (name for name in targets if name not in PERSONAL):
        speakers = _of_several(table, target)["speaker"].nunique()
        single = len(single_class_speakers(table, target))
        if single and single >= share * speakers:
            harmed.append(target)
    return harmed


def tells(table: pd.DataFrame, target: str, *, by: str = "speaker") -> Tells:
    """Measure how well the speaker alone tells the class.

    Args:
        table: the corpus table.
        target: the column of labels.
        by: another column to look at in place of the speaker.

    Returns:
        The measures; NaN where fewer than two classes or no speaker of several recordings are left.
    """
    counts = _contingency(table, target, by)
    n, classes = int(counts.sum()), counts.shape[1]
    if classes < 2:
        return Tells(np.nan, np.nan, np.nan, recordings=n, groups=len(counts))
    return Tells(
        uar=_majority_uar(counts),
        chance=1 / classes,
        certainty=_certainty(counts),
        recordings=n,
        groups=len(counts),
    )


def _of_several(table: pd.DataFrame, target: str, by: str = "speaker") -> pd.DataFrame:
    """Columns ``by`` and ``label`` of speakers with two labelled recordings or more."""
    frame = pd.DataFrame({by: table[by], "label": table[target]}).dropna()
    return frame[frame.groupby(by, observed=True)["label"].transform("size") > 1]


def _contingency(table: pd.DataFrame, target: str, by: str) -> Float64:
    """Recordings by speaker and class, float64 ``[speakers, classes]``."""
    frame = _of_several(table, target, by)
    return pd.crosstab(frame[by], frame["label"]).to_numpy(dtype=np.float64)


def _majority_uar(counts: Float64) -> float:
    """UAR of the majority class among the same speaker's other recordings."""
    recalls = []
    for label in range(counts.shape[1]):
        others = counts.copy()
        others[:, label] -= 1
        most = others.max(axis=1, keepdims=True)
        credit = (others[:, label] == most[:, 0]) / (others == most).sum(axis=1)
        recalls.append(np.average(credit, weights=counts[:, label]))
    return float(np.mean(recalls))


def _certainty(counts: Float64) -> float:
    """The corrected uncertainty coefficient of ``Tells``.

    The correction is that of N. X. Vinh, J. Epps and J. Bailey, "Information theoretic measures
    for clusterings comparison" (JMLR 11, 2010); divided by the entropy of the classes alone the
    measure is asymmetric, as Theil's uncertainty coefficient is.
    """
    n = counts.sum()
    p = counts / n
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    there = p > 0
    information = float((p[there] * np.log(p[there] / independent[there])).sum())
    of_classes = p.sum(axis=0)
    entropy = float(-(of_classes * np.log(of_classes)).sum())
    by_chance = float(expected_mutual_information(counts.astype(np.int64), int(n)))
    return (information - by_chance) / (entropy - by_chance)
