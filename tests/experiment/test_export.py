"""Tests of the command ``export``, and of the example that uses what it writes."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import yaml

import speechnet.experiment.export
from speechnet import __version__
from speechnet.audio.config import AudioConfig
from speechnet.cli.main import main
from speechnet.core.errors import ConfigError, SpeechnetError, StorageError
from speechnet.core.types import FeatureSet
from speechnet.denoise import DenoiseConfig
from speechnet.experiment.export import export
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.functionals import Functionals
from speechnet.models.model import Fitted
from speechnet.models.training.onnx import to_onnx

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_predict.py"


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's network, all folds."""
    return export(tiny_run, model="mlp", out=tmp_path_factory.mktemp("exported"))


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def _about(path: Path) -> dict[str, str]:
    return dict(_session(path).get_modelmeta().custom_metadata_map)


def _change(run: Path, **changes: object) -> None:
    info = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps(info))
    write_sums(run)


def test_it_predicts_what_the_run_predicts(tiny_run: Path, exported: Path) -> None:
    """On the scale of the run's own features, in batches of one and of many."""
    run = SavedRun(tiny_run)
    checkpoint = run.fitted("mlp", 0)
    network = getattr(checkpoint, "fitted", checkpoint).networks[0]
    drawn = np.random.default_rng(5).standard_normal((300, 25), dtype=np.float32)
    X = network.centre.numpy() + network.scale.numpy() * drawn
    session, expected = _session(exported), run.predict_proba("mlp", FeatureSet.vectors(X))
    for rows in (slice(0, 1), slice(0, 7), slice(None)):
        found = session.run(list(run.targets), {"features": X[rows]})
        for target, values in zip(run.targets, found, strict=True):
            np.testing.assert_allclose(values, expected[target][rows], atol=1e-5)
            clear = np.ptp(np.sort(expected[target][rows])[:, -2:], axis=1) > 1e-5
            likeliest = expected[target][rows].argmax(axis=1)
            assert (values.argmax(axis=1) == likeliest)[clear].all()


