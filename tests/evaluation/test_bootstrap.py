import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from speechnet.evaluation.bootstrap import (
    bootstrap_weights,
    deal,
    interval,
    strata_of,
    unit_codes,
)

SPEAKERS = pd.Series(
    ["anna", "bert", "anna", None], index=["a.wav", "b.wav", "c.wav", "d.wav"], dtype=object
)


def test_units_are_speakers_in_order_of_appearance() -> None:
    """Rows of one speaker share a code, a file that stands there twice too."""
    codes, unit = unit_codes(["b.wav", "a.wav", "b.wav", "c.wav"], SPEAKERS)
    assert unit == "speaker"
    assert codes.dtype == np.int64
    assert codes.tolist() == [0, 1, 0, 1]


def test_units_are_recordings_where_a_speaker_is_unknown() -> None:
    """One row without a speaker is enough; rows of the same recording stay together."""
    codes, unit = unit_codes(["a.wav", "d.wav", "c.wav", "a.wav"], SPEAKERS)
    assert unit == "recording"
    assert codes.tolist() == [0, 1, 2, 0]


def test_a_file_without_an_entry_is_refused() -> None:
    """A file that the table doesn't know is a mistake, not an unknown speaker."""
    with pytest.raises(ValueError, match=r"4 files, 'x.wav' not among"):
        unit_codes(["a.wav", "x.wav"], SPEAKERS)


def test_weights_are_multinomial() -> None:
    """Rows sum to the number of units; mean and covariance are those of a multinomial."""
    n = 6
    weights = bootstrap_weights(n, 50_000, seed=3)
    assert weights.shape == (50_000, n)
    assert weights.dtype == np.float64
    assert (weights.sum(axis=1) == n).all()
    assert (weights == np.rint(weights)).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.02)
    expected = stats.multinomial(n, np.full(n, 1 / n)).cov()
    np.testing.assert_allclose(np.cov(weights.T), expected, atol=0.03)


def test_weights_and_groups_follow_the_seed() -> None:
    """The same seed gives the same draws, another one others."""
    has = np.ones((300, 1, 2), dtype=bool)
    for draw in (lambda seed: bootstrap_weights(9, 100, seed=seed), lambda seed: deal(has, seed)):
        first, again, other = map(draw, (1, 1, 2))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def test_each_stratum_is_drawn_by_itself() -> None:
    """As many of each stratum are drawn as there are; a lone unit always comes up once."""
    strata = np.array([0, 1, 0, 2, 1, 0])
    weights = bootstrap_weights(6, 200, seed=0, strata=strata)
    for stratum, members in enumerate((3, 2, 1)):
        assert (weights[:, strata == stratum].sum(axis=1) == members).all()
    assert weights[:, 0].std() > 0.5


def test_strata_are_what_no_cell_connects() -> None:
    """Units 0 and 1 share a cell, 1 and 3 another; 2 shares none with them."""
    has = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=bool)
    assert strata_of(has).tolist() == [0, 0, 1, 0]


def test_few_units_are_not_dealt() -> None:
    """Up to the bound each unit is its own group."""
    assert deal(np.ones((100, 1, 2), dtype=bool), seed=0).tolist() == [*range(100)]


def test_many_units_are_dealt_evenly_and_never_across_folds() -> None:
    """Groups differ by one in size within a fold, and a class of two recordings is in two."""
    rng = np.random.default_rng(0)
    fold, label = rng.integers(5, size=1000), rng.integers(3, size=1000)
    label[np.flatnonzero(fold == 2)] = 0
    label[np.flatnonzero(fold == 2)[:2]] = 1
    has = np.zeros((1000, 5, 3), dtype=bool)
    has[np.arange(1000), fold, label] = True
    group = deal(has, seed=0)
    assert np.unique(group).tolist() == [*range(100)]
    for one in range(5):
        sizes = np.unique(group[fold == one], return_counts=True)[1]
        assert len(sizes) == 20
        assert np.ptp(sizes) <= 1
    assert not set(group[fold == 0]) & set(group[fold != 0])
    assert len(set(group[(fold == 2) & (label == 1)])) == 2


@pytest.mark.parametrize(
    ("bounds", "strata", "value", "level"),
    [((0.0, 1.0), 1, 0.7, 0.95), ((-1.0, 1.0), 4, 0.68, 0.95), ((0.0, 1.0), 1, 0.7, 0.99)],
)
def test_interval_is_students_t_on_the_logit_scale(
    bounds: tuple[float, float], strata: int, value: float, level: float
) -> None:
    """The formula written out with scipy's own t interval."""
    draws = np.random.default_rng(0).normal(0.69, 0.05, 500)
    low, high = interval(draws, 12, level, value=value, bounds=bounds, strata=strata)
    width = bounds[1] - bounds[0]
    share = (value - bounds[0]) / width
    error = draws.std() / width * np.sqrt(12 / (12 - strata)) / (share * (1 - share))
    ends = stats.t.interval(level, 12 - strata, loc=special.logit(share), scale=error)
    assert (low, high) == pytest.approx(tuple(bounds[0] + width * special.expit(ends)))


def test_interval_of_a_mean_agrees_with_the_t_test() -> None:
    """For a mean of few values far from the bounds it is the textbook's t interval."""
    values = np.random.default_rng(1).normal(0.02, 0.05, 8)
    draws = bootstrap_weights(8, 20_000, seed=0) @ values / 8
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(draws, 8, value=values.mean()) == pytest.approx(expected, rel=0.03, abs=1e-3)


def test_interval_stays_within_the_bounds() -> None:
    """Near 1, where a symmetric interval would leave the bounds, it still holds the value."""
    draws = np.minimum(np.random.default_rng(0).normal(0.98, 0.03, 500), 1)
    low, high = interval(draws, 5, value=0.98, bounds=(0, 1))
    assert 0 < low < 0.98 < high < 1


def test_undefined_draws_are_left_out_up_to_half() -> None:
    """NaN draws don't count; with more than half of them there is no interval."""
    draws = np.random.default_rng(0).normal(0.5, 0.05, 100)
    half = np.concatenate([draws, np.full(100, np.nan)])
    assert interval(half, 9) == interval(draws, 9)
    assert np.isnan(interval(np.append(half, np.nan), 9)).all()


@pytest.mark.parametrize(
    ("units", "strata", "value"),
    [(1, 1, 0.5), (0, 1, 0.5), (4, 4, 0.5), (9, 1, 1.0), (9, 1, np.nan)],
)
def test_no_interval_where_nothing_varies(units: int, strata: int, value: float) -> None:
    """Single units, and a score at its bound or undefined, have no spread to resample."""
    draws = np.random.default_rng(0).normal(0.5, 0.05, 100)
    assert np.isnan(interval(draws, units, value=value, bounds=(0, 1), strata=strata)).all()


def test_draws_outside_the_bounds_are_refused() -> None:
    """A difference given as a share is a mistake."""
    with pytest.raises(ValueError, match=r"between -0.2 and 0.4, expected \(0, 1\)"):
        interval(np.array([-0.2, 0.4]), 5, bounds=(0, 1))


def test_what_does_not_vary_has_no_interval() -> None:
    """A model that always says the same is not known exactly for that."""
    assert np.isnan(interval(np.full(100, 0.5), 12, bounds=(0, 1))).all()
