import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from speechnet.core.errors import DataError
from speechnet.core.types import Float32, Float64, Int64
from speechnet.models.calibration import (
    BOUNDS,
    Calibrated,
    apply_temperature,
    fit_temperatures,
)
from speechnet.models.model import Fitted

EMOTION = {"emotion": ["angry", "happy", "sad", "neutral"]}
TARGETS = {"gender": ["female", "male"], **EMOTION}


def rows(n: int, *, temperature: float, seed: int = 0) -> tuple[Float64, Int64]:
    """Probabilities that need just this temperature, and labels drawn from what they should be."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, 4))
    honest = softmax(logits, axis=1)
    truth = (rng.random((n, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return softmax(temperature * logits, axis=1), truth[:, None].astype(np.int64)


def fit(probability: Float64, labels: Int64) -> float:
    """The temperature of one target."""
    return fit_temperatures({"emotion": probability}, labels, EMOTION)["emotion"]


class TestFit:
    @pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
    def test_finds_the_temperature_that_was_used(self, temperature: float) -> None:
        """Labels drawn from honest probabilities give back what distorted these."""
        assert fit(*rows(20_000, temperature=temperature)) == pytest.approx(temperature, rel=0.05)

    @pytest.mark.parametrize("n", [12, 60, 400])
    def test_is_the_best_of_a_fine_grid(self, n: int) -> None:
        """No temperature on a grid has a lower penalised loss, the formula written out."""
        probability, labels = rows(n, temperature=3.0, seed=n)

        def loss(t: float) -> float:
            kept = log_softmax(np.log(probability) / t, axis=1)[np.arange(n), labels[:, 0]]
            return float(-kept.sum() + 4 * (1 / t - 1 + np.log(t)))

        found = fit(probability, labels)
        grid = np.geomspace(*BOUNDS, 4_000)
        losses = [loss(t) for t in grid]
        assert loss(found) <= min(losses) + 1e-6
        assert found == pytest.approx(grid[np.argmin(losses)], rel=2e-3)

    def test_agrees_with_scikit_learn(self) -> None:
        """On many rows the prior weighs nothing: scikit-learn's temperature is the same."""
        rng = np.random.default_rng(0)
        y = rng.integers(0, 4, 6_100)
        X = rng.normal(size=(len(y), 20)) + 0.7 * np.eye(20)[y]
        model = LogisticRegression(C=0.05).fit(X[:100], y[:100])  # too sure of what it learnt
        theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature")
        theirs.fit(X[100:], y[100:])
        beta = theirs.calibrated_classifiers_[0].calibrators[0].beta_
        ours = fit(model.predict_proba(X[100:]), y[100:, None])
        assert ours > 1.2
        assert ours == pytest.approx(1 / beta, rel=5e-3)

    def test_no_mistake_is_no_certainty(self) -> None:
        """A dev part that is all right sharpens a little: a mistake elsewhere stays affordable."""
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 2, 84)
        probability = np.eye(2)[truth] * 0.8 + 0.1
        found = fit_temperatures({"gender": probability}, truth[:, None], {"gender": ["f", "m"]})
        assert 0.3 < found["gender"] < 1.0
        flipped = np.where(np.arange(84) < 2, 1 - truth, truth)
        after = apply_temperature(probability, found["gender"])
        assert log_loss(flipped, after) < log_loss(flipped, probability)

    def test_votes_of_no_neighbour(self) -> None:
        """A nearest neighbour is certain and wrong half the time: it learns to doubt."""
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 4, 300)
        said = np.where(rng.random(300) < 0.5, truth, rng.integers(0, 4, 300))
        probability = np.eye(4)[said]
        found = fit(probability, truth[:, None])
        right = float((said == truth).mean())
        assert apply_temperature(probability, found).max(axis=1) == pytest.approx(right, abs=0.03)

    def test_rows_without_a_label_are_left_out(self) -> None:
        """They are as if they weren't there."""
        probability, labels = rows(100, temperature=2.0)
        gaps = labels.copy()
        gaps[::3] = -1
        kept = gaps[:, 0] >= 0
        assert fit(probability, gaps) == fit(probability[kept], labels[kept])

    @pytest.mark.parametrize("case", ["none", "unlabelled", "one class", "few"])
    def test_too_little_to_go_by(self, case: str) -> None:
        """The temperature is 1, which changes nothing."""
        probability, labels = rows(40, temperature=3.0)
        n = {"none": 0, "few": 9}.get(case, 40)
        if case == "unlabelled":
            labels[:] = -1
        elif case == "one class":
            labels[:] = 2
        assert fit(probability[:n], labels[:n]) == 1.0

    def test_each_target_has_its_own(self) -> None:
        """Columns of the labels belong to the targets in their order."""
        emotion, of_emotion = rows(2_000, temperature=2.0)
        gender = np.array([[0.9, 0.1], [0.2, 0.8]])[of_emotion[:, 0] % 2]
        labels = np.hstack([of_emotion % 2, of_emotion])
        found = fit_temperatures({"emotion": emotion, "gender": gender}, labels, TARGETS)
        assert list(found) == list(TARGETS)
        assert found["emotion"] == fit(emotion, of_emotion)
        assert found["gender"] < 0.7


