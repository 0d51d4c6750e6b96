import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.roc import roc_curve, roc_curves

CLASSES = ["angry", "happy", "sad"]


def draw(n: int = 300) -> tuple[Int64, Float64]:
    """Labels and probabilities with many ties; every class is there."""
    k, rng = 3, np.random.default_rng(0)
    truth = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    logits = rng.normal(size=(n, k)) + np.eye(k)[truth]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, np.round(probability, 2)


def test_curves_match_scikit_learn() -> None:
    """Every point of the curves of the classes and of micro, ties included, and the area."""
    truth, probability = draw()
    curves = roc_curves(truth, probability, CLASSES)
    assert [*curves] == [*CLASSES, "micro", "macro"]
    member = label_binarize(truth, classes=range(3))
    expected = {name: (member[:, c], probability[:, c]) for c, name in enumerate(CLASSES)}
    expected["micro"] = (member.ravel(), probability.ravel())  # all n * k decisions
    for name, (positive, score) in expected.items():
        fpr, tpr, _ = metrics.roc_curve(positive, score, drop_intermediate=False)
        np.testing.assert_array_equal(curves[name].fpr, fpr)
        np.testing.assert_array_equal(curves[name].tpr, tpr)
        assert curves[name].fpr.dtype == curves[name].tpr.dtype == np.float64
        area = metrics.roc_auc_score(positive, score)
        assert curves[name].auc == pytest.approx(area, abs=1e-14)


def test_macro_is_the_vertical_average() -> None:
    """Upper side of each step: the mean of interpolated curves; area: the mean of the AUCs."""
    truth, probability = draw(n=60)
    curves = roc_curves(truth, probability, CLASSES)
    per_class = [
        metrics.roc_curve(truth == c, probability[:, c], drop_intermediate=False)[:2]
        for c in range(3)
    ]
    grid = np.unique(np.concatenate([fpr for fpr, _ in per_class]))
    mean = np.mean([np.interp(grid, fpr, tpr) for fpr, tpr in per_class], axis=0)
    macro = curves["macro"]
    np.testing.assert_array_equal(macro.fpr[1::2], grid)
    np.testing.assert_allclose(macro.tpr[1::2], mean, atol=1e-15)
    expected = metrics.roc_auc_score(truth, _normalised(probability), multi_class="ovr")
    assert macro.auc == pytest.approx(np.mean([curves[c].auc for c in CLASSES]), abs=1e-14)
    assert roc_curves(truth, _normalised(probability), CLASSES)["macro"].auc == pytest.approx(
        expected, abs=1e-14
    )


def test_macro_steps_of_two_hand_made_curves() -> None:
    """A step of one class at fpr 1/2 raises the average by half of it, at that place."""
    truth = np.array([0, 0, 1, 1])
    # class 0 ranks its rows 1st and 3rd; class 1 is certain of its own
    probability = np.array([[0.9, 0.0], [0.4, 0.0], [0.5, 1.0], [0.1, 1.0]])
    macro = roc_curves(truth, probability, ["a", "b"])["macro"]
    np.testing.assert_array_equal(macro.fpr, [0, 0, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(macro.tpr, [0, 0.75, 0.75, 1, 1, 1])
    assert macro.auc == (0.75 + 1) / 2


@pytest.mark.parametrize("kept", [[0, 1], [2]])
def test_a_class_without_rows_or_with_all_is_undefined(kept: list[int]) -> None:
    """Such a curve is empty with AUC NaN, and so is macro; micro stays defined."""
    truth, probability = draw()
    rows = np.isin(truth, kept)
    curves = roc_curves(truth[rows], probability[rows], CLASSES)
    absent = CLASSES[2] if kept == [0, 1] else CLASSES[0]
    for name in (absent, "macro"):
        assert np.isnan(curves[name].auc)
        assert curves[name].fpr.size == curves[name].tpr.size == 0
    member = np.eye(3, dtype=int)[truth[rows]]
    expected = metrics.roc_auc_score(member.ravel(), probability[rows].ravel())
    assert curves["micro"].auc == pytest.approx(expected, abs=1e-14)
    nothing = roc_curves(truth[:0], probability[:0], CLASSES)
    assert all(np.isnan(curve.auc) for curve in nothing.values())


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=60))
def test_auc_is_the_share_of_pairs_ranked_right(rows: list[tuple[bool, int]]) -> None:
    """The area is Mann-Whitney's: pairs in the right order, ties a half; the curve is monotone."""
    positive = np.array([p for p, _ in rows], dtype=np.int64)
    score = np.array([s for _, s in rows]) / 8
    curve = roc_curve(positive, score)
    if len(set(positive)) < 2:
        assert np.isnan(curve.auc)
        return
    difference = score[positive == 1][:, None] - score[positive == 0]
    assert curve.auc == pytest.approx(((difference > 0) + (difference == 0) / 2).mean(), abs=1e-12)
    assert (np.diff(curve.fpr) >= 0).all()
    assert (np.diff(curve.tpr) >= 0).all()
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)


def _normalised(probability: Float64) -> Float64:
    return probability / probability.sum(axis=1, keepdims=True)
