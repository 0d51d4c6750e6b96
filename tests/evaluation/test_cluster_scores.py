"""Clusters against labels, and against labels that change places."""

import numpy as np
import pytest
from scipy.stats import random_table
from sklearn import metrics
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from speechnet.core.types import Int64
from speechnet.evaluation import cluster_scores
from speechnet.evaluation.chance import Null
from speechnet.evaluation.cluster_scores import (
    Labels,
    draw_scores,
    exchanged,
    label_scores,
)

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
    return score(truth, clusters, speakers, draws=draws)["mutual_information"][1].p


def score(
    truth: Int64,
    clusters: Int64,
    speakers: Int64 | None,
    *,
    notes: list[str] | None = None,
    **at: int,
) -> dict[str, tuple[float, Null]]:
    """One clustering against one label column, by metric."""
    labels = {"label": Labels(truth, [np.flatnonzero(truth >= 0)])}
    notes = [] if notes is None else notes
    found = label_scores({("gmm", 4): clusters}, labels, speakers, notes=notes, **{"seed": 0} | at)
    return {metric: scored for (*_, metric), scored in found.items()}


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
        """Each score of each draw of each clustering, whether drawn at once or in pieces."""
        rng = np.random.default_rng(0)
        truth, speakers = rng.integers(0, 4, 60), np.repeat(np.arange(5), 12)
        clusterings = [rng.integers(0, k, 60) for k in (2, 7)]
        labels = exchanged(truth, speakers, draws=30, rng=np.random.default_rng(3))
        for at_once in (1_000_000, 500):
            monkeypatch.setattr(cluster_scores, "_AT_ONCE", at_once)
            drawn = draw_scores(truth, clusterings, speakers, draws=30, seed=3)
            for clusters, found in zip(clusterings, drawn, strict=True):
                for metric, score in SCORES.items():
                    expected = [score(row, clusters) for row in (truth, *labels)]
                    np.testing.assert_allclose(found[metric], expected, atol=1e-12)

    def test_distribution_is_that_of_random_tables(self) -> None:
        """Mean and quantiles agree with tables of the same margins drawn by scipy."""
        rng = np.random.default_rng(0)
        truth, clusters = rng.integers(0, 4, 80), rng.integers(0, 3, 80)
        [scores] = draw_scores(truth, [clusters], None, draws=2000, seed=0)
        drawn = scores["mutual_information"][1:]
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
        found = score(truth, clusters, speakers, draws=99, seed=5)
        labels = exchanged(truth, speakers, draws=99, rng=np.random.default_rng(5))
        for metric, oracle in SCORES.items():
            drawn = np.array([oracle(row, clusters) for row in labels])
            p = (1 + (drawn >= oracle(truth, clusters) - 1e-9).sum()) / 100
            expected = (drawn.mean(), drawn.std(ddof=1), p)
            value, null = found[metric]
            assert value == pytest.approx(oracle(truth, clusters))
            assert null == pytest.approx(expected, abs=1e-9)

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
        monkeypatch.setattr(cluster_scores, "_SHUFFLED", 60 * 50)
        monkeypatch.setattr(cluster_scores, "_FEWEST", 20)
        truth, notes = np.tile(np.arange(2), 30), list[str]()
        found = score(truth, truth, None, draws=99, notes=notes)
        assert found["v_measure"][1].p == 1 / 51
        assert notes == ["The labels of label were permuted 50 times, not 99."]


class TestWithinGender:
    speakers = np.repeat(np.arange(8), 12)
    gender = (speakers >= 3).astype(np.int64)
    parts = (np.flatnonzero(gender == 0), np.flatnonzero(gender == 1))

    def scores(self, truth: Int64, clusters: Int64, **at: int) -> tuple[float, Null]:
        labels = {"emotion": Labels(truth, [*self.parts], ("adjusted_mutual_information",))}
        assigned = {("gmm", 2): clusters, ("gmm", 99): None}
        [found] = label_scores(assigned, labels, self.speakers, notes=[], **at).values()
        return found

    def test_null_is_the_average_of_permutations_by_scikit_learn(self) -> None:
        """Mean, deviation and p; labels change places within each gender."""
        rng = np.random.default_rng(0)
        emotion = rng.integers(0, 3, 96)
        clusters = np.where(rng.random(96) < 0.2, emotion, rng.integers(0, 3, 96))
        value, null = self.scores(emotion, clusters, draws=99, seed=5)
        oracle = metrics.adjusted_mutual_info_score
        drawn, real = np.zeros(99), 0.0
        for gender, part in enumerate(self.parts):
            rng = np.random.default_rng([5, gender])
            rows = exchanged(emotion[part], self.speakers[part], draws=99, rng=rng)
            share = len(part) / 96
            drawn += share * np.array([oracle(row, clusters[part]) for row in rows])
            real += share * oracle(emotion[part], clusters[part])
        expected = (drawn.mean(), drawn.std(ddof=1), (1 + (drawn >= real - 1e-9).sum()) / 100)
        assert value == pytest.approx(real)
        assert null == pytest.approx(expected, abs=1e-9)

    def test_clusters_of_gender_follow_no_speaker_within(self) -> None:
        """They tell much about the speaker overall, and nothing once the gender is known."""
        assert p_value(self.speakers, self.gender, self.speakers) == 1 / 200
        for truth in (self.speakers, np.tile(np.arange(3), 32)):
            assert self.scores(truth, self.gender, draws=199, seed=0)[1].p == 1

    def test_what_is_there_within_gender_is_found(self) -> None:
        """Clusters of speakers or of emotions."""
        emotion = np.random.default_rng(0).integers(0, 3, 96)
        for truth, clusters in ((self.speakers, self.speakers % 2), (emotion, emotion)):
            assert self.scores(truth, clusters, draws=199, seed=0)[1].p == 1 / 200
        assert self.scores(self.speakers, emotion, draws=199, seed=0)[1].p > 0.05

    def test_nothing_to_compare(self) -> None:
        """No rows that can be compared, no scores."""
        labels = {"emotion": Labels(self.gender, [])}
        assigned = {("gmm", 2): self.gender}
        assert label_scores(assigned, labels, None, draws=9, seed=0, notes=[]) == {}
