"""The search of a classical model: by whatever its candidates share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from speechnet.models.scikit.pipelines import FitAndScoreBaseline
from speechnet.models.tuning.grid import Candidate
from speechnet.models.tuning.search import InnerFolds, Tried, search, search_shared
from speechnet.models.tuning.shared_kernels import SVMSearch
from speechnet.models.tuning.shared_neighbours import KNNSearch


def search_baseline(
    plain: FitAndScoreBaseline,
    candidates: Sequence[Candidate],
    folds: InnerFolds,
    *,
    parallel: bool = True,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Tried]:
    """Score every candidate on every inner fold, as scikit-learn's ``GridSearchCV`` would.

    Nearest neighbours share graphs and support vector machines kernel matrices; of the others
    every candidate is fitted by itself.

    Args:
        plain: fits and scores one candidate of the model.
        candidates: in the order in which ties are decided.
        folds: rows to fit on and to score on.
        parallel: through joblib, as ``joblib.parallel_config`` says; else one after the other.
        on_done: told of each finished candidate.

    Returns:
        One record a candidate, in the order given.

    Raises:
        ConfigError: all candidates failed.
    """
    match plain.name:
        case "knn":
            sharing: KNNSearch | SVMSearch = KNNSearch(plain)
        case "svm":
            sharing = SVMSearch(plain)
        case _:
            return search(plain, candidates, folds, parallel=parallel, on_done=on_done)
    return search_shared(sharing, candidates, folds, parallel=parallel, on_done=on_done)
