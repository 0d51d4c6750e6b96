"""Tests of the table and the sentences of runs beside each other."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from helpers.compared_runs import a_pair, make_comparison
from rich.console import Console

from speechnet.report.terminal.comparison import (
    RunComparison,
    findings,
    runs_table,
    settings_in_words,
)

UNTESTED = {"untested": "other folds", "difference": math.nan, "p": math.nan, "p_holm": math.nan}


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


def test_eight_runs_fit() -> None:
    """The table grows downwards only."""
    models = ("mlp", "logreg", "sklearn_mlp")
    pairs = [a_pair("A" + run, (model, model)) for run in "BCDEFGH" for model in models]
    lines = printed(make_comparison(pairs, runs=8, models=models))
    assert max(map(len, lines)) <= 80
    assert sum("-10.0 [-15.0, -5.0]" in line for line in lines) == len(pairs)


def test_the_better_one_comes_first() -> None:
    """Only what the test shows is called better, the best models before all others."""
    sentences = findings(
        make_comparison(
            [
                a_pair(difference=-0.1, low=-0.15, high=-0.05),
                a_pair(models=("knn", "knn"), difference=0.02, low=-0.01, high=0.05, p_holm=0.2),
                a_pair(models=("svm", "knn"), best=True, p_holm=0.0001),
            ]
        )
    )
    assert sentences == [
        "emotion, best models: SVM of A is better than KNN of B by +10.0 [+5.0, +15.0] points "
        "(p < 0.001)",
        "emotion, model by model: SVM of B is better than that of A by +10.0 [+5.0, +15.0] points "
        "(p = 0.008); no other difference shown (paired permutation tests over 24 speakers, Holm "
        "over 3 pairs)",
    ]


def test_no_difference_shown() -> None:
    """A single pair tells its numbers, several tell how many they are."""
    near = {"difference": 0.02, "low": -0.01, "high": 0.05, "p_holm": 0.2}
    pairs = [a_pair(best=True, **near), a_pair(models=("knn", "knn"), **near)]
    first, second = findings(make_comparison(pairs))
    assert first == (
        "emotion, best models: no difference shown between SVM of A and of B (+2.0 [-1.0, "
        "+5.0] points, p = 0.200)"
    )
    assert second.startswith("emotion, model by model: no difference shown in 2 pairs (paired")


def test_too_few_speakers() -> None:
    """With 5 speakers p is 1/16 at least: nothing could have been shown."""
    (sentence,) = findings(make_comparison([a_pair(units=5, p_holm=0.0625)]))
    assert sentence.endswith(
        "so few speakers can't show a difference: p is 0.062 at the very least)"
    )


def test_equal_and_untested_pairs() -> None:
    """Equal answers are named, and no untested pair is judged."""
    equal = a_pair(equal=True, difference=0.0, p_holm=math.nan)
    (sentence,) = findings(make_comparison([equal, a_pair(models=("knn", "knn"), **UNTESTED)]))
    assert sentence == "emotion: the same answers throughout from SVM of A and of B"
    assert findings(make_comparison([a_pair(**UNTESTED)])) == []


def test_many_differences_are_counted() -> None:
    """A sentence doesn't grow without end; the largest are told."""
    pairs = [
        a_pair("A" + run, difference=size, low=size - 0.01, high=size + 0.01)
        for run, size in zip("BCDEFGHI", np.linspace(0.1, 0.17, 8), strict=True)
    ]
    (sentence,) = findings(make_comparison(pairs, runs=9))
    assert sentence.startswith(
        "emotion, model by model: SVM of A is better than that of I by +17.0"
    )
    assert "; 4 more differences shown (" in sentence


def test_settings() -> None:
    """A line for each key, runs of one value together; hostile text stays in one line."""
    values = {
        "data.denoise.method": ["none", "stationary", "none"],
        "x": ["a\nb", "[red]", "c" * 99],
    }
    comparison = make_comparison([], runs=3, settings=values)
    assert settings_in_words(comparison) == [
        "data.denoise.method: none (A, C), stationary (B)",
        r"x: a\nb (A), [red] (B), cccccccccccccccccccccccccccccccccccccccccccccccccc... (C)",
    ]
    assert settings_in_words(make_comparison([])) == ["No setting differs."]
    many = {f"key_{number}": ["1", "2"] for number in range(14)}
    lines = settings_in_words(make_comparison([], settings=many))
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
