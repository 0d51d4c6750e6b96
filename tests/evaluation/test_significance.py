import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn import metrics

from speechnet.core.types import Int64
from speechnet.evaluation.bootstrap import bootstrap_weights, interval
from speechnet.evaluation.significance import (
    COMPARISON_COLUMNS,
    Difference,
    compare_models,
    differences,
    holm,
)

K = 3
CLASSES = ["angry", "happy", "sad"]
TARGETS = {"emotion": CLASSES}


def rows(
    rng: np.random.Generator, *, speakers: int, gain: float = 0.0, each: int = 4
) -> tuple[Int64, Int64, Int64, Int64]:
    """Truth, two models' predictions and units; ``gain`` is what the first is better by, in logits.

    Speakers differ in how well they are understood, by both models and by each of them.
    """
    units, truth = np.repeat(np.arange(speakers), each * K), np.tile(np.arange(K), speakers * each)
    common = 0.8 * rng.normal(size=(speakers, 1))
    own = 0.8 * rng.normal(size=(2, speakers, K))
    right = special.expit(0.4 + common + own + np.array([gain, 0.0])[:, None, None])
    wrong = (truth + rng.integers(1, K, size=(2, len(truth)))) % K
    hit = rng.random((2, len(truth))) < right[:, units, truth]
    first, second = np.where(hit, truth, wrong)
    return truth, first, second, units


def paired_difference(
    truth: Int64, first: Int64, second: Int64, units: Int64, **options: int
) -> Difference:
    """The difference of two sets of predictions."""
    return differences(truth, [first, second], units, **options)[0]


def uar(truth: Int64, predicted: Int64) -> float:
    """UAR by scikit-learn."""
    return float(metrics.recall_score(truth, predicted, average="macro"))


def predictions(called: dict[str, Int64], truth: Int64, fold: Int64) -> pd.DataFrame:
    """A table of predictions of the test part, a file per row."""
    names = np.array(CLASSES)
    table = pd.DataFrame({"file": [f"{i}.wav" for i in range(len(truth))], "fold": fold})
    table = table.assign(part="test", target="emotion", truth=names[truth])
    models = [table.assign(model=m, predicted=names[labels]) for m, labels in called.items()]
    return pd.concat(models, ignore_index=True)


def speakers_of(units: Int64) -> pd.Series:
    """Each file's speaker."""
    index = [f"{i}.wav" for i in range(len(units))]
    return pd.Series([f"s{unit}" for unit in units], index=index, dtype=object)


def test_difference_and_interval_match_a_slow_loop() -> None:
    """Speakers drawn, rows repeated, scikit-learn asked: the same difference and interval."""
    truth, first, second, units = rows(np.random.default_rng(0), speakers=7)
    found = paired_difference(truth, first, second, units, k=K, seed=3, resamples=40)
    draws = []
    for copies in bootstrap_weights(7, 40, seed=3).astype(int):
        at = np.repeat(np.arange(len(truth)), copies[units])
        draws.append(uar(truth[at], first[at]) - uar(truth[at], second[at]))
    assert found.first_value == pytest.approx(uar(truth, first))
    assert found.second_value == pytest.approx(uar(truth, second))
    assert found.difference == pytest.approx(found.first_value - found.second_value)
    expected = interval(np.array(draws), 7, value=found.difference)
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.units == 7


