"""The first screen: what was asked, on what data, the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from speechnet.core.findings import Finding, foremost
from speechnet.core.metrics import Metric
from speechnet.core.wording import counted
from speechnet.report.findings import findings_of
from speechnet.report.html.parts import sentence
from speechnet.report.names import (
    UNDEFINED,
    interval_words,
    model_name,
    percent,
    percent_interval,
)
from speechnet.report.report_data import ReportData
from speechnet.report.tables import POOLED_NOTE, Score, fold_count, models_of
from speechnet.report.terminal.conclusions import compared


@dataclass(frozen=True)
class Rank:
    """A model's place.

    Attributes:
        model: its name.
        text: its test UAR in per cent, with the interval.
        score: the same as numbers.
    """

    model: str
    text: str
    score: Score

    @property
    def defined(self) -> bool:
        """Whether there is a score."""
        return not math.isnan(self.score.value)


@dataclass(frozen=True)
class Ranking:
    """The models of one target, the best first.

    Attributes:
        target: its name.
        classes: its classes, in words.
        chance: the UAR of guessing, in per cent.
        ranks: the models.
        differences: which are shown to differ.
    """

    target: str
    classes: str
    chance: float
    ranks: list[Rank]
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


def overview(report_data: ReportData) -> Overview:
    """Put the first screen together."""
    rankings = [_ranking(report_data, target) for target in report_data.tables.targets]
    return Overview(
        facts=_facts(report_data),
        rankings=rankings,
        note=_note(report_data, rankings),
        details=_details(report_data),
        warnings=foremost(findings_of(report_data)),
    )


def score_text(score: Score) -> str:
    """A score in per cent with its interval, or else its deviation over folds."""
    if not score.has_interval:
        return score.text()
    value, rest = percent_interval(score.value, score.low, score.high).split(maxsplit=1)
    return f"{value}{'*' if score.pooled else ''} {rest}"


def _facts(report_data: ReportData) -> dict[str, str]:
    targets = report_data.tables.targets
    models = [model_name(model) for model in models_of(report_data.tables.scores)]
    asked = " and ".join(f"{name} ({', '.join(classes)})" for name, classes in targets.items())
    corpus = report_data.info["corpus"]
    speakers = corpus.get("speakers", 0)
    who = counted(speakers, "speaker") if speakers else "unknown speakers"
    data = (
        f"{corpus.get('name')}: {counted(corpus.get('recordings', 0), 'recording')} of {who}, "
        f"{_duration(float(corpus.get('hours') or 0))}"
    )
    if corpus.get("excluded"):
        data += f"; {corpus['excluded']} excluded"
    return {
        "Asked": f"How well can {asked} be told from a voice, and by which model?",
        "Models": ", ".join(models),
        "Data": data,
        "Tested on": str(report_data.info["protocol"]),
    }


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"


def _ranking(report_data: ReportData, target: str) -> Ranking:
    classes = report_data.tables.targets[target]
    ranks = []
    for model in models_of(report_data.tables.scores):
        score = report_data.score(model=model, target=target, part="test", metric="uar")
        ranks.append(Rank(model_name(model), score_text(score), score))
    ranks.sort(key=lambda rank: (not rank.defined, -rank.score.value))
    pairs = report_data.tables.comparisons
    said = [] if pairs is None else compared(pairs, {target: classes})
    return Ranking(
        target=target,
        classes=counted(len(classes), "class", "classes"),
        chance=100 / len(classes),
        ranks=ranks,
        differences=sentence(said[0].removeprefix(f"{target}: ")) if said else "",
    )


def _note(report_data: ReportData, rankings: list[Ranking]) -> str:
    shown = [rank.score for ranking in rankings for rank in ranking.ranks]
    scores = report_data.tables.scores
    folds = fold_count(scores)
    of = f", mean over {folds} folds" if folds > 1 else ""
    words = [f"Unweighted average recall (UAR) on the test part in per cent{of}"]
    if any(score.has_interval for score in shown):
        words.append(f"in brackets and as a line: {interval_words(report_data.tables.unit)}")
    if any(not score.has_interval and not math.isnan(score.sd) for score in shown):
        words.append("±: standard deviation over folds")
    words.append("dashed: chance")
    if any(score.pooled for score in shown):
        words.append(POOLED_NOTE)
    if any(math.isnan(score.value) for score in shown):
        words.append(f"{UNDEFINED}: undefined")
    if any(ranking.differences for ranking in rankings) and (said := pairs_note(scores)):
        words.append(said)
    return "; ".join(words) + "."


def pairs_note(scores: pd.DataFrame) -> str:
    """What the differences of pairs are of; empty where it goes without saying."""
    if fold_count(scores) == 1:
        return ""
    return (
        "differences are of the UAR of all folds' rows together, so they may differ a little from "
        "the means above"
    )


def _details(report_data: ReportData) -> str:
    """Whose confusions, mistakes and speakers are told, and how it was chosen."""
    best = report_data.best
    if best is None:
        return ""
    applied = "; predict, serve and load apply it" if best.fair else ""
    return (
        f"Confusions, mistakes and speakers below are those of {model_name(best.model)}, "
        f"{best.reason}{applied}."
    )


def best_score(report_data: ReportData, target: str, metric: Metric) -> str:
    """The model with the best test score, in a sentence; empty where all are undefined."""
    found = {
        model: report_data.score(model=model, target=target, part="test", metric=metric.name)
        for model in models_of(report_data.tables.scores)
    }
    defined = {model: score for model, score in found.items() if not math.isnan(score.value)}
    if not defined:
        return ""
    choose, which = (max, "highest") if metric.higher_is_better else (min, "lowest")
    best = choose(defined, key=lambda model: defined[model].value)
    score = defined[best]
    shown = score_text(score) if score.has_interval else percent(score.value)
    return sentence(f"{target}: {which} {metric.label} {shown} % by {model_name(best)}")
