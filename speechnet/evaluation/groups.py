"""Recall by gender and by speaker: for whom is a model worse?

All tables are of the test part, all folds pooled; a row in several folds counts once for each.
Tables by gender leave out rows of unknown gender, tables by speaker those of unknown speakers.

Intervals hold 95 % and resample whole speakers (``speechnet.evaluation.bootstrap``), women and men
separately, because their numbers were chosen and not drawn. Each interval stands alone: of many
gaps, a few exclude 0 by chance. A gap is called certain only if its interval excludes 0 at the
level ``1 - 0.05 / m`` for the ``m`` gaps of its model and target (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from speechnet.core.types import Float64, Int64, Targets, encode
from speechnet.evaluation.bootstrap import bootstrap_weights, count_by_unit, deal, interval, ratio
from speechnet.evaluation.samples import Sample, blocks

GENDER: Final = "gender"
UAR: Final = "uar"
"""Stands among the classes of the gaps for their mean."""

_GROUPS: Final = ("model", "target", "class", "gender", "n", "units", "recall", "low", "high")
_GAPS: Final = ("class", "higher", "lower", "gap", "low", "high", "certain")
_SPEAKERS: Final = ("model", "target", "speaker", "gender", "n", "classes", "uar")
_FALSE_ALARM: Final = 0.05  # chance of one among the gaps of a model and target


class Gap(NamedTuple):
    """How much better a model recognises one gender (``higher``) than the other (``lower``).

    ``gap`` is the difference of their recalls of the class ``name``, or of the UAR, 0 to 1; ``low``
    and ``high`` are the ends of its 95 % interval, which may be below 0, NaN if there is none;
    ``certain`` says whether it excludes 0 after correction for the number of gaps.
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

    The target ``gender`` itself is left out. ``corpus`` is indexed by file, with a column
    ``gender``; ``speakers`` is speaker or NA by file.

    Returns:
        Recalls: columns ``model, target, class, gender, n, units, recall, low, high``: the number
        of rows, of speakers (recordings, if one is unknown), and the recall with its interval; NaN
        if the gender has no row of the class.

        Gaps: columns ``model, target, class``, then those of ``Gap``. Class ``uar`` comes first:
        the mean over the classes that both genders have rows of, NaN if there are fewer than two.
        The gender with fewer speakers decides how wide an interval is.

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
    return (
        pd.DataFrame(recalls, columns=[*_GROUPS]),
        pd.DataFrame(gaps, columns=["model", "target", *_GAPS]),
    )


@dataclass(frozen=True)
class _Side:
    """The rows of one gender, counted by unit of resampling and class, float64 ``[u, k]``.

    ``units`` counts the speakers that have rows of each class, int64 ``[k]``, before they were
    dealt into groups; ``recall`` is float64 ``[k]``, ``draws`` the recall in each resample, float64
    ``[resamples, k]``.
    """

    gender: str
    rows: Float64
    units: Int64
    recall: Float64
    draws: Float64

    def bearing(self, classes: list[int]) -> int:
        """How many units have rows of some classes; 0 if one of these has fewer than two units."""
        has = self.rows[:, classes] > 0
        return int(has.any(axis=1).sum()) if (has.sum(axis=0) > 1).all() else 0

    def of_class(self, c: int) -> tuple[object, ...]:
        """Gender, n, units, recall, low, high."""
        recall = float(self.recall[c])
        ends = interval(self.draws[:, c], self.bearing([c]), value=recall, bounds=(0.0, 1.0))
        return self.gender, int(self.rows[:, c].sum()), int(self.units[c]), recall, *ends


def _side(gender: str, sample: Sample, number: int, seed: int, resamples: int) -> _Side:
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


def _gaps(sides: list[_Side], classes: list[str]) -> list[Gap]:
    """The gap of the UAR, then of each class."""
    shared = np.flatnonzero(np.all([side.units > 0 for side in sides], axis=0)).tolist()
    means = {UAR: shared if len(shared) > 1 else []} | {name: [c] for c, name in enumerate(classes)}
    count = len(shared) + (len(shared) > 1)
    return [_gap(name, sides, over, count=count) for name, over in means.items()]


def _gap(name: str, sides: list[_Side], over: list[int], *, count: int) -> Gap:
    """The gap of a mean recall, one of ``count`` gaps."""
    first, second = (side.recall[over].mean() if over else np.nan for side in sides)
    gap = float(first - second)
    sign = -1.0 if gap < 0 else 1.0
    higher, lower = [side.gender for side in sides][:: int(sign)]
    if np.isnan(gap):
        return Gap(name, higher, lower, gap, gap, gap, certain=False)
    one, other = (side.draws[:, over].mean(axis=1) for side in sides)
    units = 2 * min(side.bearing(over) for side in sides)
    at_level = partial(interval, sign * (one - other), units, value=sign * gap, strata=2)
    low, high = at_level(level=0.95)
    # NaN, without an interval, isn't above 0 either
    certain = at_level(level=1 - _FALSE_ALARM / count)[0] > 0
    return Gap(name, higher, lower, sign * gap, low, high, certain)


def worst_gap(gaps: pd.DataFrame, model: str, target: str) -> Gap | None:
    """A model's largest gap over the classes and the UAR, certain or not; None without any."""
    known = gaps[(gaps["model"] == model) & (gaps["target"] == target)].dropna(subset="gap")
    return Gap(*known.nlargest(1, "gap")[[*_GAPS]].iloc[0]) if len(known) else None


def speaker_scores(
    predictions: pd.DataFrame, targets: Targets, corpus: pd.DataFrame
) -> pd.DataFrame:
    """How well each speaker is recognised; ``corpus`` has the columns ``speaker, gender``.

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
