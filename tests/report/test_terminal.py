"""The terminal tables hold the right numbers in 80 columns."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from helpers.metrics import hide_others, one_more_metric
from helpers.results import LABELS, TARGETS, build_data
from rich.console import Console
from rich.table import Table
from rich.text import Text

from speechnet.core.errors import DataError
from speechnet.core.metrics import EVERYWHERE
from speechnet.report.terminal import (
    counts_table,
    dropped_table,
    excluded_table,
    scores_table,
)


def render(table: Table, width: int = 80) -> list[str]:
    """The lines of a table in a terminal."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def cells(table: Table) -> list[list[object]]:
    """The cells row by row."""
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]


def bold(table: Table) -> list[tuple[int, int]]:
    """Row and column of each bold cell."""
    return [
        (row, column)
        for row, line in enumerate(cells(table))
        for column, cell in enumerate(line)
        if isinstance(cell, Text) and cell.style == "bold"
    ]


@pytest.fixture(autouse=True)
def _known_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables have the columns that the tests know, whatever metric is added."""
    hide_others("terminal", "accuracy", "uar", "auc_macro", monkeypatch=monkeypatch)


def test_scores_fit_80_columns() -> None:
    """Five models on two targets: a line each, no number or name broken or cut."""
    scores = build_data(TARGETS, models=5, folds=6).scores
    full = scores["fold"] == "mean"
    scores = scores.assign(value=scores["value"].mask(full, 1.0), low=0.999, high=1.0)
    lines = render(scores_table(scores, TARGETS, protocol="speaker-disjoint", labels=LABELS))
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    for name in ("MLP (network)", "KNN", "SVM", "Logistic regression", "MLP (scikit-learn)"):
        assert sum(line.strip().startswith(name) for line in lines) == 2
    assert sum(line.count("100.0 [99.9, 100.0]") for line in lines) == 2 * 5 * 2


@pytest.mark.parametrize(
    ("width", "names", "intervals"),
    [
        (60, ["mlp", "logreg"], ["UAR"]),
        (80, ["mlp", "logreg"], ["UAR"]),
        (80, ["mlp", "knn"], ["accuracy", "UAR"]),
        (160, ["mlp", "logreg"], ["accuracy", "UAR", "AUC", "kappa"]),
    ],
)
def test_what_has_room_has_its_interval(width: int, names: list[str], intervals: list[str]) -> None:
    """The UAR first, then from left to right, a metric of one's own too."""
    scores = build_data(TARGETS, models=names).scores.assign(value=1.0, low=0.999, high=1.0)
    own = scores[scores["metric"] == "uar"].assign(metric="kappa")
    with one_more_metric("kappa", lambda truth: truth.mean(), interval=True, shown=EVERYWHERE):
        table = scores_table(
            pd.concat([scores, own]), TARGETS, protocol="x", labels=LABELS, width=width
        )
    lines = render(table, max(width, 80))
    assert max(map(len, lines)) <= max(width, 80)
    assert not any("…" in line for line in lines)
    found = [
        str(column.header).split("\n")[1]
        for column in table.columns
        if "[99.9, 100.0]" in str([*column.cells][1])
    ]
    assert found == intervals


def test_intervals_are_those_of_what_is_shown() -> None:
    """The interval of the mean over folds beside it, and its unit in the caption."""
    scores = build_data(TARGETS, models=2, folds=3).scores
    mean = (scores["fold"] == "mean") & (scores["part"] == "test")
    shown = {"low": scores["value"].where(mean) - 0.051, "high": scores["value"].where(mean) + 0.03}
    scores = scores.assign(**shown)
    table = scores_table(scores, TARGETS, protocol="loso", unit="speaker")
    wanted = {"model": "mlp", "target": "emotion", "part": "test", "fold": "mean", "metric": "uar"}
    value = float(scores[(scores[[*wanted]] == pd.Series(wanted)).all(axis=1)]["value"].iloc[0])
    low, high = 100 * (value - 0.051), 100 * (value + 0.03)
    assert str(cells(table)[4][4]).lstrip("▸") == f"{100 * value:.1f} [{low:.1f}, {high:.1f}]"
    assert "Mean over 3 folds [95 % bootstrap interval over speakers]" in str(table.caption)


