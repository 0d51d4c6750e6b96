"""What limits the scores of a run, as records; what came of it are ``speechnet.report.results``.

Each sentence about a run is worded once, in one of the two. The terminal, the report and the
captions of figures render the same records, and tests look at their numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from speechnet.core.findings import Finding, from_table, ranked
from speechnet.core.wording import counted, listing
from speechnet.report.data import ReportData
from speechnet.report.names import percent, percent_interval, points
from speechnet.report.results import at_chance

_FEW: Final = 10  # of fewer speakers than this a bootstrap over speakers says little
_WIDE: Final = 0.2
"""An interval wider than this, from end to end, is remarked on; also that of a choice."""
_MANY_BAD: Final = 0.05  # from this share of recordings excluded on, it is remarked on
_MANY_UNLIKE: Final = 0.05
"""Of unseen speakers of one corpus about a hundredth is unlike the training data."""
_UNLISTED: Final = "not listed"
"""How an entry of ``Provenance.seen`` ends that names no corpus."""
_MUCH: Final = 0.05  # so much more, as a share, a random split has to report for a warning
_INFLATION: Final = ("random", "disjoint", "difference", "low", "high")


def limits(data: ReportData) -> list[Finding]:
    """What limits the scores, in the order of ``speechnet.core.findings``."""
    of_scores = (_inflation, _chosen, _by_chance, _uncertain)
    every = [*audited(data), *_of_the_data(data)]
    return ranked([*every, *(finding for found in of_scores for finding in found(data))])


def audited(data: ReportData) -> list[Finding]:
    """What the audit of the run found."""
    return from_table(data.table("audit"))


def _warning(check: str, what: str, detail: str, *, subject: str = "", **numbers: float) -> Finding:
    return Finding(check, "warning", what, detail=detail, subject=subject, numbers=numbers)


def _of_the_data(data: ReportData) -> Iterator[Finding]:
    """What the scores can't tell, however high they are."""
    corpus = data.info["corpus"]
    if "synthetic" in str(corpus.get("name", "")).split(" + "):
        what = "The speech is synthetic: the scores say nothing about real voices"
        yield _warning("synthetic", what, "made-up voices tell whether the program works")
    yield from seen_in_pretraining(data.info["features"], corpus.get("titles", {}))
    if data.setting("data", "per_speaker"):
        yield _warning(
            "per_speaker",
            "Standardised by speaker: the scores don't hold for strangers",
            "each speaker's features are standardised over all of their recordings, tested "
            "ones too; so the scores hold for people of whom many recordings, of every class, are "
            "there beforehand",
        )
    unlike = data.info.get("novelty")
    if unlike and unlike["unlike"] > _MANY_UNLIKE * unlike["tested"]:
        share = unlike["unlike"] / unlike["tested"]
        yield _warning(
            "unlike_training",
            f"{100 * share:.0f} % of the tested recordings are unlike those trained on",
            "what a model says of them means little; which ones, and what lies far, stands in "
            "novelty.csv",
            share=share,
        )
    speakers = corpus.get("speakers", 0)
    if data.unit == "speaker" and 1 < speakers < _FEW:
        what = f"Only {speakers} speakers: what holds for them may not hold for others"
        detail = "intervals over so few are too narrow"
        yield _warning("few_speakers", what, detail, speakers=speakers)
    bad, used = int(corpus.get("excluded", 0)), int(corpus.get("recordings", 0))
    if bad > _MANY_BAD * (bad + used):
        yield _warning(
            "excluded",
            f"{bad} of {counted(bad + used, 'recording')} excluded: the scores hold for the rest",
            "those that are left out may be the harder ones",
            share=bad / (bad + used),
            recordings=bad,
        )