PROBABILITIES = st.lists(
    st.lists(
        st.sampled_from([0.0, 1e-300, 1e-16, 0.1, 0.25, np.nextafter(0.25, 1), 0.3, 1.0]),
        min_size=3,
        max_size=3,
    ).filter(lambda row: sum(row) > 0.1),
    min_size=1,
    max_size=6,
)


class TestApply:
    @settings(deadline=None)
    @given(PROBABILITIES, st.floats(*BOUNDS))
    def test_the_likeliest_stay_the_likeliest(self, values: list[list[float]], t: float) -> None:
        """All that tie at the top still do, nothing joins them; rows sum to 1."""
        probability = np.array(values)
        probability /= probability.sum(axis=1, keepdims=True)
        after = apply_temperature(probability, t)
        assert after.dtype == np.float64
        np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_array_equal(
            after == after.max(axis=1, keepdims=True),
            probability == probability.max(axis=1, keepdims=True),
        )

    @pytest.mark.parametrize("temperature", [0.3, 0.999, 1.7, 20.0])
    def test_formula(self, temperature: float) -> None:
        """``p^(1/T)``, normalised."""
        probability, _ = rows(50, temperature=1.0)
        expected = probability ** (1 / temperature)
        np.testing.assert_allclose(
            apply_temperature(probability, temperature),
            expected / expected.sum(axis=1, keepdims=True),
            rtol=1e-12,
        )

    def test_zeros(self) -> None:
        """A 0 counts as .01, or as half of the smallest other one of its row."""
        after = apply_temperature(np.array([[1.0, 0.0], [1 - 1e-6, 1e-6]]), 2.0)
        assert after[0, 1] / after[0, 0] == pytest.approx(0.1)
        low = apply_temperature(np.array([[0.998, 0.002, 0.0]]), 2.0)[0]
        assert low[2] / low[1] == pytest.approx(0.5**0.5)

    def test_one_changes_nothing(self) -> None:
        """Not even a zero."""
        probability = np.array([[1.0, 0.0], [0.4, 0.6]])
        np.testing.assert_array_equal(apply_temperature(probability, 1.0), probability)

    def test_no_rows(self) -> None:
        """An empty table stays one."""
        assert apply_temperature(np.empty((0, 4)), 2.0).shape == (0, 4)


class Fixed:
    """A classifier that reads its probabilities off the first feature."""

    targets = TARGETS

    def predict_proba(self, X: Float32) -> dict[str, Float64]:
        logits = {t: X[:, :1] * np.arange(len(c)) for t, c in TARGETS.items()}
        return {t: softmax(values.astype(np.float64), axis=1) for t, values in logits.items()}

    def save(self, folder: Path, name: str) -> None:
        (folder / f"{name}.model").write_text("fixed")


X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)


