"""Tests of drawing a run's figures again from its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import speechnet.runs.reporting
from speechnet.report.tables import Tables
from speechnet.runs.folder import RunFolder
from speechnet.runs.reporting import draw_figures


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> RunFolder:
    """A copy of the finished run."""
    return RunFolder.open(Path(shutil.copytree(tiny_run, tmp_path / "run")))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Tables]:
    """The tables that would be drawn; nothing is."""
    tables: list[Tables] = []

    def keep(given: Tables, folder: Path) -> list[Path]:
        del folder
        tables.append(given)
        return []

    monkeypatch.setattr(speechnet.runs.reporting, "draw_all", keep)
    return tables


def test_tables(run: RunFolder, drawn: list[Tables]) -> None:
    """Everything is read back, names as they were."""
    draw_figures(run)
    tables = drawn[0]
    assert set(tables.scores["fold"]) == {"0", "1", "all", "mean", "sd"}
    assert set(tables.roc) == {
        (model, target) for model in run.info["models"] for target in run.info["targets"]
    }
    assert tables.corpus is not None
    assert tables.corpus.index.name == "file"
    assert all(isinstance(name, str) for name in tables.corpus["speaker"])
    assert tables.majority == {"gender": 0.5, "emotion": 0.25}
    assert tables.history is not None
    assert tables.clusters is not None
    assert tables.projection is not None


def test_curves_are_of_the_test_part(run: RunFolder, drawn: list[Tables]) -> None:
    """The areas are those scikit-learn finds in the test part, folds pooled."""
    draw_figures(run)
    predictions = pd.read_parquet(run.path / "predictions.parquet")
    rows = predictions.query("model == 'svm' and target == 'emotion' and part == 'test'")
    for emotion in ("angry", "happy", "sad", "neutral"):
        area = roc_auc_score(rows["truth"] == emotion, rows[f"p_{emotion}"])
        assert drawn[0].roc["svm", "emotion"][emotion].auc == pytest.approx(area)


def test_what_is_missing_is_not_drawn(run: RunFolder, drawn: list[Tables]) -> None:
    """Without network or clustering there are no such tables."""
    for name in ("history.csv", "clusters.csv", "projection.csv"):
        (run.path / name).unlink()
    del run.info["clustering"]
    draw_figures(run)
    assert drawn[0].history is None
    assert drawn[0].clusters is None
    assert drawn[0].projection is None
    assert drawn[0].variance is None


def test_names_like_missing_values(run: RunFolder, drawn: list[Tables]) -> None:
    """A speaker called NA and one called 01 keep their names."""
    corpus = pd.read_csv(run.path / "corpus.csv")
    corpus["speaker"] = np.where(np.arange(len(corpus)) % 2, "NA", "01")
    corpus.to_csv(run.path / "corpus.csv", index=False)
    draw_figures(run)
    assert drawn[0].corpus is not None
    assert set(drawn[0].corpus["speaker"]) == {"NA", "01"}
