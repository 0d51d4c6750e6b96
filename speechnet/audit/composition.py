"""Classes by gender by speaker, and how much of the labels the speaker gives away.

If a speaker's recordings are all or mostly of one class, a model may learn voices instead of the
classes, and standardising by speaker removes what distinguishes the classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics.cluster import expected_mutual_information

from speechnet.core.types import Float64, Targets

PERSONAL: Final = frozenset({"gender"})
"""Targets of which each speaker has one class, which isn't a finding."""


@dataclass(frozen=True)
class Association:
    """How well the speaker alone (or the sentence, or the corpus) predicts a target's class.

    Attributes:
        uar: mean recall of the rule "the class of most of the speaker's other recordings"; tied
            classes share the recording.
        chance: one over the number of classes. The rule scores less if every speaker has as many
            recordings of each class, because the recording itself is not among the others.
        certainty: the share of the class's uncertainty that the speaker removes, corrected for
            chance: Theil's uncertainty coefficient ``(I - E[I]) / (H - E[I])`` with the mutual
            information ``I`` of class and speaker, its expectation under permuted labels (N. X.
            Vinh, J. Epps, J. Bailey, JMLR 11, 2010) and the classes' entropy ``H``. 1 if each
            speaker has one class, 0 on average for classes at random, below 0 if more even.
        groups: how many speakers have two or more labelled recordings; only these count.
    """

    uar: float
    chance: float
    certainty: float
    groups: int


def classes_by_gender_by_speaker(table: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Count the recordings of each class by each speaker.

    Returns:
        Columns ``target, class, gender, speaker, count``: a row for each combination that occurs;
        gender and speaker are NA if unknown. Classes in the order of ``targets``.
    """
    tables = []
    for target, classes in targets.items():
        labels = pd.Categorical(table[target], categories=classes)
        keys = {"class": labels, "gender": table["gender"], "speaker": table["speaker"]}
        known = pd.DataFrame(keys, index=table.index)[labels.notna()]
        counts = known.groupby(list(keys), dropna=False, observed=True).size()
        tables.append(counts.rename("count").reset_index().assign(target=target))
    counted = pd.concat(tables, ignore_index=True)
    return counted.astype({"class": object})[["target", *keys, "count"]]


def single_class_speakers(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """List ``speaker, class, count`` of speakers with several labelled recordings of one class."""
    by_speaker = _of_several(table, target).groupby("speaker", observed=True)["label"]
    found = by_speaker.agg(["nunique", "first", "size"])
    single = found[found["nunique"] == 1].drop(columns="nunique").reset_index()
    return single.rename(columns={"first": "class", "size": "count"})


def normalising_harms(table: pd.DataFrame, targets: Targets, *, share: float) -> list[str]:
    """Targets, but for ``PERSONAL``, whose classes standardisation by speaker would remove.

    Of those, at least a ``share`` of the speakers with several recordings have one class only.
    """
    harmed = []
    for target in targets:
        speakers = _of_several(table, target)["speaker"].nunique()
        single = len(single_class_speakers(table, target))
        if target not in PERSONAL and single and single >= share * speakers:
            harmed.append(target)
    return harmed


def association(table: pd.DataFrame, target: str, *, by: str = "speaker") -> Association:
    """Measure how well the speaker, or another column ``by``, predicts the class.

    NaN if fewer than two classes or no speaker of several recordings are left.
    """
    frame = _of_several(table, target, by)
    counts = pd.crosstab(frame[by], frame["label"]).to_numpy(dtype=np.float64)
    classes = counts.shape[1]
    if classes < 2:
        return Association(np.nan, np.nan, np.nan, len(counts))
    return Association(_majority_uar(counts), 1 / classes, _certainty(counts), len(counts))


def _of_several(table: pd.DataFrame, target: str, by: str = "speaker") -> pd.DataFrame:
    """Columns ``by`` and ``label``, of speakers with two or more labelled recordings."""
    frame = pd.DataFrame({by: table[by], "label": table[target]}).dropna()
    return frame[frame.groupby(by, observed=True)["label"].transform("size") > 1]


def _majority_uar(counts: Float64) -> float:
    """``Association.uar`` of counts of recordings, float64 ``[speakers, classes]``."""
    recalls = []
    for label in range(counts.shape[1]):
        others = counts.copy()
        others[:, label] -= 1
        most = others.max(axis=1, keepdims=True)
        credit = (others[:, label] == most[:, 0]) / (others == most).sum(axis=1)
        recalls.append(np.average(credit, weights=counts[:, label]))
    return float(np.mean(recalls))


def _certainty(counts: Float64) -> float:
    """``Association.certainty`` of the same counts."""
    n = counts.sum()
    p = counts / n
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    there = p > 0
    information = float((p[there] * np.log(p[there] / independent[there])).sum())
    of_classes = p.sum(axis=0)
    uncertainty = float(-(of_classes * np.log(of_classes)).sum())
    by_chance = float(expected_mutual_information(counts.astype(np.int64), int(n)))
    return (information - by_chance) / (uncertainty - by_chance)