def test_scores_are_those_given() -> None:
    """Each cell is the mean of what its heading names; of the test part with its deviation."""
    scores = build_data(TARGETS, models=2, folds=3).scores
    table = scores_table(scores, TARGETS, protocol="loso", labels=LABELS)
    headings = [str(column.header).split("\n") for column in table.columns[1:]]
    metrics = {"accuracy": "accuracy", "acc.": "accuracy", "UAR": "uar", "AUC": "auc_macro"}
    row = [str(cell) for cell in cells(table)[4]]  # header row, 2 models, header row, mlp
    assert row[0] == "MLP (network)"
    values = scores[(scores["model"] == "mlp") & (scores["target"] == "emotion")]
    for cell, (part, heading) in zip(row[1:], headings, strict=True):
        of_cell = values[(values["part"] == part) & (values["metric"] == metrics[heading])]
        of_fold = of_cell[of_cell["fold"].isin(["0", "1", "2"])]["value"]
        spread = f" ± {100 * of_fold.std():.1f}"
        expected = f"{100 * of_fold.mean():.1f}{spread if part == 'test' else ''}"
        assert cell.lstrip("▸") == expected


def test_best_test_uar_is_bold() -> None:
    """One bold score per target, that of the highest defined test UAR."""
    scores = build_data(TARGETS, models=4).scores
    lost = (scores["model"] == "svm") & (scores["target"] == "gender") & (scores["part"] == "test")
    scores = scores.assign(value=scores["value"].mask(lost))
    table = scores_table(scores, TARGETS, protocol="random")
    uar = scores.query("part == 'test' and metric == 'uar' and fold == 'all'")
    best = [int(np.nanargmax(uar[uar["target"] == target]["value"])) for target in TARGETS]
    assert bold(table) == [(1 + best[0], 4), (6 + best[1], 4)]
    marked = [line for line in render(table) if "▸" in line]  # where nothing is bold
    assert len(marked) == 2 + 1  # and what it means


def test_a_score_without_an_interval_says_why() -> None:
    """Beside others that have one, and where none has."""
    scores = build_data(TARGETS, models=2, folds=1).scores
    ends = {"low": scores["value"] - 0.01, "high": scores["value"] + 0.01}
    whole = scores_table(scores.assign(**ends), TARGETS, protocol="x", unit="speaker")
    assert "no interval" not in str(whole.caption)
    for lacking in (scores["model"] == scores["model"].iloc[0], scores["model"] != ""):
        some = scores.assign(**{name: end.mask(lacking) for name, end in ends.items()})
        table = scores_table(some, TARGETS, protocol="x", unit="speaker")
        without = [line for line in cells(table) if "[–]" in str(line[4])]  # noqa: RUF001
        models = scores.loc[lacking, "model"].nunique()
        assert len(without) == models * len(TARGETS) > 0
        assert "[–]: no interval" in str(table.caption)  # noqa: RUF001 - as shown


def test_undefined_is_a_dash_and_never_best() -> None:
    """With no test score there are dashes, and nothing is bold; without a dev part no column."""
    scores = build_data(TARGETS, models=2, dev=False).scores
    scores = scores.assign(value=scores["value"].mask(scores["part"] == "test", math.nan))
    table = scores_table(scores, TARGETS, protocol="random")
    assert [str(cell) for cell in cells(table)[1][2:]] == ["–"] * 3  # noqa: RUF001 - as shown
    assert not bold(table)
    assert "▸" not in str(table.caption)
    assert "–: undefined" in str(table.caption)  # noqa: RUF001 - as shown


def test_caption_states_the_protocol() -> None:
    """Protocol, folds, and that the test part chose nothing."""
    table = scores_table(build_data(TARGETS, folds=6).scores, TARGETS, protocol="loso.")
    assert str(table.caption) == (
        "loso. Mean over 6 folds ± standard deviation. ▸ the best test UAR. "
        "Nothing was chosen on the test part."
    )


