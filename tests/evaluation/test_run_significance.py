"""Tests of runs against each other, on tables small enough to count out."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from speechnet.evaluation.run_significance import (
    LEAST_COMMON,
    RUN_COMPARISON_COLUMNS,
    Match,
    ScoredRun,
    compare_runs,
    match_runs,
)

CLASSES = ["angry", "happy", "sad"]
TARGETS = {"emotion": CLASSES}
SPEAKERS = 6
PER_SPEAKER = 6


def table() -> pd.DataFrame:
    """Six speakers in two folds, each with every class twice."""
    rows = range(SPEAKERS * PER_SPEAKER)
    return pd.DataFrame(
        {
            "recording": [f"r{row:02d}" for row in rows],
            "speaker": [f"s{row // PER_SPEAKER}" for row in rows],
            "fold": [str(row // PER_SPEAKER % 2) for row in rows],
            "truth": [CLASSES[row % 3] for row in rows],
        }
    )


def division(corpus: pd.DataFrame) -> pd.DataFrame:
    """Each fold tests its own rows, and trains on the others."""
    pieces = [
        corpus[["recording"]].assign(
            fold=fold, part=np.where(corpus["fold"] == fold, "test", "train")
        )
        for fold in ("0", "1")
    ]
    return pd.concat(pieces, ignore_index=True)


def a_run(
    right: dict[str, float],
    *,
    seed: int,
    best: str | None = None,
    corpus: pd.DataFrame | None = None,
) -> ScoredRun:
    """Models that are right with the given chances."""
    corpus = table() if corpus is None else corpus
    rng = np.random.default_rng(seed)
    answers = []
    for model, chance in right.items():
        wrong = [CLASSES[(CLASSES.index(label) + 1) % 3] for label in corpus["truth"]]
        hit = rng.random(len(corpus)) < chance
        answers.append(
            corpus[["recording", "fold", "truth"]].assign(
                model=model, target="emotion", predicted=np.where(hit, corpus["truth"], wrong)
            )
        )
    return ScoredRun(division(corpus), pd.concat(answers, ignore_index=True), best)


def compared(runs: dict[str, ScoredRun], **settings: int) -> pd.DataFrame:
    """All pairs of some runs."""
    matches = {(a, b): match_runs(runs[a], runs[b]) for a, b in combinations(runs, 2)}
    speakers = table().set_index("recording")["speaker"]
    return compare_runs(runs, matches, TARGETS, speakers, **settings)


def of_model(run: ScoredRun, model: str) -> pd.DataFrame:
    """One model's answers by recording."""
    rows = run.answers[run.answers["model"] == model]
    return rows.set_index("recording").sort_index()