def seen_in_pretraining(
    features: Mapping[str, Any], titles: Mapping[str, str]
) -> Iterator[Finding]:
    """Features whose pretrained weights have seen a corpus that they are tested on, or may have.

    Args:
        features: by name, as in ``run.json``.
        titles: the full name of each corpus by its definition's name.
    """
    known = {_bare(word): name for name, title in titles.items() for word in (name, title)}
    for feature, one in features.items():
        origin = one.get("provenance") or {"seen": []}
        found = [known[bare] for bare in map(_bare, origin["seen"]) if bare in known]
        if found:
            yield _warning(
                "seen_in_pretraining",
                f"{feature} was trained on {listing(found)}: scores may be too high",
                f"{origin['what']} has perhaps seen the very recordings that are tested; speech "
                "that it has never heard may be recognised less well",
                corpora=len(found),
            )
        elif any(one.endswith(_UNLISTED) for one in origin["seen"]):
            what = f"{feature} may know this corpus: its training data isn't listed"
            detail = f"what {origin['what']} was trained on is known in part or not at all"
            yield Finding("unlisted_pretraining", "note", what, detail=detail)


def _bare(name: str) -> str:
    """A corpus's name by its letters and digits: CREMA-D is cremad."""
    return re.sub(r"[\W_]", "", name.casefold())


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
        detail = "one SVM on random parts and on unseen speakers: "
        detail += f"{points(by, low, numbers['high'])} points"
        found = _warning("inflation", what, detail, subject=target, **numbers)
        much = low > 0 and by >= _MUCH
        findings.append(found if much else replace(found, severity="note"))
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


def _chosen(data: ReportData) -> Iterator[Finding]:
    """How far the choice of the best model can be believed."""
    best = data.best
    if best is None or best.basis in {"only", "search"}:
        return
    if best.basis == "test":
        yield _warning(
            "chosen_on_test",
            f"No dev part: {data.label(best.model)} is the best on the test part itself",
            "the highest of several test scores is too high, and higher the more models there are; "
            "data.split.dev sets a dev part apart",
        )
        return
    counted_on: dict[str, pd.Series] = {}
    for target in best.targets:
        rows = data.table("confusion", target=target, part="dev")
        counts = rows[rows["model"] == best.model].groupby("truth")["count"].sum()
        if len(counts) and (counts > 0).all() and 2 * _margin(counts) > _WIDE:
            counted_on[target] = counts
    if not counted_on:
        return
    few = ", ".join(f"{target} {counts.sum()}" for target, counts in counted_on.items())
    off = max(map(_margin, counted_on.values()))
    yield _warning(
        "chosen_on_few",
        f"The best model was chosen on few dev recordings: {few}",
        f"by chance alone its dev UAR may be off by {100 * off:.0f} points, so another model may "
        "well be as good",
        subject=_subject(counted_on),
        width=2 * off,
        recordings=min(int(counts.sum()) for counts in counted_on.values()),
        rarest=min(int(counts.min()) for counts in counted_on.values()),
    )


def _margin(counts: pd.Series) -> float:
    """Half a 95 % interval of the UAR: a recall of n recordings has at most the variance 1 / 4n."""
    return float(1.96 * math.sqrt((0.25 / counts).sum()) / len(counts))


def _subject(targets: Collection[str]) -> str:
    """The target that a finding is about; of several none."""
    return next(iter(targets)) if len(targets) == 1 else ""


def _by_chance(data: ReportData) -> Iterator[Finding]:
    """Targets that no model recognises better than chance, or that can't show it."""
    for found in at_chance(data):
        uar = found.numbers["uar"]
        if uar <= found.numbers["high"]:
            what = f"No model tells the {found.subject} better than chance"
            what += f": UAR {percent(uar)} % at most"
            if found.numbers["high"] >= 1:
                what = f"Too few test {data.unit or 'recording'}s to tell if any model beats chance"
                what += f" at {found.subject}"
            yield replace(found, check="chance", severity="warning", what=what)


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
    yield _warning(
        "wide_interval",
        f"The scores are uncertain: UAR {reached}",
        f"with other {data.unit or 'recording'}s {data.label(data.shown)} could well be at either "
        "end",
        subject=_subject(wide),
        uar=widest.value,
        low=widest.low,
        high=widest.high,
        width=widest.high - widest.low,
    )
