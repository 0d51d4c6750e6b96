import doctest

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn import metrics

import speechnet.evaluation.metrics
from speechnet.core.metrics import METRICS
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.calibration import calibration_error
from speechnet.evaluation.metrics import confusion
from speechnet.evaluation.samples import Sample
from speechnet.evaluation.scores import scores_of

CLASSES = ["angry", "happy", "sad", "neutral"]
N_SCORES = 1 + sum(len(each.names(CLASSES)) for each in METRICS.values())


def all_scores(
    truth: Int64, predicted: Int64, probability: Float64, classes: list[str]
) -> dict[str, float]:
    """Every registered metric of some rows."""
    same = np.zeros(len(truth), dtype=np.int64)
    sample = Sample(classes, same, same, truth, predicted, probability)
    return scores_of(sample, [*METRICS.values()])


def test_doctests() -> None:
    """Each metric's example holds."""
    found = doctest.testmod(speechnet.evaluation.metrics, extraglobs={"np": np})
    assert found.attempted > len(METRICS)
    assert not found.failed


def draw() -> tuple[Int64, Int64, Float64]:
    """Labels, predictions and probabilities better than chance; every class is there."""
    n, k, rng = 200, 4, np.random.default_rng(0)
    truth = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    logits = rng.normal(size=(n, k)) + np.eye(k)[truth]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, probability.argmax(axis=1), probability


def one_hot_scores(
    truth: ArrayLike, predicted: ArrayLike, classes: list[str] = CLASSES
) -> dict[str, float]:
    """Scores of a classifier that is certain of what it says."""
    truth, predicted = np.array(truth), np.array(predicted)
    return all_scores(truth, predicted, np.eye(len(classes))[predicted], classes)


def test_confusion_matches_scikit_learn() -> None:
    """Rows are the truth, columns the prediction; classes without rows keep their place."""
    truth, predicted, _ = draw()
    expected = metrics.confusion_matrix(truth, predicted, labels=range(6))
    np.testing.assert_array_equal(confusion(truth, predicted, 6), expected)


def test_all_scores_match_scikit_learn() -> None:
    """Where every class is true and predicted, every score is scikit-learn's."""
    truth, predicted, probability = draw()
    scores = all_scores(truth, predicted, probability, CLASSES)
    expected = {
        "n": 200,
        "accuracy": metrics.accuracy_score(truth, predicted),
        "uar": metrics.balanced_accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro"),
        "log_loss": metrics.log_loss(truth, probability),
        "brier": metrics.brier_score_loss(truth, probability, labels=range(4), scale_by_half=False),
        # scikit-learn has none; it is compared with a loop beside its own module
        "ece": calibration_error(probability.max(axis=1), predicted == truth),
        "auc_macro": metrics.roc_auc_score(truth, probability, multi_class="ovr"),
        "auc_micro": metrics.roc_auc_score(truth, probability, multi_class="ovr", average="micro"),
    }
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted)
    for c, name in enumerate(CLASSES):
        expected[f"precision_{name}"] = precision[c]
        expected[f"recall_{name}"] = recall[c]
        expected[f"f1_{name}"] = f1[c]
        expected[f"auc_{name}"] = metrics.roc_auc_score(truth == c, probability[:, c])
    known = {name: value for name, value in scores.items() if name in expected}
    assert known == pytest.approx(expected, abs=1e-13)
    assert [*known] == [*expected]
    assert len(scores) == N_SCORES >= len(expected)


