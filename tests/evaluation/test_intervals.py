import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn import metrics

from speechnet.core.metrics import METRICS
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.bootstrap import bootstrap_weights, interval
from speechnet.evaluation.intervals import Resamples, intervals
from speechnet.evaluation.samples import Sample
from speechnet.evaluation.scores import score_predictions

pytestmark = pytest.mark.slow

CLASSES = ["angry", "happy", "sad"]
TARGETS = {"emotion": CLASSES}
WITH_INTERVAL = [each for each in METRICS.values() if each.interval]
HEADLINE = ["accuracy", "uar", "macro_f1", "auc_macro", *(f"recall_{c}" for c in CLASSES)]


def sample(
    rng: np.random.Generator, *, speakers: int, folds: int = 1, each: int = 4, spread: float = 0.7
) -> Sample:
    """Speakers who say each class equally often; how well they are understood is their own."""
    k = len(CLASSES)
    unit = np.repeat(np.arange(speakers), each * k)
    truth = np.tile(np.arange(k), speakers * each)
    skill = 1.0 + spread * rng.normal(size=(speakers, 1)) + spread * rng.normal(size=(speakers, k))
    logits = rng.normal(size=(len(unit), k))
    logits[np.arange(len(unit)), truth] += skill[unit, truth]
    probability = special.softmax(logits, axis=1)
    fold = unit * folds // speakers
    return Sample(CLASSES, fold, unit, truth, probability.argmax(axis=1), probability)


def table(of: Sample, *, model: str = "svm", part: str = "test") -> pd.DataFrame:
    """The predictions table of a sample, a file per row."""
    names = np.array(of.classes)
    rows = pd.DataFrame({"file": [f"{i}.wav" for i in range(len(of.unit))], "part": part})
    rows = rows.assign(fold=of.fold, model=model, target="emotion")
    rows = rows.assign(truth=names[of.truth], predicted=names[of.predicted])
    rows[[f"p_{c}" for c in of.classes]] = of.probability
    return rows


def speakers_of(of: Sample) -> pd.Series:
    """Each file's speaker."""
    names = [f"s{unit}" for unit in of.unit]
    return pd.Series(names, index=[f"{i}.wav" for i in range(len(of.unit))], dtype=object)


def with_intervals(predictions: pd.DataFrame, speakers: pd.Series, **options: int) -> pd.DataFrame:
    """Scores and intervals of a table of predictions."""
    return score_predictions(predictions, TARGETS, speakers, **options)


def ends(scores: pd.DataFrame, fold: str) -> dict[str, tuple[float, float]]:
    """Lower and upper end of the headline scores of a fold."""
    rows = scores[(scores["fold"] == fold) & scores["metric"].isin(HEADLINE)].set_index("metric")
    return {m: (rows.loc[m, "low"], rows.loc[m, "high"]) for m in HEADLINE}


def weighted_scores(of: Sample, weights: Float64) -> Float64:
    """The headline scores of resamples, float64 ``[scores, r]``."""
    resamples = Resamples(of, weights)
    return np.vstack([resamples.scores(each) for each in WITH_INTERVAL])


def sample_intervals(of: Sample, **options: int) -> dict[str, tuple[float, float]]:
    """The interval of each headline score."""
    return intervals(of, WITH_INTERVAL, **options)


def slow_scores(of: Sample, copies: Int64) -> list[float]:
    """The headline scores by scikit-learn, on rows that are repeated one by one."""
    rows = [i for i, unit in enumerate(of.unit) for _ in range(copies[unit])]
    truth, predicted, p = of.truth[rows], of.predicted[rows], of.probability[rows]
    every = list(range(len(CLASSES)))
    recall = metrics.recall_score(truth, predicted, labels=every, average=None)
    return [
        metrics.accuracy_score(truth, predicted),
        metrics.recall_score(truth, predicted, average="macro"),
        metrics.f1_score(truth, predicted, average="macro"),
        float(np.mean([metrics.roc_auc_score(truth == c, p[:, c]) for c in every])),
        *recall,
    ]


def test_weighted_scores_are_those_of_the_repeated_rows() -> None:
    """Each score of each resample, ties among the probabilities included, matches scikit-learn."""
    rng = np.random.default_rng(0)
    of = sample(rng, speakers=7)
    of = replace(of, probability=np.round(of.probability, 1))
    copies = rng.integers(4, size=(12, 7))
    expected = np.transpose([slow_scores(of, one) for one in copies])
    np.testing.assert_allclose(weighted_scores(of, copies.astype(float)), expected, atol=1e-12)


