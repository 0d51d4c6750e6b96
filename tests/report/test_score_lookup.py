"""Looking scores up, and names and numbers as they are written."""

import math

import pandas as pd
import pytest
from helpers.results import LABELS

from speechnet.core.errors import DataError
from speechnet.report.names import (
    interval_words,
    method_name,
    model_name,
    p_value,
    percent,
    percent_interval,
    points,
    readable,
)
from speechnet.report.scores import Score, find_score, fold_count, models_of


def table(values: dict[str, float]) -> pd.DataFrame:
    rows = [("knn", "gender", "test", fold, "uar", value) for fold, value in values.items()]
    return pd.DataFrame(rows, columns=["model", "target", "part", "fold", "metric", "value"])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"0": 0.6, "all": 0.6}, "60.0"),
        ({"0": 0.6}, "60.0"),
        ({"0": 0.6, "1": 0.8, "all": 0.69, "mean": 0.7, "sd": 0.14142}, "70.0 ± 14.1"),
        ({"0": 0.6, "1": math.nan, "all": 0.65, "mean": math.nan, "sd": math.nan}, "65.0*"),
        ({"0": math.nan, "1": math.nan, "all": math.nan, "mean": math.nan}, "–"),  # noqa: RUF001
        ({"0": math.nan, "all": math.nan}, "–"),  # noqa: RUF001 - the dash of undefined values
        ({}, "–"),  # noqa: RUF001 - the dash of undefined values
    ],
)
def test_score_is_the_mean_or_the_only_fold(values: dict[str, float], text: str) -> None:
    """Mean and deviation over folds; pooled with a star where the mean is undefined."""
    found = find_score(table(values), model="knn", target="gender", part="test", metric="uar")
    assert found.text() == text
    assert found.text(interval=False) == text


def test_score_of_another_part_is_undefined() -> None:
    """What isn't in the table isn't taken from another row."""
    found = find_score(table({"0": 0.6}), model="knn", target="gender", part="dev", metric="uar")
    assert isinstance(found, Score)
    assert math.isnan(found.value)


def test_summaries_are_not_folds() -> None:
    """Only numbered folds count."""
    assert fold_count(table({"0": 1, "1": 1, "all": 1, "mean": 1, "sd": 0})) == 2
    assert fold_count(table({"0": 1, "all": 1})) == 1


def test_no_models_is_an_error() -> None:
    """An empty table draws nothing."""
    with pytest.raises(DataError, match="no rows, expected at least one model"):
        models_of(table({}))


def test_names_are_readable() -> None:
    """Known names are written out, unknown ones keep their own, long ones are wrapped."""
    assert model_name("sklearn_mlp", LABELS) == "MLP (scikit-learn)"
    assert model_name("my_model", LABELS) == "my model"
    assert method_name("gmm") == "Gaussian mixture"
    assert method_name("dbscan") == "dbscan"
    assert readable("pleasantly_surprised", width=12) == "pleasantly\nsurprised"
    assert percent(0.12345) == "12.3"


def test_intervals_go_with_their_value() -> None:
    """That of the mean, of the pooled score that stands in for it, or of the only fold."""
    where = {"model": "knn", "target": "gender", "part": "test", "metric": "uar"}
    full = table({"0": 0.6, "all": 0.69, "mean": 0.7, "sd": 0.14})
    full = full.assign(low=[math.nan, 0.5, 0.55, math.nan], high=[math.nan, 0.8, 0.85, math.nan])
    mean = find_score(full, **where)
    assert mean == Score(0.7, 0.14, low=0.55, high=0.85)
    assert mean.has_interval
    assert mean.text() == "70.0 [55.0, 85.0]"
    assert mean.text(interval=False) == "70.0 ± 14.0"
    lost = full.assign(value=full["value"].mask(full["fold"] == "mean"))
    assert find_score(lost, **where)._replace(sd=0) == Score(
        0.69, 0, pooled=True, low=0.5, high=0.8
    )
    only = find_score(table({"0": 0.6}).assign(low=0.1, high=1), **where)
    assert (only.low, only.high) == (0.1, 1)
    assert not find_score(table({"0": 0.6}), **where).has_interval


def test_numbers_are_written_with_their_intervals() -> None:
    """In per cent and in points; no interval, no brackets; nothing, a dash; never -0.0."""
    nan = math.nan
    assert percent_interval(0.603, 0.55, 0.65) == "60.3 [55.0, 65.0]"
    assert percent_interval(0.603, nan, nan) == "60.3"
    assert percent_interval(nan, 0.1, 0.2) == "–"  # noqa: RUF001 - the dash of undefined values
    assert points(0.041, -0.002, 0.083) == "+4.1 [-0.2, +8.3]"
    assert points(-0.0004) == "+0.0"
    assert points(nan, 0, 0) == "–"  # noqa: RUF001 - the dash of undefined values
    assert [p_value(p) for p in (0.0123, 0.0004, nan)] == ["p = 0.012", "p < 0.001", ""]
    assert interval_words("speaker") == "95 % bootstrap interval over speakers"
    assert interval_words(None) == "95 % bootstrap interval"


def test_names_that_cannot_be_printed_are_marked() -> None:
    """A lone surrogate would break an SVG, a control character its XML."""
    assert readable("a\udcff\x07b c") == "a\ufffd\ufffdb c"
