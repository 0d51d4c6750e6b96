"""Grid search that keeps the score of every candidate on every fold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, Protocol, runtime_checkable

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from speechnet.core.errors import ConfigError, SpeechnetError
from speechnet.core.metrics import METRICS
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import Int64
from speechnet.models.candidates import Candidate, InnerFolds, Tried

FitAndScore = Callable[[Candidate, Int64, Int64], float]
"""Fits a candidate on some rows and scores it on others."""

Scorer = Callable[[Candidate], float]
"""Fits and scores a candidate on one inner fold."""

_LINE_SEARCH: Final = "Line Search failed"
"""The warning, of no category, with which scikit-learn's ``newton-cg`` gives up."""


@runtime_checkable
class Sharing(Protocol):
    """Fits and scores candidates of which some share work; picklable."""

    def groups(self, candidates: Sequence[Candidate]) -> list[list[int]]:
        """Positions of the candidates that share work, each position once.

        The groups that take longest come first; a group is scored in its own order.
        """

    def scorer(self, group: Sequence[Candidate], fit: Int64, held: Int64) -> Scorer:
        """Scores the candidates of one group on one inner fold, one after the other.

        Nothing is computed before the scorer is called, so that a failure costs that candidate
        alone.
        """


def search(
    run: FitAndScore | Sharing,
    candidates: Sequence[Candidate],
    folds: InnerFolds,
    *,
    metric: str = "score",
    parallel: bool = True,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Tried]:
    """Score every candidate on every inner fold, as scikit-learn's ``GridSearchCV`` would.

    Args:
        run: fits and scores the candidates; must be picklable when ``parallel``.
        candidates: in the order in which ties are decided.
        folds: rows to fit on and to score on.
        metric: the name of the score, for messages.
        parallel: every group and fold is a task for joblib, as ``joblib.parallel_config`` says;
            else one after the other.
        on_done: called with the number of fits just finished, of candidates times folds in all.

    Returns:
        One record per candidate, in the order given.

    Raises:
        ConfigError: all candidates failed, or the score of all is undefined.
    """
    alone = [[position] for position in range(len(candidates))]
    groups = run.groups(candidates) if isinstance(run, Sharing) else alone
    tasks = (
        joblib.delayed(_try_group)(run, [candidates[i] for i in group], fit, held)
        for group in groups
        for fit, held in folds
    )
    outcomes = joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(tasks)
    records: dict[int, Tried] = {}
    for group in groups:
        done = []
        for one in islice(outcomes, len(folds)):
            done.append(one)
            on_done(len(group))
        for position, tries in zip(group, zip(*done, strict=True), strict=True):
            scores, unconverged, errors = zip(*tries, strict=True)
            error = next(filter(None, errors), "")
            records[position] = Tried(candidates[position], scores, sum(unconverged), error)
    tried = [records[position] for position in range(len(candidates))]
    if all(record.error for record in tried):
        raise ConfigError(
            f"all {len(tried)} candidates failed; the first, {tried[0].candidate}, with "
            f"{tried[0].error}. Change the grid"
        )
    if all(math.isnan(record.mean) for record in tried):
        raise ConfigError(
            f"{metric} is undefined on all {len(folds)} inner folds, whatever the candidate; they "
            "may lack a class. Set evaluation.tune_by to another metric, or the model's folds to "
            "fewer, and so larger, ones"
        )
    return tried


def best(tried: Sequence[Tried]) -> Tried:
    """The highest mean; of equals the first. At least one candidate must have a mean."""
    return tried[int(np.nanargmax([record.mean for record in tried]))]


def score(truth: Int64, predicted: Int64, metric: str) -> float:
    """What a search maximises: a metric, or its negative where lower is better; may be NaN.

    Args:
        truth: int64 ``[n]``.
        predicted: int64 ``[n]``.
        metric: its name in ``METRICS``.

    Raises:
        ValueError: there are no rows.
    """
    if not len(truth):
        raise ValueError("there are no rows to score")
    found = METRICS[metric]
    [value] = found.values(truth=truth, predicted=predicted)
    return value if found.higher_is_better else -value


@contextmanager
def ignore_unconverged() -> Iterator[None]:
    """Leave out warnings of fits that stopped early: the search has counted them."""
    with collected_warnings(_says_unconverged):
        yield


_Outcome = tuple[float, bool, str]
"""The score, whether the fit stopped before it converged, and how it failed or an empty text."""


def _try_group(
    run: FitAndScore | Sharing, group: Sequence[Candidate], fit: Int64, held: Int64
) -> list[_Outcome]:
    scorer = (
        run.scorer(group, fit, held)
        if isinstance(run, Sharing)
        else lambda candidate: run(candidate, fit, held)
    )
    return [_try(scorer, candidate) for candidate in group]


def _try(scorer: Scorer, candidate: Candidate) -> _Outcome:
    with collected_warnings() as warned:
        try:
            value = scorer(candidate)
        except (ValueError, ArithmeticError, SpeechnetError) as error:
            return float("nan"), False, f"{type(error).__name__}: {error}"
    return value, any(map(_says_unconverged, warned)), ""


def _says_unconverged(warning: Warning) -> bool:
    return isinstance(warning, ConvergenceWarning) or _LINE_SEARCH in str(warning)
