"""Holdouts that keep the mixture of strata."""

import numpy as np
import pytest
from sklearn.model_selection import GroupShuffleSplit

from speechnet.core.errors import DataError
from speechnet.splits.strata import hold_out, shuffle


@pytest.mark.parametrize("seed", range(5))
def test_hold_out_is_the_best_of_scikit_learns_draws(seed: int) -> None:
    """Of 500 draws of speakers: the first that loses fewest strata, and is then nearest."""
    rng = np.random.default_rng(seed)
    speakers = np.array([f"s{k}" for k in rng.integers(0, 9, 120)], dtype=object)
    strata = rng.integers(0, 5, 120)
    strata[strata == 3] = 4  # a code that nothing has
    strata[speakers == "s1"] = 0
    totals = np.bincount(strata)

    def badness(held: np.ndarray) -> tuple[int, float]:
        counts = np.bincount(strata[held], minlength=len(totals))
        lost = sum(count == total > 0 for count, total in zip(counts, totals, strict=True))
        return lost, float(np.abs(counts - 0.3 * totals).sum())

    draws = GroupShuffleSplit(500, test_size=3, random_state=seed).split(strata, groups=speakers)
    rest, held = min(draws, key=lambda division: badness(division[1]))
    found = hold_out(strata, speakers, 0.3, seed=seed)
    assert found[0].tolist() == rest.tolist()
    assert found[1].tolist() == held.tolist()


def test_too_few_to_divide() -> None:
    """The share, the classes and the way out are named, in this program's own words."""
    with pytest.raises(
        DataError, match=r"6 recordings .* 0\.1 .* 3 combinations .* nearer to 0\.5"
    ) as caught:
        shuffle(np.array([0, 0, 1, 1, 2, 2]), 0.1, seed=0)
    assert "test_size" not in str(caught.value)
