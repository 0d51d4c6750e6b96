import numpy as np
import pandas as pd
import pytest

from speechnet.core.types import Float64, Int64
from speechnet.evaluation.calibration import (
    BINS,
    calibration_change,
    calibration_error,
    reliability,
    risk_coverage,
    risk_curve,
)
from speechnet.evaluation.scores import score_predictions
from speechnet.models.calibration import apply_temperature

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad"]}


def draw(n: int = 300, k: int = 4, *, seed: int | list[int] = 0) -> tuple[Int64, Float64]:
    """Labels, and probabilities better than chance."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + np.eye(k)[truth]
    return truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def predictions(parts: tuple[str, ...] = ("test", "train", "dev"), n: int = 60) -> pd.DataFrame:
    """Two models, two targets, two folds."""
    tables = []
    for fold in range(2):
        for part in parts:
            for model in ("svm", "knn"):
                for target, classes in TARGETS.items():
                    seed = [fold, *map(ord, part + model + target)]
                    truth, p = draw(n, len(classes), seed=seed)
                    p = np.round(p, 1) if model == "knn" else p
                    p /= p.sum(axis=1, keepdims=True)
                    names = np.array(classes)
                    table = pd.DataFrame(p, columns=[f"p_{name}" for name in classes])
                    tables.append(
                        table.assign(
                            file=[f"{part}{fold}/{i}" for i in range(n)],
                            part=part,
                            fold=fold,
                            model=model,
                            target=target,
                            truth=names[truth],
                            predicted=names[p.argmax(axis=1)],
                        )
                    )
    return pd.concat(tables, ignore_index=True)


def select(table: pd.DataFrame, **key: str) -> pd.DataFrame:
    """The rows with this key."""
    for column, value in key.items():
        table = table[table[column] == value]
    return table


def surest_first(confidence: Float64, correct: np.ndarray) -> list[tuple[float, float, float]]:
    """Coverage, risk and threshold, by a loop over every confidence that occurs."""
    curve = []
    for threshold in sorted(set(confidence.tolist()), reverse=True):
        kept = confidence >= threshold
        curve.append((kept.mean(), 1 - correct[kept].mean(), threshold))
    return curve


class TestScores:
    def test_calibration_error_by_a_loop(self) -> None:
        """The definition of Guo et al., bin by bin."""
        truth, p = draw()
        confidence, correct = p.max(axis=1), p.argmax(axis=1) == truth
        expected = 0.0
        for m in range(1, 16):
            inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
            if inside.any():
                gap = abs(correct[inside].mean() - confidence[inside].mean())
                expected += inside.sum() / 300 * gap
        assert calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize(
        ("confidence", "bin_"),
        [(3 / 5, 8), (2 / 3, 9), (1.0, 14), (np.nextafter(0.6, 1), 8), (0.6 + 1e-6, 9)],
    )
    def test_an_edge_belongs_to_the_bin_below(self, confidence: float, bin_: int) -> None:
        """Votes of five neighbours lie on edges of fifteenths, and rounding moves none across."""
        table = pd.DataFrame({"p_female": [confidence], "p_male": [1 - confidence]})
        table = table.assign(
            file="a", fold=0, part="test", model="knn", target="gender", truth="female"
        )
        counts = reliability(table.assign(predicted="female"), TARGETS)["count"]
        assert np.flatnonzero(counts).tolist() == [bin_]

    def test_honest_probabilities_have_little_error(self) -> None:
        """Labels drawn from the probabilities themselves; doubled logits are found out."""
        rng = np.random.default_rng(0)
        p = rng.dirichlet(np.ones(3), 40_000)
        truth = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
        correct = p.argmax(axis=1) == truth
        assert calibration_error(p.max(axis=1), correct) < 0.01
        assert calibration_error(apply_temperature(p, 0.5).max(axis=1), correct) > 0.08


class TestReliability:
    def test_every_bin_by_a_loop(self) -> None:
        """Counts, mean confidence and accuracy of the rows in the bin, NaN without any."""
        table = predictions()
        found = reliability(table, TARGETS)
        assert [*found.columns[:5]] == ["model", "target", "part", "bin", "low"]
        assert [*found.columns[5:]] == ["high", "count", "confidence", "accuracy"]
        assert len(found) == 2 * 2 * 2 * BINS
        rows = select(table, model="svm", target="emotion", part="dev")
        top = rows[["p_angry", "p_happy", "p_sad"]].max(axis=1)
        right = rows["truth"] == rows["predicted"]
        for row in select(found, model="svm", target="emotion", part="dev").itertuples():
            inside = (top > row.low) & (top <= row.high)
            assert row.count == inside.sum()
            assert row.confidence == pytest.approx(top[inside].mean(), nan_ok=True)
            assert row.accuracy == pytest.approx(right[inside].mean(), nan_ok=True)

    def test_nothing_to_show(self) -> None:
        """Training rows alone give an empty table."""
        for table in (predictions(("train",)), predictions().iloc[:0]):
            assert reliability(table, TARGETS).empty


class TestRiskCoverage:
    @pytest.mark.parametrize("decimals", [1, 12])
    def test_curve_by_a_loop(self, decimals: int) -> None:
        """Rows of equal confidence are kept together."""
        truth, p = draw()
        confidence, correct = p.max(axis=1).round(decimals), p.argmax(axis=1) == truth
        found = np.stack(risk_curve(confidence, correct), axis=1)
        np.testing.assert_allclose(found, surest_first(confidence, correct), atol=1e-12)

    def test_table_holds_points_of_the_curve(self) -> None:
        """Few points are all there; the last is the whole part and its error rate."""
        table = predictions()
        found = risk_coverage(table, TARGETS)
        assert [*found] == ["model", "target", "part", "coverage", "risk", "threshold"]
        rows = select(table, model="knn", target="gender", part="test")
        curve = select(found, model="knn", target="gender", part="test")
        right = (rows["truth"] == rows["predicted"]).to_numpy()
        expected = surest_first(rows[["p_female", "p_male"]].max(axis=1).to_numpy(), right)
        np.testing.assert_allclose(curve.iloc[:, 3:].to_numpy(np.float64), expected)
        assert curve["coverage"].iloc[-1] == 1
        assert curve["risk"].iloc[-1] == pytest.approx(1 - right.mean())

    def test_long_curves_are_thinned(self) -> None:
        """At most 200 points, evenly over coverage, the first and the last among them."""
        table = predictions(("test",), n=700)
        curve = select(risk_coverage(table, TARGETS), model="svm", target="emotion")
        assert 190 <= len(curve) <= 200
        assert curve["coverage"].iloc[0] == 1 / 1400
        assert curve["coverage"].iloc[-1] == 1
        assert curve["coverage"].diff().max() < 0.01


class TestCalibrationChange:
    @pytest.fixture
    def temperatures(self) -> pd.DataFrame:
        """One for each model, target and fold, in no particular order."""
        keys = [(m, t, f) for f in (1, 0) for t in TARGETS for m in ("knn", "svm")]
        table = pd.DataFrame(keys, columns=["model", "target", "fold"], index=range(5, 13))
        return table.assign(temperature=np.geomspace(0.05, 20, len(table)))

    def test_before_and_after(self, temperatures: pd.DataFrame) -> None:
        """What was calibrated is undone, up to rounding, and scored beside what is there."""
        before = predictions()
        before = before[before["model"] == "svm"]  # which has no zeros
        temperatures = temperatures[temperatures["model"] == "svm"]
        after = before.copy()
        for row in temperatures.itertuples():
            columns = [f"p_{name}" for name in TARGETS[row.target]]
            at = (after["target"] == row.target) & (after["fold"] == row.fold)
            after.loc[at, columns] = apply_temperature(
                before.loc[at, columns].to_numpy(), row.temperature
            )
        found = calibration_change(after, TARGETS, temperatures)
        pd.testing.assert_frame_equal(found[[*temperatures]], temperatures)
        for name, table in (("before", before), ("after", after)):
            scores = score_predictions(table[table["part"] == "test"], TARGETS)
            for metric in ("ece", "log_loss"):
                values = scores[scores["metric"] == metric].set_index(["target", "fold"])["value"]
                keys = [(row.target, str(row.fold)) for row in found.itertuples()]
                np.testing.assert_allclose(found[f"{metric}_{name}"], values.loc[keys], atol=1e-9)

    def test_zeros_of_an_uncalibrated_model(self, temperatures: pd.DataFrame) -> None:
        """A temperature of 1 leaves both sides alike, zeros and all."""
        found = calibration_change(predictions(), TARGETS, temperatures.assign(temperature=1.0))
        assert found.notna().all(axis=None)
        for metric in ("ece", "log_loss"):
            np.testing.assert_allclose(found[f"{metric}_before"], found[f"{metric}_after"])

    def test_folds_read_back_as_text(self, temperatures: pd.DataFrame) -> None:
        """They mean the same."""
        table = predictions()
        text = temperatures.assign(fold=temperatures["fold"].astype(str))
        changes = ["ece_before", "ece_after", "log_loss_before", "log_loss_after"]
        pd.testing.assert_frame_equal(
            calibration_change(table, TARGETS, text)[changes],
            calibration_change(table, TARGETS, temperatures)[changes],
        )

    def test_fold_without_test_rows(self, temperatures: pd.DataFrame) -> None:
        """NaN there, and everywhere without a test part; no temperatures, no rows."""
        table = predictions()
        less = table[~((table["fold"] == 1) & (table["part"] == "test"))]
        found = calibration_change(less, TARGETS, temperatures)
        assert (found["ece_before"].isna() == (found["fold"] == 1)).all()
        assert (
            calibration_change(predictions(("dev",)), TARGETS, temperatures)["ece_after"]
            .isna()
            .all()
        )
        assert calibration_change(table, TARGETS, temperatures.iloc[:0]).empty
