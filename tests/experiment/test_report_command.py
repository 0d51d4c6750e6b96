"""Tests of making a run's figures and its report again from its folder."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from speechnet.cli import main as cli
from speechnet.core.errors import DataError
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.report import _attachments, rebuild, report_data, write_report
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_tables import as_read, read_table
from speechnet.report.data import ReportData
from speechnet.report.figure import FIGURES, Drawing

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> RunFolder:
    """A copy of the finished run."""
    return RunFolder.open(Path(shutil.copytree(tiny_run, tmp_path / "tiny" / "version_0")))


def test_tables(run: RunFolder) -> None:
    """Everything is read back, names as they were; what is missing has no rows."""
    data = report_data(run)
    assert set(data.scores["fold"]) == {"0", "1", "all", "mean", "sd"}
    pairs = {(model, target) for model in run.info["models"] for target in run.info["targets"]}
    assert set(data.roc) == pairs
    assert all(isinstance(name, str) for name in data.table("corpus")["speaker"])
    assert data.majority == {"gender": 0.5, "emotion": 0.25}
    for name in ("history", "clusters", "projection", "audit", "search", "mistakes"):
        assert len(data.table(name)), name
    assert data.setting("experiment") == "tiny"
    (run.path / "history.csv").unlink()
    assert report_data(run).table("history").empty


def test_curves_are_of_the_test_part(run: RunFolder) -> None:
    """The areas are those scikit-learn finds in the test part, folds pooled."""
    predictions = pd.read_parquet(run.path / "predictions.parquet")
    rows = predictions.query("model == 'svm' and target == 'emotion' and part == 'test'")
    curves = report_data(run).roc["svm", "emotion"]
    for emotion in ("angry", "happy", "sad", "neutral"):
        area = roc_auc_score(rows["truth"] == emotion, rows[f"p_{emotion}"])
        assert curves[emotion].auc == pytest.approx(area)


def test_names_like_missing_values(run: RunFolder) -> None:
    """A speaker called NA and one called 01 keep their names."""
    corpus = pd.read_csv(run.path / "corpus.csv")
    corpus["speaker"] = np.where(np.arange(len(corpus)) % 2, "NA", "01")
    corpus.to_csv(run.path / "corpus.csv", index=False)
    assert set(report_data(run).table("corpus")["speaker"]) == {"NA", "01"}


def test_what_a_run_has_written_is_not_read(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table stays at hand as it would be read back, whatever its columns hold."""
    table = pd.DataFrame(
        {
            "file": ["a", None, ""],
            "fold": [0, 1, 2],
            "value": [0.1, np.nan, 3],
            "label": pd.Categorical(["x", None, "=1+1"]),
            "certain": [True, False, True],
            "count": np.array([1, None, 2], dtype=object),
            "detail": ["", "", ""],
        },
        index=[5, 6, 7],
    )
    run.write_table("mine.csv", table)
    pd.testing.assert_frame_equal(as_read(table), read_table(run.path / "mine.csv"))
    monkeypatch.setattr("speechnet.experiment.run_folder.read_table", None)
    run.sums = None
    pd.testing.assert_frame_equal(run.read_table("mine.csv"), as_read(table))
    with pytest.raises(TypeError):
        run.read_table("corpus.csv")


@pytest.fixture
def bare_run(run: RunFolder) -> Path:
    """A run without audit, intervals, clusters and mistakes."""
    kept = {"config.yaml", "corpus.csv", "confusion.csv", "predictions.parquet", "scores.csv"}
    for path in run.path.iterdir():
        if path.is_file() and path.name not in kept | {"run.json"}:
            path.unlink()
    for name in ("unit", "chance", "clustering", "audit"):
        run.info.pop(name, None)
    (run.path / "run.json").write_text(json.dumps(run.info))
    scores = pd.read_csv(run.path / "scores.csv").drop(columns=["low", "high"])
    scores.to_csv(run.path / "scores.csv", index=False)
    write_sums(run.path)
    return run.path


@pytest.fixture
def without_corpus(tiny_config: Path) -> Iterator[None]:
    """The corpus of the tiny run, and all features of it, are away for the while."""
    cache, away = tiny_config.parent / "cache", tiny_config.parent / "away"
    cache.rename(away)
    yield
    assert not cache.exists()
    away.rename(cache)


