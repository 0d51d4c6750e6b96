"""The first screen: what was asked, on what data, the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from speechnet.core.findings import Finding, foremost
from speechnet.core.wording import counted
from speechnet.report.data import ReportData
from speechnet.report.findings import limits
from speechnet.report.html.scores import pairs_note
from speechnet.report.names import UNDEFINED, interval_words, sentence
from speechnet.report.results import in_words, results
from speechnet.report.scores import POOLED_NOTE, Score, fold_count


@dataclass(frozen=True)
class Ranking:
    """The models of one target, the best first.

    Attributes:
        target: its name.
        classes: its classes, in words.
        chance: the UAR of guessing, in per cent.
        ranks: the models' names with their test UAR.
        differences: which are shown to differ.
    """

    target: str
    classes: str
    chance: float
    ranks: list[tuple[str, Score]]
    differences: str


@dataclass(frozen=True)
class Overview:
    """What stands above all sections.

    Attributes:
        facts: what was asked and on what data, by heading.
        rankings: the answer.
        note: how the numbers of the answer are to be read.
        details: which model the sections below go into.
        warnings: the findings that matter most, in order; empty where nothing was found.
    """

    facts: Mapping[str, str]
    rankings: list[Ranking]
    note: str
    details: str
    warnings: list[Finding]


def overview(data: ReportData) -> Overview:
    """Put the first screen together."""
    found = results(data)
    rankings = [_ranking(data, target, found) for target in data.targets]
    best = in_words(found, "best_model")
    applied = "; predict, serve and load apply it" if data.best and data.best.fair else ""
    details = (
        f"{best[0]}{applied}. Confusions, mistakes and speakers below are its." if best else ""
    )
    return Overview(
        facts=_facts(data),
        rankings=rankings,
        note=_note(data, rankings),
        details=details,
        warnings=foremost(limits(data)),
    )


def _facts(data: ReportData) -> dict[str, str]:
    targets = data.targets
    asked = " and ".join(f"{name} ({', '.join(classes)})" for name, classes in targets.items())
    corpus = data.info["corpus"]
    speakers, hours = corpus.get("speakers", 0), float(corpus.get("hours") or 0)
    who = counted(speakers, "speaker") if speakers else "unknown speakers"
    length = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    recordings = counted(corpus.get("recordings", 0), "recording")
    excluded = f"; {corpus['excluded']} excluded" if corpus.get("excluded") else ""
    return {
        "Asked": f"How well can {asked} be told from a voice, and by which model?",
        "Models": ", ".join(map(data.label, data.models)),
        "Data": f"{corpus.get('name')}: {recordings} of {who}, {length}{excluded}",
        "Tested on": str(data.info["protocol"]),
    }


def _ranking(data: ReportData, target: str, found: list[Finding]) -> Ranking:
    classes = data.targets[target]
    ranks = [(data.label(model), data.test_uar(model, target)) for model in data.models]
    ranks.sort(key=lambda rank: (math.isnan(rank[1].value), -rank[1].value))
    differences = [
        sentence(f"{each.line} ({each.detail})")
        for each in found
        if each.check == "difference" and each.subject == target
    ]
    return Ranking(
        target=target,
        classes=counted(len(classes), "class", "classes"),
        chance=100 / len(classes),
        ranks=ranks,
        differences=" ".join(differences),
    )


def _note(data: ReportData, rankings: list[Ranking]) -> str:
    shown = [score for ranking in rankings for _, score in ranking.ranks]
    folds = fold_count(data.scores)
    of = f", mean over {folds} folds" if folds > 1 else ""
    words = [f"Unweighted average recall (UAR) on the test part in per cent{of}"]
    if any(score.has_interval for score in shown):
        words.append(f"in brackets and as a line: {interval_words(data.unit)}")
    if any(not score.has_interval and not math.isnan(score.sd) for score in shown):
        words.append("±: standard deviation over folds")
    words.append("dashed: chance")
    if any(score.pooled for score in shown):
        words.append(POOLED_NOTE)
    if any(math.isnan(score.value) for score in shown):
        words.append(f"{UNDEFINED}: undefined")
    if any(ranking.differences for ranking in rankings) and (said := pairs_note(data.scores)):
        words.append(said)
    return f"{'; '.join(words)}."
