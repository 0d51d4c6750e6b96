"""The example of a package that adds to speechnet, in an environment of its own."""

from __future__ import annotations

import csv
import io
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pandas as pd
import pytest

import speechnet

pytestmark = pytest.mark.slow

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"
SEXES = {"1": "f", "0": "m"}
MOODS = {"1": "angry", "2": "happy", "3": "sad", "4": "neutral"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the plugin, which sees the packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    made = folder / "bin" / "python"
    packages = Path(
        subprocess.run(
            [made, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    here = [sysconfig.get_path("purelib"), *site.getsitepackages()]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(here)]
    (packages / "outer.pth").write_text("\n".join(lines) + "\n")
    source = shutil.copytree(PLUGIN, folder / "plugin")  # a build leaves files beside it
    install = [made, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--no-build-isolation", source], check=True, env=environment(folder))
    return made


def environment(folder: Path) -> dict[str, str]:
    here = Path(speechnet.__file__).parents[1]
    return os.environ | {
        "PYTHONPATH": str(here),  # the code that is tested, wherever another one is installed
        "SPEECHNET_CACHE": str(folder / "cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def run(python: Path, *words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "speechnet", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(python.parents[1]),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def recordings(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic speech under the names of the plugin's corpus."""
    folder = tmp_path_factory.mktemp("playroom")
    run(python, "synth", "--out", "made", "--speakers", "8", "--sentences", "2", cwd=folder)
    labels = pd.read_csv(folder / "made" / "labels.csv", dtype=str)
    (folder / "named").mkdir()
    for voice, take, sex, mood in labels[["voice_id", "Text_ID", "Sex", "emotion_ID"]].itertuples(
        index=False
    ):
        speaker = f"{SEXES[sex]}{voice[3:5]}"
        name = f"{speaker}_{MOODS[mood]}_{take}.wav"
        (folder / "made" / voice[:5] / f"{voice}.wav").rename(folder / "named" / name)
    return folder / "named"


@pytest.fixture(scope="module")
def fitted(python: Path, recordings: Path) -> Path:
    """The run folder of the plugin's own experiment, with the built-in SVM beside its models."""
    config = PLUGIN / "playroom.yaml"
    words = ["--data.corpus.root", recordings, "--models.svm.C", "[1.0]"]
    words += ["--trainer.max_epochs", "3", "--evaluation.resamples", "100"]
    run(python, "fit", "--config", config, *words, cwd=recordings.parent)
    return recordings.parent / "checkpoints" / "playroom" / "version_0"


def test_everything_is_found(fitted: Path) -> None:
    """Features, models, metric, figure and corpus each stand where the built-in ones do."""
    scores = pd.read_csv(fitted / "scores.csv", dtype={"fold": str})
    assert {"lda", "gru", "svm"} == set(scores["model"])
    kappa = scores[(scores["metric"] == "kappa") & (scores["part"] == "test")]
    assert kappa.loc[kappa["fold"] == "all", ["value", "low", "high"]].notna().all(axis=None)
    ablation = pd.read_csv(fitted / "ablation.csv")
    assert "without loudness" in set(ablation["variant"])
    assert (fitted / "figures" / "confidences_emotion.svg").exists()
    page = (fitted / "report.html").read_text()
    for word in ("kappa", "LDA", "GRU", "Confidences: emotion", "loudness"):
        assert word in page, word


def test_kappa(fitted: Path) -> None:
    """As scikit-learn has it, on the pooled test rows."""
    from sklearn.metrics import cohen_kappa_score

    predictions = pd.read_parquet(fitted / "predictions.parquet").query("part == 'test'")
    scores = pd.read_csv(fitted / "scores.csv", dtype={"fold": str})
    kappa = scores.query("part == 'test' and fold == 'all' and metric == 'kappa'")
    found = kappa.set_index(["model", "target"])["value"]
    for names, rows in predictions.groupby(["model", "target"]):
        assert found[names] == pytest.approx(cohen_kappa_score(rows["truth"], rows["predicted"]))


@pytest.mark.parametrize("model", ["lda", "gru"])
def test_predict(python: Path, fitted: Path, recordings: Path, model: str) -> None:
    """The saved models answer for a recording as for any other."""
    file = min(recordings.iterdir())
    done = run(python, "predict", "--run", fitted, "--model", model, file, cwd=recordings)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["model"] == model
    assert row["emotion"] in MOODS.values()
    assert row["reason"] == ""


def test_report(python: Path, fitted: Path) -> None:
    """Made again from the run folder, the report has the same figures."""
    before = sorted(path.name for path in (fitted / "figures").iterdir())
    shutil.rmtree(fitted / "figures")
    run(python, "report", "--run", fitted, cwd=fitted)
    assert sorted(path.name for path in (fitted / "figures").iterdir()) == before
    assert "Confidences: emotion" in (fitted / "report.html").read_text()


def test_help_names_them(python: Path, tmp_path: Path) -> None:
    """Among the built-in ones."""
    said = run(python, "fit", "--help", cwd=tmp_path).stdout
    for key in ("data.features.loudness", "data.features.envelope", "models.gru", "models.lda"):
        assert f"--{key}" in said


def test_a_run_without_the_plugin(fitted: Path, recordings: Path, tmp_path: Path) -> None:
    """The missing package is named; a report can do without it, but lacks the metric."""
    command = [sys.executable, "-m", "speechnet"]
    told = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment(tmp_path)}
    file = min(recordings.iterdir())
    done = subprocess.run([*command, "predict", "--run", fitted, file], check=False, **told)
    assert done.returncode == 3
    assert done.stderr.endswith(
        "can't be used: this run needs the package speechnet-example (1.0), which provides the "
        "feature extractor envelope; pip install speechnet-example\n"
    )
    done = subprocess.run([*command, "report", "--run", fitted], check=False, **told)
    assert done.returncode == 0
    assert "lacks a metric: this run needs the package speechnet-example" in done.stderr
    assert "provides the metric kappa" in done.stderr
