"""scikit-learn's own grid search, as an oracle of ours."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import GridSearchCV

from speechnet.models.candidates import Candidate, InnerFolds, Tried
from speechnet.models.scikit.pipelines import FitAndScore, make_pipeline
from speechnet.models.search import best

SCORING = {"accuracy": "accuracy", "uar": "balanced_accuracy"}


def assert_as_grid_search(tried: Sequence[Tried], plain: FitAndScore, folds: InnerFolds) -> None:
    """The same score of every candidate on every fold as GridSearchCV, and the same winner."""
    grid = [record.candidate for record in tried]
    oracle = GridSearchCV(
        make_pipeline(plain.model, grid[0], scaling=plain.scaling, seed=plain.seed),
        [{f"model__{key}": [value] for key, value in one.items()} for one in grid],
        scoring=SCORING[plain.metric],
        cv=folds,
        refit=False,
    )
    oracle.fit(plain.X.astype(np.float64), plain.y)
    theirs = [oracle.cv_results_[f"split{fold}_test_score"] for fold in range(len(folds))]
    scores = [record.scores for record in tried]
    np.testing.assert_allclose(scores, np.transpose(theirs), rtol=1e-12)
    assert best(tried).candidate == _winner(grid, oracle.cv_results_["mean_test_score"])


def _winner(grid: Sequence[Candidate], means: np.ndarray) -> Candidate:
    """The first of those that are equal but for the rounding of their means."""
    return grid[np.flatnonzero(np.isclose(means, means.max(), rtol=1e-12))[0]]
