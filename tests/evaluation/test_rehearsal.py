"""Metrics are tried on made labels before a run, and can't end it later."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.metrics import one_more_metric

from speechnet.core import registry
from speechnet.core.errors import ConfigError
from speechnet.core.types import Float64, Int64
from speechnet.evaluation.metrics import accuracy
from speechnet.evaluation.rehearsal import rehearse_metrics
from speechnet.evaluation.scores import score_predictions

TARGETS = {"emotion": ["happy", "sad", "calm"]}


def raising(predicted: Int64) -> float:
    """A metric that fails where a single class is predicted."""
    return 1 / (len(np.unique(predicted)) - 1)


def three(probability: Float64) -> float:
    """A metric out of its range."""
    return 2 + float(probability.sum(axis=1).mean())


def two_values(predicted: Int64) -> Float64:
    """A metric that knows two classes only."""
    return np.bincount(predicted, minlength=2)[:2] / len(predicted)


def test_ours_pass() -> None:
    """On every set of labels."""
    rehearse_metrics()


@pytest.mark.parametrize(
    ("function", "properties", "message"),
    [
        (raising, {}, r"\(test_rehearsal\) failed with ZeroDivisionError.*one predicted"),
        (three, {}, "returned 3, expected .*2 classes, all recognised"),
        (two_values, {"over": "class"}, "returned 2 values for 3 classes"),
        (accuracy, {"interval": True, "resampled": lambda drawn: drawn.hits}, "resampled gave"),
        (accuracy, {"interval": True, "resampled": lambda drawn: drawn.none}, "AttributeError"),
        (
            accuracy,
            {"interval": True, "resampled": lambda drawn: 0.5 * drawn.weights.mean(axis=1)},
            r"it returned \[1.0\], but resampled gave \[0.5\]",
        ),
    ],
)
def test_a_metric_that_fails_is_refused(
    function: Callable[..., Any], properties: dict[str, Any], message: str
) -> None:
    """Before a run, with its name, where it comes from, and the labels."""
    with (
        one_more_metric("odd", function, **properties),
        pytest.raises(ConfigError, match=f"the metric 'odd' of the package speechnet .*{message}"),
    ):
        rehearse_metrics()


def predictions() -> pd.DataFrame:
    """Two folds of one model."""
    rows = pd.DataFrame({"file": [f"{i}.wav" for i in range(24)], "fold": np.arange(24) % 2})
    truth = np.array(["happy", "sad"])[np.arange(24) // 6 % 2]
    rows = rows.assign(part="test", model="knn", target="emotion", truth=truth, predicted="sad")
    return rows.assign(p_happy=0.25, p_sad=0.75, p_calm=0.0)


@pytest.mark.parametrize(
    ("function", "properties"),
    [
        (raising, {"interval": True}),
        (three, {}),
        (two_values, {"over": "class"}),
        (accuracy, {"interval": True, "resampled": lambda drawn: 1 / drawn.none}),
    ],
)
def test_a_metric_that_fails_later_is_nan(
    function: Callable[..., Any],
    properties: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One warning names it; all other scores are as they would be without it."""
    said: list[object] = []
    monkeypatch.setattr(registry, "on_refusal", [said.append])
    speakers = pd.Series({f"{i}.wav": f"speaker {i // 3}" for i in range(24)})
    expected = score_predictions(predictions(), TARGETS, speakers, resamples=20)
    with one_more_metric("odd", function, **properties):
        found = score_predictions(predictions(), TARGETS, speakers, resamples=20)
    odd = found["metric"].str.startswith("odd")
    value = "low" if function is accuracy else "value"
    assert odd.any()
    assert found.loc[odd, value].map(math.isnan).all()
    assert len(said) == 1
    assert "the metric 'odd' of the package speechnet: " in str(said[0])
    pd.testing.assert_frame_equal(found[~odd].reset_index(drop=True), expected)