def test_a_resample_without_a_class_is_undefined() -> None:
    """Where a class of the data has no row, only accuracy and the others' recall are defined."""
    of = sample(np.random.default_rng(1), speakers=4)
    keep = (of.truth != 2) | (of.unit == 0)
    arrays = (of.unit[keep], of.truth[keep], of.predicted[keep], of.probability[keep])
    of = Sample(CLASSES, np.zeros_like(arrays[0]), *arrays)
    scores = weighted_scores(of, np.array([[0.0, 1, 2, 1]]))[:, 0]
    defined = dict(zip(HEADLINE, np.isfinite(scores), strict=True))
    assert [m for m in HEADLINE if defined[m]] == ["accuracy", "recall_angry", "recall_happy"]


def test_a_class_without_rows_stays_out_as_in_the_score() -> None:
    """UAR and macro F1 average the classes that the data have; its AUC and recall are undefined."""
    of = sample(np.random.default_rng(2), speakers=6)
    keep = (of.truth != 2) & (of.predicted != 2)
    arrays = (of.unit[keep], of.truth[keep], of.predicted[keep], of.probability[keep])
    of = Sample(CLASSES, np.zeros_like(arrays[0]), *arrays)
    scores = dict(zip(HEADLINE, weighted_scores(of, np.ones((1, 6)))[:, 0], strict=True))
    truth, predicted = arrays[1], arrays[2]
    assert scores["uar"] == pytest.approx(metrics.balanced_accuracy_score(truth, predicted))
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert np.isnan([scores["auc_macro"], scores["recall_sad"]]).all()
    assert np.isfinite(sample_intervals(of, seed=0, resamples=50)["uar"]).all()


def test_pooled_intervals_match_a_slow_loop() -> None:
    """Speakers drawn, rows repeated, scikit-learn asked: the same intervals."""
    of = sample(np.random.default_rng(3), speakers=9, folds=3)
    found = ends(with_intervals(table(of), speakers_of(of), seed=5, resamples=15), "all")
    weights = bootstrap_weights(9, 15, seed=5).astype(int)
    draws = np.transpose([slow_scores(of, copies) for copies in weights])
    values = slow_scores(of, np.ones(9, dtype=int))
    for metric, of_metric, value in zip(HEADLINE, draws, values, strict=True):
        expected = interval(of_metric, 9, value=value, bounds=(0, 1))
        assert found[metric] == pytest.approx(expected), metric