@pytest.mark.usefixtures("without_corpus")
def test_report_of_a_bare_run_without_its_corpus(
    bare_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command draws and writes all that the folder has tables for, and prints where it is."""
    assert cli.main(["report", "--run", str(bare_run)]) == 0
    report = bare_run / "report.html"
    assert capsys.readouterr().out.split() == [str(report)]
    text = report.read_text(encoding="utf-8")
    assert text.count("<img ") == len([*(bare_run / "figures").glob("*.svg")]) == 7
    assert "No audit: this run has none" in text


def test_report_of_fit_is_that_of_the_folder(run: RunFolder, tiny_run: Path) -> None:
    """What fit wrote is what the command writes from the folder, wherever that lies."""
    first = (tiny_run / "report.html").read_text(encoding="utf-8")
    assert write_report(run, report_data(run)).read_text(encoding="utf-8") == first
    assert str(tiny_run.parents[2]) not in first


def test_what_can_be_heard_and_seen(run: RunFolder) -> None:
    """The pieces of the mistakes that the folder has, and its sums."""
    mistakes = run.read_table("mistakes.csv")
    files = _attachments(run, report_data(run))
    assert "scores.csv" in files.checksums
    for names, found in (("clip", files.clips), ("picture", files.pictures)):
        assert {*mistakes[names].dropna()} == {*found}
        assert found
    name = mistakes["clip"].dropna().iloc[0]
    assert files.clips[name] == (run.path / name).read_bytes()
    (run.path / name).unlink()  # a page without its sound is better than none
    assert name not in _attachments(run, report_data(run)).clips


@pytest.mark.parametrize("name", ["../secret.mp3", "/etc/passwd", "mistakes/1.mp3/../../run.json"])
def test_mistakes_name_nothing_else(run: RunFolder, name: str) -> None:
    """A table that names other files is refused: what it names would be copied into the page."""
    mistakes = read_table(run.path / "mistakes.csv").assign(clip=name)
    mistakes.to_csv(run.path / "mistakes.csv", index=False)
    with pytest.raises(DataError, match=r"expected mistakes/<number>\.mp3"):
        write_report(run, report_data(run))


DAMAGE = {
    "a column gone": ("scores.csv", lambda text: text.replace("metric", "what", 1)),
    "words for numbers": ("calibration.csv", lambda text: text.replace("0.", "x", 9)),
    "an empty table": ("corpus.csv", lambda _: ""),
    "words that a figure alone reads": ("reliability.csv", lambda text: text.replace("0.", "x", 9)),
    "a row cut off": ("scores.csv", lambda text: text[: text.rindex(",")] + ',"'),
    "clusters of no method": ("clustering.csv", lambda text: text.replace("against", "x", 1)),
}


@pytest.mark.parametrize(("name", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_tables_of_a_run(
    bare_run: Path,
    tiny_run: Path,
    name: str,
    damage: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line that names the run, and the exit code of data."""
    text = (tiny_run / name).read_text()
    assert damage(text) != text
    (bare_run / name).write_text(damage(text))
    write_sums(bare_run)
    assert cli.main(["report", "--run", str(bare_run)]) == 3
    said = capsys.readouterr().err
    assert str(bare_run) in said.replace("\n", "")
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["scores.csv", "predictions.parquet"])
def test_missing_tables_of_a_run(bare_run: Path, name: str) -> None:
    """They are refused, even if the sums don't list them."""
    (bare_run / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is gone"):
        rebuild(bare_run)
    write_sums(bare_run)
    with pytest.raises(DataError, match=re.escape(str(bare_run))):
        rebuild(bare_run)


def test_a_figure_with_a_bug(
    bare_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is left out with one warning, and the run isn't blamed."""

    def faulty(data: ReportData) -> list[Drawing]:
        return [data.scores["no such column"]]

    monkeypatch.setitem(FIGURES._things, "confusion", faulty)
    monkeypatch.setattr(FIGURES, "_refusals", {})  # an earlier test may have left some
    assert cli.main(["report", "--run", str(bare_run)]) == 0
    said = capsys.readouterr().err
    line = faulty.__code__.co_firstlineno + 1
    assert said.count("left out") == 1
    assert f"{Path(__file__).name}:{line}: KeyError: 'no such column'" in said
    assert "damaged" not in said
    assert "roc_emotion.svg" in {path.name for path in (bare_run / "figures").iterdir()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chance": {"emotion": [0.1]}}, r"chance\.emotion is \[0\.1\], expected at least 2"),
        ({"chance": {"emotion": "low"}}, r"chance\.emotion"),
        ({"seconds": {"training": "long"}}, r"seconds\.training"),
        (
            {"clustering": {"explained": [0.3]}},
            r"clustering\.explained is \[0\.3\], expected at least 2",
        ),
        ({"clustering": ["none"]}, "clustering"),
        ({"corpus": {"recordings": "many"}}, r"corpus\.recordings"),
    ],
)
def test_damaged_words_of_a_run(bare_run: Path, change: dict[str, object], said: str) -> None:
    """What run.json holds is checked as deep as it is read."""
    info = json.loads((bare_run / "run.json").read_text()) | change
    (bare_run / "run.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match=rf"run\.json is damaged: .*{said}"):
        RunFolder.open(bare_run)


def test_tables_that_make_no_sense(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changed them can have mended the sums: the run is named, and the fault."""

    def fail(*_: object) -> None:
        raise TypeError("text less text")

    monkeypatch.setattr("speechnet.experiment.report.page", fail)
    with pytest.raises(DataError, match=r"its tables are damaged \(TypeError: text less text\)"):
        write_report(run, report_data(run))


def test_mistakes_that_tie_are_counted(run: RunFolder) -> None:
    """All that are as confident as the last one shown, if one of them is not."""
    predictions = pd.read_parquet(run.path / "predictions.parquet")
    mistakes = read_table(run.path / "mistakes.csv")
    target, model = mistakes.loc[0, ["target", "model"]]
    at = (predictions["target"] == target) & (predictions["model"] == model)
    at &= predictions["part"] == "test"
    names = run.info["targets"][target]
    wrong = {truth: names[names.index(truth) - 1] for truth in names}
    predictions.loc[at, "predicted"] = predictions.loc[at, "truth"].astype(str).map(wrong)
    predictions.loc[at, [f"p_{name}" for name in names]] = 0.0
    for name in names:
        predictions.loc[at & (predictions["predicted"] == name), f"p_{name}"] = 1.0
    predictions.to_parquet(run.path / "predictions.parquet", index=False)
    assert report_data(run).tied_mistakes[target] == predictions.loc[at, "file"].nunique()
