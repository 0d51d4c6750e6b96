"""Every metric tried on a few made labels, so that none can fail after hours of training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from speechnet.core.errors import ConfigError
from speechnet.core.metrics import METRICS, Metric
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.intervals import Resamples
from speechnet.evaluation.samples import Sample


def rehearse_metrics() -> None:
    """Score made labels of two and of three classes by every metric.

    Raises:
        ConfigError: a metric fails on some of them.
    """
    for metric in METRICS.values():
        if metric.kind == "categorical":
            for what, sample in _samples():
                with collected_warnings():
                    _try(metric, sample, what)


def _samples() -> Iterator[tuple[str, Sample]]:
    """Labels as they come in small parts: certain, guessed, of one class, without a class."""
    for k in (2, 3):
        truth, guessed = np.arange(12) % k, np.random.default_rng(0).dirichlet(np.ones(k), 12)
        constant = np.sort(guessed)[:, ::-1]
        yield f"{k} classes, all recognised", _sample(truth, np.eye(k)[truth])
        yield f"{k} classes, guessed", _sample(truth, guessed)
        yield f"{k} classes, one predicted", _sample(truth, constant)
        yield f"{k} classes, one of them without rows", _sample(truth % (k - 1), guessed)


def _sample(truth: Int64, probability: Float64) -> Sample:
    """Twelve rows of four speakers."""
    classes = ["a", "b", "c"][: probability.shape[1]]
    fold, unit = np.zeros(12, dtype=np.int64), np.arange(12) // 3
    return Sample(classes, fold, unit, truth, probability.argmax(axis=1), probability)


def _try(metric: Metric, sample: Sample, what: str) -> None:
    """Compute the scores, and compare those of the fast form for resamples."""
    try:
        values = sample.checked_scores(metric)
        if metric.interval and metric.resampled is not None:
            (fast,) = Resamples(sample, np.ones((1, 4))).checked_scores(metric).T
            if not np.allclose(fast, values, equal_nan=True):
                raised = ValueError(f"it returned {values}, but resampled gave {fast.tolist()}")
                raise metric.failed(raised)
    except ConfigError as error:
        raise ConfigError(
            f"{error}, for made labels ({what}); return NaN where the score is undefined, or "
            "remove the metric"
        ) from error
