"""The sections of the report, each a list of what stands in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from speechnet.core.findings import Finding
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.data import ReportData, counts
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
    numbers,
    p,
    share,
    text,
    whole,
    yes_no,
)
from speechnet.report.html.scores import calibration_table, class_table, pairs_note, score_table
from speechnet.report.names import method_name, percent, readable, sentence
from speechnet.report.results import in_words, results
from speechnet.report.worsened import worsened

_MARKS: Final = {"fault": "fault", "warning": "warn"}
_AMI: Final = "adjusted_mutual_information"

Pictures = Callable[[str], list[Picture]]
"""The figures of a place in the report that aren't shown yet, by the place's name."""


def sections(data: ReportData, pictures: Pictures) -> dict[str, list[Item]]:
    """What stands in each section of the template but the mistakes and the provenance."""
    return {
        "corpus": list(_corpus(data, pictures)),
        "models": list(_models(data, pictures)),
        "confusion": [*pictures("confusion"), class_table(data), calibration_table(data)],
        "learning": list(_learning(data, pictures)),
        "people": list(_people(data, pictures)),
        "clusters": list(_clusters(data, pictures)),
        "parts": [*_parts(data, pictures), *_elsewhere(data, pictures)],
    }


def _shown(
    data: ReportData,
    name: str,
    caption: str,
    columns: Mapping[str, Column],
    *,
    empty: str,
    above: Callable[[], Sequence[Item]] = list,
    rows: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
    **more: Any,
) -> Iterator[Item]:
    """A table of the run folder and what stands above it, or why there is none.

    ``rows`` says which rows are shown, in which order; ``more`` are ``note`` and ``folded``.
    """
    if (table := data.table(name)).empty:
        yield Empty(empty)
        return
    yield from above()
    yield Table.of(caption, rows(table), columns, file=f"{name}.csv", **more)


def _target_and_model(data: ReportData) -> dict[str, Column]:
    return {"target": text("target"), "model": text("model", data.label)}


def _texts(*names: str) -> dict[str, Column]:
    """Columns of text under their own names."""
    return {name: text(name) for name in names}


def _corpus(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield from pictures("corpus")
    if len(corpus := data.table("corpus")):
        tables = counts(corpus, data.targets)
        rows = pd.concat(tables, names=["target", "label"]).fillna(0).reset_index()
        columns = _texts("target") | {"class": text("label")}
        columns |= {readable(name): whole(name) for name in rows.columns[2:]}
        yield Table.of("Recordings of each class", rows, columns)
    found = audited(data)
    if found:
        yield _audit(found)
    elif "audit" in data.tables:
        yield Empty("The audit found nothing: no copies, no leaks, no faulty recordings.")
    else:
        yield Empty("No audit: this run has none.")
    if others := [each for each in limits(data) if each not in found]:
        yield Heading("What else limits the scores")
        yield Sentences([f"{each.line}. {sentence(each.detail)}" for each in others])
    if (excluded := data.table("excluded")).empty:
        yield Empty("No recording was excluded.")
    else:
        count = excluded.groupby("reason")["file"].transform("size")
        first = excluded.assign(count=count).drop_duplicates("reason")
        columns = _texts("reason") | {"recordings": whole("count")}
        columns |= {"the first of them": text("file", kind="long")}
        columns |= {"why": text("detail", kind="long")}
        yield Table.of("Excluded", first, columns, note="All are in excluded.csv.")
    if len(dropped := data.table("dropped")):
        columns = _texts("target", "label") | {"recordings": whole("count")}
        columns["why"] = text("why", kind="long")
        yield Table.of("Left out by the configuration", dropped, columns)


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
    yield Sentences(in_words(results(data), "at_chance", "difference", "published", "departures"))
    yield from pictures("models")
    notes = filter(None, ["p: permutation test, after Holm", pairs_note(data.scores)])
    yield from _shown(
        data,
        "comparisons",
        "Models in pairs, test UAR",
        {
            "target": text("target"),
            "first": text("first", data.label),
            "second": text("second", data.label),
            "first minus second, points": change("difference"),
            "p": p("p_holm"),
            "shown?": yes_no(lambda row: bool(row["p_holm"] <= SIGNIFICANT)),
        },
        above=lambda: pictures("pairs"),
        empty="The models aren't compared in pairs: it takes two models.",
        note=f"{'; '.join(notes)}.",
    )
    yield Heading("What each model brings to the ensemble")
    yield from _shown(
        data,
        "members",
        "The ensemble without one of its models, test UAR",
        {
            "target": text("target"),
            "ensemble": text("model", data.label),
            "model": text("name", data.label),
            "alone, %": share("alone"),
            "ensemble, %": share("together"),
            "without it, %": share("without"),
            "lost without it, points": change("difference"),
            "p": p("p_holm"),
        },
        above=lambda: pictures("members"),
        empty="No ensemble: models: {ensemble: {of: [mlp, svm]}} makes one of two models of the "
        "run.",
        note="Without a model the others are combined anew. Recordings of all folds pooled; p: "
        "permutation test, after Holm.",
    )


def _learning(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield Heading("The network")
    drawn, history = pictures("network"), data.table("history")
    if history.empty:
        yield Empty("No learning curves: no network was trained; models: {mlp: {}} adds one.")
    elif not drawn:
        yield Sentences([epochs_in_words(history)])
    yield from drawn
    yield Heading("Searches")
    key = ["fold", "model", "target"]

    def chosen(table: pd.DataFrame) -> pd.DataFrame:
        counted = table.assign(of=table.groupby(key)["candidate"].transform("size"))
        return counted[table["chosen"].astype(bool)].drop_duplicates(key)

    yield from _shown(
        data,
        "search",
        "What the searches chose",
        _target_and_model(data)
        | _texts("fold")
        | {"chosen": text("candidate", _settings, kind="long")}
        | {"score within training, %": numbers("mean", lambda row: percent(row["mean"], row["sd"]))}
        | {"of": whole("of")},
        rows=chosen,
        empty="No searches: they take several values for a key of a model, or a network's grid, as "
        "models.mlp.grid.",
        note="By inner folds over speakers of the training part. All candidates are in search.csv.",
        folded=True,
    )


def _settings(candidate: object) -> str:
    return ", ".join(f"{key} = {value}" for key, value in json.loads(str(candidate)).items())


def _people(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield Sentences(in_words(results(data), "gender_gap", "hardest_speakers"))
    yield from pictures("people")
    yield from _shown(
        data,
        "gaps",
        "Gaps between the genders",
        _target_and_model(data)
        | {
            "class": text("class", lambda name: "all (UAR)" if name == "uar" else str(name)),
            "better for": text("higher"),
            "by, points of recall": change("gap"),
            "more than chance?": yes_no(lambda row: bool(row["certain"])),
        },
        empty="No recall by gender: it takes a gender for the recordings, and another target "
        "beside it in data.targets.",
        note="The last column is corrected for the number of gaps of a model.",
        folded=True,
    )
    if (speakers := data.table("speakers").dropna(subset=["uar"])).empty:
        yield Empty("No scores by speaker: it takes speakers with recordings of several classes.")
        return
    speakers = speakers[speakers["model"] == data.shown].assign(
        place=speakers["target"].map([*data.targets].index),
        gender=speakers["gender"].astype(object).where(speakers["gender"].notna(), "unknown"),
    )
    columns = _texts("target", "speaker", "gender")
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
    if len(agreement := table[table["metric"] == _AMI]):
        columns = {"method": text("method", method_name), "clusters": whole("k")}
        columns |= {"label": text("against"), "AMI": decimal("value")}
        columns |= {"by chance": decimal("null_mean"), "p": p("p")}
        note = "Adjusted mutual information: 0 is chance, 1 is agreement."
        yield Table.of("Clusters and labels", agreement, columns, note=note, folded=True)


def _parts(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    yield Heading("One part left out")
    yield from _shown(
        data,
        "ablation",
        "Variants",
        _target_and_model(data)
        | _texts("part", "variant")
        | {"as configured, UAR %": share("baseline"), "change, points": change("difference")}
        | {"p": p("p_holm")},
        above=lambda: pictures("ablation"),
        empty="Nothing was left out; evaluation.ablate.parts: [denoise, features, speakers, heads] "
        "does it.",
        note="p: permutation test, after Holm.",
        folded=True,
    )
    yield Heading("Features shuffled")
    yield from _shown(
        data,
        "importance",
        "Test UAR lost by shuffling",
        _target_and_model(data) | _texts("level", "name") | {"lost, points": change("drop")},
        above=lambda: pictures("importance"),
        rows=lambda table: table.sort_values("drop", ascending=False, kind="stable"),
        empty="No feature was shuffled; evaluation.ablate.importance: true does it.",
        folded=True,
    )


def _elsewhere(data: ReportData, pictures: Pictures) -> Iterator[Item]:
    """Of worse recordings, under other splits and on other corpora."""
    yield Heading("Worse recordings")
    yield from _shown(
        data,
        "robustness",
        "Test UAR of worse recordings",
        _target_and_model(data)
        | {"recordings": text("words"), "UAR, %": interval("value"), "lost": whole("lost")},
        above=lambda: pictures("robustness") or [Sentences(in_words(results(data), "robustness"))],
        rows=lambda _: worsened(data),
        empty="No recording was made worse; evaluation.robustness.enabled: true does it.",
        note="One effect at a time. Lost: recordings that can't be used any more; the others are "
        "scored." + _by_speaker(data),
        folded=True,
    )
    yield Heading("What a random split would report")
    yield from _shown(
        data,
        "inflation",
        "A random split and unseen speakers",
        {
            "target": text("target"),
            "random split, UAR %": share("random"),
            "unseen speakers, UAR %": share("disjoint"),
            "difference, points": change("difference"),
        },
        above=lambda: pictures("inflation") or [Sentences(_inflation_in_words(data))],
        empty="A random split wasn't tried: it takes several speakers with several recordings "
        "each, all of them known.",
        note="Of one SVM, not of this run.",
    )
    yield Heading("Across corpora")
    yield from _shown(
        data,
        "cross",
        "Across corpora",
        _target_and_model(data)
        | {"trained on": text("train"), "tested on": text("test")}
        | {"UAR, %": interval("uar"), "recordings": whole("n")},
        above=lambda: pictures("cross"),
        empty="One corpus was not tried on another: it takes several in data.corpora, and "
        "evaluation.cross: true.",
    )


def _by_speaker(data: ReportData) -> str:
    if not data.setting("data", "per_speaker"):
        return ""
    return (
        " Each speaker's worse recordings are standardised by themselves: what an effect does to "
        "all of them alike is lost by that. Where a speaker's other recordings are trained on, the "
        "recordings as they are were standardised together with those, and differ by that as well."
    )


def _inflation_in_words(data: ReportData) -> list[str]:
    return [sentence(f"{each.line} ({each.detail})") for each in inflated(data.table("inflation"))]