def test_one_fold(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One fold's networks alone, in a file of another name."""
    words = ["export", "--run", str(tiny_run), "--out", str(tmp_path / "new"), "--fold", "1"]
    assert main(words) == 0
    path = tmp_path / "new" / "model_fold_1.onnx"
    shown = capsys.readouterr()
    assert shown.out.startswith(f"Model: {path} (0.0 MB, 1 of 2 folds; equal to torch within ")
    assert len(shown.err.splitlines()) <= 1  # that the network isn't the best model, if it isn't
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    X = np.random.default_rng(0).standard_normal((4, 25), dtype=np.float32)
    expected = SavedRun(tiny_run).fitted("mlp", 1).predict_proba(X)
    for target, values in zip(expected, _session(path).run(None, {"features": X}), strict=True):
        np.testing.assert_allclose(values, expected[target], atol=1e-5)
    assert _about(path)["folds"] == "[1]"


def test_what_it_says_of_itself(tiny_run: Path, exported: Path) -> None:
    """Enough to make its input again, and to find the run it comes from."""
    info = json.loads((tiny_run / "run.json").read_text())
    about = _about(exported)
    assert json.loads(about["classes"]) == info["targets"]
    assert about["speechnet"] == __version__
    assert about["run"] == "tiny/version_0"
    assert about["run_sha256"] == hashlib.sha256((tiny_run / "SHA256SUMS").read_bytes()).hexdigest()
    assert about["protocol"] == info["protocol"]
    assert "corpus synthetic" in about["licence"]
    recipe = json.loads(about["recipe"])
    config = SavedRun(tiny_run).config.data
    assert AudioConfig(**recipe["audio"]) == config.audio
    assert DenoiseConfig(**recipe["denoise"]) == config.denoise
    features = Functionals(**recipe["features"]["functionals"])
    kept = info["features"]["functionals"]
    assert list(features.columns) == recipe["columns"] == kept["columns"]
    assert (features.n_fft, features.hop_length, features.n_mels) == (512, 256, 40)
    assert recipe["recipes"] == {"functionals": kept["recipe"]}
    assert recipe["per_speaker"] is None


def test_one_model_of_several(tiny_run: Path) -> None:
    """One that can't be exported is refused by its name, whatever else the run has."""
    with pytest.raises(ConfigError, match=r"no model knn that can be exported: .*can be are .*mlp"):
        export(tiny_run, model="knn")


def test_into_the_run_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By default the file lies in the run, which stays as it was; by speaker is said."""
    text = (run / "config.yaml").read_text()
    assert "per_speaker: false" in text
    (run / "config.yaml").write_text(text.replace("per_speaker: false", "per_speaker: true"))
    write_sums(run)
    assert export(run) == run / "export" / "model.onnx"
    assert "standardised by speaker" in capsys.readouterr().err
    assert (
        "(x - mean) / sd"
        in json.loads(_about(run / "export" / "model.onnx")["recipe"])["per_speaker"]
    )
    SavedRun(run)


def test_a_run_without_a_network(run: Path) -> None:
    """What there is instead is named."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["models"] = {name: config["models"][name] for name in ("knn", "svm")}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    _change(run, models=["knn", "svm"])
    with pytest.raises(ConfigError, match="no model that can be exported: it has knn, svm; those"):
        export(run)
    assert not (run / "export").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fold", "2"], "--fold 2: the run has folds 0 to 1; or say all"),
        (["--fold=-1"], "--fold -1: the run has folds 0 to 1; or say all"),
        (["--fold", "one"], "fold is 'one', expected a whole number or all"),
    ],
)
def test_no_such_fold(
    tiny_run: Path, words: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong use, in one line."""
    assert main(["export", "--run", str(tiny_run), *words]) == 2
    assert message in capsys.readouterr().err


def test_packages_that_are_missing(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to be installed is named before anything is read."""
    monkeypatch.setattr(speechnet.experiment.export, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"onnx, onnxruntime, which are .*'speechnet\[onnx\]'"):
        export(tiny_run)


def test_a_target_called_as_the_input(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two values of a graph can't have one name."""

    class Renamed(SavedRun):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self.targets = {"features": ["a", "b"]}

    monkeypatch.setattr(speechnet.experiment.export, "SavedRun", Renamed)
    with pytest.raises(ConfigError, match="a target is called 'features', as the model's input is"):
        export(tiny_run)


@pytest.mark.parametrize("fault", ["other", "nan"])
def test_a_model_that_differs_is_not_written(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """It is checked before it gets its name; what isn't torch's result leaves nothing."""

    def wrong(classifiers: Sequence[Fitted], width: int) -> object:
        model = to_onnx(classifiers[:1], width)
        if fault == "nan":
            biases = next(one for one in model.graph.initializer if one.dims == [4])
            biases.raw_data = np.full(4, np.nan, np.float32).tobytes()
        return model

    monkeypatch.setattr(speechnet.experiment.export, "to_onnx", wrong)
    with pytest.raises(
        SpeechnetError, match=r"are off by .* from torch's in a batch of 1, 1e-05 is"
    ):
        export(tiny_run, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nowhere_to_write(tiny_run: Path, tmp_path: Path) -> None:
    """A file in the way of the folder is found before the work is done."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file is a file"):
        export(tiny_run, out=tmp_path / "file")


def test_the_example(tiny_run: Path, exported: Path, tmp_path: Path) -> None:
    """From recordings to probabilities with the ONNX file alone: what ``predict`` says."""
    files = sorted((tiny_run.parents[2] / "cache" / "synthetic").rglob("*.wav"))[:3]
    names = [str(file) for file in files]
    out = str(tmp_path / "out.csv")
    assert main(["predict", "--run", str(tiny_run), "--model", "mlp", "--out", out, *names]) == 0
    expected = pd.read_csv(out).set_index("file")
    command = [sys.executable, str(EXAMPLE), str(exported), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = pd.read_csv(io.StringIO(done.stdout), sep="\t", header=None, quoting=3)
    assert len(lines) == 2 * len(files)
    for file, target, text in lines.itertuples(index=False):
        for name, value in json.loads(text).items():
            assert value == pytest.approx(expected.loc[file, f"{target}_{name}"], abs=1e-5)
