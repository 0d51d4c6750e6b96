from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn import metrics
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32, Float64
from speechnet.evaluation import cluster_reference, clustering
from speechnet.evaluation.clustering import Clustering, cluster_features
from speechnet.evaluation.config import ClusteringConfig

METHODS = ["kmeans", "gmm", "agglomerative"]
INTERNAL = [
    metrics.silhouette_score,
    metrics.davies_bouldin_score,
    metrics.calinski_harabasz_score,
]
EXTERNAL = [
    "homogeneity",
    "completeness",
    "v_measure",
    "mutual_information",
    "adjusted_mutual_information",
]


def blobs(
    *, n: int = 80, d: int = 6, groups: int = 4, gap: float = 8.0
) -> tuple[Float32, list[str], pd.DataFrame]:
    """Rows in ``groups`` clouds, their ids, and labels: ``emotion`` names the cloud."""
    rng = np.random.default_rng(0)
    group = np.arange(n) % groups
    X = rng.normal(size=(n, d)) + gap * rng.normal(size=(groups, d))[group]
    index = [f"{i:04d}.wav" for i in range(n)]
    names = np.array(["angry", "happy", "sad", "neutral"])
    labels = pd.DataFrame({"emotion": names[group]}, index=index)
    labels["gender"] = rng.choice(["female", "male"], n)
    return X.astype(np.float32), index, labels


def settings(**changes: Any) -> ClusteringConfig:
    """Without the comparison with chance, which has tests of its own and takes the time."""
    return ClusteringConfig(**{"null_draws": 0} | changes)


def clustered(data: tuple[Float32, list[str], pd.DataFrame], **changes: Any) -> Clustering:
    """The clustering of some rows, without the comparison with chance."""
    return cluster_features(*data, settings(**changes), seed=0)


def values(result: Clustering, **key: str | int) -> pd.Series:
    """The scores by metric of one method, k and label column."""
    scores = result.scores
    for column, value in key.items():
        scores = scores[scores[column] == value]
    return scores.set_index("metric")["value"]


def reduced(X: Float32, p: int) -> Float64:
    """Standardised, then principal components, by scikit-learn alone."""
    return PCA(p).fit_transform(StandardScaler().fit_transform(X.astype(float)))


@pytest.fixture(scope="module")
def result() -> Clustering:
    """The default clustering of four clouds."""
    X, index, labels = blobs()
    return cluster_features(X, index, labels, settings(pca=3, k=[2, 4]), seed=0)


def test_tables_are_tidy(result: Clustering) -> None:
    """One assignment per file, method and k; one score per metric and label column."""
    assert [*result.assignments] == ["file", "method", "k", "cluster"]
    assert len(result.assignments) == 80 * 3 * 2
    chance = ["null_mean", "null_sd", "p"]
    assert [*result.scores] == ["method", "k", "against", "metric", "value", *chance]
    assert result.scores[chance].isna().all(axis=None)
    assert not result.scores.duplicated(["method", "k", "against", "metric"]).any()
    assert len(result.scores) == 3 * 2 * (3 + 2 * 5)
    assert set(result.scores["against"]) == {"", "emotion", "gender"}
    for (_, k), rows in result.assignments.groupby(["method", "k"]):
        assert set(rows["cluster"]) == set(range(k))
    assert result.notes == ()


def test_scores_match_scikit_learn_and_the_entropies(result: Clustering) -> None:
    """Internal scores on the components, external ones from entropies written out."""
    X, _, labels = blobs()
    Z = reduced(X, 3)
    for (method, k), rows in result.assignments.groupby(["method", "k"]):
        cluster = rows["cluster"].to_numpy()
        expected = [score(Z, cluster) for score in INTERNAL]
        assert [*values(result, method=method, k=k, against="")] == pytest.approx(expected)
        joint = pd.crosstab(labels["gender"].to_numpy(), cluster).to_numpy()
        of_labels, of_clusters = entropy(joint.sum(axis=1)), entropy(joint.sum(axis=0))
        information = of_labels + of_clusters - entropy(joint.ravel())
        h, c = information / of_labels, information / of_clusters
        adjusted = metrics.adjusted_mutual_info_score(labels["gender"], cluster)
        expected = dict(
            zip(EXTERNAL, (h, c, 2 * h * c / (h + c), information, adjusted), strict=True)
        )
        scores = values(result, method=method, k=k, against="gender").to_dict()
        assert scores == pytest.approx(expected)
    clouds = values(result, method="kmeans", k=4, against="emotion")  # found without a mistake
    assert [*clouds] == pytest.approx([1, 1, 1, np.log(4), 1])


