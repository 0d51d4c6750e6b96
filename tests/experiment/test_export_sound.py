"""``export`` of a network over time: samples in, what ``predict`` says of the recording out."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import soundfile

from speechnet.cli.main import main
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError
from speechnet.experiment.export import export
from speechnet.experiment.export_sound import front
from speechnet.experiment.fit import fit
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extractor import Sound
from speechnet.features.log_mel import LogMel
from speechnet.models.training.onnx_graph import Graph

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_hear.py"


@pytest.fixture(scope="module")
def crnn_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a network over log-mel frames of recordings of 16 kHz."""
    words = [
        "--data.synthetic.sample_rate=16000", "--data.features.functionals=null",
        "--models.mlp=null", "--models.knn=null", "--models.svm=null", "--models.logreg=null",
        "--models.crnn={channels: [4, 6], hidden: 6, crop_seconds: 0.8}",
        "--data.features.log_mel={n_mels: 20, hop: 0.02}", "--trainer.max_epochs=2",
        "--out", str(tmp_path_factory.mktemp("crnn")),
    ]  # fmt: skip
    return fit(*read_experiment(["--config", str(tiny_config), *words]))


def test_samples_in_probabilities_out(
    crnn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example, with onnxruntime and soundfile alone, says what ``predict`` says."""
    path = export(crnn_run, out=tmp_path)
    assert "equal to torch within" in capsys.readouterr().out
    config = json.loads((crnn_run / "run.json").read_text())
    assert config["models"] == ["crnn"]
    rng = np.random.default_rng(0)
    names = []
    for seconds in (0.5, 1.3, 2.9):
        envelope = np.interp(np.arange(seconds * 16_000), [0, 5_000, 30_000], [0, 0.3, 0.05])
        names.append(str(tmp_path / f"{seconds}.wav"))
        soundfile.write(names[-1], 0.01 + envelope * rng.normal(size=len(envelope)) / 4, 16_000)
    out = str(tmp_path / "out.csv")
    assert main(["predict", "--run", str(crnn_run), "--out", out, *names]) == 0
    expected = pd.read_csv(out).set_index("file")
    command = [sys.executable, str(EXAMPLE), str(path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = pd.read_csv(io.StringIO(done.stdout), sep="\t", header=None, quoting=3)
    assert len(lines) == 2 * len(names)
    for file, target, text in lines.itertuples(index=False):
        for name, value in json.loads(text).items():
            assert value == pytest.approx(expected.loc[file, f"{target}_{name}"], abs=1e-4)


@pytest.mark.parametrize(
    ("given", "other", "said"),
    [
        ("method: none", "method: stationary", "data.denoise.method is stationary, expected none"),
        ("per_speaker: false", "per_speaker: true", "data.per_speaker is true, expected false"),
    ],
)
def test_what_a_graph_can_not_hold(
    crnn_run: Path, tmp_path: Path, given: str, other: str, said: str
) -> None:
    """The setting is named, and nothing is written."""
    run = Path(shutil.copytree(crnn_run, tmp_path / "run"))
    text = (run / "config.yaml").read_text()
    assert given in text
    (run / "config.yaml").write_text(text.replace(given, other))
    write_sums(run)
    with pytest.raises(ConfigError, match=said):
        export(run)
    assert not (run / "export").exists()


def test_trimming_is_said(crnn_run: Path, tmp_path: Path) -> None:
    """It happens before the samples are given; the file says how."""
    run = Path(shutil.copytree(crnn_run, tmp_path / "run"))
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("trim_db: null", "trim_db: 30.0"))
    write_sums(run)
    session = onnxruntime.InferenceSession(export(run, fold=0))
    about = session.get_modelmeta().custom_metadata_map
    assert "within 30 dB of the loudest" in about["samples"]
    assert "less their mean" in about["samples"]
    assert json.loads(about["recipe"])["features"]["log_mel"]["n_mels"] == 20
    assert RunFolder.open(run).info["targets"] == json.loads(about["classes"])


@pytest.mark.parametrize("made", [LogMel(), LogMel(n_mels=20, hop=0.02, window=0.032, fmin=0.0)])
def test_log_mel(made: LogMel) -> None:
    """The extractor's own frames, quiet ones too, within a hundredth of a dB."""
    from onnx import TensorProto, helper

    graph = Graph()
    frames = front(made, centred=False)(graph, "samples")
    one = helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["n"])
    two = helper.make_tensor_value_info(frames, TensorProto.FLOAT, [1, "t", made.n_mels])
    whole = helper.make_graph(graph.nodes, "log_mel", [one], [two], graph.constants)
    opsets = [helper.make_opsetid("", 20)]
    content = helper.make_model(whole, opset_imports=opsets, ir_version=10).SerializeToString()
    session = onnxruntime.InferenceSession(content)
    for n in (100, 4_800, 31_999):
        y = np.random.default_rng(n).normal(size=n) * np.linspace(0, 0.3, n) ** 2
        y = y.astype(np.float32)
        (found,) = session.run(None, {"samples": y})
        (expected,) = made.extract([y], Sound(16_000))
        assert not isinstance(expected, Exception)
        assert found.shape == (1, *expected.shape)
        np.testing.assert_allclose(found[0], expected, atol=0.01)
