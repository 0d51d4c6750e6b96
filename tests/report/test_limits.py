"""What limits the scores of a run, as its first screen and its last lines have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.audits import summarised
from helpers.reported import Read, make_info, make_report_data
from helpers.results import TARGETS, with_info, with_tables

from speechnet.core.findings import Finding, as_table, foremost
from speechnet.report.data import ReportData
from speechnet.report.findings import audited, limits, seen_in_pretraining
from speechnet.report.html.page import Attachments, page
from speechnet.report.names import percent_interval
from speechnet.report.terminal import warnings_in_words


def checks(findings: Sequence[Finding]) -> list[str]:
    """By what they were found."""
    return [each.check for each in findings]


def urdu(seed: int = 0) -> pd.DataFrame:
    """A corpus like Urdu's: 400 recordings of 38 speakers, each of whom mostly has one emotion."""
    rng = np.random.default_rng(seed)
    speaker = np.sort(rng.integers(0, 38, 400))
    own = np.array(TARGETS["emotion"])[speaker % 4]
    other = rng.choice(TARGETS["emotion"], 400)
    return pd.DataFrame(
        {
            "speaker": [f"SM{each}" for each in speaker],
            "gender": np.where(speaker % 38 < 27, "male", "female"),
            "emotion": np.where(rng.random(400) < 0.95, own, other),
            "sentence": None,
        },
        index=pd.Index([f"{row}.wav" for row in range(400)], name="file"),
        dtype=object,
    )


def audit_of(table: pd.DataFrame) -> pd.DataFrame:
    """What the audit says of a table whose recordings are sound and whose parts share nothing."""
    return as_table(summarised(table, TARGETS))


