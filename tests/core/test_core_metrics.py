"""The registry of metrics: what one function, registered, is given everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from helpers.metrics import one_more_metric

from speechnet.comparison.compare import compare
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError
from speechnet.core.metrics import EVERYWHERE, METRICS, metric, tuning_metric
from speechnet.core.types import Int64
from speechnet.experiment.evaluate import evaluate
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.report import rebuild
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.search import score
from speechnet.report.terminal import scores_table


def cohen(truth: Int64, predicted: Int64) -> float:
    """Cohen's kappa, as a plugin would write it."""
    return float(sklearn.metrics.cohen_kappa_score(truth, predicted))


@pytest.fixture
def kappa() -> Iterator[None]:
    """A metric more, for one test."""
    properties = {"range": (-1.0, 1.0), "interval": True, "shown": EVERYWHERE}
    with one_more_metric("kappa", cohen, chance=lambda _: 0.0, **properties):
        yield


@pytest.fixture
def rescored(kappa: None, tiny_run: Path, tmp_path: Path) -> list[Path]:  # noqa: ARG001 - it is there while they are scored
    """Two copies of a run, scored again."""
    paths = []
    for number in range(2):
        path = Path(shutil.copytree(tiny_run, tmp_path / "tiny" / f"version_{number}"))
        run = RunFolder.open(path)
        corpus = run.read_table("corpus.csv").set_index("file")
        found = evaluate(run.read_predictions(), corpus, run.info["targets"], seed=0, resamples=200)
        run.write_table("scores.csv", found["scores.csv"])
        write_sums(path)
        paths.append(path)
    return paths


def test_a_metric_is_one_function(rescored: list[Path], tmp_path: Path) -> None:
    """It stands in the scores with intervals, on the terminal, in report, figures, comparisons."""
    run = RunFolder.open(rescored[0])
    scores, targets = run.read_table("scores.csv"), run.info["targets"]
    rows = scores[scores["metric"] == "kappa"].set_index(["model", "target", "part", "fold"])
    predictions = run.read_predictions()
    predictions = predictions[predictions["part"] == "test"]
    for (model, target), of_model in predictions.groupby(["model", "target"], observed=True):
        row = rows.loc[(model, target, "test", "all")]
        expected = cohen(of_model["truth"].astype(str), of_model["predicted"].astype(str))
        assert row["value"] == pytest.approx(expected)
        assert row["low"] < row["value"] < row["high"] or np.isnan(row["low"])
    assert rows.loc[:, "low"].notna().any()

    table = scores_table(scores, targets, protocol="x", unit="speaker")
    assert "test\nkappa" in [column.header for column in table.columns]

    assert "test kappa" in rebuild(rescored[0]).read_text(encoding="utf-8")
    assert (rescored[0] / "figures" / "kappa.svg").is_file()

    compare(rescored, out=tmp_path / "compared")
    compared = pd.read_csv(tmp_path / "compared" / "scores.csv")
    assert (compared["metric"] == "kappa").any()
    assert "test kappa" in (tmp_path / "compared" / "compare.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("kappa")
def test_a_search_can_maximise_it() -> None:
    """It is named in the configuration, and candidates are scored by it."""
    config, _ = read_experiment(["--evaluation.tune_by", "kappa"])
    assert config.evaluation.tune_by == "kappa"
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert score(truth, predicted, "kappa") == pytest.approx(cohen(truth, predicted))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("uarr", "no metric 'uarr'.*did you mean 'uar'"),
        ("ece", "evaluation.tune_by is ece: .*truth and predicted alone.*accuracy, uar"),
        ("recall", "evaluation.tune_by is recall"),
    ],
)
def test_what_a_search_can_not_maximise(name: str, message: str) -> None:
    """An unknown name, a metric of probabilities, one of each class."""
    with pytest.raises(ConfigError, match=message):
        tuning_metric(name, key="evaluation.tune_by")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"interval": True, "range": (0, 36)}, r"a range within -1 to 1.*found \(0, 36\)"),
        ({"shown": EVERYWHERE, "range": (0, 2)}, "a range within -1 to 1"),
        ({"shown": "terminal"}, "known places: found shown='terminal', expected some of"),
        ({"shown": ("terminal", "report")}, r"known places: found .*'report'.*'page', 'figure'"),
        ({"over": "class", "shown": ("page",)}, r"lacks shown=\(\)"),
        ({"over": "speakers"}, "found 'speakers', expected one of rows, classes, class"),
    ],
)
def test_a_metric_that_can_not_be_shown_is_refused(
    properties: dict[str, object], message: str
) -> None:
    """Properties hold known words; intervals and per cent need a range."""
    assert "uar" in METRICS
    with pytest.raises(ValueError, match=message):
        metric("odd", label="odd", **properties)(cohen)


@pytest.mark.parametrize("name", ["n", "recall_sad", "auc_weighted"])
def test_a_metric_can_not_be_called_like_another_score(name: str) -> None:
    """Both would stand under one name in the scores."""
    assert "recall" in METRICS
    with pytest.raises(ValueError, match="lacks a name of its own"):
        metric(name, label="odd")(cohen)


def test_a_parameter_of_a_metric_must_be_known() -> None:
    """A misspelt one is named."""
    with pytest.raises(ValueError, match="known parameters: found prediction, expected truth"):
        metric("odd", label="odd")(lambda prediction: prediction.mean())


def test_a_metric_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an error of its own nor a value out of range becomes a score."""
    uar, inputs = METRICS["uar"], {"truth": np.zeros(2)}
    monkeypatch.setitem(uar.__dict__, "inputs", ("truth",))
    monkeypatch.setitem(uar.__dict__, "function", lambda truth: 3.0 + truth.sum())
    with pytest.raises(ConfigError, match=r"'uar' of the package speechnet .*it returned 3"):
        uar.values(**inputs)
    monkeypatch.setitem(uar.__dict__, "function", lambda truth: 1 / int(truth.sum()))
    with pytest.raises(ConfigError, match="failed with ZeroDivisionError"):
        uar.values(**inputs)
    monkeypatch.setitem(uar.__dict__, "over", "class")
    monkeypatch.setitem(uar.__dict__, "function", lambda truth: truth)
    with pytest.raises(ConfigError, match="it returned 2 values for 3 classes"):
        uar.values(**inputs, classes=["a", "b", "c"])