def test_one_tree_gives_the_clusters_of_scikit_learn() -> None:
    """Cutting one Ward tree for every k agrees with growing it again for each."""
    data = blobs(gap=0.5)
    found = clustered(data, pca=6, methods=["agglomerative"], k=[2, 5, 10, 80])
    for k, rows in found.assignments.groupby("k"):
        expected = AgglomerativeClustering(n_clusters=k).fit_predict(reduced(data[0], 6))
        assert metrics.adjusted_rand_score(expected, rows["cluster"]) == 1


def test_projection_is_the_first_two_components(result: Clustering) -> None:
    """The drawn coordinates and their shares of the variance, up to a component's sign."""
    X, index, _ = blobs()
    pca = PCA(2).fit(StandardScaler().fit_transform(X.astype(float)))
    assert [*result.projection] == ["file", "pc1", "pc2"]
    assert [*result.projection["file"]] == index
    found = result.projection[["pc1", "pc2"]].to_numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(reduced(X, 2)), atol=1e-9)
    assert result.explained == pytest.approx(tuple(pca.explained_variance_ratio_))


def test_order_of_rows_and_of_labels_changes_nothing() -> None:
    """Labels are matched by row id, and Ward's clusters don't depend on the order of the rows."""
    X, index, labels = blobs(gap=0.5)
    config = settings(pca=3, methods=["agglomerative"])
    order = np.random.default_rng(0).permutation(len(X))
    plain = cluster_features(X, index, labels, config, seed=0)
    shuffled = cluster_features(X[order], [index[i] for i in order], labels, config, seed=0)
    np.testing.assert_allclose(plain.scores["value"], shuffled.scores["value"])


@pytest.mark.parametrize("scaling", ["minmax", "standard", "robust"])
def test_scaling_makes_units_irrelevant(scaling: Literal["minmax", "standard", "robust"]) -> None:
    """Hz or kHz: a feature times a thousand leaves the clusters as they are."""
    X, index, labels = blobs()
    config = settings(pca=3, methods=["agglomerative"], k=[4], scaling=scaling)
    rescaled = X * np.array([1000, 1, 1, 1, 1, 1], dtype=np.float32)
    one, other = (cluster_features(x, index, labels, config, seed=0) for x in (X, rescaled))
    pd.testing.assert_frame_equal(one.assignments, other.assignments)


def test_without_scaling_the_largest_unit_rules() -> None:
    """``none`` leaves the features as they are: one in the thousands is the first component."""
    X, index, labels = blobs()
    X = X * np.array([1000, 1, 1, 1, 1, 1], dtype=np.float32)
    config = settings(pca=3, methods=["agglomerative"], k=[2], scaling="none")
    projection = cluster_features(X, index, labels, config, seed=0).projection
    correlation = np.corrcoef(projection["pc1"], X[:, 0])[0, 1]
    assert abs(correlation) == pytest.approx(1, abs=1e-4)


def test_rows_without_a_label_are_left_out_of_the_comparison() -> None:
    """NA is no label of its own: scores equal those of the labelled rows."""
    _, index, labels = data = blobs(gap=0.5)
    labels.loc[index[:30], "gender"] = None
    found = clustered(data, pca=3, methods=["kmeans"], k=[4], against=["gender"])
    cluster = found.assignments["cluster"].to_numpy()[30:]
    expected = metrics.adjusted_mutual_info_score(labels["gender"][30:], cluster)
    scores = values(found, against="gender")
    assert scores["adjusted_mutual_information"] == pytest.approx(expected)


def test_columns_to_compare_with() -> None:
    """By default those of the four that have two values; a constant one asked for is NaN."""
    X, index, labels = blobs()
    labels = labels.assign(gender="female", sentence=np.arange(80) % 10, speaker=index, age=30)
    config = settings(pca=3, methods=["kmeans"], k=[2])
    found = cluster_features(X, index, labels, config, seed=0)
    assert [*found.scores["against"].unique()] == ["", "emotion", "sentence", "speaker"]
    config.against = ["gender"]
    scores = values(cluster_features(X, index, labels, config, seed=0), against="gender")
    assert [*scores.index] == EXTERNAL
    assert scores.isna().all()
    config.against = ["accent"]
    with pytest.raises(ConfigError, match=r"names \['accent'\], expected some of \['emotion'"):
        cluster_features(X, index, labels, config, seed=0)


