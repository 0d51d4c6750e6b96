"""Tests of the command ``compare``, on runs that were really fitted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from speechnet.cli.main import main
from speechnet.comparison.compare import compare
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import encode
from speechnet.evaluation.significance import differences
from speechnet.experiment.fit import fit
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.run_tables import read_table

pytestmark = pytest.mark.slow

Edit = Callable[..., Path]


@pytest.fixture(scope="module")
def fitted(tiny_config: Path) -> Callable[..., Path]:
    """Runs of the tiny experiment with other settings and two models fewer."""
    words = ["--config", str(tiny_config), "--out", str(tiny_config.parent / "compared")]
    words += ["--models.mlp", "null", "--evaluation.clustering.enabled", "false"]
    words += ["--models.logreg", "null", "--report.mistakes", "0", "--report.html", "false"]
    return lambda *more: fit(*read_experiment([*words, *more]))


@pytest.fixture(scope="module")
def narrow(fitted: Callable[..., Path]) -> Path:
    """A run with fewer coefficients, in the same folds."""
    return fitted("--data.features.functionals.n_mfcc", "3")


@pytest.fixture(scope="module")
def reseeded(fitted: Callable[..., Path]) -> Path:
    """A run with another seed, so in other folds."""
    return fitted("--data.features.functionals.n_mfcc", "3", "--seed_everything", "1")


@pytest.fixture
def edited(narrow: Path, tmp_path: Path) -> Edit:
    """A copy of the narrow run whose ``run.json`` says something else."""

    def edit(name: str = "edited", **info: Any) -> Path:
        path = Path(shutil.copytree(narrow, tmp_path / name / "version_0"))
        said = json.loads((path / "run.json").read_text(encoding="utf-8"))
        (path / "run.json").write_text(json.dumps(said | info), encoding="utf-8")
        write_sums(path)
        return path

    return edit


def change_table(run: Path, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Write a table of a run again."""
    change(read_table(run / name)).to_csv(run / name, index=False)
    write_sums(run)


def answers(run: Path, target: str, model: str) -> pd.DataFrame:
    """A model's answers on the test part, by file."""
    rows = pd.read_parquet(run / "predictions.parquet").query("part == 'test'")
    rows = rows[(rows["target"] == target) & (rows["model"] == model)]
    return rows.set_index("file").sort_index()


