"""What came out of a run, as records and in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from helpers.results import build_data, with_info, with_tables

from speechnet.core.findings import Finding
from speechnet.report.data import ReportData
from speechnet.report.figure import FIGURES
from speechnet.report.findings import inflated
from speechnet.report.results import difference, in_words, results
from speechnet.report.terminal import findings_table, recalls_in_words

CLASSES = {"emotion": ["angry", "sad"]}


def run(info: dict[str, Any] | None = None, **tables: pd.DataFrame) -> ReportData:
    """A run of two models on emotion, with some more tables."""
    data = with_tables(build_data(CLASSES, models=["svm", "knn"]), **tables)
    return with_info(data, **(info or {}))


def only(data: ReportData, check: str) -> list[Finding]:
    """The results of a check."""
    return [each for each in results(data) if each.check == check]


def pair(first: str, second: str, by: float, p: float, **other: object) -> dict[str, object]:
    """A row of comparisons."""
    row = {"target": "emotion", "first": first, "second": second, "difference": by}
    row |= {"low": by - 0.02, "high": by + 0.02, "p_holm": p, "units": 24, "unit": "speaker"}
    return row | other


@pytest.mark.parametrize(
    ("pairs", "line", "shown"),
    [
        ([("a", "b", 0.1, 0.6)], "no difference shown between a and b", 0),
        ([("a", "b", -0.1, 0.04)], "b is better than a", 1),
        (
            [("a", "b", 0.01, 0.6), ("c", "a", -0.1, 0.004), ("c", "b", -0.1, 0)],
            "all others are better than c; no other difference shown",
            2,
        ),
        (
            [("a", "b", 0.1, 0), ("a", "c", 0.2, 0), ("c", "b", 0.05, 0.01)],
            "a is better than c and b; c is better than b",
            3,
        ),
        (
            [("a", "b", 0.1, 0.5), ("a", "c", 0.1, 0.5), ("c", "b", 0.1, 0.1)],
            "no difference shown between the 3 models",
            0,
        ),
        ([("a", "b", 0.1, 0.5), ("c", "d", 0.1, 0.5)], "no difference shown in 2 pairs", 0),
    ],
)
def test_who_beats_whom(pairs: list[tuple[str, str, float, float]], line: str, shown: int) -> None:
    """Only what the test shows is called better, once for all that are better than the same."""
    found = difference(pd.DataFrame([pair(*one) for one in pairs]), subject="emotion")
    assert (found.subject, found.line) == ("emotion", line)
    assert found.numbers["pairs"] == len(pairs)
    assert found.numbers["shown"] == shown
    assert found.numbers["p"] == min(p for *_, p in pairs)
    assert "24 speakers" in found.detail


def test_differences_are_told_with_their_numbers() -> None:
    """The larger one first, the better one first whichever way it stands."""
    table = pd.DataFrame([pair("svm", "knn", 0.1, 0.04), pair("mlp", "svm", -0.2, 0.0002)])
    found = difference(table, subject="emotion")
    first, second = "svm over mlp +20.0 [+18.0, +22.0]", "svm over knn +10.0 [+8.0, +12.0]"
    assert found.detail.index(first) < found.detail.index(second)
    assert "p < 0.001" in found.detail
    many = [pair("best", f"m{n}", 0.1 + n / 100, 0.01) for n in range(9)]
    assert difference(pd.DataFrame(many), subject="emotion").detail.count(" over m") == 4


def test_too_few_speakers() -> None:
    """With 5 speakers p is 1/16 at least: nothing could have been shown."""
    found = difference(pd.DataFrame([pair("a", "b", 0.1, 0.0625, units=5)]), subject="emotion")
    assert "p is 0.062 at the very least" in found.detail


def test_equal_findings_of_several_targets_are_one_line() -> None:
    """Where no numbers are told, which are the targets' own."""
    found = [
        Finding("difference", "result", "none", None, n, t) for t, n in zip("ab", "12", strict=True)
    ]
    assert in_words(found, "difference", details=False) == ["a and b: none"]
    assert in_words(found, "difference") == ["a: none (1)", "b: none (2)"]
    assert in_words(found, "published") == []


def test_a_single_model_is_compared_with_none() -> None:
    """There is nothing to say, nor of a target without pairs."""
    assert only(run(), "difference") == []
    other = pd.DataFrame([pair("knn", "svm", 0.1, 0.5, target="gender")])
    assert only(run(comparisons=other), "difference") == []


