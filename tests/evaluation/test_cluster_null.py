"""Clusters against chance: labels that change places, and data that have no clusters."""

from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import random_table
from sklearn import metrics
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information
from test_clustering import blobs, settings, values

from speechnet.core.types import Float64, Int64
from speechnet.evaluation import cluster_null, cluster_reference
from speechnet.evaluation.cluster_null import (
    exchanged,
    information_draws,
    label_nulls,
    within_gender_nulls,
)
from speechnet.evaluation.cluster_reference import INTERNAL
from speechnet.evaluation.cluster_scores import Labels, cluster_findings
from speechnet.evaluation.clustering import Clustering, cluster_features

pytestmark = pytest.mark.slow

SCORES = {
    "homogeneity": metrics.homogeneity_score,
    "completeness": metrics.completeness_score,
    "v_measure": metrics.v_measure_score,
    "mutual_information": metrics.mutual_info_score,
    "adjusted_mutual_information": metrics.adjusted_mutual_info_score,
}


def p_value(truth: Int64, clusters: Int64, speakers: Int64 | None, *, draws: int = 199) -> float:
    """Of one clustering and label column, by any of its scores."""
    nulls = label_nulls(
        {("kmeans", 2): clusters}, {"label": truth}, speakers, draws=draws, seed=0, notes=[]
    )
    return nulls["kmeans", 2, "label", "mutual_information"].p


class TestExchange:
    speakers = np.repeat(np.arange(6), [3, 4, 5, 4, 3, 5])

    def draw(self, truth: Int64, speakers: Int64 | None) -> Int64:
        return exchanged(truth, speakers, draws=200, rng=np.random.default_rng(0))

    def test_a_speakers_label_moves_with_the_speaker(self) -> None:
        """Six speakers, two of them male: in every draw two whole speakers are."""
        truth = np.isin(self.speakers, [1, 4]).astype(np.int64)
        drawn = self.draw(truth, self.speakers)
        assert all(len(np.unique(row[self.speakers == s])) == 1 for row in drawn for s in range(6))
        first = np.unique(self.speakers, return_index=True)[1]
        assert (drawn[:, first].sum(axis=1) == 2).all()
        assert len(np.unique(drawn[:, first], axis=0)) == 15  # all choices of two among six

    def test_a_label_within_speakers_stays_within(self) -> None:
        """Every speaker keeps its own emotions, in another order."""
        truth = np.random.default_rng(1).integers(0, 3, len(self.speakers))
        drawn = self.draw(truth, self.speakers)
        for s in range(6):
            rows = self.speakers == s
            assert (np.sort(drawn[:, rows]) == np.sort(truth[rows])).all()
        assert (drawn != truth).any(axis=1).mean() > 0.9

    @pytest.mark.parametrize("known", [True, False])
    def test_speakers_themselves_move_freely(self, known: bool) -> None:
        """A label that is the speaker, and any label where speakers are unknown."""
        truth = self.speakers if known else np.isin(self.speakers, [1, 4]).astype(np.int64)
        drawn = self.draw(truth, self.speakers if known else None)
        assert (np.sort(drawn) == np.sort(truth)).all()
        assert len(np.unique(drawn, axis=0)) > 190


