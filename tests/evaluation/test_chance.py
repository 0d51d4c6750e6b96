"""What chance gives: the nulls of single scores, and the interval of the UAR."""

import numpy as np
import pytest
from scipy.stats import norm

from speechnet.core.types import Int64
from speechnet.evaluation.chance import UNDEFINED, Null, chance_interval, null_of


def uar(truth: Int64, predicted: Int64) -> float:
    """The mean recall, written out."""
    return float(np.mean([(predicted[truth == c] == c).mean() for c in np.unique(truth)]))


class TestNull:
    def test_counts_what_is_at_least_as_good(self) -> None:
        """Four draws: one above, one equal but for rounding, two below."""
        draws = np.array([1.0, 0.5 - 1e-12, 0.2, 0.3])
        assert null_of(0.5, draws) == pytest.approx((0.5, draws.std(ddof=1), 3 / 5))
        assert null_of(0.5, draws, lower_is_better=True).p == 4 / 5

    @pytest.mark.parametrize(
        ("value", "draws"), [(np.nan, [1, 2]), (1.0, [1, np.nan]), (1.0, [1.0]), (1.0, [])]
    )
    def test_undefined(self, value: float, draws: list[float]) -> None:
        """A score or a draw that is not defined, or too few draws."""
        found = null_of(value, np.array(draws, dtype=np.float64))
        assert np.isnan(found).all()
        assert isinstance(found, Null)
        assert np.isnan(UNDEFINED).all()


class TestInterval:
    def test_agrees_with_the_formula(self) -> None:
        """Mean 1/k and the formula's deviation, with classes of different sizes."""
        truth = np.repeat(np.arange(4), [400, 300, 200, 100])
        sd = np.sqrt(0.25 * 0.75 * (1 / 400 + 1 / 300 + 1 / 200 + 1 / 100)) / 4
        for level in (0.8, 0.95, 0.99):
            low, high = chance_interval(truth, None, 4, seed=0, level=level)
            half = norm.ppf((1 + level) / 2) * sd
            assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.002)

    @pytest.mark.parametrize("shares", [[1, 1, 1], [4, 1, 1], [1, 0, 0]])
    def test_holds_permuted_predictions(self, shares: list[int]) -> None:
        """95 % of them at least, whatever classes are preferred; all but exactly of even ones."""
        truth = np.repeat(np.arange(3), 40)
        predicted = np.resize(np.repeat(np.arange(3), shares), 120)
        low, high = chance_interval(truth, None, 3, seed=0)
        rng = np.random.default_rng(1)
        inside = np.mean(
            [low <= uar(truth, rng.permutation(predicted)) <= high for _ in range(2000)]
        )
        assert inside > 0.94
        if shares == [1, 1, 1]:
            assert inside < 0.975

    def test_speakers_who_are_taken_for_one_thing(self) -> None:
        """Units with one label each, each mistaken as a whole: as explicit loops have it."""
        units = np.repeat(np.arange(15), [3, 5, 7] * 5)
        truth = (np.arange(15) % 3)[units]
        rng = np.random.default_rng(1)
        drawn = [uar(truth, rng.integers(0, 3, 15)[units]) for _ in range(4000)]
        found = chance_interval(truth, units, 3, seed=0)
        assert found == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.03)
        alone = chance_interval(truth, None, 3, seed=0)
        assert found[1] - found[0] > 1.8 * (alone[1] - alone[0])

    def test_each_row_its_own_unit(self) -> None:
        """Then the two ways to draw agree."""
        truth = np.repeat(np.arange(2), [60, 90])
        one = chance_interval(truth, None, 2, seed=0)
        other = chance_interval(truth, np.arange(150), 2, seed=1, resamples=20_000)
        assert one == pytest.approx(other, abs=0.01)

    def test_a_class_without_rows(self) -> None:
        """It counts for nothing; one class alone has no UAR."""
        truth = np.repeat([0, 2], 50)
        low, high = chance_interval(truth, None, 3, seed=0)
        assert (low + high) / 2 == pytest.approx(1 / 3, abs=0.01)
        assert np.isnan(chance_interval(np.zeros(5, dtype=np.int64), None, 3, seed=0)).all()