def people() -> tuple[Float32, list[str], pd.DataFrame]:
    """Clusters of women, of angry men and of other men; the men have more rows."""
    speaker = np.repeat(np.arange(6), [20, 20, 30, 30, 30, 30])
    emotion = np.random.default_rng(0).choice(["angry", "sad"], len(speaker))
    gender = np.where(speaker < 2, "female", "male")
    place = np.where(gender == "female", 0, np.where(emotion == "angry", 30, 60))
    X = place[:, None] + np.random.default_rng(1).normal(size=(len(speaker), 3))
    index = [str(row) for row in range(len(X))]
    labels = pd.DataFrame({"speaker": speaker, "emotion": emotion, "gender": gender}, index=index)
    return X.astype(np.float32), index, labels


def test_speaker_and_emotion_within_gender() -> None:
    """Adjusted information of women and of men by scikit-learn, averaged by rows."""
    _, _, labels = data = people()
    labels.loc[["3", "150"], "emotion"] = None
    found = clustered(data, pca=2, methods=["kmeans"], k=[3])
    known = labels["emotion"].notna().to_numpy()
    cluster = found.assignments["cluster"].to_numpy()
    for label in ("speaker", "emotion"):
        rows = [known & (labels["gender"] == gender).to_numpy() for gender in ("female", "male")]
        each = [metrics.adjusted_mutual_info_score(labels[label][at], cluster[at]) for at in rows]
        expected = np.average(each, weights=[at.sum() for at in rows])
        scores = values(found, against=f"{label} within gender")
        assert scores.to_dict() == {"adjusted_mutual_information": pytest.approx(expected)}
    assert expected == pytest.approx(119 / 158)  # the emotion: all of it in men, none in women


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({}, {"speaker within gender", "emotion within gender"}),
        ({"gender": "female"}, set()),
        ({"gender": None}, set()),
        ({"emotion": "sad"}, set()),
        ({"speaker": [*"ab" * 80], "gender": [*"fm" * 80]}, set()),
    ],
)
def test_what_can_not_be_compared_within_gender(change: dict[str, Any], rows: set[str]) -> None:
    """One gender or none, one emotion, a single speaker of each gender: no such rows."""
    X, index, labels = people()
    data = (X, index, labels.assign(**change))
    scores = clustered(data, pca=2, methods=["kmeans"], k=[3, 200]).scores
    assert {one for one in scores["against"] if "within" in one} == rows
    assert scores.loc[scores["k"] == 200, "value"].isna().all()


def test_a_gender_with_one_speaker_is_left_out() -> None:
    """Men alone are compared where there is one woman; the gender need not be compared with."""
    _, _, labels = data = people()
    labels.loc[labels["speaker"] == 0, "speaker"] = 1
    found = clustered(data, pca=2, methods=["kmeans"], k=[3], against=["emotion", "speaker"])
    scores = values(found, against="emotion within gender")
    assert scores["adjusted_mutual_information"] == pytest.approx(1)


def test_one_cluster_among_the_labelled_rows() -> None:
    """Completeness is 0 / 0 there, which scikit-learn calls 1; the information is 0."""
    X, index, labels = blobs(groups=2)
    labels["mood"] = np.where(np.arange(80) % 2 == 0, None, np.where(np.arange(80) < 40, "a", "b"))
    found = clustered((X, index, labels), pca=3, methods=["kmeans"], k=[2], against=["mood"])
    expected = dict.fromkeys(EXTERNAL, 0) | dict.fromkeys(("completeness", "v_measure"), np.nan)
    scores = values(found, against="mood").drop("adjusted_mutual_information")
    assert [*scores] == pytest.approx([expected[name] for name in scores.index], nan_ok=True)


def test_more_clusters_than_rows_are_noted_and_undefined() -> None:
    """Ten clusters of 6 rows: no assignment, NaN scores, a note; k = n has no internal score."""
    found = clustered(blobs(n=6), pca=14, k=[2, 6, 10])
    assert set(found.assignments["k"]) == {2, 6}
    for method in METHODS:
        assert values(found, method=method, k=10).isna().all()
        assert values(found, method=method, k=6, against="").isna().all()
        assert values(found, method=method, k=2, against="").notna().all()
    assert any("No clustering into [10]: the rows take only 6" in note for note in found.notes)
    assert any("14 principal components were asked for; 6 rows" in note for note in found.notes)
    nothing = clustered(blobs(n=2), k=[4])
    assert nothing.assignments.empty
    assert [*nothing.assignments] == [*found.assignments]


