"""The sentences below the table of scores."""

import pandas as pd
import pytest

from speechnet.report.terminal.audit import findings_table
from speechnet.report.terminal.conclusions import (
    compared,
    groups_in_words,
    inflated,
    published,
    recalls_in_words,
    references_in_words,
    verdicts,
    within_chance,
)

TARGETS = {"emotion": ["angry", "sad"]}


def scores(**uar: float) -> pd.DataFrame:
    """Test UARs of models on emotion, each with an interval of ± 5 points."""
    rows = [
        (name, "emotion", "test", "all", "uar", v, v - 0.05, v + 0.05) for name, v in uar.items()
    ]
    return pd.DataFrame(
        rows, columns=["model", "target", "part", "fold", "metric", "value", "low", "high"]
    )


def pair(first: str, second: str, difference: float, p: float) -> dict[str, object]:
    """A row of comparisons."""
    return {
        "target": "emotion",
        "first": first,
        "second": second,
        "difference": difference,
        "low": difference - 0.02,
        "high": difference + 0.02,
        "p_holm": p,
        "units": 24,
        "unit": "speaker",
    }


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("knn", "svm", 0.1, 0.6)], "no difference shown between KNN and SVM"),
        ([("knn", "svm", -0.1, 0.04)], "SVM is better than KNN"),
        (
            [("mlp", "svm", 0.01, 0.6), ("knn", "mlp", -0.1, 0.004), ("knn", "svm", -0.1, 0)],
            "all others are better than KNN; no other difference shown",
        ),
        (
            [("mlp", "svm", 0.1, 0), ("mlp", "knn", 0.1, 0), ("knn", "svm", 0.1, 0.01)],
            "MLP (network) is better than KNN and SVM; KNN is better than SVM",
        ),
        (
            [("mlp", "svm", 0.1, 0.5), ("mlp", "knn", 0.1, 0.5), ("knn", "svm", 0.1, 0.1)],
            "no difference shown between the 3 models",
        ),
    ],
)
def test_in_short(pairs: list[tuple[str, str, float, float]], said: str) -> None:
    """The same findings, told once for all that are better than the same models."""
    table = pd.DataFrame([pair(*one) for one in pairs])
    assert verdicts(table, TARGETS) == [f"emotion: {said}"]


def test_nothing_to_compare() -> None:
    """Of a single model there is nothing to say, nor of a target without pairs."""
    assert verdicts(None, TARGETS) == []
    assert verdicts(pd.DataFrame([pair("knn", "svm", 0.1, 0.5)]), {"gender": ["f", "m"]}) == []


def test_published_range() -> None:
    """From the lowest to the highest, a line for each metric that there are results of."""
    known = pd.DataFrame(
        {
            "system": ["a", "b", "c"],
            "metric": ["uar", "accuracy", "uar"],
            "value": [75.32, 50, 48.5],
        }
    )
    assert published(known) == [
        "emotion, published UAR of this protocol: 48.5 to 75.3 (2 systems)",
        "emotion, published accuracy of this protocol: 50.0 to 50.0 (1 system)",
    ]
    assert published(known.iloc[:0]) == []
    assert published(None) == []


def test_recalls_of_a_fold() -> None:
    """The mean recall of the classes there, test before dev, and nothing of the training rows."""
    rows = [("angry", "angry"), ("angry", "angry"), ("angry", "sad"), ("sad", "angry")]
    table = pd.DataFrame(rows, columns=["truth", "predicted"]).assign(target="emotion")
    parts = {"train": table, "dev": table.iloc[:2], "test": table}
    targets = {"gender": ["female", "male"], **TARGETS}
    assert recalls_in_words(parts, targets) == "test UAR emotion 33.3; dev UAR emotion 100.0"


