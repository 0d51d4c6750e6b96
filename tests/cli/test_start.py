"""What a cold process imports: facts about modules, never seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

COMPUTING = {"torch", "lightning", "sklearn", "librosa", "numba", "matplotlib", "pandas", "numpy"}
"""What takes long to import, and no configuration needs."""

PROCESS = """
import json, sys
from speechnet.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as done:
    code = done.code
known = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([code, sorted(known & set({names!r}))]))
"""

LIBRARY = """
import json, sys
import numpy as np
import speechnet
found = speechnet.load(sys.argv[1], model="mlp")
y = np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
assert found.predict(0.1 * y, 8_000).probabilities
known = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([0, sorted(known & set({names!r}))]))
"""


def imported(*arguments: str, code: str = PROCESS, exit_code: int | list[int] = 0) -> set[str]:
    """What a process has imported when it ends."""
    names = sorted({*COMPUTING, "joblib", "skops", "torchmetrics", "scipy", "speechnet"})
    done = subprocess.run(
        [sys.executable, "-c", code.replace("{names!r}", repr(names)), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, modules = json.loads(done.stdout.splitlines()[-1])
    assert found == exit_code, done.stderr
    assert "speechnet" in modules
    return set(modules) - {"speechnet"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A second of noise."""
    path = tmp_path_factory.mktemp("start") / "a.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(8_000), 8_000)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["fit", "--help"], 0),
        (["audit", "--print_config"], 0),
        (["fit", "--trainer.max_epoch", "3"], 2),
        (["predict", "--run", "x", "--modle", "svm", "a.wav"], 2),
        (["fit", "--models.mlp.lr", "fast"], 2),
        (["fit", "--config", "none.yaml"], 2),
    ],
)
def test_what_is_answered_at_once(arguments: list[str], exit_code: int) -> None:
    """Help, a misspelt key, a wrong value, a missing file."""
    assert imported(*arguments, exit_code=exit_code) == set()


MISTAKES = """
import json, sys
from speechnet.cli.main import main
codes = [main(arguments) for arguments in json.loads(sys.argv[1])]
known = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([codes, sorted(known & set({names!r}))]))
"""


def test_mistakes_in_what_is_named(tmp_path: Path) -> None:
    """A folder, a corpus, a run, a recording or a range that is wrong: all in one process."""
    corpus = ["--data.corpus.name", "ravdess", "--data.corpus.root", str(tmp_path)]
    (run := tmp_path / "run").mkdir()
    (run / "run.json").write_text("{}")
    expected: list[tuple[list[str], int]] = []
    for command in ("fit", "audit"):
        expected += [
            ([command, *corpus, "--data.corpus.root", "nowhere"], 3),
            ([command, *corpus, "--data.corpus.name", "ravdes"], 2),
            ([command, "--data.corpora", "[{name: ravdess, root: nowhere}]"], 3),
            ([command, *corpus, "--trainer.max_epochs", "-3"], 2),
            ([command, *corpus, "--trainer.accelerator", "tpux"], 2),
            ([command, *corpus, "--out", str(run / "run.json")], 4),
        ]
    for command in ("test", "report", "export", "serve"):
        expected.append(([command, "--run", "nowhere"], 3))
    expected += [
        (["predict", "--run", "nowhere", __file__], 3),
        (["predict", "--run", str(run), "nowhere.wav", "neither.wav"], 3),
        (["test", "--run", str(run), "--corpus", "ravdess", "--root", "nowhere"], 3),
        (["test", "--run", str(run), "--corpus", "ravdes", "--root", str(tmp_path)], 2),
        (["export", "--run", str(run), "--out", "x.onnx"], 2),
        (["compare", str(run)], 2),
        (["compare", str(run), "nowhere"], 3),
    ]
    asked = json.dumps([arguments for arguments, _ in expected])
    codes = [code for _, code in expected]
    assert imported(asked, code=MISTAKES, exit_code=codes) == set()


def test_a_class_of_lightnings_is_checked_by_lightning() -> None:
    """Where a configuration names one, and only there."""
    flags = ["--trainer.callbacks", "LearningRateMonitor", "--print_config"]
    assert "lightning" in imported("fit", *flags)


def test_predict_with_the_network(tiny_run: Path, sound: str) -> None:
    """Neither Lightning nor scikit-learn, no compiler, no figures, no pool for one recording."""
    found = imported("predict", "--run", str(tiny_run), "--model", "mlp", sound)
    unused = {"lightning", "sklearn", "librosa", "numba", "matplotlib", "joblib", "torchmetrics"}
    assert "torch" in found
    assert not found & unused


def test_predict_with_a_classical_model(tiny_run: Path, sound: str) -> None:
    """scikit-learn for its own, and still no Lightning."""
    found = imported("predict", "--run", str(tiny_run), "--model", "svm", sound)
    assert {"torch", "sklearn"} <= found
    assert not found & {"lightning", "librosa", "numba", "matplotlib", "torchmetrics"}


def test_the_library(tiny_run: Path) -> None:
    """``speechnet.load`` and one ``predict``."""
    found = imported(str(tiny_run), code=LIBRARY)
    assert not found & {"lightning", "sklearn", "librosa", "numba", "matplotlib", "joblib"}


def test_report_and_compare(tiny_run: Path, tmp_path: Path) -> None:
    """Tables need no model and no sound."""
    learnt = {"torch", "lightning", "sklearn", "librosa", "numba", "torchmetrics"}
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    assert not imported("report", "--run", str(copy), "--figures", "false") & learnt
    assert not imported("compare", str(tiny_run), str(copy)) & learnt


def test_a_plugin_that_fails_is_named_and_left_out(tmp_path: Path) -> None:
    """In one line on stderr, with its package and the reason; the command goes on."""
    info = tmp_path / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[speechnet.models]\ntheirs = guest\n")
    (tmp_path / "guest.py").write_text("import no_such_module\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "speechnet", "fit", "--print_config"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.stderr.splitlines() == [
        "left out: the model 'theirs' of the package guest: ModuleNotFoundError: No module named "
        "'no_such_module'"
    ]
    assert "theirs" not in done.stdout
    assert "svm" in done.stdout
