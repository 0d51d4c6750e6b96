"""Files that would run something, or lead out of their folder: none does."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from speechnet.cli.main import main
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.report import report_data, write_report
from speechnet.experiment.run_folder import RunFolder

pytestmark = pytest.mark.reliability


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


def _pickle(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(marker)))
    pickle.loads(path.read_bytes())  # noqa: S301 - our own: it does make the file
    marker.unlink()


def _zipped(path: Path, marker: Path) -> None:
    """As torch and skops have it: a pickle, and a schema that asks for a function."""
    content = pickle.dumps(Payload(marker))
    schema = (
        '{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 1,'
        ' "content": {"module_path": "os", "function": "system"}, "protocol": 2}'
    )
    with zipfile.ZipFile(path, "w") as file:
        for name in ("archive/data.pkl", "data.pkl"):
            file.writestr(name, content)
        file.writestr("archive/version", "3")
        file.writestr("schema.json", schema)


def _tag(path: Path, marker: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace("seed_everything: 0", f"seed_everything: {_CALL.format(marker)}"))
    assert path.read_text() != text


def _callback(path: Path, marker: Path) -> None:
    (path.parent / "evil.py").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()")
    text = path.read_text()
    path.write_text(text.replace("trainer:\n", "trainer:\n  callbacks: evil.Callback\n"))
    assert path.read_text() != text


_CALL = '!!python/object/apply:os.system ["touch {}"]'
FILES: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "checkpoint": ("fold_0/mlp_0.ckpt", _pickle),
    "zipped checkpoint": ("fold_0/mlp_0.ckpt", _zipped),
    "skops": ("fold_0/svm_gender.skops", _pickle),
    "zipped skops": ("fold_0/svm_gender.skops", _zipped),
    "table": ("predictions.parquet", _pickle),
    "temperature": ("fold_0/mlp_temperature.json", _pickle),
    "tag": ("config.yaml", _tag),
    "callback": ("config.yaml", _callback),
}


@pytest.mark.parametrize("how", FILES)
def test_nothing_in_a_run_runs(
    how: str, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Though the sums fit: refused in a line, by a command that reads it."""
    run, marker = Path(shutil.copytree(tiny_run, tmp_path / "run")), tmp_path / "marker"
    monkeypatch.syspath_prepend(run)
    name, spoil = FILES[how]
    spoil(run / name, marker)
    write_sums(run)
    (tmp_path / "x.wav").touch()
    recognise = ["predict", "--model", "all", str(tmp_path / "x.wav")]
    words = ["report"] if how == "table" else recognise
    assert main([*words, "--run", str(run)]) in {2, 3}
    assert not marker.exists()
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("how", ["definition", "configuration", "flag"])
def test_nothing_in_a_yaml_runs(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tag that makes an object is refused wherever a YAML is read."""
    marker, path = tmp_path / "marker", tmp_path / "x.yaml"
    path.write_text(f"title: {_CALL.format(marker)}\n")
    words = {
        "definition": ["--data.corpus.name", str(path), "--data.corpus.root", str(tmp_path)],
        "configuration": ["--config", str(path)],
        "flag": ["--data.targets", f"{{a: {_CALL.format(marker)}}}"],
    }[how]
    assert main(["audit", *words]) == 2
    assert not marker.exists()
    assert capsys.readouterr().err.count("error: ") == 1


def test_a_deep_figure(tiny_run: Path, tmp_path: Path) -> None:
    """20,000 elements in each other, where a recording's picture is: the report is written."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    deep = "<svg viewBox='0 0 1 1'>" + "<g>" * 20_000 + "</g>" * 20_000 + "</svg>"
    next((run / "mistakes").glob("*.svg")).write_text(deep)
    write_sums(run)
    folder = RunFolder.open(run)
    assert 'src="data:image/svg+xml,' in write_report(folder, report_data(folder)).read_text()