class TestInformation:
    def test_equals_scikit_learn_on_the_same_labels(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each draw of each clustering, whether drawn at once or in pieces."""
        rng = np.random.default_rng(0)
        truth, speakers = rng.integers(0, 4, 60), np.repeat(np.arange(5), 12)
        clusterings = [rng.integers(0, k, 60) for k in (2, 7)]
        draw = partial(information_draws, truth, clusterings, speakers, draws=30, seed=3)
        labels = exchanged(truth, speakers, draws=30, rng=np.random.default_rng(3))
        expected = [[metrics.mutual_info_score(row, one) for row in labels] for one in clusterings]
        np.testing.assert_allclose(draw(), expected, atol=1e-12)
        monkeypatch.setattr(cluster_null, "_AT_ONCE", 500)
        np.testing.assert_allclose(draw(), expected, atol=1e-12)

    def test_distribution_is_that_of_random_tables(self) -> None:
        """Mean and quantiles agree with tables of the same margins drawn by scipy."""
        rng = np.random.default_rng(0)
        truth, clusters = rng.integers(0, 4, 80), rng.integers(0, 3, 80)
        drawn = information_draws(truth, [clusters], None, draws=2000, seed=0)[0]
        table = contingency_matrix(truth, clusters)
        expected = expected_mutual_information(contingency_matrix(truth, clusters, sparse=True), 80)
        assert drawn.mean() == pytest.approx(expected, abs=4 * drawn.std() / np.sqrt(2000))
        tables = random_table(table.sum(axis=1), table.sum(axis=0)).rvs(2000, random_state=1)
        oracle = [metrics.mutual_info_score(None, None, contingency=one) for one in tables]
        levels = [0.1, 0.5, 0.9, 0.95]
        assert np.quantile(drawn, levels) == pytest.approx(np.quantile(oracle, levels), rel=0.08)


class TestLabels:
    def test_each_score_has_its_own_null(self) -> None:
        """Mean, deviation and p are those of scikit-learn's scores of the permuted labels."""
        rng = np.random.default_rng(0)
        truth, speakers = np.tile(np.arange(4), 20), np.repeat(np.arange(5), 16)
        clusters = np.where(rng.random(80) < 0.3, truth, rng.integers(0, 4, 80))
        nulls = label_nulls(
            {("gmm", 4): clusters}, {"emotion": truth}, speakers, draws=99, seed=5, notes=[]
        )
        labels = exchanged(truth, speakers, draws=99, rng=np.random.default_rng(5))
        for metric, score in SCORES.items():
            drawn = np.array([score(row, clusters) for row in labels])
            p = (1 + (drawn >= score(truth, clusters) - 1e-9).sum()) / 100
            expected = (drawn.mean(), drawn.std(ddof=1), p)
            assert nulls["gmm", 4, "emotion", metric] == pytest.approx(expected, abs=1e-9)

    def test_agreement_is_as_rare_as_can_be_told(self) -> None:
        """Clusters that are the labels: no permutation is as good; nor is one of noise rare."""
        truth = np.tile(np.arange(4), 30)
        assert p_value(truth, truth, None) == 1 / 200
        assert p_value(truth, np.random.default_rng(1).integers(0, 4, 120), None) > 0.05

    @pytest.mark.parametrize("varies", [True, False])
    def test_clusters_of_speakers_follow_no_label_by_chance(self, varies: bool) -> None:
        """Labels drawn at random are found in 5 % of all corpora, though clusters are speakers.

        Free permutations would find them in most: a gender because a cluster holds few speakers,
        an emotion because speakers differ in how often they show it.
        """
        speakers = np.repeat(np.arange(12), 10)
        clusters = speakers % 4
        apart, free = [], []
        for seed in range(150):
            rng = np.random.default_rng(seed)
            truth = rng.integers(0, 2, 12)[speakers]
            if varies:
                truth = (rng.random(120) < rng.uniform(0.1, 0.9, 12)[speakers]).astype(np.int64)
            if len(np.unique(truth)) == 2:
                apart.append(p_value(truth, clusters, speakers, draws=99) <= 0.05)
                free.append(p_value(truth, clusters, None, draws=99) <= 0.05)
        assert np.mean(apart) < 0.1
        assert np.mean(free) > 0.5

    def test_speakers_in_doubt(self) -> None:
        """One row without a speaker: labels move freely; a row without a label doesn't count."""
        truth, speakers = np.tile(np.arange(2), 30), np.repeat(np.arange(6), 10)
        clusters = np.random.default_rng(0).integers(0, 3, 60)
        doubtful = np.where(np.arange(60) == 7, -1, speakers)
        assert p_value(truth, clusters, doubtful) == p_value(truth, clusters, None)
        unlabelled = np.where(np.arange(60) == 7, -1, truth)
        rest = np.delete(np.arange(60), 7)
        expected = p_value(truth[rest], clusters[rest], speakers[rest])
        assert p_value(unlabelled, clusters, doubtful) == expected

    def test_very_many_rows_are_permuted_less_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """And the notes say so."""
        monkeypatch.setattr(cluster_null, "_SHUFFLED", 60 * 50)
        monkeypatch.setattr(cluster_null, "_FEWEST", 20)
        truth, notes = np.tile(np.arange(2), 30), list[str]()
        found = label_nulls(
            {("kmeans", 2): truth}, {"gender": truth}, None, draws=99, seed=0, notes=notes
        )
        assert found["kmeans", 2, "gender", "v_measure"].p == 1 / 51
        assert notes == ["The labels of gender were permuted 50 times, not 99."]


class TestWithinGender:
    speakers = np.repeat(np.arange(8), 12)
    gender = (speakers >= 3).astype(np.int64)

    def p(self, emotion: Int64, clusters: Int64) -> dict[str, float]:
        codes = {"speaker": self.speakers, "emotion": emotion, "gender": self.gender}
        parts = [np.flatnonzero(self.gender == one) for one in (0, 1)]
        nulls = within_gender_nulls(
            {("gmm", 2): clusters, ("gmm", 99): None},
            Labels(codes, self.speakers, parts),
            draws=199,
            seed=0,
        )
        assert {key[:2] for key in nulls} == {("gmm", 2)}
        return {against.split()[0]: null.p for (_, _, against, _), null in nulls.items()}

    def test_null_is_the_average_of_permutations_by_scikit_learn(self) -> None:
        """Mean, deviation and p; labels change places within each gender."""
        rng = np.random.default_rng(0)
        emotion = rng.integers(0, 3, 96)
        clusters = np.where(rng.random(96) < 0.2, emotion, rng.integers(0, 3, 96))
        parts = [np.flatnonzero(self.gender == one) for one in (0, 1)]
        labels = Labels({"speaker": self.speakers, "emotion": emotion}, self.speakers, parts)
        nulls = within_gender_nulls({("gmm", 3): clusters}, labels, draws=99, seed=5)
        score = metrics.adjusted_mutual_info_score
        drawn, real = np.zeros(99), 0.0
        for gender, part in enumerate(parts):
            rows = exchanged(
                emotion[part],
                self.speakers[part],
                draws=99,
                rng=np.random.default_rng([5, gender]),
            )
            share = len(part) / 96
            drawn += share * np.array([score(row, clusters[part]) for row in rows])
            real += share * score(emotion[part], clusters[part])
        expected = (drawn.mean(), drawn.std(ddof=1), (1 + (drawn >= real - 1e-9).sum()) / 100)
        found = nulls["gmm", 3, "emotion within gender", "adjusted_mutual_information"]
        assert found == pytest.approx(expected, abs=1e-9)

    def test_clusters_of_gender_follow_no_speaker_within(self) -> None:
        """They tell much about the speaker overall, and nothing once the gender is known."""
        emotion = np.tile(np.arange(3), 32)
        assert p_value(self.speakers, self.gender, self.speakers) == 1 / 200
        assert self.p(emotion, self.gender) == {"speaker": 1, "emotion": 1}

    def test_what_is_there_within_gender_is_found(self) -> None:
        """Clusters of speakers or of emotions."""
        emotion = np.random.default_rng(0).integers(0, 3, 96)
        of_speakers, of_emotions = self.p(emotion, self.speakers % 2), self.p(emotion, emotion)
        assert of_speakers["speaker"] == of_emotions["emotion"] == 1 / 200
        assert of_emotions["speaker"] > 0.05

    def test_nothing_to_compare(self) -> None:
        """No genders, no nulls."""
        labels = Labels({"emotion": self.gender}, None, [])
        assert within_gender_nulls({("gmm", 2): self.gender}, labels, draws=9, seed=0) == {}


def cloud(kind: str, seed: int = 0) -> Float64:
    """120 rows in five directions, the first the longest."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(120, 5))
    if kind == "skewed":
        Z = rng.exponential(size=(120, 5))
    if kind == "two groups":
        Z[:, 0] = 0.4 * Z[:, 0] + np.where(np.arange(120) % 2, 1.5, -1.5)
    return Z * np.array([3, 2, 1.5, 1, 0.7])


def against_clouds(Z: Float64) -> Clustering:
    """k-means with two and three clusters, in the rows as they are."""
    config = settings(methods=["kmeans"], k=[2, 3], pca=5, scaling="none", null_draws=19)
    index = [str(row) for row in range(len(Z))]
    labels = pd.DataFrame(index=index)
    return cluster_features(Z.astype(np.float32), index, labels, config, seed=0)


class TestClouds:
    def test_groups_along_one_direction_are_more_than_chance(self) -> None:
        """Two groups are found in two clusters, by every score, the lower the better or not."""
        scores = against_clouds(cloud("two groups")).scores
        two = scores[scores["k"] == 2].set_index("metric")
        assert two["p"].to_dict() == dict.fromkeys(INTERNAL, 0.05)
        above = two["value"] > two["null_mean"]
        assert above.to_dict() == dict.fromkeys(INTERNAL, True) | {"davies_bouldin": False}

    @pytest.mark.parametrize("kind", ["normal", "skewed"])
    def test_one_cloud_is_no_more_than_chance(self, kind: str) -> None:
        """Whatever its shape: of 24 scores one or two are to be expected at 5 %."""
        p = np.concatenate([against_clouds(cloud(kind, seed)).scores["p"] for seed in range(4)])
        assert (p <= 0.05).sum() <= 3

    def test_processes_change_nothing(self) -> None:
        """Each cloud is drawn from a seed of its own."""
        one = against_clouds(cloud("normal")).scores
        with joblib.parallel_config(backend="threading", n_jobs=2):
            pd.testing.assert_frame_equal(against_clouds(cloud("normal")).scores, one)

    def test_fewer_rows_stand_for_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nulls of clouds of half as many rows are about the same."""
        Z = cloud("normal")
        whole = against_clouds(Z)
        monkeypatch.setattr(cluster_reference, "ROWS", len(Z) // 2)
        half = against_clouds(Z)
        np.testing.assert_allclose(half.scores["null_mean"], whole.scores["null_mean"], rtol=0.15)
        assert (half.scores["null_mean"] != whole.scores["null_mean"]).all()

    def test_falling_density_is_the_concave_majorant(self) -> None:
        """After the peak it is the slope of the least concave majorant, here written out."""
        x = np.sort(np.random.default_rng(0).exponential(size=40))
        share = np.arange(40) / 39  # of the values up to each of them
        majorant = [
            max(np.interp(at, x[[i, j]], share[[i, j]]) for i in range(n + 1) for j in range(n, 40))
            for n, at in enumerate(x)
        ]
        fit = cluster_reference._monotone(np.diff(x), rises=False) / 39
        np.testing.assert_allclose(np.cumsum(fit * np.diff(x)), majorant[1:], atol=1e-12)

    def test_density_of_two_groups_has_one_peak(self) -> None:
        """It rises, then falls, and all of it lies between the smallest and the largest value."""
        x = cloud("two groups")[:, 0]
        fit = cluster_reference._one_peaked(x)
        density = fit.share / (fit.high - fit.low)
        turns = np.sign(np.diff(density))
        assert (np.diff(turns) <= 0).all()
        assert fit.share.sum() == pytest.approx(1)
        drawn = fit.draw(1000, np.random.default_rng(0))
        assert x.min() <= drawn.min()
        assert drawn.max() <= x.max()

    def test_a_constant_component_stays_constant(self) -> None:
        """There is nothing to draw."""
        fit = cluster_reference._one_peaked(np.full(9, 3.0))
        assert fit.draw(4, np.random.default_rng(0)).tolist() == [3.0] * 4


def test_undefined_scores_have_no_null() -> None:
    """NaN beside NaN, and only there; where a label is told, permutations say so."""
    X, index, labels = blobs(n=40)
    config = settings(pca=3, methods=["kmeans"], k=[4, 50], null_draws=99)
    found = cluster_features(X, index, labels, config, seed=0)
    nothing = found.scores["value"].isna()
    assert (found.scores["k"] == 50).equals(nothing)
    for column in ("null_mean", "null_sd", "p"):
        assert found.scores[column].isna().equals(nothing)
    assert values(found, k=4, against="emotion").notna().all()
    p = found.scores[found.scores["against"] == "emotion"].dropna()["p"]
    assert p.tolist() == [0.01] * 5


def table(**clusterings: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """``table(kmeans_4={"speaker": (ami, p)})``: scores as the clustering gives them."""
    rows = [
        (*name.split("_"), label, "adjusted_mutual_information", value, p)
        for name, labels in clusterings.items()
        for label, (value, p) in labels.items()
    ]
    scores = pd.DataFrame(rows, columns=["method", "k", "against", "metric", "value", "p"])
    other = scores.assign(metric="homogeneity", value=1.0, p=0.001)
    return pd.concat([scores, other], ignore_index=True)


SURE, UNSURE = 0.001, 0.3


class TestFindings:
    def test_sentences(self) -> None:
        """Best first, then what is within chance; the adjusted information decides."""
        scores = table(
            kmeans_4={"emotion": (0.021, 0.01), "gender": (0.1, 0.3), "speaker": (0.314, 0.001)},
            gmm_2={"emotion": (-0.001, 0.7), "speaker": (0.0, 0.4), "gender": (0.2, 0.051)},
            agglomerative_10={"emotion": (0.05, 0.05)},
            kmeans_2={
                "gender": (0.4, SURE),
                "emotion": (0.1, SURE),
                "speaker within gender": (0.03, SURE),
                "emotion within gender": (0.12, SURE),
            },
            gmm_4={"gender": (0.4, SURE), "emotion within gender": (0.1, UNSURE)},
        )
        assert cluster_findings(scores) == [
            "K-means with 4 clusters follows speaker (AMI 0.31) more than emotion (AMI 0.02), with "
            "no clear sign of gender.",
            "A Gaussian mixture with 2 clusters shows no clear sign of gender, speaker and "
            "emotion.",
            "Ward's method with 10 clusters follows emotion (AMI 0.05).",
            "K-means with 2 clusters follows gender (AMI 0.40) more than emotion (AMI 0.10); "
            "within a gender it follows emotion (AMI 0.12) more than speaker (AMI 0.03).",
            "A Gaussian mixture with 4 clusters follows gender (AMI 0.40).",
        ]

    def test_to_follow_takes_an_effect(self) -> None:
        """However small p, a score of 0.00 is none; one without p is none either."""
        scores = table(
            kmeans_4={
                "gender": (0.0051, SURE),
                "sentence": (0.0049, SURE),
                "speaker": (1.0, np.nan),
            }
        )
        assert cluster_findings(scores) == [
            "K-means with 4 clusters follows gender (AMI 0.01), with no clear sign of speaker and "
            "sentence."
        ]

    def test_p_is_corrected_for_the_comparisons(self) -> None:
        """Holm: 0.02 times two is enough, 0.02 times three is not."""
        two = {"gender": (0.3, 0.02), "emotion": (0.2, 0.03)}
        assert (
            "follows gender (AMI 0.30) more than emotion"
            in cluster_findings(table(kmeans_4=two))[0]
        )
        three = two | {"sentence within gender": (0.01, 0.9)}
        assert "no clear sign of gender and emotion" in cluster_findings(table(kmeans_4=three))[0]

    @pytest.mark.parametrize(
        ("speaker", "emotion", "expected"),
        [
            ((0.3, SURE), (0.1, SURE), ["The clusters follow speaker more than emotion."]),
            ((0.3, SURE), (0.4, UNSURE), []),
            ((0.1, SURE), (0.3, SURE), ["The clusters follow emotion more than speaker."]),
            ((0.2, SURE), (0.2, SURE), []),
            ((0.3, UNSURE), (0.1, UNSURE), []),
        ],
    )
    def test_headline(
        self, speaker: tuple[float, float], emotion: tuple[float, float], expected: list[str]
    ) -> None:
        """It needs most clusterings, and more than chance."""
        most = {"speaker": speaker, "emotion": emotion}
        rest = {"speaker": (0.2, SURE), "emotion": (0.2, SURE)}
        found = cluster_findings(table(kmeans_2=most, kmeans_4=most, kmeans_10=rest))
        assert found[: len(found) - 3] == expected
        half = cluster_findings(table(kmeans_2=most, kmeans_4=rest))
        assert len(half) == 2

    @pytest.mark.parametrize(
        ("gender", "overall", "within", "expected"),
        [
            (
                (0.4, SURE),
                (0.22, 0.09),
                (0.04, 0.13),
                "The clusters follow gender most; within a gender they follow emotion more than "
                "speaker.",
            ),
            (
                (0.1, SURE),
                (0.3, 0.1),
                (0.5, 0.5),
                "The clusters follow speaker more than emotion, but not clearly within a gender.",
            ),
            ((0.4, SURE), (0.3, 0.1), (0.5, 0.5), "The clusters follow gender most."),
            (
                (0.4, UNSURE),
                (0.3, 0.1),
                (0.2, 0.1),
                "The clusters follow speaker more than emotion, within a gender too.",
            ),
            (
                (0.2, SURE),
                (0.3, 0.1),
                (0.1, 0.2),
                "The clusters follow speaker more than emotion, but within a gender emotion more "
                "than speaker.",
            ),
            (
                (0.1, SURE),
                (0.2, 0.2),
                (0.1, 0.2),
                "Within a gender the clusters follow emotion more than speaker.",
            ),
        ],
    )
    def test_headline_within_gender(
        self,
        gender: tuple[float, float],
        overall: tuple[float, float],
        within: tuple[float, float],
        expected: str,
    ) -> None:
        """Who tells the speaker tells the gender: the rest of it is what counts."""
        one = {"gender": gender}
        for label, out, inside in zip(("speaker", "emotion"), overall, within, strict=True):
            one |= {label: (out, SURE), f"{label} within gender": (inside, SURE)}
        assert cluster_findings(table(kmeans_2=one, gmm_2=one))[0] == expected

    def test_without_nulls(self) -> None:
        """The scores are told and nothing is made of them; undefined ones are left out."""
        nan = float("nan")
        scores = table(
            kmeans_4={"gender": (0.2, nan), "speaker": (0.1, nan), "emotion": (nan, nan)},
            gmm_4={"speaker": (0.2, nan), "emotion": (0.1, nan)},
        )
        assert cluster_findings(scores) == [
            "K-means with 4 clusters, not compared with chance: gender (AMI 0.20) and speaker "
            "(AMI 0.10).",
            "A Gaussian mixture with 4 clusters, not compared with chance: speaker (AMI 0.20) and "
            "emotion (AMI 0.10).",
        ]
        assert cluster_findings(scores[:0]) == []