def test_repeated_rows_count_once() -> None:
    """Forty rows of three values have at most three clusters, and raise no warning."""
    X, _, _ = blobs(n=3)
    X, index = np.tile(X, (14, 1)), [str(i) for i in range(42)]
    labels = pd.DataFrame({"gender": ["female", "male"] * 21}, index=index)
    found = cluster_features(X, index, labels, settings(k=[3, 4]), seed=0)
    assert set(found.assignments["k"]) == {3}
    assert found.assignments.groupby(["method", "k"])["cluster"].nunique().eq(3).all()


def test_a_constant_feature_changes_nothing() -> None:
    """It has no variance to add, whatever the scaling."""
    X, index, labels = blobs()
    padded = np.column_stack([X, np.full(80, 3, dtype=np.float32)])
    for scaling in ("minmax", "standard", "robust", "none"):
        config = settings(pca=3, methods=["agglomerative"], scaling=scaling)
        one, other = (cluster_features(x, index, labels, config, seed=0) for x in (X, padded))
        np.testing.assert_allclose(one.scores["value"], other.scores["value"])


def test_a_single_feature_has_no_second_component() -> None:
    """It is clustered; pc2 is NaN and explains nothing."""
    found = clustered(blobs(d=1), k=[2])
    assert found.projection["pc2"].isna().all()
    assert found.explained == pytest.approx((1, 0))
    assert found.scores["value"].notna().all()


def test_clusters_in_one_component_are_still_drawn_in_two() -> None:
    """``pca: 1`` restricts the clusters, not the picture."""
    found = clustered(blobs(), pca=1, methods=["agglomerative"], k=[3])
    expected = metrics.silhouette_score(reduced(blobs()[0], 1), found.assignments["cluster"])
    assert values(found, against="")["silhouette"] == pytest.approx(expected)
    assert found.projection["pc2"].notna().all()


def test_many_rows_are_joined_by_centroids() -> None:
    """Above ``max_agglomerative`` Ward joins centroids, says so, and still finds the clouds."""
    found = clustered(blobs(n=400), pca=3, methods=["agglomerative"], k=[4], max_agglomerative=50)
    assert values(found, against="emotion")["homogeneity"] == pytest.approx(1)
    assert found.notes == (
        "Agglomerative: 400 rows are more than max_agglomerative (50), so 50 k-means centroids "
        "were joined in their place.",
    )


def test_silhouette_of_many_rows_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit it is that of a sample, near the whole, and noted."""
    whole = clustered(blobs(n=400), pca=3, methods=["kmeans"], k=[4])
    monkeypatch.setattr(cluster_reference, "SILHOUETTE_ROWS", 200)
    sampled = clustered(blobs(n=400), pca=3, methods=["kmeans"], k=[4])
    one, other = (values(found, against="") for found in (whole, sampled))
    assert one["silhouette"] != other["silhouette"]
    assert one["silhouette"] == pytest.approx(other["silhouette"], abs=0.05)
    assert one["davies_bouldin"] == other["davies_bouldin"]
    assert sampled.notes == ("The silhouette is that of 200 rows drawn at random.",)


def test_a_mixture_that_does_not_converge_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's warning becomes a note in the result."""
    short = partial(clustering.GaussianMixture, max_iter=1)
    monkeypatch.setattr(clustering, "GaussianMixture", short)
    found = clustered(blobs(gap=0.5), pca=3, methods=["gmm"], k=[4])
    assert found.notes == ("The mixture of 4 did not converge: max_iter is 1.",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.ones((80, 6), dtype=np.float32)}, "same value in all rows"),
        ({"X": np.ones((1, 6), dtype=np.float32), "index": ["0000.wav"]}, "found 1 rows"),
    ],
)
def test_what_can_not_be_clustered_is_refused(change: dict[str, Any], message: str) -> None:
    """Constant features, too few rows."""
    X, index, labels = blobs()
    arguments = {"X": X, "index": index, "labels": labels} | change
    with pytest.raises(ValueError, match=message):
        cluster_features(**arguments, config=settings(), seed=0)


def test_ward_takes_as_many_rows_as_clusters() -> None:
    """A bound below the largest number of clusters is refused, with the key's name."""
    with pytest.raises(ConfigError, match=r"max_agglomerative is 5, .* the largest k, 10"):
        ClusteringConfig(max_agglomerative=5)