def test_same_folds_are_paired(
    tiny_run: Path, narrow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From predictions to CSV: the difference of two models as it comes out computed alone."""
    found = compare([tiny_run, narrow], out=tmp_path / "out")
    written = read_table(tmp_path / "out" / "comparison.csv")
    assert written["untested"].isna().all()
    assert set(written["target"]) == {"gender", "emotion"}
    speaker = read_table(tiny_run / "corpus.csv").set_index("file")["speaker"]
    row = written.query("target == 'emotion' and first == 'svm' and second == 'svm'").iloc[0]
    one, other = (answers(run, "emotion", "svm") for run in (tiny_run, narrow))
    classes = found.targets["emotion"]
    [expected] = differences(
        encode(one["truth"], classes),
        [encode(of["predicted"], classes) for of in (one, other)],
        pd.factorize(speaker.loc[one.index])[0].astype(np.int64),
        k=4,
    )
    assert (row["difference"], row["p"]) == pytest.approx((expected.difference, expected.p))
    assert row["low"] == pytest.approx(expected.low, abs=0.02)  # units are drawn in another order
    settings = read_table(tmp_path / "out" / "settings.csv")
    key = "data.features.functionals.n_mfcc"
    assert settings.query("key == @key")["value"].tolist() == ["12", "3"]
    assert set(settings["key"]) == {key, "models.mlp", "models.logreg"}
    assert settings.query("key == 'models.logreg'")["value"].tolist() == ["(set)", "(not set)"]
    shown = capsys.readouterr().out
    assert "data.features.functionals.n_mfcc: 12 (A), 3 (B)" in shown
    assert "Only A has the model MLP (network)." in shown
    assert f"Page: {tmp_path / 'out' / 'compare.html'}" in shown


def test_scores_are_the_runs_own(tiny_run: Path, narrow: Path) -> None:
    """Each score that is shown stands in its run's scores.csv, as the mean over folds."""
    written = compare([tiny_run, narrow], out=None).scores
    for name, run in (("A", tiny_run), ("B", narrow)):
        scores = read_table(run / "scores.csv").query("fold == 'mean'")
        key = ["model", "target", "part", "metric"]
        mine = written[(written["run"] == name) & ~written["pooled"]].set_index(key)
        theirs = scores.set_index(key).loc[mine.index]
        assert len(mine)
        np.testing.assert_array_equal(
            mine[["value", "low", "high"]], theirs[["value", "low", "high"]]
        )
        dev = mine.xs(("dev", "uar"), level=("part", "metric"))
        means = dev["value"].groupby("model").mean()
        assert set(dev.index[dev["best"]].get_level_values("model")) == {means.idxmax()}


def test_another_seed_stands_side_by_side(
    narrow: Path, reseeded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In other folds nothing is tested; the reason is given, and that it is the same experiment."""
    found = compare([narrow, reseeded], out=None)
    assert found.pairs["p"].isna().all()
    shown = capsys.readouterr().out
    assert "A and B are the same experiment with other seeds (0 (A), 1 (B))" in shown
    assert "not tested: A and B, as the same recordings are tested in other folds." in shown
    assert "seed_everything: 0 (A), 1 (B)" in shown
    assert "better" not in shown


def test_nothing_is_written_unless_asked_for(
    tiny_run: Path, narrow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --out nothing lands on the disk; standard error says how to get the rest."""
    monkeypatch.chdir(tmp_path)
    before = [sorted(run.rglob("*")) for run in (tiny_run, narrow)]
    compare([tiny_run, narrow], out=None)
    assert list(tmp_path.iterdir()) == []
    assert [sorted(run.rglob("*")) for run in (tiny_run, narrow)] == before


def test_a_copy_gives_the_same_answers(
    narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same run twice over is called that, and no difference is judged."""
    found = compare([narrow, edited()], out=None)
    assert found.pairs["equal"].all()
    shown = capsys.readouterr().out
    assert "A and B are the same experiment again, and gave the same answers." in shown
    assert "No setting differs." in shown
    assert (
        "gender: the same answers throughout from KNN of A and KNN of B; SVM of A and SVM of B"
        in shown
    )
    assert "better" not in shown
    assert "no difference" not in shown


def test_another_protocol_is_another_task(
    narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs whose features know a speaker's other recordings are compared, but marked."""
    other = edited(protocol="2 folds, unseen speakers; features standardised by speaker")
    compare([narrow, other], out=None)
    shown = capsys.readouterr().out
    assert (
        "Not the same task, as the protocols differ. A: 2 folds, unseen speakers; B: 2 f" in shown
    )


def test_other_versions_are_said(
    narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    """Libraries of other versions may be what makes the difference."""
    versions = json.loads((narrow / "run.json").read_text(encoding="utf-8"))["versions"]
    compare([narrow, edited(versions=versions | {"numpy": "9.9"})], out=None)
    assert f"other versions: numpy {versions['numpy']} (A), 9.9 (B)." in capsys.readouterr().out


def test_a_recording_less(narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one run lacks a recording, the others are compared."""
    run = edited()
    gone = read_table(run / "corpus.csv")["file"].iloc[0]
    predictions = pd.read_parquet(run / "predictions.parquet")
    predictions[predictions["file"] != gone].to_parquet(run / "predictions.parquet", index=False)
    change_table(run, "split.csv", lambda table: table[table["file"] != gone])
    found = compare([narrow, run], out=None)
    assert set(found.pairs["rows"]) == {47}
    assert (
        "A and B are compared on the 47 recordings that both test: A tests 1 that B doesn't."
        in (capsys.readouterr().out)
    )


def test_recordings_are_known_by_their_samples(narrow: Path, edited: Edit) -> None:
    """A corpus with other file names is the same; one with the same names may be another."""
    renamed = edited("renamed")
    for name in ("corpus.csv", "split.csv"):
        change_table(renamed, name, lambda table: table.assign(file="x/" + table["file"]))
    predictions = pd.read_parquet(renamed / "predictions.parquet")
    predictions["file"] = "x/" + predictions["file"]
    predictions.to_parquet(renamed / "predictions.parquet", index=False)
    write_sums(renamed)
    assert compare([narrow, renamed], out=None).pairs["equal"].all()
    other = edited("other")
    change_table(other, "corpus.csv", lambda table: table.assign(digest="z" + table["digest"]))
    with pytest.raises(DataError, match=r"A \(corpus .*\) and B .* test no recording in common"):
        compare([narrow, other], out=None)
    old = edited("old")
    change_table(old, "corpus.csv", lambda table: table.drop(columns="digest"))
    assert compare([narrow, old], out=None).pairs["equal"].all()


def test_a_recording_that_both_label_otherwise(narrow: Path, edited: Edit) -> None:
    """The same sound under two labels: the runs were not asked the same."""
    run = edited()
    predictions = pd.read_parquet(run / "predictions.parquet")
    swapped = {"sad": "neutral", "neutral": "sad"}
    predictions["truth"] = predictions["truth"].replace(swapped)
    predictions.to_parquet(run / "predictions.parquet", index=False)
    write_sums(run)
    with pytest.raises(
        DataError, match=r"A and B disagree about the emotion of 24 .*. A is /.*, B is /"
    ):
        compare([narrow, run], out=None)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            {"gender": ["female", "male"], "emotion": ["angry", "happy"]},
            r"emotion, A tells 4 classes apart \(angry, .*, neutral\), B 2 \(angry, happy\)",
        ),
        ({"age": ["young", "old"]}, "no target in common: A has gender, emotion; B has age"),
    ],
)
def test_other_classes_are_refused(
    narrow: Path, edited: Edit, targets: dict[str, list[str]], message: str
) -> None:
    """Another task can't be compared, and the message says what each run tells apart."""
    with pytest.raises(DataError, match=message):
        compare([narrow, edited(targets=targets)], out=None)


def test_a_target_that_one_run_lacks(
    narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    """What both recognise is compared, and the rest is named."""
    found = compare([narrow, edited(targets={"gender": ["male", "female"]})], out=None)
    assert list(found.targets) == ["gender"]
    assert found.pairs["equal"].all()
    assert "Only A has the target emotion." in capsys.readouterr().out


def test_without_a_dev_part(narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    """No model is called the best for what it did on the test part."""
    run = edited()
    change_table(run, "scores.csv", lambda table: table[table["part"] != "dev"])
    (run / "search.csv").unlink()
    write_sums(run)
    found = compare([narrow, run], out=None)
    assert not found.scores.loc[found.scores["run"] == "B", "best"].any()
    assert not found.pairs["best"].any()
    said = capsys.readouterr().out
    assert "No dev part tells which model of B is the best" in said
    assert "undefined, or the run doesn't have this score" in " ".join(said.split())


def test_the_best_model_is_called_by_its_label(
    narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in the tables, each run by its own labels."""
    labels = {"knn": "My neighbours", "svm": "My vectors"}
    mine = compare([narrow, edited(labels=labels)], out=None).runs[1].facts
    assert mine["models"] == "My neighbours, My vectors"
    assert mine["best"].partition(",")[0] in labels.values()
    assert f"   {mine['best']}\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["predictions.parquet", "split.csv", "scores.csv", "config.yaml"])
def test_damaged_runs(narrow: Path, edited: Edit, name: str) -> None:
    """A file that can't be read is named, though its checksum may be right."""
    run = edited()
    (run / name).write_bytes(b"\x00\xff{")
    write_sums(run)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        compare([narrow, run], out=None)


def test_wrong_use(tiny_run: Path, narrow: Path, tmp_path: Path) -> None:
    """One run, the same one by another name, too many, or a run folder to write to."""
    with pytest.raises(ConfigError, match="1 run given, expected 2 to 26"):
        compare([narrow], out=None)
    (tmp_path / "link").symlink_to(narrow)
    with pytest.raises(ConfigError, match=r"link is the same folder as .*; give each run once"):
        compare([narrow, tmp_path / "link"], out=None)
    with pytest.raises(ConfigError, match="27 runs given"):
        compare([tmp_path / str(number) for number in range(27)], out=None)
    with pytest.raises(ConfigError, match="is a run folder"):
        compare([tiny_run, narrow], out=narrow)


def test_exit_codes(narrow: Path, edited: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use is 2, a run that can't be used 3, and both are one line."""
    for words, code, message in (
        (["compare", str(narrow)], 2, "1 run given"),
        (["compare"], 2, "runs"),
        (["compare", str(narrow), str(narrow / "nowhere")], 3, "there is no run folder"),
        (["compare", str(narrow), str(narrow.parent)], 3, "isn't a run folder"),
    ):
        assert main(words) == code
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert message in error
    run = edited()
    (run / "INCOMPLETE").touch()
    assert main(["compare", str(narrow), str(run)]) == 3
    assert "is incomplete" in capsys.readouterr().err


def test_hostile_names(
    narrow: Path, edited: Edit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder's name is text: in a terminal, in a figure and in the page."""
    run = edited("<img src=x onerror=alert(1)>\n[red]$x$\x1b[31m")
    assert main(["compare", str(narrow), str(run), "--out", str(tmp_path / "out")]) == 0
    assert "\x1b" not in capsys.readouterr().out
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