def inflation(**differences: float) -> pd.DataFrame:
    """By target how much a random split would have reported beyond 56 %, in points."""
    rows = [
        ("svm", target, 0.56 + each / 100, 0.56, each / 100, each / 100 - 0.04, each / 100 + 0.04)
        for target, each in differences.items()
    ]
    columns = ["model", "target", "random", "disjoint", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def uncertain(report_data: ReportData, target: str = "gender") -> ReportData:
    """The same run with a wide interval of one target's scores, and narrow ones of the others."""
    scores = report_data.scores
    wide = np.where(scores["target"] == target, 0.2, 0.01)
    return with_tables(
        report_data, scores=scores.assign(low=scores["value"] - wide, high=scores["value"] + wide)
    )


@pytest.fixture
def confounded() -> ReportData:
    """A run on such a corpus, in which a random split inflates and gender is uncertain."""
    report_data = with_tables(make_report_data(TARGETS, whole=False), audit=audit_of(urdu()))
    return uncertain(with_tables(report_data, inflation=inflation(gender=1, emotion=39)))


def test_the_speaker_who_tells_the_emotion_stands_before_a_wide_interval(
    confounded: ReportData,
) -> None:
    """Confounding, then inflation, then width, each with its target and its numbers."""
    first, second, third = foremost(limits(confounded))
    assert (first.check, first.subject) == ("confounding", "emotion")
    told = urdu().groupby("speaker")["emotion"]
    assert first.numbers["uar"] == pytest.approx(
        told.agg(lambda e: (e == e.mode()[0]).mean()).mean(), abs=0.03
    )
    assert first.numbers["chance"] == 0.25
    assert (second.check, second.subject) == ("inflation", "emotion")
    assert second.numbers["difference"] == pytest.approx(0.39)
    assert (third.check, third.subject) == ("wide_interval", "gender")
    assert third.numbers["width"] == pytest.approx(0.4)


def test_a_finding_on_both_targets_is_one_line_that_names_both() -> None:
    """Each with its own figures, the numbers being those of the wider; a narrow one isn't named."""
    report_data = uncertain(make_report_data(TARGETS, whole=False))
    scores = report_data.scores
    wide = np.where(scores["target"] == "gender", 0.2, 0.15)
    both = with_tables(
        report_data, scores=scores.assign(low=scores["value"] - wide, high=scores["value"] + wide)
    )
    (one,) = [each for each in limits(report_data) if each.check == "wide_interval"]
    assert (one.subject, "emotion" in one.line) == ("gender", False)
    (line,) = [each for each in limits(both) if each.check == "wide_interval"]
    assert line.subject == ""
    assert line.numbers["width"] == pytest.approx(0.4)
    for target in TARGETS:
        score = both.score(model=str(both.shown), target=target, part="test", metric="uar")
        reached = percent_interval(score.value, score.low, score.high)
        assert f"{target} {reached}" in line.line


def test_page_and_terminal_tell_the_same_records(confounded: ReportData) -> None:
    """A line for each, in order; and each stands below, in the audit's table or beside it."""
    found = foremost(limits(confounded))
    read = Read(page(confounded, Attachments()))
    assert [each["data-check"] for each in read.of("li") if "data-check" in each] == checks(found)
    lines = warnings_in_words(found)
    assert len(lines) == 3
    for finding, line in zip(found, lines, strict=True):
        assert finding.line in line
        assert len(line) < 100
        assert finding.line in read.text
    below = read.text[read.text.index("What the audit found") :]
    for finding in limits(confounded):
        shown = finding.what if finding in audited(confounded) else finding.line
        assert shown in below
        assert finding.detail[1:] in below


def test_a_balanced_corpus_has_no_such_warning() -> None:
    """Each of 38 speakers says each emotion about as often: neither speaker nor sentence tells."""
    table = urdu()
    rng = np.random.default_rng(1)
    drawn = {
        name: rng.choice(values, 400)
        for name, values in (("emotion", TARGETS["emotion"]), ("sentence", ["a", "b"]))
    }
    assert audit_of(table.assign(**drawn)).empty


@pytest.mark.parametrize(("column", "target"), [("sentence", "emotion"), ("corpus", "gender")])
def test_sentences_and_corpora_may_tell_a_class_too(column: str, target: str) -> None:
    """The gender, which speakers and their sentences always tell, by the corpus alone."""
    table = urdu()
    table["emotion"] = np.random.default_rng(2).choice(TARGETS["emotion"], 400)
    told = table[target].isin([TARGETS[target][0], "happy"])
    for name in {"sentence", "corpus"}:
        table[name] = np.where(told, "one", "two") if name == column else table["speaker"]
    if column == "sentence":
        table = table.drop(columns="corpus")
    (row,) = audit_of(table).to_dict("records")
    assert (row["check"], row["subject"]) == (f"{column}_confounding", target)
    assert row["count"] == 2


def test_a_class_of_one_speaker() -> None:
    """Voice and class can't be told apart."""
    table = urdu()
    table["emotion"] = np.random.default_rng(2).choice(["angry", "happy", "sad"], 400)
    table.loc[table.index[table["speaker"] == "SM3"][:2], "emotion"] = "neutral"
    found = audit_of(table).set_index("check")
    assert found.loc["one_speaker_class", "subject"] == "emotion"
    assert "neutral (SM3)" in found.loc["one_speaker_class", "detail"]


def test_the_whole_order() -> None:
    """All that a run may have at once; old tables, without subjects and numbers, too."""
    info = make_info(TARGETS, corpus="spoken + synthetic") | {"chance": {"emotion": [0.1, 0.99]}}
    info["corpus"] |= {"speakers": 4, "excluded": 40}
    severities = {
        "quiet": "warning",
        "leakage_sentence": "note",
        "confounding": "warning",
        "speakers_unknown": "warning",
        "protocol": "fault",
        "copies_disagree": "fault",
        "leakage_speaker": "fault",
    }
    audit = as_table(
        [
            Finding(check, severity, f"of {check}", 2, "where")
            for check, severity in severities.items()
        ]  # type: ignore[arg-type]
    )
    settings = {"data": {"per_speaker": True}}
    report_data = make_report_data(info=info, settings=settings)
    report_data = with_tables(report_data, audit=audit, inflation=inflation(emotion=39))
    found = limits(uncertain(report_data))
    assert checks(found) == [
        "synthetic",
        "leakage_speaker",
        "copies_disagree",
        "protocol",
        "per_speaker",
        "confounding",
        "inflation",
        "speakers_unknown",
        "chance",
        "few_speakers",
        "wide_interval",
        "excluded",
        "leakage_sentence",
        "quiet",
    ]


@pytest.mark.parametrize(
    ("points", "shared", "told"), [(39, False, True), (4.5, False, False), (4.5, True, True)]
)
def test_a_random_split_is_told_with_its_figure(points: float, *, shared: bool, told: bool) -> None:
    """From five points on; beside a shared speaker whatever is shown."""
    leak = Finding("leakage_speaker", "fault", "speakers are shared", 2)
    audit = as_table([leak] if shared else [])
    report_data = make_report_data(whole=False)
    given = {"audit": audit, "inflation": inflation(emotion=points)}
    found = limits(with_tables(report_data, **given))
    figures = [each.numbers["difference"] for each in found if each.check == "inflation"]
    assert figures == ([pytest.approx(points / 100)] if told else [])


def test_a_choice_on_few_recordings_is_told() -> None:
    """Where the standard error of the dev UAR, at its largest, makes an interval of 20 points."""
    report_data = make_report_data(whole=False)
    best = report_data.best
    assert best is not None
    for each, told in ((23, True), (25, False)):
        dev = pd.DataFrame(
            [(best.model, "emotion", "dev", label, label, each) for label in TARGETS["emotion"]],
            columns=report_data.table("confusion").columns,
        )
        confusion = pd.concat([report_data.table("confusion"), dev])
        found = limits(with_tables(report_data, confusion=confusion))
        rows = {each.check: each.numbers for each in found}
        assert ("chosen_on_few" in rows) == told
        if told:
            width = 2 * 1.96 * np.sqrt(4 * 0.25 / each) / 4
            assert rows["chosen_on_few"]["width"] == pytest.approx(width)
            assert rows["chosen_on_few"]["recordings"] == 4 * each


def test_a_choice_on_the_test_part_is_told() -> None:
    """There is no dev part, and no search either."""
    report_data = make_report_data(whole=False)
    scores = report_data.scores
    without = with_tables(report_data, scores=scores[scores["part"] != "dev"])
    assert checks(limits(without)) == ["chosen_on_test"]


def test_chance_that_reaches_everything_is_no_verdict() -> None:
    """A UAR of 100 % can't be told from chance where so few are tested that it reaches 100 %."""
    info: dict[str, Any] = make_info({}) | {"chance": {"gender": [0.0, 1.0]}, "unit": "speaker"}
    found = limits(make_report_data(info=info, whole=False))
    (chance,) = (each for each in found if each.check == "chance")
    assert chance.line == "Too few test speakers to tell if any model beats chance at gender"
    assert len(chance.line) <= 70


def test_some_models_better_than_chance_is_no_warning() -> None:
    """Only where even the best is within chance."""
    info: dict[str, Any] = make_info({}) | {
        "chance": {"emotion": [0.0, 0.01], "gender": [None, None]}
    }
    assert "chance" not in checks(limits(make_report_data(info=info, whole=False)))


def test_a_single_finding_has_its_reason() -> None:
    """On the page, and on the terminal where both fit into two lines."""
    short = Finding("confounding", "warning", "It is so", detail="for a reason")
    assert warnings_in_words([short]) == ["Warning: It is so. For a reason."]
    assert warnings_in_words([short, short]) == ["Warning: It is so."] * 2
    assert warnings_in_words([replace(short, detail="x" * 160)]) == ["Warning: It is so."]
    report_data = uncertain(make_report_data(whole=False))
    (found,) = limits(report_data)
    first = Read(page(report_data, Attachments()).partition("<nav")[0]).text
    assert found.line in first
    assert found.detail[1:] in first


def test_tested_recordings_unlike_those_trained_on_are_found() -> None:
    """From more than one in twenty on, before what makes a score uncertain."""
    report_data = make_report_data(TARGETS)

    def found(**novelty: int) -> list[Finding]:
        known = with_info(report_data, novelty=novelty)
        return [each for each in limits(known) if each.check == "unlike_training"]

    assert found(tested=100, unlike=5) == []
    (finding,) = found(tested=100, unlike=40)
    assert finding.line.startswith("40 % of the tested recordings are unlike")
    assert finding.numbers == {"share": 0.4}
    assert "unlike_training" not in checks(limits(report_data))


@pytest.mark.parametrize(
    ("titles", "found"),
    [
        ({"cremad": "Crowd-sourced Emotional Multimodal Actors Dataset"}, True),
        ({"mine": "crema d"}, True),
        ({"ravdess": "Ryerson Audio-Visual Database", "cremad": "CREMA"}, True),
        ({"ravdess": "Ryerson Audio-Visual Database"}, False),
    ],
)
def test_weights_that_have_seen_the_corpus(titles: dict[str, str], found: bool) -> None:
    """By its definition's name or its title, however they are written."""
    info = make_info(TARGETS)
    origin = {"what": "an encoder", "licence": "none", "source": "?", "seen": ["TIMIT", "CREMA-D"]}
    info["features"]["encoder"] = info["features"]["functionals"] | {"provenance": origin}
    info["corpus"]["titles"] = titles
    data = make_report_data(TARGETS, whole=False, info=info)
    seen = [each for each in limits(data) if each.check == "seen_in_pretraining"]
    assert [each.numbers["corpora"] for each in seen] == [1] * found
    assert "unlisted_pretraining" not in checks(limits(data))
    shown = Read(page(data, Attachments())).tables["Weights and programs of others"]
    assert shown[1] == ["encoder", "an encoder", "none", "TIMIT, CREMA-D", "?"]


def test_weights_whose_corpora_nobody_names() -> None:
    """They may have seen any; that is good to know, and no warning."""
    origin = {"what": "Whisper", "licence": "MIT", "source": "?", "seen": ["9 hours, not listed"]}
    [found] = seen_in_pretraining({"pretrained": {"provenance": origin}}, {"emodb": "EmoDB"})
    assert (found.check, found.severity) == ("unlisted_pretraining", "note")
    assert found.line == "pretrained may know this corpus: its training data isn't listed"
    origin = origin | {"seen": ["Libri-Light"]}
    assert not [*seen_in_pretraining({"pretrained": {"provenance": origin}}, {"emodb": "EmoDB"})]
