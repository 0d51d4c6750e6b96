"""The search of hyper-parameters, compared with scikit-learn's own."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import joblib
import numpy as np
import pytest
from helpers.grid_oracle import assert_as_grid_search
from helpers.metrics import one_more_metric
from helpers.tables import TARGETS, corpus_table, features
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, StratifiedGroupKFold

from speechnet.core.errors import SpeechnetError
from speechnet.core.types import Float32, Int64
from speechnet.models.candidates import Candidate, Tried, combinations
from speechnet.models.classical.knn import KNN
from speechnet.models.classical.logreg import LogReg
from speechnet.models.classical.svm import SVM
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.search import Scorer, best, ignore_unconverged, score, search

pytestmark = pytest.mark.slow

GRIDS: dict[str, ScikitModel] = {
    "knn": KNN(n_neighbors=[1, 3, 7, 15], weights=["uniform", "distance"]),
    "svm": SVM(C=[0.1, 1.0, 10.0], kernel=["rbf", "linear"], class_weight=["balanced", None]),
    "logreg": LogReg(C=[0.001, 0.1, 10.0], class_weight=["balanced", None]),
}
FOLDS = [(np.arange(4), np.arange(4, 6)), (np.arange(2, 6), np.arange(2))]


@pytest.fixture(scope="module")
def problem() -> tuple[Float32, Int64, list[tuple[Int64, Int64]]]:
    """Emotions that are hard to tell, unequally frequent, in folds that keep speakers apart."""
    table = corpus_table(9, 12, emotions=["angry", "happy", "sad", "neutral", "sad", "sad"])
    y = np.array([TARGETS["emotion"].index(label) for label in table["emotion"]])
    X = features(y[:, None], 5, signal=0.8)
    X[:, 0] *= 1e-6  # a column whose span is far below the others'
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=0).split(X, y, table["speaker"])
    return X, y, list(folds)


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
@pytest.mark.parametrize("name", GRIDS)
def test_as_scikit_learn(name: str, metric: str, problem: tuple) -> None:
    """Fitted one by one, the scores and the winner of GridSearchCV."""
    X, y, folds = problem
    plain = FitAndScore(GRIDS[name], X, y, "standard", metric, 0)
    assert_as_grid_search(search(plain, GRIDS[name].candidates(), folds), plain, folds)


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
def test_score(metric: str) -> None:
    """Accuracy by counting; UAR over the classes that are there, whatever else is predicted."""
    truth, predicted = np.array([0, 0, 0, 2, 2, 2]), np.array([0, 0, 1, 2, 3, 3])
    expected = {"accuracy": 3 / 6, "uar": (2 / 3 + 1 / 3) / 2}
    assert score(truth, predicted, metric) == pytest.approx(expected[metric])


def by_value(candidate: Candidate, _fit: Int64, held: Int64) -> float:
    """Scores that the candidate names, one for each fold; an error is raised."""
    value = candidate["scores"][int(held[0] == 0)]
    if isinstance(value, str):
        raise ValueError(value)
    return float(value)


def test_ties_go_to_the_first() -> None:
    """Equal means, whatever the folds' order, are decided by the grid's."""
    scores = [(0.1, 0.2), (0.3, 0.6), (0.6, 0.3), (0.3, 0.6)]
    tried = search(by_value, [{"scores": one} for one in scores], FOLDS)
    assert best(tried) is tried[1]
    assert Tried({}, (0.7, 0.1, 0.3)).mean == Tried({}, (0.1, 0.3, 0.7)).mean


def test_a_failure_is_kept_and_cannot_win() -> None:
    """Where a fit failed the score is NaN, and so is the mean; the first error stands by it."""
    tried = search(by_value, [{"scores": (1.0, "no luck")}, {"scores": (0.1, 0.2)}], FOLDS)
    assert tried[0].scores[0] == 1.0
    assert math.isnan(tried[0].scores[1])
    assert math.isnan(tried[0].mean)
    assert tried[0].error == "ValueError: no luck"
    assert best(tried) is tried[1]
    assert tried[1].error == ""


def test_folds_without_a_score_are_left_out() -> None:
    """The mean is over the others, and the number of those left out is kept."""
    nan = math.nan
    grid = [{"scores": one} for one in ((nan, nan), (0.5, 0.6), (nan, 0.7))]
    none, both, one = tried = search(by_value, grid, FOLDS)
    assert math.isnan(none.mean)
    assert [each.undefined for each in tried] == [2, 0, 1]
    assert both.mean == (0.5 + 0.6) / 2
    assert one.mean == 0.7
    assert best(tried) is one
    assert [each.error for each in tried] == ["", "", ""]


def test_a_score_that_no_fold_has() -> None:
    """The error names the metric and says what to do."""
    grid = [{"scores": (math.nan, math.nan)}, {"scores": ("no luck", 0.5)}]
    message = "kappa is undefined on all 2 inner folds.*Set evaluation.tune_by.*fewer"
    with pytest.raises(SpeechnetError, match=message):
        search(by_value, grid, FOLDS, metric="kappa")


def test_an_undefined_score_is_nan() -> None:
    """It is no failure of the candidate."""
    with one_more_metric("odd", lambda truth: math.nan * len(truth)):
        assert math.isnan(score(np.array([0, 0]), np.array([0, 1]), "odd"))


class InPairs:
    """Scores by value; candidates 2 and 0 share, 1 stands alone."""

    def __init__(self) -> None:
        self.seen: list[list[Candidate]] = []

    def groups(self, _candidates: Sequence[Candidate]) -> list[list[int]]:
        return [[2, 0], [1]]

    def scorer(self, group: Sequence[Candidate], fit: Int64, held: Int64) -> Scorer:
        self.seen.append(list(group))
        return lambda candidate: by_value(candidate, fit, held)


def test_what_is_shared_is_scored_together() -> None:
    """Each group on each fold in the order asked for; records in the grid's, each fit told of."""
    grid: list[Candidate] = [{"scores": one} for one in ((0.1, 0.2), (0.3, 0.4), ("a", 0.6))]
    sharing, told = InPairs(), list[int]()
    tried = search(sharing, grid, FOLDS, parallel=False, on_done=told.append)
    assert sharing.seen == [[grid[2], grid[0]]] * 2 + [[grid[1]]] * 2
    assert tried[:2] == [Tried(grid[0], (0.1, 0.2)), Tried(grid[1], (0.3, 0.4))]
    assert tried[2].error == "ValueError: a"
    assert tried[2].scores[1] == 0.6
    assert told == [2, 2, 1, 1]


