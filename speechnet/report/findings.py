"""What limits the scores of a run, as records; what came of it are ``speechnet.report.results``.

Each sentence about a run is worded once, in one of the two. The terminal, the report and the
captions of figures render the same records, and tests look at their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

import pandas as pd

from speechnet.core.findings import Finding, from_table, ranked
from speechnet.core.wording import counted
from speechnet.report.data import ReportData
from speechnet.report.names import percent, percent_interval, points
from speechnet.report.results import pooled_uar

_FEW: Final = 10
"""Of fewer speakers than this a bootstrap over speakers says little."""
_WIDE: Final = 0.2
"""An interval wider than this, from end to end, is remarked on; also that of a choice."""
_MANY_BAD: Final = 0.05
"""From this share of recordings excluded on, it is remarked on."""
_MANY_UNLIKE: Final = 0.05
"""Of unseen speakers of one corpus about a hundredth is unlike the training data."""
_MUCH: Final = 0.05
"""So much more, as a share, a random split has to report for a warning."""
_SYNTHETIC: Final = "synthetic"
_INFLATION: Final = ("random", "disjoint", "difference", "low", "high")


def limits(data: ReportData) -> list[Finding]:
    """What limits the scores, in the order of ``speechnet.core.findings``."""
    return ranked(
        [
            *audited(data),
            *_synthetic(data),
            *_per_speaker(data),
            *_inflation(data),
            *_unlike(data),
            *_chosen(data),
            *_by_chance(data),
            *_few_speakers(data),
            *_uncertain(data),
            *_excluded(data),
        ]
    )


def audited(data: ReportData) -> list[Finding]:
    """What the audit of the run found."""
    return from_table(data.table("audit"))


def _synthetic(data: ReportData) -> Iterator[Finding]:
    if _SYNTHETIC in str(data.info["corpus"].get("name", "")).split(" + "):
        yield Finding(
            "synthetic",
            "warning",
            "The speech is synthetic: the scores say nothing about real voices",
            detail="made-up voices tell whether the program works",
        )


def _per_speaker(data: ReportData) -> Iterator[Finding]:
    if data.setting("data", "per_speaker"):
        yield Finding(
            "per_speaker",
            "warning",
            "Standardised by speaker: the scores don't hold for strangers",
            detail="each speaker's features are standardised over all of their recordings, tested "
            "ones too; so the scores hold for people of whom many recordings, of every class, are "
            "there beforehand",
        )


def inflated(inflation: pd.DataFrame) -> list[Finding]:
    """What a random split would have reported, a finding for each target.

    Args:
        inflation: ``target, random, disjoint, difference, low, high``.
    """
    findings = []
    for row in inflation.to_dict("records"):
        target, numbers = str(row["target"]), {name: float(row[name]) for name in _INFLATION}
        random, disjoint = percent(numbers["random"]), percent(numbers["disjoint"])
        by, low = numbers["difference"], numbers["low"]
        if low > 0:
            inflates = counted(round(100 * by), "point")
            what = f"A random split inflates {target} by {inflates}: {random} % UAR, not {disjoint}"
            what += " %"
        else:
            what = f"A random split is not shown to inflate {target}: {random} and {disjoint} % UAR"
        severity = "warning" if low > 0 and by >= _MUCH else "note"
        detail = "one SVM on random parts and on unseen speakers: "
        detail += f"{points(by, low, numbers['high'])} points"
        findings.append(Finding("inflation", severity, what, None, detail, target, numbers))  # type: ignore[arg-type] # of two
    return findings


def _inflation(data: ReportData) -> Iterator[Finding]:
    shared = any(each.check == "leakage_speaker" for each in audited(data))
    why = (
        "the scores above are inflated likewise, as speakers are both trained on and tested"
        if shared
        else "results of random splits, as many report them, can't be compared with these scores"
    )
    for finding in inflated(data.table("inflation")):
        if finding.severity == "warning" or (shared and finding.numbers["low"] > 0):
            yield replace(finding, severity="warning", detail=f"{why}; {finding.detail}")


def _unlike(data: ReportData) -> Iterator[Finding]:
    """Whether what is tested is unlike what is trained on, as of another corpus."""
    found = data.info.get("novelty")
    if found and found["unlike"] > _MANY_UNLIKE * found["tested"]:
        share = found["unlike"] / found["tested"]
        yield Finding(
            "unlike_training",
            "warning",
            f"{100 * share:.0f} % of the tested recordings are unlike those trained on",
            detail="what a model says of them means little; which ones, and what lies far, stands "
            "in novelty.csv",
            numbers={"share": share},
        )


def _chosen(data: ReportData) -> Iterator[Finding]:
    """How far the choice of the best model can be believed."""
    best = data.best
    if best is None or best.basis in {"only", "search"}:
        return
    if best.basis == "test":
        yield Finding(
            "chosen_on_test",
            "warning",
            f"No dev part: {data.label(best.model)} is the best on the test part itself",
            detail="the highest of several test scores is too high, and higher the more models "
            "there are; data.split.dev sets a dev part apart",
        )
        return
    table = data.table("confusion", part="dev")
    rows = table[table["model"] == best.model]
    counted_on: dict[str, pd.Series] = {}
    for target in best.targets:
        counts = rows[rows["target"] == target].groupby("truth")["count"].sum()
        if len(counts) and (counts > 0).all() and 2 * _margin(counts) > _WIDE:
            counted_on[target] = counts
    if not counted_on:
        return
    few = ", ".join(f"{target} {counts.sum()}" for target, counts in counted_on.items())
    off = max(map(_margin, counted_on.values()))
    yield Finding(
        "chosen_on_few",
        "warning",
        f"The best model was chosen on few dev recordings: {few}",
        detail=f"by chance alone its dev UAR may be off by {100 * off:.0f} points, so "
        "another model may well be as good",
        subject=_subject(counted_on),
        numbers={
            "width": 2 * off,
            "recordings": min(int(counts.sum()) for counts in counted_on.values()),
            "rarest": min(int(counts.min()) for counts in counted_on.values()),
        },
    )


def _margin(counts: pd.Series) -> float:
    """Half a 95 % interval of the UAR: a recall of n recordings has at most the variance 1 / 4n."""
    return float(1.96 * math.sqrt((0.25 / counts).sum()) / len(counts))


def _subject(targets: Collection[str]) -> str:
    """The target that a finding is about; of several none."""
    return next(iter(targets)) if len(targets) == 1 else ""


def _by_chance(data: ReportData) -> Iterator[Finding]:
    for target, (low, high) in data.chance.items():
        defined = [value for value in pooled_uar(data, target).values() if not math.isnan(value)]
        best = max(defined, default=math.nan)
        if best <= high:
            yield Finding(
                "chance",
                "warning",
                f"No model tells the {target} better than chance: UAR {percent(best)} % at most",
                detail=f"models that know nothing of it reach {percent(low)} to {percent(high)} %",
                subject=target,
                numbers={"uar": best, "low": low, "high": high},
            )


def _few_speakers(data: ReportData) -> Iterator[Finding]:
    speakers = data.info["corpus"].get("speakers", 0)
    if data.unit == "speaker" and 1 < speakers < _FEW:
        yield Finding(
            "few_speakers",
            "warning",
            f"Only {speakers} speakers: what holds for them may not hold for others",
            detail="intervals over so few are too narrow",
            numbers={"speakers": speakers},
        )


def _uncertain(data: ReportData) -> Iterator[Finding]:
    if data.shown is None:
        return
    found = {target: data.test_uar(data.shown, target) for target in data.targets}
    wide = {
        target: score
        for target, score in found.items()
        if score.has_interval and score.high - score.low > _WIDE
    }
    if not wide:
        return
    reached = ", ".join(
        f"of {target} {percent_interval(score.value, score.low, score.high)} %"
        for target, score in wide.items()
    )
    widest = max(wide.values(), key=lambda score: score.high - score.low)
    yield Finding(
        "wide_interval",
        "warning",
        f"The scores are uncertain: UAR {reached}",
        detail=f"with other {data.unit or 'recording'}s {data.label(data.shown)} could well "
        "be at either end",
        subject=_subject(wide),
        numbers={
            "uar": widest.value,
            "low": widest.low,
            "high": widest.high,
            "width": widest.high - widest.low,
        },
    )


def _excluded(data: ReportData) -> Iterator[Finding]:
    corpus = data.info["corpus"]
    bad, used = int(corpus.get("excluded", 0)), int(corpus.get("recordings", 0))
    if bad > _MANY_BAD * (bad + used):
        yield Finding(
            "excluded",
            "warning",
            f"{bad} of {counted(bad + used, 'recording')} excluded: the scores hold for the rest",
            detail="those that are left out may be the harder ones",
            numbers={"share": bad / (bad + used), "recordings": bad},
        )