@pytest.mark.parametrize(("speakers", "tolerance"), [(10, 1e-12), (24, 0.015)])
def test_p_agrees_with_scipy(speakers: int, tolerance: float) -> None:
    """The test of paired samples in scipy: exact for 10 speakers, at random for 24."""
    truth, first, second, units = rows(np.random.default_rng(2), speakers=speakers, gain=0.3)
    # each speaker's share in either UAR
    share = [
        np.bincount(units, (labels == truth) / np.bincount(truth)[truth] / K)
        for labels in (first, second)
    ]
    expected = stats.permutation_test(
        share,
        lambda a, b, axis: (a - b).sum(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    found = paired_difference(truth, first, second, units, k=K)
    assert expected.statistic == pytest.approx(found.difference)
    assert found.p == pytest.approx(expected.pvalue, abs=tolerance)
    assert 0.01 < found.p < 0.9


def test_random_exchanges_never_give_p_of_zero() -> None:
    """However large the difference, the one found counts as one of the exchanges."""
    truth = np.tile(np.arange(K), 20)
    units = np.repeat(np.arange(20), K)
    found = paired_difference(truth, truth, (truth + 1) % K, units, k=K, resamples=99)
    assert found.difference == 1
    assert found.p == 1 / 100
    # a difference of 1 leaves nothing to vary
    assert np.isnan([found.low, found.high]).all()


def test_identical_models_do_not_differ() -> None:
    """The difference is 0, and every exchange is as good as any other; nothing varies."""
    truth, first, _, units = rows(np.random.default_rng(3), speakers=24)
    found = paired_difference(truth, first, first.copy(), units, k=K, resamples=100)
    assert (found.difference, found.p) == (0, 1)
    assert (found.low, found.high) == pytest.approx((0, 0))


def test_exchanged_models_differ_by_the_opposite() -> None:
    """The order of the two decides about the sign alone."""
    truth, first, second, units = rows(np.random.default_rng(4), speakers=16, gain=0.5)
    one = paired_difference(truth, first, second, units, k=K, resamples=200)
    other = paired_difference(truth, second, first, units, k=K, resamples=200)
    assert (other.difference, other.low, other.high) == pytest.approx(
        (-one.difference, -one.high, -one.low)
    )
    assert other.p == one.p


def test_one_speaker_shows_nothing() -> None:
    """A single speaker gives a difference, but no interval, and p is 1."""
    truth, first, second, units = rows(np.random.default_rng(5), speakers=1, gain=2.0, each=9)
    found = paired_difference(truth, first, second, units, k=K)
    assert found.difference != 0
    assert np.isnan([found.low, found.high]).all()
    assert found.p == 1


def test_one_class_is_undefined() -> None:
    """UAR needs two classes: no difference, no p."""
    truth, first, second, units = (np.zeros(6, dtype=np.int64), *rows_of_six())
    found = paired_difference(truth, first, second, units, k=K)
    assert np.isnan([found.difference, found.low, found.high, found.p]).all()


def rows_of_six() -> tuple[Int64, Int64, Int64]:
    """Two models' predictions and three units."""
    return np.array([0, 1, 0, 0, 2, 0]), np.array([0, 0, 0, 1, 0, 0]), np.array([0, 0, 1, 1, 2, 2])


def test_a_label_beyond_the_classes_is_refused() -> None:
    """It would be counted for another unit."""
    first, second, units = rows_of_six()
    with pytest.raises(ValueError, match="labels from 0 to 2, expected 0 to 1"):
        paired_difference(first, first, second, units, k=2)


def test_many_recordings_are_dealt_into_groups() -> None:
    """The interval of independent rows is that of their paired differences."""
    rng = np.random.default_rng(6)
    truth = np.tile(np.arange(K), 400)
    first, second = (
        np.where(rng.random(1200) < share, truth, (truth + 1) % K) for share in (0.7, 0.65)
    )
    found = paired_difference(truth, first, second, np.arange(1200), k=K)
    gain = (first == truth).astype(float) - (second == truth)
    expected = stats.ttest_1samp(gain, 0)
    low, high = expected.confidence_interval(0.95)
    assert found.units == 1200
    assert found.high - found.low == pytest.approx(high - low, rel=0.2)
    assert found.p == pytest.approx(expected.pvalue, abs=0.03)


def test_holm_by_hand() -> None:
    """The smallest times m, the next times m - 1 and so on, never falling, at most 1."""
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.9])
    assert holm(p) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.9])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert holm(np.empty(0)).tolist() == []
    # a p that is NaN stays so, and the others are corrected for their own number
    assert holm(np.array([0.02, np.nan, 0.04])) == pytest.approx([0.04, np.nan, 0.04], nan_ok=True)


def test_every_pair_is_compared() -> None:
    """A row per pair in the order of the models, with p corrected for all pairs of the target."""
    truth, first, second, units = rows(np.random.default_rng(7), speakers=12, gain=1.0)
    called = {"svm": first, "knn": second, "mlp": truth}
    table = compare_models(predictions(called, truth, units % 3), TARGETS, speakers_of(units))
    assert [*table] == [*COMPARISON_COLUMNS]
    pairs = table[["first", "second"]].to_numpy().tolist()
    assert pairs == [["svm", "knn"], ["svm", "mlp"], ["knn", "mlp"]]
    same = table[["target", "metric", "units", "unit"]] == ["emotion", "uar", 12, "speaker"]
    assert same.all(axis=None)
    for row in table.itertuples():
        alone = paired_difference(truth, called[row.first], called[row.second], units, k=K)
        assert (row.difference, row.low, row.high, row.p) == pytest.approx(
            (alone.difference, alone.low, alone.high, alone.p), nan_ok=True
        )
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p"].to_numpy()))