def uar(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The mean over classes of the share recognised."""
    return float(np.mean([(predicted[truth == label] == label).mean() for label in CLASSES]))


def counted_out(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, float]:
    """The difference in UAR, and the share of exchanges of speakers that give as large a one."""
    truth = first["truth"].to_numpy()
    one, other = first["predicted"].to_numpy(), second["predicted"].to_numpy()
    found = uar(truth, one) - uar(truth, other)
    speaker = table().set_index("recording").loc[first.index, "speaker"].to_numpy()
    names = sorted(set(speaker))
    as_large = 0
    for swapped in product([False, True], repeat=len(names)):
        swap = np.isin(speaker, [name for name, yes in zip(names, swapped, strict=True) if yes])
        exchanged = uar(truth, np.where(swap, other, one)) - uar(truth, np.where(swap, one, other))
        as_large += abs(exchanged) >= abs(found) - 1e-12
    return found, as_large / 2 ** len(names)


def test_difference_p_and_correction_are_counted_out() -> None:
    """Every exchange of speakers made one by one; Holm over all pairs of the target by hand."""
    runs = {
        "A": a_run({"svm": 0.95, "knn": 0.6}, seed=0, best="svm"),
        "B": a_run({"svm": 0.4, "knn": 0.5}, seed=1, best="knn"),
    }
    found = compared(runs)
    assert list(found.columns) == list(RUN_COMPARISON_COLUMNS)
    pairs = list(found[["first", "second", "best"]].itertuples(index=False, name=None))
    assert pairs == [("svm", "svm", False), ("knn", "knn", False), ("svm", "knn", True)]
    p = []
    for row in found.itertuples():
        expected = counted_out(of_model(runs["A"], row.first), of_model(runs["B"], row.second))
        assert (row.difference, row.p) == pytest.approx(expected)
        assert row.difference == pytest.approx(row.first_value - row.second_value)
        p.append(expected[1])
    by_size = sorted(p)
    steps = np.maximum.accumulate([min(1.0, (3 - i) * value) for i, value in enumerate(by_size)])
    assert found["p_holm"].tolist() == pytest.approx([steps[by_size.index(value)] for value in p])
    assert set(found["rows"]) == {SPEAKERS * PER_SPEAKER}
    assert set(found["units"]) == {SPEAKERS}
    assert set(found["unit"]) == {"speaker"}
    assert set(found["untested"]) == {""}


def test_only_the_rows_of_both_are_compared() -> None:
    """Where each run has set a recording aside, the difference is that of the others."""
    corpus = table()
    runs = {
        "A": a_run({"svm": 0.9}, seed=0, corpus=corpus.drop(index=3)),
        "B": a_run({"svm": 0.5}, seed=1, corpus=corpus.drop(index=[10])),
    }
    row = compared(runs).iloc[0]
    pair = [
        of_model(run, "svm").drop(index=["r03", "r10"], errors="ignore") for run in runs.values()
    ]
    assert (row["difference"], row["p"]) == pytest.approx(counted_out(*pair))
    assert row["rows"] == 34
    assert match_runs(*runs.values()) == Match(34, 1, 1, same_training=True, untested="")


def test_other_folds_are_not_tested() -> None:
    """The same recordings in other folds: no difference, no p, and the reason."""
    moved = table().assign(fold=lambda rows: (rows.index // 18).astype(str))
    runs = {"A": a_run({"svm": 0.9}, seed=0), "B": a_run({"svm": 0.1}, seed=1, corpus=moved)}
    row = compared(runs).iloc[0]
    assert row["untested"] == "the same recordings are tested in other folds"
    assert row[["difference", "low", "high", "p", "p_holm", "rows"]].isna().all()


@pytest.mark.parametrize(("kept", "tested"), [(33, True), (32, False)])
def test_few_rows_in_common(kept: int, tested: bool) -> None:
    """Nine tenths of the larger test part must be common, whichever run it is of."""
    assert (kept / 36 >= LEAST_COMMON) is tested
    few = a_run({"svm": 0.9}, seed=0, corpus=table().head(kept))
    for runs in ((few, a_run({"svm": 0.9}, seed=1)), (a_run({"svm": 0.9}, seed=1), few)):
        found = match_runs(*runs)
        assert (found.untested == "") is tested
        assert tested or found.untested == f"only {kept} of up to 36 recordings are tested by both"


def test_nothing_in_common() -> None:
    """Of another corpus, no recording is common."""
    other = table().assign(recording=lambda rows: "other " + rows["recording"])
    found = match_runs(a_run({"svm": 1}, seed=0), a_run({"svm": 1}, seed=0, corpus=other))
    assert (found.common, found.first_only, found.second_only) == (0, 36, 36)
    assert found.untested


def test_other_training_rows() -> None:
    """A run with a dev part trains on fewer; it is compared, and this is known."""
    first, second = a_run({"svm": 0.9}, seed=0), a_run({"svm": 0.9}, seed=1)
    at = second.division.index[second.division["part"] == "train"][0]
    second.division.loc[at, "part"] = "dev"
    found = match_runs(first, second)
    assert not found.same_training
    assert found.untested == ""


def test_equal_answers_do_not_count() -> None:
    """A model that the runs share changes nothing about the p values of the others."""
    same = a_run({"knn": 0.7}, seed=5).answers
    runs = {"A": a_run({"svm": 0.9}, seed=0), "B": a_run({"svm": 0.5}, seed=1)}
    alone = compared(runs)
    both = {
        name: ScoredRun(run.division, pd.concat([run.answers, same]), None)
        for name, run in runs.items()
    }
    found = compared(both).set_index("first")
    assert found.loc["svm", "p_holm"] == alone["p_holm"].iloc[0] == alone["p"].iloc[0]
    assert found.loc["knn", "equal"]
    assert found.loc["knn", "difference"] == 0
    assert np.isnan(found.loc["knn", "p_holm"])


def test_the_best_of_each_stand_once() -> None:
    """If the best models have one name they are no pair of their own; three runs, three pairs."""
    runs = {
        name: a_run({"svm": 0.7, "knn": 0.6}, seed=seed, best="svm")
        for seed, name in enumerate("ABC")
    }
    found = compared(runs, resamples=200)
    assert len(found) == 6
    assert found["best"].tolist() == (found["first"] == "svm").tolist()
    names = list(
        dict.fromkeys(found[["first_run", "second_run"]].itertuples(index=False, name=None))
    )
    assert names == [("A", "B"), ("A", "C"), ("B", "C")]


def test_disagreement_about_the_truth() -> None:
    """The same recording under two labels can't be compared."""
    corpus = table()
    corpus.loc[4, "truth"] = "sad"
    runs = {"A": a_run({"svm": 1}, seed=0), "B": a_run({"svm": 1}, seed=0, corpus=corpus)}
    with pytest.raises(
        ValueError, match=r"A and B disagree about the emotion of 1 .* such as happy against sad"
    ):
        compared(runs)


def test_a_target_without_labels_in_common() -> None:
    """What only one run has labels of can't be tested, and says so."""
    run = a_run({"svm": 1}, seed=0)
    blank = ScoredRun(run.division, run.answers.head(0), "svm")
    found = compared({"A": ScoredRun(run.division, run.answers, "svm"), "B": blank})
    assert found["untested"].tolist() == ["no recording that both test has a label"]