def test_the_best_model() -> None:
    """By the rule for all commands, with its reason."""
    data = run()
    (found,) = only(data, "best_model")
    assert data.best is not None
    assert found.numbers["score"] == data.best.score
    assert found.line.endswith(data.best.reason)


def test_published_results_stand_beside_the_own() -> None:
    """A range for each metric, each system in the detail, and what differs."""
    columns = ["system", "metric", "value", "source"]
    rows = [("a", "uar", 75.32, ""), ("b", "accuracy", 50.0, ""), ("c", "uar", 48.5, "")]
    data = run({"departures": ["1439 of 1440"]}, references=pd.DataFrame(rows, columns=columns))
    uar, accuracy = only(data, "published")
    assert uar.numbers == {"low": 48.5, "high": 75.32, "systems": 2}
    assert accuracy.numbers == {"low": 50.0, "high": 50.0, "systems": 1}
    own = data.test_uar("svm", "emotion")
    assert f"SVM {own.text()}" in uar.detail
    assert "a 75.3; c 48.5" in uar.detail
    (departures,) = only(data, "departures")
    assert "1439 of 1440" in departures.line
    assert only(run(), "published") == []


def test_what_is_within_chance_is_called_so() -> None:
    """By the pooled test UAR; nothing is said where all are better."""
    data = run()
    at = (data.scores["metric"] == "uar") & (data.scores["part"] == "test")
    values = data.scores["model"].map({"svm": 0.7, "knn": 0.55})
    data = with_tables(data, scores=data.scores.assign(value=data.scores["value"].mask(at, values)))
    (found,) = only(with_info(data, chance={"emotion": (0.44, 0.56)}), "at_chance")
    assert found.line.endswith(": KNN")
    assert found.numbers == {"uar": 0.7, "low": 0.44, "high": 0.56, "models": 1}
    assert only(with_info(data, chance={"emotion": (0.44, 0.5)}), "at_chance") == []
    (few,) = only(with_info(data, chance={"emotion": (0.0, 1.0)}), "at_chance")
    assert few.line == "too few test speakers to tell any model from chance"
    assert only(with_info(data, chance={"emotion": (float("nan"), 0.9)}), "at_chance") == []


@pytest.mark.parametrize("certain", [True, False])
def test_the_largest_gap_and_the_hardest_speakers(certain: bool) -> None:
    """Of the best model; a gap that is not certain may be chance."""
    best = str(run().shown)
    other = "knn" if best == "svm" else "svm"
    columns = ["model", "target", "class", "higher", "lower", "gap", "low", "high", "certain"]
    rows = [
        (best, "emotion", "angry", "female", "male", 0.2, 0.01, 0.4, certain),
        (best, "emotion", "uar", "female", "male", 0.05, -0.1, 0.2, False),
        (other, "emotion", "angry", "male", "female", 0.9, 0.8, 1.0, True),
    ]
    names = {"model": best, "target": "emotion", "gender": "female", "classes": 2}
    speakers = pd.DataFrame({"speaker": list("abcd"), "uar": [0.4, 0.2, 0.9, 0.3]}).assign(**names)
    data = run(gaps=pd.DataFrame(rows, columns=columns), speakers=speakers)
    (gap,) = only(data, "gender_gap")
    assert gap.numbers == {"gap": 0.2, "low": 0.01, "high": 0.4}
    assert "recall of angry of female speakers" in gap.line
    assert ("may be chance" in gap.line) == (not certain)
    (hardest,) = only(data, "hardest_speakers")
    assert "b (20.0), d (30.0), a (40.0)" in hardest.line
    assert hardest.numbers == {"uar": 0.2}


def test_inflation_is_told_with_its_numbers() -> None:
    """What a random split reports, what unseen speakers get, and the difference, if it is shown."""
    row = {"random": 0.75, "disjoint": 0.55, "difference": 0.2, "low": 0.15, "high": 0.25}
    (found,) = inflated(pd.DataFrame([{"target": "emotion", **row}]))
    assert (found.severity, found.subject, found.numbers) == ("warning", "emotion", row)
    for figure in ("20 points", "75.0 %", "55.0 %"):
        assert figure in found.line
    assert "[+15.0, +25.0]" in found.detail
    (little,) = inflated(pd.DataFrame([{"target": "gender", **row, "difference": 0.01}]))
    assert little.severity == "note"
    assert "1 point:" in little.line
    (unsure,) = inflated(pd.DataFrame([{"target": "gender", **row, "low": -0.01}]))
    assert unsure.severity == "note"
    assert "not shown" in unsure.line


