"""One answer to the question which model is the best, whoever asks."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import speechnet
from speechnet.comparison.runs import open_runs
from speechnet.evaluation.selection import Choice
from speechnet.experiment.export import export
from speechnet.experiment.fit import _close
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.report import report_data
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.saved_run import SavedRun
from speechnet.inference.predict import recognise
from speechnet.report.html.overview import overview
from speechnet.serve.page import about

BEST = "knn"
"""By the dev part's mean over folds and targets; every other rule finds another model."""


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A run whose pooled dev rows, single targets, searches and test part each favour another."""
    path = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    scores = pd.read_csv(path / "scores.csv", dtype={"fold": str})
    of_uar = scores["metric"] == "uar"
    for part, fold, target, values in (
        ("dev", "mean", "gender", {"mlp": 0.9, BEST: 0.8, "svm": 0.6, "logreg": 0.5}),
        ("dev", "mean", "emotion", {"mlp": 0.2, BEST: 0.6, "svm": 0.7, "logreg": 0.5}),
        ("dev", "all", "gender", {"mlp": 0.9, BEST: 0.1, "svm": 0.6, "logreg": 1.0}),
        ("dev", "all", "emotion", {"mlp": 0.2, BEST: 0.1, "svm": 0.7, "logreg": 1.0}),
        ("test", "mean", "gender", {"mlp": 1.0, BEST: 0.1, "svm": 0.1, "logreg": 0.1}),
    ):
        rows = of_uar & (scores["part"] == part) & (scores["fold"] == fold)
        rows &= scores["target"] == target
        scores.loc[rows, "value"] = scores.loc[rows, "model"].map(values)
    scores.to_csv(path / "scores.csv", index=False)
    searched = pd.read_csv(path / "search.csv", dtype={"fold": str})
    searched["mean"] = np.where(searched["model"] == "svm", 0.9, 0.2)
    searched.to_csv(path / "search.csv", index=False)
    write_sums(path)
    return path


def test_everybody_gives_one_answer(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``predict``, ``load``, ``serve``, report, ``compare`` and a run's last lines."""
    choice = RunFolder.open(run).best()
    assert choice == Choice(BEST, "dev", pytest.approx(0.7), ("gender", "emotion"))
    saved = SavedRun(run)
    assert saved.best() == choice
    assert speechnet.load(run).models == [BEST]
    assert about(saved, saved.best())["best"] == BEST
    assert {each.best for each in open_runs([run]).values()} == {choice}
    found = report_data(RunFolder.open(run))
    assert found.best == choice
    assert f"KNN is {choice.reason}" in overview(found)["details"]
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000)
    soundfile.write(tmp_path / "noise.wav", noise, 8_000)
    capsys.readouterr()
    recognise(run, [tmp_path / "noise.wav"], model="best", out=tmp_path / "found.csv")
    assert pd.read_csv(tmp_path / "found.csv")["model"].tolist() == [BEST]
    said = " ".join(capsys.readouterr().err.split())
    assert f"Model: {BEST}, {choice.reason}" in said
    _close(RunFolder.open(run), found, report=False)
    assert f"KNN is {choice.reason}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(find_spec("onnx") is None, reason="the extra onnx is not installed")
def test_an_exported_network_names_the_best_model(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network can be exported though it isn't the best; that is said, there and in the file."""
    import onnx

    path = export(run)
    choice = SavedRun(run).best()
    properties = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert properties["best_model"] == f"{BEST}, {choice.reason}"
    assert f"{BEST}, {choice.reason}" in " ".join(capsys.readouterr().err.split())
