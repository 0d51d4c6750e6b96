"""Recall by gender and by speaker: whom does a model serve worse?

Conventions:
    All tables are of the test part, all folds pooled; a row that stands in several folds counts
    once for each. Tables by gender leave out rows of unknown gender, tables by speaker those of
    unknown speakers. Recall by gender is undefined, NaN, where a gender has no row of the class.

    Intervals hold 95 % and resample whole speakers (``speechnet.evaluation.bootstrap``), women and
    men separately, as how many there are of each was chosen and not drawn. Each stands for itself:
    of many gaps a few exclude 0 by chance. A gap is called certain only if its interval excludes 0
    at the level ``1 - 0.05 / m`` for the ``m`` gaps of its model and target (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.types import Float64, Int64, Targets, encode
from speechnet.evaluation.bootstrap import bootstrap_weights, count_by_unit, deal, interval, ratio
from speechnet.evaluation.samples import Sample, blocks

GENDER: Final = "gender"
UAR: Final = "uar"
"""Stands among the classes of the gaps for their mean."""

_GROUPS: Final = ("model", "target", "class", "gender", "n", "units", "recall", "low", "high")
_GAPS: Final = ("model", "target", "class", "higher", "lower", "gap", "low", "high", "certain")
_SPEAKERS: Final = ("model", "target", "speaker", "gender", "n", "classes", "uar")
_FALSE_ALARM: Final = 0.05  # chance of one among the gaps of a model and target


@dataclass(frozen=True)
class Gap:
    """By how much a model recognises one gender better than the other.

    Attributes:
        name: the class, or ``uar``.
        higher: the gender with the higher recall.
        lower: the other.
        gap: the difference of their recalls, 0 to 1.
        low: the lower end of its 95 % interval, NaN if there is none.
        high: the upper end.
        certain: whether it excludes 0 after correction for the number of gaps.
    """

    name: str
    higher: str
    lower: str
    gap: float
    low: float
    high: float
    certain: bool


def recall_by_gender(
    predictions: pd.DataFrame,
    targets: Targets,
    corpus: pd.DataFrame,
    speakers: pd.Series,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The recall of every class among women and among men, and the gaps between them.

    Args:
        predictions: a sound table of predictions (``validate_predictions``).
        targets: each target with its ordered classes; ``gender`` itself is left out.
        corpus: indexed by file, with a column ``gender``.
        speakers: speaker or NA by file.
        seed: the same seed gives the same intervals.
        resamples: how many resamples to draw.

    Returns:
        Recalls: columns ``model, target, class, gender, n, units, recall, low, high``: the number
        of rows, of speakers (recordings, where one is unknown), and the recall with its interval.

        Gaps: columns ``model, target, class, higher, lower, gap, low, high, certain``: the recall
        of the gender ``higher`` minus that of ``lower``, 0 to 1, its interval, which may reach
        below 0, and, bool, whether it is certain. Class ``uar`` comes first: the mean over the
        classes that both genders have rows of, NaN if those are fewer than two. The smaller
        gender's number of speakers decides how far an interval reaches.

        Both are empty unless the corpus has two genders.
    """
    known = corpus[GENDER].dropna() if GENDER in corpus else pd.Series(dtype=object)
    genders = sorted(known.unique())
    test = predictions[predictions["part"] == "test"]
    recalls: list[tuple[object, ...]] = []
    gaps: list[tuple[object, ...]] = []
    for block in blocks(test, targets, speakers) if len(genders) == 2 else ():
        if block.target == GENDER:
            continue
        gender = encode(corpus[GENDER].reindex(block.files), genders)  # NA becomes -1
        sides = [
            _side(name, block.sample.take(np.flatnonzero(gender == g)), g, seed, resamples)
            for g, name in enumerate(genders)
        ]
        key = (block.model, block.target)
        for c, name in enumerate(block.sample.classes):
            recalls += [(*key, name, *side.of_class(c)) for side in sides]
        gaps += [(*key, *gap) for gap in _gaps(sides, block.sample.classes)]
    return pd.DataFrame(recalls, columns=[*_GROUPS]), pd.DataFrame(gaps, columns=[*_GAPS])


def speaker_scores(
    predictions: pd.DataFrame, targets: Targets, corpus: pd.DataFrame
) -> pd.DataFrame:
    """How well each speaker is recognised.

    Args:
        predictions: a sound table of predictions (``validate_predictions``).
        targets: each target with its ordered classes.
        corpus: indexed by file, with columns ``speaker, gender``.

    Returns:
        Columns ``model, target, speaker, gender, n, classes, uar``: the number of rows and of the
        classes that the speaker has rows of, and the mean recall of these; NaN if they are fewer
        than two, as a speaker's gender always is.
    """
    test = predictions[predictions["part"] == "test"]
    about = corpus.reindex(columns=["speaker", GENDER]).reindex(test["file"])
    hit = test["truth"].astype(str).to_numpy() == test["predicted"].astype(str).to_numpy()
    rows = test[["model", "target", "truth"]].assign(
        speaker=about["speaker"].to_numpy(), gender=about[GENDER].to_numpy(), hit=hit
    )
    key = ["model", "target", "speaker"]
    recalls = rows.groupby([*key, "truth"], observed=True)["hit"].agg(["mean", "size"])
    found = recalls.groupby(key).agg(
        n=("size", "sum"), classes=("size", "count"), uar=("mean", "mean")
    )
    found["uar"] = found["uar"].where(found["classes"] > 1)
    found["gender"] = rows.groupby(key, observed=True)["gender"].first()
    table = found.reset_index()[list(_SPEAKERS)]
    order = {name: at for at, name in enumerate([*targets, *pd.unique(test["model"])])}
    return table.sort_values(
        ["target", "model"], key=lambda names: names.map(order), kind="stable", ignore_index=True
    )