def test_pooled_scores_are_explained() -> None:
    """A star in a cell comes with a note."""
    scores = build_data(TARGETS, models=2, folds=2).scores
    lost = (scores["metric"] == "uar") & scores["fold"].isin(["mean", "sd"])
    table = scores_table(scores.assign(value=scores["value"].mask(lost)), TARGETS, protocol="loso")
    assert str(cells(table)[1][2]).endswith("*")
    assert "* all folds pooled" in str(table.caption)


def test_scores_without_rows_are_an_error() -> None:
    """Nothing scored, nothing shown."""
    with pytest.raises(DataError, match="no rows"):
        scores_table(build_data(TARGETS).scores.iloc[:0], TARGETS, protocol="random")


def test_counts_by_gender() -> None:
    """Recordings by class and gender, speakers, and totals; no gender counts as unknown."""
    corpus = pd.DataFrame(
        {
            "speaker": ["a", "a", "b", "c", "d"],
            "gender": ["male", "male", "female", "female", None],
            "emotion": ["sad", "sad", "sad", None, "happy"],
        }
    )
    table = counts_table(corpus, TARGETS)
    rows = {str(row[0]): [str(cell) for cell in row[1:]] for row in cells(table)}
    assert [column.header for column in table.columns] == [
        "",
        "female",
        "male",
        "unknown",
        "all",
        "speakers",
    ]
    assert rows["sad"] == ["1", "2", "0", "3", "2"]
    assert rows["happy"] == ["0", "0", "1", "1", "1"]
    assert rows["angry"] == ["0", "0", "0", "0", "0"]
    assert rows["all recordings"] == ["2", "2", "1", "5", "4"]
    assert rows["speakers"][:4] == ["2", "1", "1", "4"]
    assert max(map(len, render(table))) <= 80


def test_dropped_labels_are_listed() -> None:
    """Each with its count; square brackets are not taken for markup."""
    dropped = pd.DataFrame(
        {"target": ["emotion"], "label": ["[red]calm"], "count": [192], "why": ["mapped to null"]}
    )
    line = render(dropped_table(dropped))[-2]
    assert line.split() == ["emotion", "[red]calm", "mapped", "to", "null", "192"]


def test_reasons_are_counted_with_an_example() -> None:
    """One row per reason: how many, and the first file of each sentence on what was found."""
    excluded = pd.DataFrame(
        [
            ("x\n.wav", "empty", "0 samples"),
            ("y.wav", "too_short", "0.1 s"),
            ("z.wav", "empty", "also 0"),
            ("z.m4a", "empty", "convert it"),
            ("w.wav", "empty", "12 samples"),
            ("\udcff.wav", "not_finite_features", "mfcc " * 40),
        ],
        columns=["file", "reason", "detail"],
        dtype=object,  # pandas' own strings refuse a name that is not UTF-8
    )
    table = excluded_table(excluded)
    assert [[str(cell) for cell in row[:2]] for row in cells(table)] == [
        ["empty", "4"],
        ["too_short", "1"],
        ["not_finite_features", "1"],
    ]
    text = "\n".join(render(table))
    assert r"x\n.wav" in text
    assert r"\xff.wav" in text  # a name that is not UTF-8 can still be printed
    assert "and 1 more" in text  # what was measured makes no other sentence
    assert "12 samples" not in text
    assert "also 0" in text
    assert "convert it" in text  # each sentence has its own remedy
    assert max(map(len, text.splitlines())) <= 80


def test_parts_that_were_not_scored_have_no_column() -> None:
    """A run scored again on its test part shows no empty columns for the others."""
    scores = build_data(TARGETS).scores.query("part == 'test'")
    headings = [
        str(column.header) for column in scores_table(scores, TARGETS, protocol="x").columns
    ]
    assert headings == ["Scores in %", "test\naccuracy", "test\nUAR", "test\nAUC"]


def test_ten_sentences_are_enough() -> None:
    """Of many different sentences the rest is counted."""
    rows = [(f"{c}.wav", "unreadable", f"holds {c}") for c in "abcdefghijklm"]
    table = excluded_table(pd.DataFrame(rows, columns=["file", "reason", "detail"]))
    text = "\n".join(render(table))
    assert ("holds j" in text, "holds k" in text, "and 3 more" in text) == (True, False, True)
