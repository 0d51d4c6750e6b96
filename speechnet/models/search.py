"""Grid search whose every candidate and every fold's score is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any, Final

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, recall_score

from speechnet.errors import ConfigError, SpeechnetError
from speechnet.types import Int64

Candidate = dict[str, Any]
InnerFolds = Sequence[tuple[Int64, Int64]]

_LINE_SEARCH: Final = "Line Search failed"
"""scikit-learn's ``newton-cg`` says so, in a warning of no category, when it gives up."""


@dataclass(frozen=True)
class Tried:
    """One candidate and what it scored.

    Attributes:
        candidate: its hyper-parameters.
        scores: one for each inner fold; NaN where it failed.
        unconverged: how many of its fits stopped before they had converged.
        error: why it failed first, else empty. A candidate that failed can't win.
    """

    candidate: Candidate
    scores: tuple[float, ...]
    unconverged: int = 0
    error: str = ""

    @property
    def mean(self) -> float:
        """The mean over the inner folds, NaN if any failed; the folds' order plays no part."""
        return fmean(self.scores)


FitAndScore = Callable[[Candidate, Int64, Int64], float]
"""Fit a candidate on some rows, score it on others."""


def search(
    fit_and_score: FitAndScore,
    candidates: Sequence[Candidate],
    folds: InnerFolds,
    *,
    parallel: bool = True,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Tried]:
    """Score every candidate on every inner fold.

    Args:
        fit_and_score: must be picklable when ``parallel``.
        candidates: in the order in which ties are decided.
        folds: rows to fit on and to score on.
        parallel: every fit of its own through joblib, as ``joblib.parallel_config`` says; else one
            after the other.
        on_done: told of each finished candidate.

    Returns:
        One record a candidate, in the order given.

    Raises:
        ConfigError: all candidates failed.
    """
    tasks = (
        joblib.delayed(_try)(fit_and_score, candidate, fit, held)
        for candidate in candidates
        for fit, held in folds
    )
    outcomes = joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(tasks)
    tried = []
    for candidate in candidates:
        tried.append(_record(candidate, islice(outcomes, len(folds))))
        on_done(1)
    if all(record.error for record in tried):
        raise ConfigError(
            f"all {len(tried)} candidates failed; the first, {tried[0].candidate}, with "
            f"{tried[0].error}. Change the grid"
        )
    return tried


def best(tried: Sequence[Tried]) -> Tried:
    """The highest mean; of equals the first.

    Args:
        tried: of which at least one did not fail.
    """
    return tried[int(np.nanargmax([record.mean for record in tried]))]


def score(truth: Int64, predicted: Int64, metric: str) -> float:
    """Accuracy, or UAR: the mean recall over the classes that ``truth`` holds."""
    if metric == "accuracy":
        return float(accuracy_score(truth, predicted))
    present = np.unique(truth)
    return float(recall_score(truth, predicted, labels=present, average="macro", zero_division=0))


@contextmanager
def ignore_unconverged() -> Iterator[None]:
    """Let fits that stop early pass without a word: the search has counted them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=_LINE_SEARCH)
        yield


@dataclass(frozen=True)
class _Outcome:
    score: float
    unconverged: bool = False
    error: str = ""


def _try(fit_and_score: FitAndScore, candidate: Candidate, fit: Int64, held: Int64) -> _Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = fit_and_score(candidate, fit, held)
        except (ValueError, ArithmeticError, SpeechnetError) as error:
            return _Outcome(float("nan"), error=f"{type(error).__name__}: {error}")
    return _Outcome(value, unconverged=any(map(_says_unconverged, caught)))


def _says_unconverged(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, ConvergenceWarning) or _LINE_SEARCH in str(warning.message)


def _record(candidate: Candidate, outcomes: Iterable[_Outcome]) -> Tried:
    done = list(outcomes)
    return Tried(
        candidate,
        tuple(outcome.score for outcome in done),
        unconverged=sum(outcome.unconverged for outcome in done),
        error=next((outcome.error for outcome in done if outcome.error), ""),
    )