def test_intervals_of_the_mean_match_a_slow_loop() -> None:
    """Speakers are drawn within their fold, and the folds' scores averaged."""
    of = sample(np.random.default_rng(4), speakers=9, folds=3)
    found = ends(with_intervals(table(of), speakers_of(of), seed=5, resamples=15), "mean")
    weights = bootstrap_weights(9, 15, seed=5, strata=np.repeat([0, 1, 2], 3)).astype(int)

    def mean_score(copies: Int64) -> Float64:
        inside = [np.where(np.arange(9) // 3 == fold, copies, 0) for fold in range(3)]
        return np.mean([slow_scores(of, one) for one in inside], axis=0)

    draws, values = np.transpose([*map(mean_score, weights)]), mean_score(np.ones(9, dtype=int))
    for metric, of_metric, value in zip(HEADLINE, draws, values, strict=True):
        expected = interval(of_metric, 9, value=value, bounds=(0, 1), strata=3)
        assert found[metric] == pytest.approx(expected), metric


def test_one_speaker_per_fold_resamples_folds() -> None:
    """Then the mean's interval is that of a mean of as many independent scores."""
    of = sample(np.random.default_rng(5), speakers=8, folds=8)
    scores = with_intervals(table(of), speakers_of(of))
    uar = scores[(scores["metric"] == "uar") & ~scores["fold"].isin(["all", "mean", "sd"])]["value"]
    x, error = uar.mean(), uar.std() / np.sqrt(8)
    expected = special.expit(
        stats.t.interval(0.95, 7, loc=special.logit(x), scale=error / (x * (1 - x)))
    )
    assert ends(scores, "mean")["uar"] == pytest.approx(expected, rel=0.02)


def test_a_speaker_in_several_folds_has_one_weight() -> None:
    """Four folds that repeat each other know no more than one."""
    of = sample(np.random.default_rng(6), speakers=10)
    alike = [table(replace(of, fold=np.full_like(of.fold, fold))) for fold in range(4)]
    once = ends(with_intervals(alike[0], speakers_of(of)), "all")
    often = ends(with_intervals(pd.concat(alike, ignore_index=True), speakers_of(of)), "mean")
    for metric in HEADLINE:
        assert often[metric] == pytest.approx(once[metric], abs=1e-9), metric


def test_only_headline_scores_get_an_interval() -> None:
    """On the parts dev and test; a lone fold has the intervals of all rows."""
    of = sample(np.random.default_rng(7), speakers=6)
    predictions = pd.concat([table(of), table(of, part="dev"), table(of, part="train")])
    predictions = predictions.reset_index(drop=True)
    found = with_intervals(predictions, speakers_of(of), resamples=50)
    has = found["low"].notna()
    assert has.equals(found["metric"].isin(HEADLINE) & found["part"].isin(["dev", "test"]))
    assert set(found[has]["fold"]) == {"0", "all"}
    assert ends(found[found["part"] == "dev"], "0") == ends(found[found["part"] == "dev"], "all")
    assert (found[has]["low"] < found[has]["value"]).all()
    assert (found[has]["value"] < found[has]["high"]).all()


@pytest.mark.parametrize("folds", [1, 3, 9])
def test_without_a_fast_form_the_rows_are_repeated(folds: int) -> None:
    """The same draws, so the same intervals, in all three ways to resample."""
    of = sample(np.random.default_rng(16), speakers=9, folds=folds)
    slow = [replace(each, resampled=None) for each in WITH_INTERVAL]
    found = intervals(of, slow, seed=5, resamples=40)
    expected = sample_intervals(of, seed=5, resamples=40)
    for metric in HEADLINE:
        assert found[metric] == pytest.approx(expected[metric]), metric


def test_one_speaker_has_no_interval() -> None:
    """Nothing can be said about other speakers."""
    of = sample(np.random.default_rng(9), speakers=1)
    assert with_intervals(table(of), speakers_of(of))["low"].isna().all()


def test_a_class_of_one_speaker_has_no_interval() -> None:
    """Neither has an average over it: how much it varies among speakers is not known."""
    of = sample(np.random.default_rng(10), speakers=6)
    keep = (of.truth != 2) | (of.unit == 0)
    predictions = table(of)[keep]
    found = ends(with_intervals(predictions, speakers_of(of), resamples=100), "all")
    with_one = [m for m in HEADLINE if np.isfinite(found[m]).all()]
    assert with_one == ["accuracy", "recall_angry", "recall_happy"]


def test_a_fold_without_a_class_leaves_the_mean_undefined() -> None:
    """As the mean over folds is: there is no interval of it, and no warning."""
    of = sample(np.random.default_rng(11), speakers=4, folds=4)
    predictions = table(of)[(of.truth == 0) | (of.unit > 0)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = with_intervals(predictions, speakers_of(of), resamples=50)
    found = ends(scores, "mean")
    defined = scores[scores["fold"] == "mean"].set_index("metric")["value"].notna()
    assert [m for m in HEADLINE if np.isfinite(found[m]).all()] == [
        m for m in HEADLINE if defined[m]
    ]
    assert defined["accuracy"]
    assert not defined["uar"]


def test_women_and_men_are_drawn_apart() -> None:
    """Recognising gender, each speaker has one class: their numbers don't vary."""
    of = sample(np.random.default_rng(12), speakers=3)
    said = np.random.default_rng(0).integers(2, size=len(of.truth))
    two = replace(of, classes=CLASSES[:2], truth=np.minimum(of.unit, 1), predicted=said)
    found = sample_intervals(replace(two, probability=of.probability[:, :2]), seed=0, resamples=100)
    # one speaker of the first class, two of the other
    assert np.isnan(found["uar"]).all()
    assert np.isfinite(found["recall_happy"]).all()


def test_recordings_are_resampled_where_speakers_are_unknown() -> None:
    """Independent rows: the interval of accuracy is the binomial one, however many are grouped."""
    of = sample(np.random.default_rng(13), speakers=100, spread=0.0)
    speakers = speakers_of(of)
    speakers.iloc[3] = None
    scores = with_intervals(table(of), speakers)
    accuracy = scores[(scores["metric"] == "accuracy") & (scores["fold"] == "all")].iloc[0]
    binomial = stats.binomtest(round(accuracy["value"] * 1200), 1200).proportion_ci(method="wilson")
    width = accuracy["high"] - accuracy["low"]
    assert width == pytest.approx(binomial.high - binomial.low, rel=0.2)


@pytest.mark.parametrize(("speakers", "folds"), [(24, 6), (12, 4)])
def test_intervals_cover_the_truth(speakers: int, folds: int) -> None:
    """In 92 to 98 % of simulated corpora, pooled and as the mean, the interval holds the truth."""
    rng = np.random.default_rng(15)
    population = sample(rng, speakers=20_000, each=8)
    true = dict(zip(HEADLINE, slow_scores(population, np.ones(20_000, dtype=int)), strict=True))
    times = 300
    hits = {(fold, m): 0 for fold in ("all", "mean") for m in HEADLINE}
    for seed in range(times):
        of = sample(rng, speakers=speakers, folds=folds)
        for fold, drawn in (("all", replace(of, fold=np.zeros_like(of.fold))), ("mean", of)):
            for metric, (low, high) in sample_intervals(drawn, seed=seed, resamples=200).items():
                hits[fold, metric] += low <= true[metric] <= high
    coverage = pd.Series(hits) / times
    assert coverage.between(0.92, 0.98).all(), coverage
