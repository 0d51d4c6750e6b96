"""Tests of the table and the sentences of compared runs."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.compared_runs import a_pair, make_comparison
from helpers.metrics import hide_others
from rich.console import Console

from speechnet.comparison.result import RunComparison, findings, settings_in_words
from speechnet.comparison.terminal import runs_table
from speechnet.report.names import UNDEFINED

UNTESTED = {"untested": "other folds", "difference": math.nan, "p": math.nan, "p_holm": math.nan}


@pytest.fixture(autouse=True)
def _known_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables have the columns that the tests know, whatever metric is added."""
    hide_others("terminal", "accuracy", "uar", "auc_macro", monkeypatch=monkeypatch)


def printed(comparison: RunComparison) -> list[str]:
    """The table in a terminal of 80 columns."""
    stream = io.StringIO()
    Console(file=stream, width=80).print(runs_table(comparison))
    return stream.getvalue().splitlines()


def test_numbers_of_the_table() -> None:
    """Each row has its run's numbers; the difference is the run's less the first run's."""
    comparison = make_comparison([a_pair()])
    lines = printed(comparison)
    assert max(map(len, lines)) <= 80
    scores = comparison.scores.set_index(["run", "model", "target", "part", "metric"])
    at = lines.index(next(line for line in lines if line.strip() == "emotion"))
    shown = [line.split() for line in lines[at + 1 : at + 5]]
    for words, (model, run) in zip(
        shown, [("svm", "A"), ("svm", "B"), ("knn", "A"), ("knn", "B")], strict=True
    ):
        dev, accuracy, uar = (
            scores.loc[(run, model, "emotion", part, metric)]
            for part, metric in (("dev", "uar"), ("test", "accuracy"), ("test", "uar"))
        )
        numbers = [dev["value"], accuracy["value"], uar["value"], uar["low"], uar["high"]]
        found = words[2:] if words[0] != run else words[1:]
        assert [word.strip("[],") for word in found[:5]] == [f"{100 * n:.1f}" for n in numbers]
        assert found[5:] == (["-10.0", "[-15.0,", "-5.0]"] if (model, run) == ("svm", "B") else [])


def test_what_is_undefined_or_untested() -> None:
    """No number is invented where there is none."""
    comparison = make_comparison(
        [a_pair(**UNTESTED), a_pair(models=("knn", "knn"), equal=True, p_holm=math.nan)]
    )
    comparison.scores.loc[comparison.scores["run"] == "B", ["value", "low", "high"]] = np.nan
    text = "\n".join(printed(comparison))
    assert "not tested" in text
    assert "same answers" in text
    assert "nan" not in text


def test_a_score_that_a_run_lacks_is_explained() -> None:
    """A dash is told to mean that only where a run lacks a score."""
    comparison = make_comparison([a_pair()])
    assert "doesn't have" not in " ".join(printed(comparison))
    scores = comparison.scores
    lacking = (scores["run"] == "B") & (scores["metric"] == "accuracy")
    lines = printed(replace(comparison, scores=scores[~lacking]))
    text = " ".join(" ".join(lines).split())
    assert f"{UNDEFINED}: undefined, or the run doesn't have this score." in text
    assert sum(UNDEFINED in line.split() for line in lines) == 2 * len(comparison.targets)


def test_eight_runs_fit() -> None:
    """The table grows downwards only."""
    models = ("mlp", "logreg", "sklearn_mlp")
    pairs = [a_pair("A" + run, (model, model)) for run in "BCDEFGH" for model in models]
    lines = printed(make_comparison(pairs, runs=8, models=models))
    assert max(map(len, lines)) <= 80
    assert sum("-10.0 [-15.0, -5.0]" in line for line in lines) == len(pairs)


def test_the_best_models_are_told_apart() -> None:
    """What the test shows of the models that each run would choose, and then of all."""
    best, every = findings(
        make_comparison(
            [
                a_pair(difference=-0.1, low=-0.15, high=-0.05),
                a_pair(models=("knn", "knn"), difference=0.02, low=-0.01, high=0.05, p_holm=0.2),
                a_pair(models=("svm", "knn"), best=True, p_holm=0.0001),
            ]
        )
    )
    assert (best.check, best.subject) == ("difference_of_best", "emotion")
    assert best.numbers == {"pairs": 1, "shown": 1, "p": 0.0001}
    assert "SVM of A is better than KNN of B" in best.line
    assert every.check == "difference"
    assert every.numbers == {"pairs": 2, "shown": 1, "p": 0.008}
    assert "SVM of B is better than SVM of A" in every.line
    assert "Holm over 3 pairs" in every.detail


def test_equal_and_untested_pairs() -> None:
    """Equal answers are named, and no untested pair is judged."""
    equal = a_pair(equal=True, difference=0.0, p_holm=math.nan)
    (found,) = findings(make_comparison([equal, a_pair(models=("knn", "knn"), **UNTESTED)]))
    assert (found.check, found.numbers) == ("same_answers", {"pairs": 1})
    assert "SVM of A and SVM of B" in found.line
    assert findings(make_comparison([a_pair(**UNTESTED)])) == []


def test_many_differences_are_counted() -> None:
    """A sentence doesn't grow without end; the largest are told."""
    pairs = [
        a_pair("A" + run, difference=-size, low=-size - 0.01, high=0.01 - size)
        for run, size in zip("BCDEFGHI", np.linspace(0.1, 0.17, 8), strict=True)
    ]
    (found,) = findings(make_comparison(pairs, runs=9))
    assert found.numbers["shown"] == 8
    assert "SVM of I" in found.detail
    assert "SVM of B" not in found.detail


def test_settings() -> None:
    """A line for each key, runs of one value together; long ones are cut."""
    values = {
        "data.denoise.method": ["none", "stationary", "none"],
        "x": ["a\nb", "[red]", "c" * 99],
    }
    comparison = make_comparison([], runs=3, settings=values)
    assert settings_in_words(comparison, most=12) == [
        "data.denoise.method: none (A, C), stationary (B)",
        "x: a\nb (A), [red] (B), cccccccccccccccccccccccccccccccccccccccccccccccccc... (C)",
    ]
    assert settings_in_words(make_comparison([]), most=12) == ["No setting differs."]
    many = {f"key_{number}": ["1", "2"] for number in range(14)}
    lines = settings_in_words(make_comparison([], settings=many), most=12)
    assert len(lines) == 13
    assert lines[-1] == "and 2 more keys: --out lists them"


@pytest.mark.parametrize("shown", [True, False])
def test_bold_is_what_is_shown(shown: bool) -> None:
    """A difference is bold exactly if p after Holm is at most 0.05."""
    comparison = make_comparison([a_pair(p_holm=0.05 if shown else 0.051)])
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard")
    console.print(runs_table(comparison))
    assert ("\x1b[1m-10.0 [-15.0, -5.0]" in stream.getvalue()) is shown
