"""The search of nearest neighbours by shared graphs, compared with scikit-learn's candidates."""

from typing import Any

import numpy as np
import pytest
from helpers.grid_oracle import assert_as_grid_search
from sklearn.datasets import make_classification
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from speechnet.models.candidates import Candidate, InnerFolds
from speechnet.models.classical.knn import KNN
from speechnet.models.scikit import shared_neighbours as knn_search
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.scikit.shared_neighbours import Graph, KNNSearch, distance_name
from speechnet.models.search import search

pytestmark = pytest.mark.slow

GRID = KNN(
    n_neighbors=[1, 2, 3, 9, 35],
    weights=["uniform", "distance"],
    metric=["manhattan", "euclidean"],
    algorithm=["auto", "ball_tree", "kd_tree", "brute"],
).candidates()


def problem(
    kind: str = "continuous", *, width: int = 5, metric: str = "accuracy", scaling: str = "minmax"
) -> tuple[FitAndScore, InnerFolds]:
    """120 rows of 4 classes that overlap, and 2 folds."""
    X, y = make_classification(
        120, width, n_informative=4, n_redundant=0, n_classes=4, n_clusters_per_class=1,
        class_sep=0.7, flip_y=0.2, random_state=0,
    )  # fmt: skip
    match kind:
        case "duplicates":  # of either class, and of several
            X[60:] = X[np.arange(60) // 2]
        case "integers":
            X = np.round(X)
        case "far":  # from zero: products round where differences don't
            X[:, 0] = 8e6
    folds = list(StratifiedKFold(2, shuffle=True, random_state=0).split(X, y))
    return FitAndScore(KNN(), X.astype(np.float32), y, scaling, metric, 0), folds


@pytest.fixture
def plain_calls(monkeypatch: pytest.MonkeyPatch) -> list[Candidate]:
    """The candidates that were fitted by themselves."""
    calls: list[Candidate] = []
    call = FitAndScore.__call__

    def spy(self: FitAndScore, candidate: Candidate, fit: Any, held: Any) -> float:
        calls.append(candidate)
        return call(self, candidate, fit, held)

    monkeypatch.setattr(FitAndScore, "__call__", spy)
    return calls


@pytest.mark.parametrize(
    ("kind", "width", "metric"),
    [
        ("continuous", 20, "accuracy"),
        ("duplicates", 5, "uar"),
        ("integers", 5, "accuracy"),
        ("far", 20, "uar"),
    ],
)
def test_as_grid_search(kind: str, width: int, metric: str) -> None:
    """The scores of GridSearchCV, ties and all, for every distance, weighting and algorithm."""
    scaling = "none" if kind in ("integers", "far") else "standard"
    plain, folds = problem(kind, width=width, metric=metric, scaling=scaling)
    assert_as_grid_search(
        search(plain.model.sharing(plain), GRID, folds, parallel=False), plain, folds
    )


def test_what_is_shared(monkeypatch: pytest.MonkeyPatch, plain_calls: list[Candidate]) -> None:
    """All candidates stand on three graphs a fold, and none is fitted by itself."""
    made: list[str] = []

    class Spy(Graph):
        def __init__(self, *args: Any, distance: str, k: int) -> None:
            made.append(distance)
            super().__init__(*args, distance=distance, k=k)

    monkeypatch.setattr(knn_search, "Graph", Spy)
    plain, folds = problem()
    search(plain.model.sharing(plain), GRID, folds, parallel=False)
    assert sorted(made) == ["euclidean"] * 2 + ["l2"] * 2 + ["manhattan"] * 2
    assert plain_calls == []


def test_ties_are_fitted_plainly(plain_calls: list[Candidate]) -> None:
    """Where rows as near as each other stand on both sides of k, or votes are equal."""
    fit, held = np.arange(4), np.array([4])
    X = np.array([[1], [-1], [2], [4], [0]], dtype=np.float32)
    plain = FitAndScore(KNN(), X, np.array([1, 0, 1, 0, 0]), "none", "accuracy", 0)
    grid = KNN(n_neighbors=[1, 2, 3], weights=["uniform", "distance"], metric=["manhattan"])
    tried = search(plain.model.sharing(plain), grid.candidates(), [(fit, held)], parallel=False)
    ambiguous = {(one["n_neighbors"], one["weights"]) for one in plain_calls}
    assert ambiguous == {(1, "uniform"), (1, "distance"), (2, "distance")}
    assert tried == search(plain, grid.candidates(), [(fit, held)], parallel=False)


def test_a_candidate_that_fails_fails_alone() -> None:
    """Too many neighbours, or none: scikit-learn's own words; the others have their scores."""
    plain, folds = problem()
    grid = [GRID[0] | {"n_neighbors": k, "weights": "distance"} for k in (0, 61, 60, 3)]
    tried = search(plain.model.sharing(plain), grid, folds, parallel=False)
    assert [bool(one.error) for one in tried] == [True, True, False, False]
    expected = search(plain, grid, folds, parallel=False)
    assert [one.error for one in tried] == [one.error for one in expected]
    np.testing.assert_array_equal([one.scores for one in tried], [one.scores for one in expected])


@pytest.mark.parametrize("algorithm", ["auto", "ball_tree", "kd_tree", "brute"])
@pytest.mark.parametrize(("width", "k"), [(15, 14), (15, 15), (16, 1)])
def test_the_rule_of_auto(algorithm: str, width: int, k: int) -> None:
    """Brute force exactly where scikit-learn takes it."""
    X = np.random.default_rng(0).normal(size=(31, width))
    model = KNeighborsClassifier(k, algorithm=algorithm, metric="euclidean").fit(
        X, np.arange(31) % 2
    )
    one = {"n_neighbors": k, "algorithm": algorithm, "metric": "euclidean"}
    brute = model._fit_method == "brute"
    assert (distance_name(one, rows=31, width=width) == "euclidean") == brute
    assert distance_name(one | {"metric": "manhattan"}, rows=31, width=width) == "manhattan"


@pytest.mark.parametrize(("metric", "name"), [("euclidean", "l2"), ("manhattan", "manhattan")])
@pytest.mark.parametrize("algorithm", ["ball_tree", "kd_tree"])
def test_brute_force_rounds_as_trees(algorithm: str, metric: str, name: str) -> None:
    """By these names brute force has the distances of a tree to the last bit."""
    X = 1000 + np.random.default_rng(0).normal(size=(300, 40))
    tree = NearestNeighbors(n_neighbors=9, algorithm=algorithm, metric=metric).fit(X[:200])
    brute = NearestNeighbors(n_neighbors=9, algorithm="brute", metric=name).fit(X[:200])
    np.testing.assert_array_equal(tree.kneighbors(X[200:])[0], brute.kneighbors(X[200:])[0])


def test_groups() -> None:
    """A group for each metric, every candidate in one."""
    plain, _ = problem()
    groups = KNNSearch(plain).groups(GRID)
    assert sorted(position for group in groups for position in group) == list(range(len(GRID)))
    assert [{GRID[i]["metric"] for i in group} for group in groups] == [
        {"manhattan"},
        {"euclidean"},
    ]