def test_recalls_of_a_fold() -> None:
    """The UAR as in the scores, test before dev, and nothing of the training rows."""
    rows = [("angry", "angry"), ("angry", "angry"), ("angry", "sad"), ("sad", "angry")]
    table = pd.DataFrame(rows, columns=["truth", "predicted"]).assign(target="emotion")
    table = table.assign(model="svm", part="test", fold=0, file=[*"abcd"])
    parts = {"train": table, "dev": table.iloc[:2], "test": table}
    targets = {"gender": ["female", "male"], **CLASSES}
    said = recalls_in_words(parts, targets)
    assert said == "test UAR emotion 33.3; dev UAR emotion –"  # noqa: RUF001 - one class alone


def test_findings_are_shown_as_they_stand() -> None:
    """A hostile file name is no markup."""
    noisy = Finding("noisy", "warning", "recordings are noisy", 2, "[red]a\x1b.wav\nnext")
    table = findings_table([noisy])
    shown = [str(next(iter(column.cells))) for column in table.columns]
    assert shown == ["warning", "2", "recordings are noisy\n[red]a\\x1b.wav\nnext"]
    empty = findings_table([])
    assert str(next(iter(empty.columns[2].cells))) == "nothing was found"


@pytest.mark.parametrize(
    ("by", "p", "line"),
    [
        ((0.1, 0.02), (0.001, 0.4), "Ensemble is better with SVM than without"),
        ((0.1, -0.1), (0.001, 0.01), "better with SVM than without; Ensemble is worse with KNN"),
        ((0.1, 0.02), (0.2, 0.4), "Ensemble is not shown to need any one of SVM and KNN"),
    ],
)
def test_what_each_model_brings(by: tuple[float, float], p: tuple[float, float], line: str) -> None:
    """Only what the test shows, either way, with the numbers of all."""
    table = pd.DataFrame({"name": ["svm", "knn"], "difference": by, "p_holm": p, "low": 0.0})
    table = table.assign(model="ensemble", target="emotion", high=0.2)
    table = table.assign(alone=0.5, together=0.6, without=0.6)
    [found] = only(run(members=table), "members")
    assert line in found.line
    assert "SVM +10.0 [+0.0, +20.0] points" in found.detail
    assert found.numbers == {"pairs": 2, "shown": sum(one <= 0.05 for one in p)}


def test_how_far_the_best_model_falls() -> None:
    """Its worst condition in the line, the worst of each effect in the detail, other models not."""
    rows = [
        ("clean", float("nan"), "svm", 0.7),
        ("noise", 20.0, "svm", 0.6),
        ("noise", 0.0, "svm", 0.35),
        ("codec", 0.5, "svm", 0.65),
        ("noise", 0.0, "knn", 0.2),
    ]
    table = pd.DataFrame(rows, columns=["effect", "severity", "model", "value"]).assign(
        target="emotion", part="test", fold="0", metric="uar", low=0.1, high=0.9, lost=0
    )
    data = run(robustness=table)
    assert data.shown == "svm"
    [found] = only(data, "robustness")
    assert found.line == (
        "SVM falls from 70.0 to 35.0 % UAR with noise at 0 dB, the worst of 3 conditions"
    )
    assert found.detail == "noise at 0 dB 35.0 [10.0, 90.0] %; MP3 at level 0.5 65.0 [10.0, 90.0] %"
    [drawing] = FIGURES["robustness"](data)
    assert "falls from 70.0 to 35.0 %" in drawing.caption
    [found] = only(
        run(robustness=table.assign(value=table["value"].where(table.index > 0, 0.2))), "robustness"
    )
    assert found.line == "SVM does not fall below its 20.0 % UAR in 3 conditions"
    lost = table.assign(value=table["value"].mask(table["effect"] == "codec"))
    [found] = only(run(robustness=lost), "robustness")
    assert found.line.endswith("the worst of 2 conditions")
    assert found.detail.endswith("; too few recordings are left to score with MP3 at level 0.5")