def test_who_beats_whom() -> None:
    """Only what the test shows is called better, the better one first whichever way it stands."""
    table = pd.DataFrame(
        [
            pair("mlp", "svm", 0.01, 0.6),
            pair("knn", "mlp", -0.1, 0.004),
            pair("knn", "svm", -0.1, 0),
        ]
    )
    assert compared(table, TARGETS) == [
        "emotion: MLP (network) is better than KNN by +10.0 [+8.0, +12.0] points; SVM is better "
        "than KNN by +10.0 [+8.0, +12.0] points; no other difference shown (paired permutation "
        "test over 24 speakers, Holm)"
    ]
    assert compared(table.iloc[:1], TARGETS)[0].startswith(
        "emotion: no difference shown between MLP (network) and SVM ("
    )


def test_what_is_within_chance_is_called_so() -> None:
    """By the pooled test UAR; nothing is said where all are better."""
    found = within_chance(scores(mlp=0.7, knn=0.55), {"emotion": (0.44, 0.56)})
    assert found == ["emotion: no better than chance (44.0 to 56.0): KNN"]
    assert within_chance(scores(mlp=0.7), {"emotion": (0.44, 0.56)}) == []


def test_one_model_is_compared_with_none() -> None:
    """There is nothing to say."""
    none = pd.DataFrame(columns=list(pair("a", "b", 0, 1)))
    assert compared(none, TARGETS) == []


@pytest.mark.parametrize(
    ("certain", "words"),
    [(True, "more than chance gives the"), (False, "which may be chance: the")],
)
def test_the_largest_gap_and_the_hardest_speakers(certain: bool, words: str) -> None:
    """Of the model that is told of; a gap that is not certain may be chance."""
    columns = ["model", "target", "class", "higher", "lower", "gap", "low", "high", "certain"]
    gaps = pd.DataFrame(
        [
            ("svm", "emotion", "angry", "female", "male", 0.2, 0.01, 0.4, certain),
            ("svm", "emotion", "uar", "female", "male", 0.05, -0.1, 0.2, False),
            ("knn", "emotion", "angry", "male", "female", 0.9, 0.8, 1.0, True),
        ],
        columns=columns,
    )
    speakers = pd.DataFrame(
        {"model": "svm", "target": "emotion", "speaker": list("abcd"), "uar": [0.4, 0.2, 0.9, 0.3]}
    )
    gap, hardest = groups_in_words("svm", gaps, speakers)
    assert "recall of angry of female speakers is above that of male ones by +20.0" in gap
    assert gap.endswith(f"points, {words} largest of 2 gaps")
    assert hardest == "emotion, SVM: hardest speakers b (20.0), d (30.0), a (40.0)"


def test_reference_results_stand_beside_the_own_with_what_differs() -> None:
    """UAR is held against UAR only; another number of recordings is said."""
    references = pd.DataFrame(
        [("HuBERT", "uar", 65.4, "EmoBox"), ("WavLM", "accuracy", 80.0, "EmoBox")],
        columns=["system", "metric", "value", "source"],
    )
    own = pd.concat([scores(svm=0.56), scores(svm=0.6).assign(metric="accuracy")])
    found = references_in_words(own, references, ["1439 recordings of 1440"], unit="speaker")
    assert found == [
        "emotion, UAR: SVM 56.0 [51.0, 61.0] (95 % bootstrap interval over speakers). Reference "
        "results for this protocol: HuBERT 65.4",
        "emotion, accuracy: SVM 60.0 [55.0, 65.0] (95 % bootstrap interval over speakers). "
        "Reference results for this protocol: WavLM 80.0",
        "Not quite what the references were scored on: 1439 recordings of 1440",
    ]
    assert references_in_words(scores(svm=0.5), references.iloc[:0], unit="speaker") == []


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


def test_findings_are_shown_as_they_stand() -> None:
    """A hostile file name is no markup."""
    findings = pd.DataFrame(
        [("warning", "recordings are noisy", 2, "[red]a\x1b.wav\nnext")],
        columns=["severity", "what", "count", "detail"],
    )
    table = findings_table(findings)
    shown = [str(next(iter(column.cells))) for column in table.columns]
    assert shown == ["warning", "2", "recordings are noisy\n[red]a\\x1b.wav\nnext"]
    empty = findings_table(findings.iloc[:0])
    assert str(next(iter(empty.columns[2].cells))) == "nothing was found"
