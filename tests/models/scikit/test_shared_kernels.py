"""The SVM's search by shared kernel matrices, compared with scikit-learn."""

from typing import Any

import numpy as np
import pytest
from helpers.grid_oracle import assert_as_grid_search
from sklearn.datasets import make_classification
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from speechnet.core.types import Float64, Int64
from speechnet.models.candidates import InnerFolds
from speechnet.models.classical.svm import SVM
from speechnet.models.scikit import shared_kernels as svm_search
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.scikit.shared_kernels import SVMSearch, kernel_matrices
from speechnet.models.search import search

pytestmark = pytest.mark.slow

GRID = SVM(
    C=[0.1, 1.0, 50.0],
    kernel=["linear", "poly", "rbf", "sigmoid"],
    gamma=["scale", "auto"],
    class_weight=["balanced", None],
).candidates()


def problem(
    classes: int = 4, *, metric: str = "accuracy", scaling: str = "minmax", noise: float = 0.2
) -> tuple[FitAndScore, InnerFolds]:
    """150 rows of unequally frequent classes, some rows twice and under two labels, in 2 folds."""
    others = [0.6 / (classes - 1)] * (classes - 1)
    X, y = make_classification(
        150, 12, n_informative=8, n_classes=classes, weights=[0.4, *others],
        class_sep=1.2, flip_y=noise, random_state=0,
    )  # fmt: skip
    if noise:
        X[120:] = X[:30]
    X = np.append(X, np.ones((150, 1)), axis=1)  # a column that says nothing
    folds = list(StratifiedKFold(2, shuffle=True, random_state=0).split(X, y))
    return FitAndScore(SVM(), X.astype(np.float32), y, scaling, metric, 0), folds


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kernel of every SVC that was fitted."""
    kernels: list[str] = []
    fit = SVC.fit

    def spy(self: SVC, X: Float64, y: Int64) -> SVC:
        kernels.append(self.kernel)
        return fit(self, X, y)

    monkeypatch.setattr(SVC, "fit", spy)
    return kernels


@pytest.mark.parametrize(
    ("classes", "scaling", "metric"), [(2, "standard", "accuracy"), (4, "minmax", "uar")]
)
def test_as_grid_search(classes: int, scaling: str, metric: str) -> None:
    """The scores of GridSearchCV for every kernel, gamma, class weight and C."""
    plain, folds = problem(classes, metric=metric, scaling=scaling)
    assert_as_grid_search(
        search(plain.model.sharing(plain), GRID, folds, parallel=False), plain, folds
    )


def test_a_bound_that_is_never_met(fits: list[str]) -> None:
    """Classes that can be parted: from some C on nothing changes, and nothing is fitted again."""
    plain, folds = problem(2, noise=0.0)
    grid = SVM(C=[30.0, 100.0, 40.0, 60.0], kernel=["poly"], class_weight=[None]).candidates()
    tried = search(plain.model.sharing(plain), grid, folds, parallel=False)
    assert fits == ["precomputed"] * 2 * len(folds)
    assert_as_grid_search(tried, plain, folds)


def test_every_other_c_is_fitted(fits: list[str]) -> None:
    """Where the bound is met, each C has a solution of its own; equal ones have one."""
    plain, folds = problem()
    grid = SVM(C=[1.0, 2.0, 1, 3.0], kernel=["sigmoid"]).candidates()
    tried = search(plain.model.sharing(plain), grid, folds, parallel=False)
    assert len(fits) == 3 * len(folds)
    assert tried[0].scores == tried[2].scores


def test_matrices_beyond_the_bound(monkeypatch: pytest.MonkeyPatch, fits: list[str]) -> None:
    """Folds of a byte too much are fitted plainly, with the same scores."""
    plain, folds = problem()
    grid = SVM(kernel=["rbf", "poly"]).candidates()
    size = max(8 * len(fit) * (len(fit) + len(held)) for fit, held in folds)
    monkeypatch.setattr(svm_search, "LARGEST", size)
    shared = search(plain.model.sharing(plain), grid, folds, parallel=False)
    assert set(fits) == {"precomputed"}
    fits.clear()
    monkeypatch.setattr(svm_search, "LARGEST", size - 1)
    alone = search(plain.model.sharing(plain), grid, folds, parallel=False)
    assert set(fits) == {"rbf", "poly"}
    assert alone == shared


@pytest.mark.parametrize("wrong", [{"C": -1.0}, {"gamma": -1.0}])
def test_a_candidate_that_fails_fails_alone(wrong: dict[str, Any]) -> None:
    """In scikit-learn's own words; the others of its group have their scores."""
    plain, folds = problem()
    good = SVM(C=[1.0, 2.0]).candidates()
    grid = [good[0], good[0] | wrong, good[1]]
    tried = search(plain.model.sharing(plain), grid, folds, parallel=False)
    expected = search(plain, grid, folds, parallel=False)
    assert [bool(one.error) for one in tried] == [False, True, False]
    assert tried[1].error == expected[1].error
    assert [tried[0], tried[2]] == [expected[0], expected[2]]


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("gamma", ["scale", "auto", 0.3])
def test_kernel_matrices(kernel: str, gamma: str | float) -> None:
    """The kernels of scikit-learn's metrics, with itself over more than one block."""
    rng = np.random.default_rng(0)
    fit, held = rng.uniform(size=(150, 7)), rng.uniform(size=(20, 7))
    number = {"scale": 1 / (7 * fit.var()), "auto": 1 / 7}.get(str(gamma), gamma)
    settings = {"gamma": number, "degree": 3, "coef0": 0}
    among, across = kernel_matrices(fit, held, kernel, gamma)
    for found, rows in ((among, fit), (across, held)):
        expected = pairwise_kernels(rows, fit, kernel, filter_params=True, **settings)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gamma_of_rows_that_are_all_the_same() -> None:
    """As in SVC, ``scale`` is 1 where nothing varies."""
    among, _ = kernel_matrices(np.full((2, 3), 0.5), np.empty((0, 3)), "poly", "scale")
    np.testing.assert_allclose(among, 0.75**3)


def test_groups() -> None:
    """By kernel and gamma, which the linear one has not; the least and the greatest C first."""
    groups = SVMSearch(problem()[0]).groups(GRID)
    assert sorted(position for group in groups for position in group) == list(range(len(GRID)))
    assert len(groups) == 1 + 3 * 2
    for group in groups:
        assert len({GRID[i]["kernel"] for i in group}) == 1
    poly = [(GRID[i]["class_weight"], GRID[i]["C"]) for i in groups[0]]
    ordered = [0.1, 50.0, 1.0]
    assert poly == [(weight, C) for weight in ("balanced", None) for C in ordered]


def test_a_gamma_that_is_refused_is_refused_of_a_linear_kernel_too() -> None:
    """As plainly, though the kernel takes no notice of it."""
    plain, folds = problem()
    tried = search(
        plain.model.sharing(plain),
        [{"C": 1.0, "kernel": "linear", "gamma": gamma, "class_weight": None}
         for gamma in ("scale", "auto", -1.0)],
        folds, parallel=False,
    )  # fmt: skip
    assert tried[0].scores == tried[1].scores
    assert "gamma" in tried[2].error