class TestCalibrated:
    def test_is_a_classifier_of_its_own_temperatures(self) -> None:
        """Each target's probabilities get that target's temperature."""
        inner: Fitted = Fixed()
        calibrated: Fitted = Calibrated(inner, {"emotion": 2.0, "gender": 0.5})
        assert calibrated.targets == TARGETS
        proba, before = calibrated.predict_proba(X), inner.predict_proba(X)
        assert list(proba) == list(TARGETS)
        for target, temperature in (("gender", 0.5), ("emotion", 2.0)):
            expected = apply_temperature(before[target], temperature)
            np.testing.assert_array_equal(proba[target], expected)

    def test_keeps_nothing_of_the_rows(self) -> None:
        """A row's probabilities are the same whatever was asked before or beside it."""
        calibrated = Calibrated(Fixed(), {"emotion": 2.0, "gender": 0.5})
        together = calibrated.predict_proba(X)
        for target, values in calibrated.predict_proba(X[:1]).items():
            np.testing.assert_array_equal(values, together[target][:1])

    def test_save_and_load(self, tmp_path: Path) -> None:
        """The classifier is saved too; what is read back is the same to the last bit."""
        calibrated = Calibrated(Fixed(), {"gender": 1 / 3, "emotion": 1.7})
        calibrated.save(tmp_path, "svm")
        assert json.loads((tmp_path / "svm_temperature.json").read_text()) == {
            "gender": 1 / 3,
            "emotion": 1.7,
        }
        assert {path.name for path in tmp_path.iterdir()} == {"svm.model", "svm_temperature.json"}
        again = Calibrated.wrap_saved(Fixed(), tmp_path, "svm")
        for target, values in calibrated.predict_proba(X).items():
            np.testing.assert_array_equal(again.predict_proba(X)[target], values)

    def test_run_without_temperatures(self, tmp_path: Path) -> None:
        """A classifier that wasn't calibrated is used as it is."""
        classifier = Fixed()
        assert Calibrated.wrap_saved(classifier, tmp_path, "svm") is classifier

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "can't be read"),
            (b'{"gender": 1.0, "emo', "can't be read"),
            (b"\xff\xfe\x00", "can't be read"),
            (b"[" * 60_000, "can't be read"),
            (b'{"gender": 1' + b"0" * 5_000 + b', "emotion": 1}', "can't be read"),
            (b"[1.0, 1.0]", "found temperatures of <class 'list'>"),
            (b'{"gender": 1.0}', r"of \['gender'\], expected one of each of \['gender', 'emo"),
            (b'{"gender": 1.0, "emotion": 1.0, "age": 1.0}', "expected one of each"),
            (b'{"gender": 1.0, "emotion": NaN}', "temperature of emotion is nan, expected 0.05"),
            (b'{"gender": Infinity, "emotion": 1.0}', "temperature of gender is inf"),
            (b'{"gender": 0, "emotion": 1.0}', "temperature of gender is 0, "),
            (b'{"gender": 1.0, "emotion": -2.0}', "temperature of emotion is -2.0"),
            (b'{"gender": 1.0, "emotion": "1.0"}', "temperature of emotion is '1.0'"),
            (b'{"gender": true, "emotion": 1.0}', "temperature of gender is True"),
            (b'{"gender": 1.0, "emotion": null}', "temperature of emotion is None"),
        ],
    )
    def test_damaged_temperatures(self, content: bytes, message: str, tmp_path: Path) -> None:
        """The file is named, and what is wrong with it."""
        (tmp_path / "svm_temperature.json").write_bytes(content)
        with pytest.raises(DataError, match=rf"svm_temperature\.json .*{message}"):
            Calibrated.wrap_saved(Fixed(), tmp_path, "svm")

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        """What can't be opened is named too."""
        (tmp_path / "svm_temperature.json").mkdir()
        with pytest.raises(DataError, match=r"svm_temperature\.json can't be read"):
            Calibrated.wrap_saved(Fixed(), tmp_path, "svm")

    def test_wrong_temperatures_are_a_mistake_of_the_program(self) -> None:
        """They are never saved in the first place."""
        with pytest.raises(ValueError, match="expected one of each"):
            Calibrated(Fixed(), {"gender": 1.0})
        with pytest.raises(ValueError, match="temperature of gender is nan"):
            Calibrated(Fixed(), {"gender": float("nan"), "emotion": 1.0})