def test_formulas_by_hand() -> None:
    """A small example worked out on paper."""
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    probability = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    scores = all_scores(truth, predicted, probability, ["a", "b"])
    expected = {
        "n": 4,
        "accuracy": 3 / 4,
        "uar": (2 / 3 + 1) / 2,
        "macro_f1": (4 / 5 + 2 / 3) / 2,
        "log_loss": -np.log(0.9 * 0.6 * 0.3 * 0.8) / 4,
        "brier": 2 * (0.1**2 + 0.4**2 + 0.7**2 + 0.2**2) / 4,
        # one row to a bin: .1, .4 and .2 short of what they were sure of, .7 beyond
        "ece": (0.1 + 0.4 + 0.7 + 0.2) / 4,
        "auc_macro": 1.0,
        # .9 .6 .3 .8 for what is true, .1 .4 .7 .2 for what is not: 3 of 16 pairs are wrong
        "auc_micro": 13 / 16,
        "precision_a": 1.0,
        "recall_a": 2 / 3,
        "f1_a": 4 / 5,
        "auc_a": 1.0,
        "precision_b": 1 / 2,
        "recall_b": 1.0,
        "f1_b": 2 / 3,
        "auc_b": 1.0,
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


def test_order_of_classes_changes_nothing() -> None:
    """Renumbering the classes renames nothing and moves no score."""
    truth, predicted, probability = draw()
    order = np.array([2, 0, 3, 1])
    place = np.argsort(order)
    renumbered = all_scores(
        place[truth], place[predicted], probability[:, order], [CLASSES[c] for c in order]
    )
    assert renumbered == pytest.approx(
        all_scores(truth, predicted, probability, CLASSES), abs=1e-13
    )


def test_class_without_rows() -> None:
    """No recall, no AUC of the class, no macro AUC; UAR is that of the classes present."""
    truth, predicted = [0, 0, 1, 2], [0, 3, 1, 2]
    scores = one_hot_scores(truth, predicted)
    for name in ("recall_neutral", "auc_neutral", "auc_macro"):
        assert np.isnan(scores[name])
    assert scores["uar"] == (1 / 2 + 1 + 1) / 3
    assert scores["precision_neutral"] == 0
    assert scores["f1_neutral"] == 0
    assert np.isfinite(scores["auc_micro"])
    # "neutral" was predicted: its F1 of 0 counts
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))


def test_class_never_predicted() -> None:
    """No precision, but a recall and an F1 of 0, which counts in both averages."""
    truth, predicted = [0, 1, 2, 3], [0, 1, 2, 2]
    scores = one_hot_scores(truth, predicted)
    assert np.isnan(scores["precision_neutral"])
    assert scores["recall_neutral"] == scores["f1_neutral"] == 0
    assert scores["uar"] == 3 / 4
    assert scores["macro_f1"] == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro", zero_division=np.nan)
    )


def test_class_neither_true_nor_predicted() -> None:
    """No F1 of the class; macro F1 leaves it out, as scikit-learn with zero_division=nan."""
    truth, predicted = [0, 1, 2, 2], [0, 1, 1, 2]
    scores = one_hot_scores(truth, predicted)
    for name in ("precision_neutral", "recall_neutral", "f1_neutral", "auc_neutral"):
        assert np.isnan(scores[name])
    expected = metrics.f1_score(
        truth, predicted, labels=range(4), average="macro", zero_division=np.nan
    )
    assert scores["macro_f1"] == pytest.approx(expected)
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))


def test_one_class_alone_has_no_average() -> None:
    """All rows of one class: UAR, macro F1 and AUCs are undefined, accuracy and recall not."""
    scores = one_hot_scores([1, 1, 1], [1, 1, 0])
    for name in ("uar", "macro_f1", "auc_macro", *(f"auc_{c}" for c in CLASSES)):
        assert np.isnan(scores[name])
    assert scores["accuracy"] == scores["recall_happy"] == 2 / 3


def test_no_rows_leaves_everything_undefined() -> None:
    """An empty part gives n = 0 and NaN, with no warning."""
    scores = one_hot_scores(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    assert scores.pop("n") == 0
    assert len(scores) == N_SCORES - 1
    assert np.isnan([*scores.values()]).all()


def test_log_loss_of_a_certain_mistake_is_clipped() -> None:
    """A probability of 0 for the truth costs -log of the float64 eps, as in scikit-learn."""
    scores = one_hot_scores([0, 1], [0, 0], ["a", "b"])
    assert scores["log_loss"] == pytest.approx(-np.log(np.finfo(np.float64).eps) / 2)
    assert scores["log_loss"] == pytest.approx(metrics.log_loss([0, 1], [[1.0, 0.0], [1.0, 0.0]]))


def test_a_class_named_like_an_average_is_refused() -> None:
    """The AUC of a class ``micro`` would stand under the name of another score."""
    with pytest.raises(ValueError, match="can't be called 'micro': auc_micro is a score"):
        one_hot_scores([0, 1], [0, 0], ["a", "micro"])
