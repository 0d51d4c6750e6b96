"""The sections of the report, each a list of what stands in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from speechnet.core.findings import Finding
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.counts import counts
from speechnet.report.data import ReportData
from speechnet.report.figures.learning_curves import epochs_in_words
from speechnet.report.findings import audited, inflated, limits
from speechnet.report.html.parts import (
    Cell,
    Column,
    Empty,
    Heading,
    Item,
    Picture,
    Sentences,
    Table,
    change,
    decimal,
    interval,
    number,
    p,
    share,
    text,
    whole,
    yes_no,
)
from speechnet.report.html.scores import calibration_table, class_table, pairs_note, score_table
from speechnet.report.names import method_name, percent, readable, sentence
from speechnet.report.results import in_words, results

_MARKS: Final = {"fault": "fault", "warning": "warn"}
_AMI: Final = "adjusted_mutual_information"

Pictures = Callable[[str], list[Picture]]
"""The figures of a place in the report that aren't shown yet, by the place's name."""


@dataclass(frozen=True)
class Section:
    """One chapter of a page.

    Attributes:
        id: what links point to.
        title: its heading.
        short: the same in the row of links.
        lead: what it is about, in a sentence.
        items: its parts in order.
    """

    id: str
    title: str
    short: str
    lead: str
    items: Sequence[Item]


def sections(data: ReportData, pictures: Pictures) -> list[Section]:
    """All of them but the mistakes and the provenance."""
    fair = data.best is not None and data.best.fair
    return [
        Section(
            "corpus",
            "Corpus and audit",
            "Corpus",
            "Who speaks, how often and for how long; and what an automatic look found wrong.",
            list(_corpus(data, pictures)),
        ),
        Section(
            "models",
            "Models side by side",
            "Models",
            f"All models saw the same folds.{' Nothing was chosen on the test part.' * fair}",
            list(_models(data, pictures)),
        ),
        Section(
            "confusion",
            "Confusion, ROC, calibration",
            "Confusion",
            "Which classes are taken for which, how well a threshold could do, and whether a "
            "probability of 80 % is right four times in five.",
            [*pictures("confusion"), class_table(data), calibration_table(data)],
        ),
        Section(
            "learning",
            "Learning curves and searches",
            "Learning",
            "When the network stopped, and which settings were chosen on the training part.",
            [
                Heading("The network"),
                *_network(data, pictures),
                Heading("Searches"),
                _searches(data),
            ],
        ),
        Section(
            "people",
            "Who it is worse for",
            "Who it is worse for",
            "A model that is good on average may be bad for some.",
            list(_people(data, pictures)),
        ),
        Section(
            "clusters",
            "Clusters",
            "Clusters",
            "Groups found in the features without looking at a label, held against labels and "
            "chance.",
            list(_clusters(data, pictures)),
        ),
        Section(
            "parts",
            "What each part brings",
            "What brings what",
            "The experiment with one thing changed, everything else as it was.",
            [
                Heading("One part left out"),
                *_ablation(data, pictures),
                Heading("Features shuffled"),
                *_importance(data, pictures),
                Heading("What a random split would report"),
                *_inflation(data, pictures),
                Heading("Across corpora"),
                *_cross(data, pictures),
            ],
        ),
    ]


def _target_and_model(data: ReportData) -> dict[str, Column]:
    return {"target": text("target"), "model": text("model", data.label)}


def _corpus(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield from pictures("corpus")
    if len(corpus := data.table("corpus")):
        yield _counts(data, corpus)
    found = audited(data)
    if found:
        yield _audit(found)
    elif "audit" in data.tables:
        yield Empty("The audit found nothing: no copies, no leaks, no faulty recordings.")
    else:
        yield Empty("No audit: this run has none.")
    others = [each for each in limits(data) if each not in found]
    if others:
        yield Heading("What else limits the scores")
        yield Sentences([f"{each.line}. {sentence(each.detail)}" for each in others])
    if len(excluded := data.table("excluded")):
        first = excluded.groupby("reason", sort=False).agg(
            count=("file", "size"), file=("file", "first"), detail=("detail", "first")
        )
        yield Table.of(
            "Excluded",
            first.reset_index(),
            {
                "reason": text("reason"),
                "recordings": whole("count"),
                "the first of them": text("file", kind="long"),
                "why": text("detail", kind="long"),
            },
            note="All are in excluded.csv.",
        )
    else:
        yield Empty("No recording was excluded.")
    if len(dropped := data.table("dropped")):
        columns = {"target": text("target"), "label": text("label"), "recordings": whole("count")}
        columns["why"] = text("why", kind="long")
        yield Table.of("Left out by the configuration", dropped, columns)


def _counts(data: ReportData, corpus: pd.DataFrame) -> Table:
    tables = counts(corpus, data.targets)
    rows = pd.concat([each.rename_axis("label").reset_index() for each in tables.values()])
    target = [name for name, each in tables.items() for _ in each.index]
    columns = {"target": text("target"), "class": text("label")}
    columns |= {readable(name): whole(str(name)) for name in rows if name != "label"}
    return Table.of("Recordings of each class", rows.fillna(0).assign(target=target), columns)


def _audit(found: Sequence[Finding]) -> Table:
    rows = [
        [
            Cell(each.severity, mark=_MARKS.get(each.severity, "")),
            Cell("") if each.count is None else number(each.count, f"{each.count:,}"),
            Cell(each.what),
            Cell(each.detail),
        ]
        for each in found
    ]
    return Table(
        "What the audit found",
        {"severity": "t", "count": "n", "what": "long", "detail": "long"},
        rows,
        "A fault: the scores don't mean what they seem to. A warning: they may not, or recordings "
        "are lost. A note: good to know.",
    )


def _models(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield score_table(data)
    told = in_words(results(data), "at_chance", "difference", "published", "departures")
    yield Sentences(told)
    yield from pictures("models")
    if (pairs := data.table("comparisons")).empty:
        yield Empty("The models aren't compared in pairs: it takes two models.")
        return
    yield from pictures("pairs")
    notes = filter(None, ["p: permutation test, after Holm", pairs_note(data.scores)])
    columns = {
        "target": text("target"),
        "first": text("first", data.label),
        "second": text("second", data.label),
        "first minus second, points": change("difference"),
        "p": p("p_holm"),
        "shown?": yes_no(lambda row: bool(row["p_holm"] <= SIGNIFICANT)),
    }
    yield Table.of("Models in pairs, test UAR", pairs, columns, note=f"{'; '.join(notes)}.")


def _network(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    drawn = pictures("network")
    history = data.table("history")
    if history.empty:
        yield Empty("No learning curves: no network was trained; models: {mlp: {}} adds one.")
    elif not drawn:
        yield Sentences([epochs_in_words(history)])
    yield from drawn


def _searches(data: ReportData) -> Item:
    """What each search chose, of how many."""
    search = data.table("search")
    if search.empty:
        return Empty(
            "No searches: they take several values for a key of a model, or a network's grid, as "
            "models.mlp.grid."
        )
    of = search.groupby(["fold", "model", "target"])["candidate"].transform("size")
    chosen = search.assign(of=of)[search["chosen"].astype(bool)]
    columns = _target_and_model(data) | {
        "fold": text("fold"),
        "chosen": text("candidate", _settings, kind="long"),
        "score within training, %": Column(
            "n", lambda row: number(row["mean"], percent(row["mean"], row["sd"]))
        ),
        "of": whole("of"),
    }
    return Table.of(
        "What the searches chose",
        chosen.drop_duplicates(["fold", "model", "target"]),
        columns,
        note="By inner folds over speakers of the training part. All candidates are in search.csv.",
        folded=True,
        file="search.csv",
    )


def _settings(candidate: object) -> str:
    try:
        found: Any = json.loads(str(candidate))
    except ValueError:
        return str(candidate)
    if not isinstance(found, dict):
        return str(candidate)
    return ", ".join(f"{key} = {value}" for key, value in found.items())


def _people(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield Sentences(in_words(results(data), "gender_gap", "hardest_speakers"))
    yield from pictures("people")
    if (gaps := data.table("gaps")).empty:
        yield Empty(
            "No recall by gender: it takes a gender for the recordings, and another target beside "
            "it in data.targets."
        )
    else:
        columns = _target_and_model(data) | {
            "class": text("class", lambda name: "all (UAR)" if name == "uar" else str(name)),
            "better for": text("higher"),
            "by, points of recall": change("gap"),
            "more than chance?": yes_no(lambda row: bool(row["certain"])),
        }
        yield Table.of(
            "Gaps between the genders",
            gaps,
            columns,
            note="The last column is corrected for the number of gaps of a model.",
            folded=True,
            file="gaps.csv",
        )
    if (speakers := data.table("speakers").dropna(subset=["uar"])).empty:
        yield Empty("No scores by speaker: it takes speakers with recordings of several classes.")
        return
    speakers = speakers[speakers["model"] == data.shown].assign(
        place=speakers["target"].map([*data.targets].index),
        gender=speakers["gender"].astype(object).where(speakers["gender"].notna(), "unknown"),
    )
    columns = {name: text(name) for name in ("target", "speaker", "gender")}
    yield Table.of(
        "Each speaker's test UAR",
        speakers.sort_values(["place", "uar"], kind="stable"),
        columns | {"recordings": whole("n"), "UAR, %": share("uar")},
        note="By the model that is named above all sections; the hardest speakers first.",
        folded=True,
        file="speakers.csv",
    )


def _clusters(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    table = data.table("clustering")
    if table.empty:
        yield Empty("No clusters: evaluation.clustering.enabled: true finds them.")
        return
    info = data.info.get("clustering", {})
    if found := info.get("findings", []):
        yield Sentences([found[0], *info.get("notes", [])])
        yield Sentences(found[1:], folded="Each clustering in words")
    yield from pictures("clusters")
    agreement = table[table["metric"] == _AMI]
    if len(agreement):
        columns = {
            "method": text("method", method_name),
            "clusters": whole("k"),
            "label": text("against"),
            "AMI": decimal("value"),
        }
        if {"null_mean", "p"} <= {*agreement}:
            columns |= {"by chance": decimal("null_mean"), "p": p("p")}
        note = "Adjusted mutual information: 0 is chance, 1 is agreement."
        yield Table.of("Clusters and labels", agreement, columns, note=note, folded=True)


def _ablation(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    if (table := data.table("ablation")).empty:
        yield Empty(
            "Nothing was left out; evaluation.ablate.parts: [denoise, features, speakers, heads] "
            "does it."
        )
        return
    yield from pictures("ablation")
    columns = _target_and_model(data) | {
        "part": text("part"),
        "variant": text("variant"),
        "as configured, UAR %": share("baseline"),
        "change, points": change("difference"),
        "p": p("p_holm"),
    }
    note = "p: permutation test, after Holm."
    yield Table.of("Variants", table, columns, note=note, folded=True, file="ablation.csv")


def _importance(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    if (table := data.table("importance")).empty:
        yield Empty("No feature was shuffled; evaluation.ablate.importance: true does it.")
        return
    yield from pictures("importance")
    yield Table.of(
        "Test UAR lost by shuffling",
        table.sort_values("drop", ascending=False, kind="stable"),
        _target_and_model(data)
        | {"level": text("level"), "name": text("name"), "lost, points": change("drop")},
        folded=True,
        file="importance.csv",
    )


def _inflation(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    if (table := data.table("inflation")).empty:
        yield Empty(
            "A random split wasn't tried: it takes several speakers with several recordings each, "
            "all of them known."
        )
        return
    drawn = pictures("inflation")
    if not drawn:
        yield Sentences([sentence(f"{each.line} ({each.detail})") for each in inflated(table)])
    yield from drawn
    columns = {
        "target": text("target"),
        "random split, UAR %": share("random"),
        "unseen speakers, UAR %": share("disjoint"),
        "difference, points": change("difference"),
    }
    note = "Of one SVM, not of this run."
    yield Table.of("A random split and unseen speakers", table, columns, note=note)


def _cross(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    if (table := data.table("cross")).empty:
        yield Empty(
            "One corpus was not tried on another: it takes several in data.corpora, and "
            "evaluation.cross: true."
        )
        return
    yield from pictures("cross")
    columns = _target_and_model(data) | {
        "trained on": text("train"),
        "tested on": text("test"),
        "UAR, %": interval("uar"),
        "recordings": whole("n"),
    }
    yield Table.of("Across corpora", table, columns)