def worst_gap(gaps: pd.DataFrame, model: str, target: str) -> Gap | None:
    """The largest gap over the classes and the UAR, whether certain or not.

    Args:
        gaps: the table of gaps; without its column ``certain`` no gap is.
        model: whose.
        target: of what.

    Returns:
        The gap; None where there is none at all.
    """
    chosen = gaps[(gaps["model"] == model) & (gaps["target"] == target) & gaps["gap"].notna()]
    if chosen.empty:
        return None
    row = chosen.nlargest(1, "gap").iloc[0]
    name, higher, lower = (str(row[column]) for column in ("class", "higher", "lower"))
    gap, low, high = (float(row[column]) for column in ("gap", "low", "high"))
    return Gap(name, higher, lower, gap, low, high, certain=bool(row.get("certain", False)))


@dataclass(frozen=True)
class _Side:
    """The rows of one gender, counted by unit of resampling and class.

    Attributes:
        gender: its name.
        rows: float64 ``[u, k]``.
        units: speakers that have rows of each class, int64 ``[k]``; more than ``u`` where those
            were dealt into groups.
        recall: of each class, float64 ``[k]``.
        draws: the recall of each class in each resample, float64 ``[resamples, k]``.
    """

    gender: str
    rows: Float64
    units: Int64
    recall: Float64
    draws: Float64

    def bearing(self, classes: Sequence[int]) -> int:
        """How many units bear on the mean recall of classes; 0 where a class has fewer than two."""
        has = self.rows[:, classes] > 0
        return int(has.any(axis=1).sum()) if (has.sum(axis=0) > 1).all() else 0

    def of_class(self, c: int) -> tuple[object, ...]:
        """Gender, n, units, recall, low, high."""
        recall = float(self.recall[c])
        ends = interval(self.draws[:, c], self.bearing([c]), value=recall, bounds=(0.0, 1.0))
        return self.gender, int(self.rows[:, c].sum()), int(self.units[c]), recall, *ends


def _side(gender: str, sample: Sample, number: int, seed: int, resamples: int) -> _Side:
    """The rows of a gender, the first or the second, which have draws of their own."""
    k = len(sample.classes)
    known, unit = np.unique(sample.unit, return_inverse=True)
    has = count_by_unit(unit, sample.truth, k, count=len(known)) > 0
    group = deal(has[:, None], seed)
    count = int(group.max(initial=-1)) + 1
    unit, hit = group[unit], sample.correct
    rows = count_by_unit(unit, sample.truth, k, count=count)
    hits = count_by_unit(unit[hit], sample.truth[hit], k, count=count)
    drawn = bootstrap_weights(count, resamples, seed + number)
    return _Side(
        gender,
        rows=rows,
        units=has.sum(axis=0),
        recall=ratio(hits.sum(axis=0), rows.sum(axis=0)),
        draws=ratio(drawn @ hits, drawn @ rows),
    )


def _gaps(sides: list[_Side], classes: list[str]) -> list[tuple[object, ...]]:
    """Class, higher, lower, gap, low, high, certain: of the UAR, then of each class."""
    shared = np.flatnonzero(np.all([side.units > 0 for side in sides], axis=0)).tolist()
    means = {UAR: shared if len(shared) > 1 else []} | {name: [c] for c, name in enumerate(classes)}
    count = len(shared) + (len(shared) > 1)
    return [(name, *_gap(sides, over, count=count)) for name, over in means.items()]


def _gap(
    sides: list[_Side], over: list[int], *, count: int
) -> tuple[str, str, float, float, float, bool]:
    """Higher, lower, gap, low, high, certain: of a mean recall, one gap of ``count``."""
    first, second = (side.recall[over].mean() if over else np.nan for side in sides)
    gap = float(first - second)
    sign = -1.0 if gap < 0 else 1.0
    higher, lower = [side.gender for side in sides][:: int(sign)]
    if np.isnan(gap):
        return higher, lower, gap, gap, gap, False
    one, other = (side.draws[:, over].mean(axis=1) for side in sides)
    units = 2 * min(side.bearing(over) for side in sides)
    at_level = partial(interval, sign * (one - other), units, value=sign * gap, strata=2)
    low, high = at_level(level=0.95)
    # NaN, where there is no interval, isn't above 0 either
    certain = at_level(level=1 - _FALSE_ALARM / count)[0] > 0
    return higher, lower, sign * gap, low, high, certain
