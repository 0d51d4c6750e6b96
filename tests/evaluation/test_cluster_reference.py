"""Clusters beside those of data that have none."""

import joblib
import numpy as np
import pandas as pd
import pytest
from test_clustering import blobs, settings, values

from speechnet.core.types import Float64
from speechnet.evaluation import cluster_reference
from speechnet.evaluation.cluster_reference import INTERNAL
from speechnet.evaluation.clustering import Clustering, cluster_features

pytestmark = pytest.mark.slow


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