def test_all_failed() -> None:
    """A search without a result says how many failed and why the first did."""
    with pytest.raises(SpeechnetError, match=r"all 2 candidates failed.*ValueError: a"):
        search(by_value, [{"scores": ("a", "b")}, {"scores": ("c", "d")}], FOLDS)


def test_a_grid_of_impossible_neighbours() -> None:
    """More neighbours than rows to fit on fail alone."""
    X, y = np.eye(6, dtype=np.float32), np.array([0, 1, 0, 1, 0, 1])
    run = FitAndScore(KNN(), X, y, "none", "accuracy", 0)
    tried = search(run, KNN(n_neighbors=[5, 1], metric=["euclidean"]).candidates(), FOLDS)
    assert "n_neighbors" in tried[0].error
    assert best(tried).candidate["n_neighbors"] == 1


def test_an_error_of_the_program_is_not_a_score() -> None:
    """What no hyper-parameter explains ends the search."""

    def broken(_candidate: Candidate, _fit: Int64, _held: Int64) -> float:
        raise TypeError("a fault")

    with pytest.raises(TypeError, match="a fault"):
        search(broken, [{}], FOLDS)


def noisy(message: str, category: type[Warning]) -> Callable[[Candidate, Int64, Int64], float]:
    def run(candidate: Candidate, _fit: Int64, _held: Int64) -> float:
        for _ in range(candidate["times"]):
            warnings.warn(message, category, stacklevel=1)
        return 0.5

    return run


@pytest.mark.parametrize(
    ("message", "category", "counted"),
    [
        ("stopped", ConvergenceWarning, [0, 2, 2]),
        ("Line Search failed", UserWarning, [0, 2, 2]),
        ("overflow", RuntimeWarning, [0, 0, 0]),
    ],
)
def test_unconverged_fits_are_counted(
    message: str, category: type[Warning], counted: list[int]
) -> None:
    """Fits, not warnings, are counted; nothing is said on the terminal."""
    tried = search(noisy(message, category), [{"times": n} for n in (0, 1, 3)], FOLDS)
    assert [one.unconverged for one in tried] == counted


def test_unconverged_fits_are_counted_in_threads(problem: tuple) -> None:
    """As many as in processes, which have their warnings to themselves; nothing escapes."""
    X, y, folds = problem
    one = FitAndScore(LogReg(), X, y, "standard", "uar", 0)
    grid = LogReg(C=[1.0, 2.0, 3.0], max_iter=[1, 1000]).candidates()
    expected = [len(folds) if candidate["max_iter"] == 1 else 0 for candidate in grid]
    for _ in range(5):
        with joblib.parallel_config(backend="threading", n_jobs=4):
            assert [tried.unconverged for tried in search(one, grid, folds)] == expected


def test_unconverged_passes_without_a_word() -> None:
    """Only that a fit stopped early is left out; other warnings pass."""
    with ignore_unconverged():
        warnings.warn("x", ConvergenceWarning, stacklevel=1)
        warnings.warn("Line Search failed", stacklevel=1)
    with ignore_unconverged(), pytest.raises(RuntimeWarning, match="overflow"):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)


def test_parallel_is_serial(problem: tuple) -> None:
    """Processes change nothing: the same records in the same order, each fit told of."""
    X, y, folds = problem
    told: list[int] = []
    with joblib.parallel_config(backend="loky", n_jobs=2):
        for name in GRIDS:
            grid = GRIDS[name].candidates()
            run = FitAndScore(GRIDS[name], X, y, "minmax", "uar", 0)
            serial = search(run.model.sharing(run), grid, folds, parallel=False)
            assert search(run.model.sharing(run), grid, folds, on_done=told.append) == serial
    assert sum(told) == sum(len(grid.candidates()) for grid in GRIDS.values()) * len(folds)


@pytest.mark.parametrize(
    "values",
    [{}, {"b": [1, 2], "a": ["x", None, "y"], "C": [0.1]}, {"lr": [3], "hidden": [[8], [4, 2]]}],
)
def test_combinations_are_those_of_scikit_learn(values: dict[str, list[Any]]) -> None:
    """The same ones in the same order; their keys in the order that was given."""
    found = combinations(values)
    assert found == list(ParameterGrid(values))
    assert all(list(one) == list(values) for one in found)


def test_no_value() -> None:
    """A hyper-parameter without values is named."""
    with pytest.raises(ValueError, match="lr is empty"):
        combinations({"gamma": [1], "lr": []})