def test_order_of_rows_does_not_matter() -> None:
    """Models are compared row by row, by file and fold, however their tables are sorted."""
    truth, first, second, units = rows(np.random.default_rng(8), speakers=6)
    table = predictions({"svm": first, "knn": second}, truth, units % 2)
    mixed = pd.concat([table[table["model"] == "svm"], table[table["model"] == "knn"].iloc[::-1]])
    expected = compare_models(table, TARGETS, speakers_of(units))
    pd.testing.assert_frame_equal(compare_models(mixed, TARGETS, speakers_of(units)), expected)


def test_a_row_in_two_folds_counts_twice() -> None:
    """The pooled UAR is that of both rows, and speakers stay the units."""
    truth, first, second, units = rows(np.random.default_rng(9), speakers=6)
    once = predictions({"svm": first, "knn": second}, truth, np.zeros_like(units))
    again = predictions({"svm": second, "knn": first}, truth, np.ones_like(units))
    both = compare_models(pd.concat([once, again]), TARGETS, speakers_of(units))
    assert both.loc[0, "difference"] == pytest.approx(0)
    assert both.loc[0, "units"] == 6


def test_recordings_are_units_where_speakers_are_unknown() -> None:
    """The table says so."""
    truth, first, second, units = rows(np.random.default_rng(10), speakers=3)
    table = predictions({"svm": first, "knn": second}, truth, units)
    speakers = speakers_of(units).mask(units == 0, None)
    found = compare_models(table, TARGETS, speakers, resamples=100).iloc[0]
    assert (found["units"], found["unit"]) == (len(truth), "recording")


def test_one_model_gives_an_empty_table() -> None:
    """There is nothing to compare; the columns are there."""
    truth, first, _, units = rows(np.random.default_rng(11), speakers=3)
    table = compare_models(predictions({"svm": first}, truth, units), TARGETS, speakers_of(units))
    assert len(table) == 0
    assert "p_holm" in table


def test_different_rows_are_refused() -> None:
    """A model that lacks rows, has one twice or another truth can't be compared."""
    truth, first, second, units = rows(np.random.default_rng(12), speakers=3)
    table = predictions({"svm": first, "knn": second}, truth, np.zeros_like(units))
    speakers = speakers_of(units)
    with pytest.raises(ValueError, match=r"emotion: of 36 test rows the models lack .*'knn': 2"):
        compare_models(table.iloc[:-2], TARGETS, speakers)
    shifted = table.assign(fold=table["fold"].mask(table["model"] == "knn", 1))
    with pytest.raises(ValueError, match="same files in the same folds"):
        compare_models(shifted, TARGETS, speakers)
    with pytest.raises(ValueError, match=r"'0.wav', .* is predicted twice"):
        compare_models(pd.concat([table, table.iloc[:1]]), TARGETS, speakers)
    other = table.assign(truth=table["truth"].mask(table["model"] == "knn", "sad"))
    with pytest.raises(ValueError, match="disagree about what is true"):
        compare_models(other, TARGETS, speakers)


@pytest.mark.parametrize("speakers", [12, 24])
def test_intervals_of_differences_cover_the_truth(speakers: int) -> None:
    """In 92 to 98 % of simulated corpora the interval holds the true difference in UAR."""
    rng = np.random.default_rng(13)
    effects = np.sqrt(0.8**2 + 0.8**2) * rng.normal(size=1_000_000)
    true = float(np.mean(special.expit(1.2 + effects) - special.expit(0.4 + effects)))
    times, covered = 500, 0
    for seed in range(times):
        truth, first, second, units = rows(rng, speakers=speakers, gain=0.8)
        found = paired_difference(truth, first, second, units, k=K, seed=seed, resamples=200)
        covered += found.low <= true <= found.high
    assert 0.92 <= covered / times <= 0.98


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    """Equal models get a p of 0.05 or less in about 5 % of simulated corpora."""
    rng = np.random.default_rng(14)
    p = [
        paired_difference(*rows(rng, speakers=20, each=20), k=K, seed=seed, resamples=199).p
        for seed in range(1000)
    ]
    assert 0.035 <= np.mean(np.array(p) <= 0.05) <= 0.065
    # over the whole range, but for the steps of 1 / 200
    assert stats.kstest(p, "uniform").statistic < 0.05
