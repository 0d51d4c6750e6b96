"""The first screen: what was asked, on what data, the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from speechnet.core.findings import foremost
from speechnet.core.wording import counted, listing
from speechnet.report.data import ReportData
from speechnet.report.findings import limits
from speechnet.report.html.scores import pairs_note
from speechnet.report.names import UNDEFINED, interval_words, sentence
from speechnet.report.results import in_words, results
from speechnet.report.scores import POOLED_NOTE, fold_count


def overview(data: ReportData) -> dict[str, Any]:
    """What the template shows above all sections: the question, the answer, the warnings."""
    best = in_words(results(data), "best_model")
    applied = "; predict, serve and load apply it" if data.best and data.best.fair else ""
    below = f"{applied}. Confusions, mistakes and speakers below are of this model."
    rankings = [_ranking(data, target) for target in data.targets]
    return {
        "facts": _facts(data),
        "rankings": rankings,
        "note": _note(data, rankings),
        "details": f"{best[0]}{below}" if best else "",
        "warnings": foremost(limits(data)),
    }


def _facts(data: ReportData) -> dict[str, str]:
    targets, corpus = data.targets, data.info["corpus"]
    asked = " and ".join(f"{name} ({', '.join(classes)})" for name, classes in targets.items())
    speakers, hours = corpus.get("speakers", 0), float(corpus.get("hours") or 0)
    who = counted(speakers, "speaker") if speakers else "unknown speakers"
    length = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    recordings = counted(corpus.get("recordings", 0), "recording")
    excluded = f"; {corpus['excluded']} excluded" if corpus.get("excluded") else ""
    found = {
        "Asked": f"How well can {asked} be recognised from speech, and by which model?",
        "Models": ", ".join(map(data.label, data.models)),
        "Data": f"{corpus.get('name')}: {recordings} of {who}, {length}{excluded}",
        "Tested on": str(data.info["protocol"]),
    }
    return found | ({"Trained on": _trained(copies)} if (copies := data.info.get("copies")) else {})


def _trained(copies: Mapping[str, Any]) -> str:
    """What training saw beside the recordings themselves."""
    each = counted(copies["each"], "changed copy", "changed copies")
    chances = listing(f"{name} {100 * p:.0f} %" for name, p in copies["effects"].items())
    lost = f"; {copies['failed']:,} more couldn't be used" if copies["failed"] else ""
    return (
        f"Each training recording and {each} of it, {copies['used']:,} in all{lost}. Chance of "
        f"each effect: {chances}. Everything but training sees recordings as they are."
    )


def _ranking(data: ReportData, target: str) -> dict[str, Any]:
    """The models of a target, the best first, and which are shown to differ."""
    classes = data.targets[target]
    ranks = [(data.label(model), data.test_uar(model, target)) for model in data.models]
    ranks.sort(key=lambda rank: (math.isnan(rank[1].value), -rank[1].value))
    differences = [
        sentence(f"{each.line} ({each.detail})")
        for each in results(data)
        if each.check == "difference" and each.subject == target
    ]
    return {
        "target": target,
        "classes": counted(len(classes), "class", "classes"),
        "chance": 100 / len(classes),
        "ranks": ranks,
        "differences": " ".join(differences),
    }


def _note(data: ReportData, rankings: list[dict[str, Any]]) -> str:
    shown = [score for ranking in rankings for _, score in ranking["ranks"]]
    folds = fold_count(data.scores)
    of = f", mean over {folds} folds" if folds > 1 else ""
    notes = {
        f"Unweighted average recall (UAR) on the test part in per cent{of}": True,
        f"in brackets and as a line: {interval_words(data.unit)}": any(
            score.has_interval for score in shown
        ),
        "±: standard deviation over folds": any(
            not score.has_interval and not math.isnan(score.sd) for score in shown
        ),
        "dashed: chance": True,
        POOLED_NOTE: any(score.pooled for score in shown),
        f"{UNDEFINED}: undefined": any(math.isnan(score.value) for score in shown),
        pairs_note(data.scores): any(ranking["differences"] for ranking in rankings),
    }
    return f"{'; '.join(note for note, holds in notes.items() if note and holds)}."
