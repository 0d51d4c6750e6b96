"""Grid search whose every candidate and every fold's score is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, recall_score

from speechnet.errors import SpeechnetError
from speechnet.types import Int64

Candidate = dict[str, Any]
InnerFolds = Sequence[tuple[Int64, Int64]]


@dataclass(frozen=True)
class Tried:
    """One candidate and what it scored.

    Attributes:
        candidate: its hyper-parameters.
        scores: one for each inner fold; NaN where it failed.
        unconverged: how many of its fits stopped before they had converged.
        error: why it failed, else empty. A candidate that failed can't win.
    """

    candidate: Candidate
    scores: tuple[float, ...]
    unconverged: int = 0
    error: str = ""

    @property
    def mean(self) -> float:
        """The mean over the inner folds, NaN if any failed."""
        return float(np.mean(self.scores))


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
        parallel: through joblib, as ``joblib.parallel_config`` says; else one after the other.
        on_done: told of each finished candidate.

    Returns:
        One record a candidate, in the order given.

    Raises:
        SpeechnetError: all candidates failed.
    """
    tasks = (joblib.delayed(_try)(fit_and_score, candidate, folds) for candidate in candidates)
    tried = []
    for record in joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(tasks):
        tried.append(record)
        on_done(1)
    if all(record.error for record in tried):
        raise SpeechnetError(f"all {len(tried)} candidates failed; the first: {tried[0].error}")
    return tried


def best(tried: Sequence[Tried]) -> Tried:
    """The highest mean; of equals the first."""
    means = np.array([record.mean for record in tried])
    return tried[int(np.nanargmax(means))]


def score(truth: Int64, predicted: Int64, metric: str) -> float:
    """Accuracy, or UAR: the mean recall over the classes that ``truth`` holds."""
    if metric == "accuracy":
        return float(accuracy_score(truth, predicted))
    present = np.unique(truth)
    return float(recall_score(truth, predicted, labels=present, average="macro", zero_division=0))


def _try(fit_and_score: FitAndScore, candidate: Candidate, folds: InnerFolds) -> Tried:
    scores = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            for fit, held in folds:
                scores.append(fit_and_score(candidate, fit, held))
        except (ValueError, ArithmeticError, SpeechnetError) as error:
            nothing = (float("nan"),) * len(folds)
            return Tried(candidate, nothing, error=f"{type(error).__name__}: {error}")
    return Tried(candidate, tuple(scores), unconverged=len(caught))
