"""Tests of what is said of a run folder that isn't as its run left it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import speechnet
from speechnet.cli.main import main
from speechnet.core.errors import DataError, StorageError
from speechnet.core.types import FeatureSet
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_info import FORMAT, check_info, missing_packages
from speechnet.experiment.saved_run import SavedRun
from speechnet.models.scikit.files import dump_sklearn, load_sklearn


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _info(run: Path, **changes: object) -> None:
    info = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps(info))


def _swap(run: Path, name: str) -> None:
    shutil.copy(run / "fold_0" / name, run / "fold_1" / name)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _link(path: Path) -> None:
    target = path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(target)


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "unfinished": (lambda run: (run / "INCOMPLETE").touch(), "is incomplete: its run was killed"),
    "run.json": (lambda run: _edit(run / "run.json", '"seed": 0', '"seed": 1'),
                 r"run isn't as its run left it: run\.json has changed; copy the folder again"),
    "config": (lambda run: _edit(run / "config.yaml", "n_fft: 512", "n_fft: 256"),
               r"config\.yaml has changed"),
    "scores": (lambda run: _edit(run / "scores.csv", "svm", "knn"), r"scores\.csv has changed"),
    "other weights": (lambda run: _swap(run, "mlp_0.ckpt"), r"it: fold_1/mlp_0\.ckpt has changed;"),
    "other baseline": (lambda run: _swap(run, "svm_emotion.skops"), r"svm_emotion\.skops has cha"),
    "temperature": (lambda run: _edit(run / "fold_0" / "mlp_temperature.json", ": ", ": 1"),
                    r"mlp_temperature\.json has changed"),
    "truncated": (lambda run: _truncate(run / "predictions.parquet"), r"\.parquet has changed"),
    "gone": (lambda run: (run / "split.csv").unlink(), r"split\.csv is gone"),
    "many": (lambda run: [shutil.rmtree(run / name) for name in ("fold_0", "fold_1")],
             r"fold_0/\S+ is gone, .* and \d+ more; copy"),
    "folder": (lambda run: [(run / "split.csv").unlink(), (run / "split.csv").mkdir()],
               r"split\.csv is gone"),
    "added member": (lambda run: shutil.copy(run / "fold_0/mlp_0.ckpt", run / "fold_0/mlp_1.ckpt"),
                     r"it: fold_0/mlp_1\.ckpt was added;"),
    "link": (lambda run: _link(run / "fold_0" / "svm_gender.skops"),
             r"svm_gender\.skops is a link or lies outside"),
    "linked folder": (lambda run: _link(run / "fold_1"), r"fold_1/\S+ is a link or lies outside"),
    "sums gone": (lambda run: (run / "SHA256SUMS").unlink(), "is incomplete: SHA256SUMS is gone"),
    "sums empty": (lambda run: (run / "SHA256SUMS").write_text(""), "damaged: line 1 is ''"),
    "sums binary": (lambda run: (run / "SHA256SUMS").write_bytes(b"\xff\x1b[0m\0"),
                    r"line 1 is '\\\\xff\\\\x1b\[0m\\\\x00', expected 64"),
    "sums elsewhere": (lambda run: _sums(run, "../run/run.json"), r"\.\./run/run\.json is a link"),
    "sums absolute": (lambda run: _sums(run, "/dev/zero"), "/dev/zero is a link or lies outside"),
    "sums of a few": (lambda run: _sums(run, "config.yaml"), r"doesn't list run\.json"),
    "long name": (lambda run: _sums(run, "x" * 300), "can't be read"),
    "newer": (lambda run: _info(run, format=FORMAT + 1, speechnet="9.1"),
              rf"a newer speechnet, 9\.1 \(format {FORMAT + 1}; .* reads {FORMAT}\): update"),
    "odd format": (lambda run: _info(run, format="x"), "format is 'x', expected a whole number"),
    "folds": (lambda run: _info(run, folds=None), "folds is null, expected a whole number"),
    "no folds": (lambda run: _info(run, folds=0), "damaged: folds is 0, expected 1 or more"),
    "less": (lambda run: _info(run, folds=-1), "damaged: folds is -1, expected 1 or more"),
    "targets": (lambda run: _info(run, targets={"gender": "x"}), r"targets\.gender is 'x'"),
    "a target outside": (lambda run: _info(run, targets={"../x": ["a"]}), r"name '\.\./x' can't"),
    "a model outside": (lambda run: _info(run, models=["../../x"]), r"names a model '\.\./\.\./x'"),
    "a model anywhere": (lambda run: _info(run, models=["/x"]), "names a model '/x', expected"),
    "plugins": (lambda run: _info(run, plugins=[{"kind": "model"}]), "damaged: name is missing"),
    "a pipe": (lambda run: _pipe(run / "scores.csv"), r"scores\.csv is gone"),
    "sums as a pipe": (lambda run: _pipe(run / "SHA256SUMS"), "it is a named pipe, expected a reg"),
    "run.json as a pipe": (lambda run: _pipe(run / "run.json"), "read .it is a named pipe"),
    "deep": (lambda run: (run / "run.json").write_text("[" * 10_000), "nested more than 60 levels"),
    "digits": (lambda run: (run / "run.json").write_text("1" * 5_000), "a number has more than 4"),
    "terabytes": (lambda run: os.truncate(run / "scores.csv", 2**43), "larger than 17,179,869"),
}  # fmt: skip


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _sums(run: Path, name: str) -> None:
    (run / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")


@pytest.mark.parametrize("how", TAMPERED)
def test_tampered(run: Path, how: str) -> None:
    """Whatever was changed after the run is found when the run is opened, and named."""
    change, message = TAMPERED[how]
    RunFolder.open(run)
    change(run)
    with pytest.raises(DataError, match=message):
        RunFolder.open(run)


REORDERED = {"gender": ["female", "male"], "emotion": ["happy", "angry", "sad", "neutral"]}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("run", "itself: of gender, run.json has male, female, config.yaml has female, male; copy"),
        ("config", r"emotion, run\.json has angry, happy, .*, config\.yaml has sad, happy, angry"),
        ("predictions", r"all targets, .* male, angry, happy, .*parquet has .* male, happy, angry"),
        ("networks", r"mlp_0\.ckpt was made for .*'angry', 'happy'.* says .*'happy', 'angry'"),
    ],
)
def test_classes_that_do_not_match(run: Path, how: str, message: str) -> None:
    """Other classes, or another order, are refused with both lists, whatever the sums say."""
    if how == "run":
        _info(run, targets=REORDERED | {"gender": ["male", "female"]})
    if how == "config":
        old, new = "- angry\n    - happy\n    - sad", "- sad\n    - happy\n    - angry"
        _edit(run / "config.yaml", old, new)
    if how in {"predictions", "networks"}:
        table = pd.read_parquet(run / "predictions.parquet")
        names = {"p_angry": "p_happy", "p_happy": "p_angry"}
        table = table[[names.get(column, column) for column in table]]
        table.to_parquet(run / "predictions.parquet", index=False)
    if how == "networks":
        _info(run, targets=REORDERED)
        _edit(run / "config.yaml", "- angry\n    - happy", "- happy\n    - angry")
    write_sums(run)
    with pytest.raises(DataError, match=message):
        SavedRun(run).predict_proba("mlp", FeatureSet.vectors(np.zeros((1, 25), np.float32)))


def test_models_that_do_not_match(run: Path) -> None:
    """A model that only ``run.json`` names has no settings, so the run is refused."""
    models = json.loads((run / "run.json").read_text())["models"]
    _info(run, models=[*models, "gru"])
    write_sums(run)
    with pytest.raises(DataError, match=r"of the models, run\.json has gru, .* config\.yaml has"):
        SavedRun(run)


def _spoil_network(run: Path) -> None:
    path = run / "fold_0" / "mlp_0.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    next(iter(checkpoint["state_dict"].values())).view(-1)[0] = np.nan
    torch.save(checkpoint, path)


def _spoil_baseline(run: Path, name: str, attribute: str) -> None:
    path = run / "fold_0" / f"{name}_gender.skops"
    pipeline = load_sklearn(path)
    inner = getattr(pipeline, "calibrated_classifiers_", [None])[0]
    model = (pipeline if inner is None else inner.estimator).steps[-1][1]
    getattr(model, attribute).reshape(-1)[0] = np.inf
    dump_sklearn(pipeline, path)


@pytest.mark.parametrize(
    ("model", "spoil", "where"),
    [
        ("mlp", _spoil_network, r"mlp_0\.ckpt"),
        ("svm", lambda run: _spoil_baseline(run, "svm", "_dual_coef_"), r"svm_gender\.skops"),
        ("logreg", lambda run: _spoil_baseline(run, "logreg", "coef_"), r"logreg_gender\.skops"),
        ("knn", lambda run: _spoil_baseline(run, "knn", "_fit_X"), r"knn_gender\.skops"),
    ],
)
def test_weights_that_are_no_numbers(
    run: Path, model: str, spoil: Callable[[Path], None], where: str
) -> None:
    """A model that would answer NaN is refused when it is loaded, though the sums are right."""
    spoil(run)
    write_sums(run)
    with pytest.raises(DataError, match=rf"{where} is damaged: \S+ holds NaN or infinite"):
        SavedRun(run).fitted(model, 0)


def test_sha256sum_agrees(tiny_run: Path) -> None:
    """The standard tool reads the sums and finds nothing wrong; every model and table is in it."""
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=tiny_run, capture_output=True, text=True, check=True,
    )  # fmt: skip
    listed = {line.removesuffix(": OK") for line in done.stdout.splitlines()}
    there = {
        path.relative_to(tiny_run).as_posix() for path in tiny_run.rglob("*") if path.is_file()
    }
    assert listed <= there
    left_out = {name for name in there - listed if "/logs/" not in name}
    assert not {name for name in left_out if not name.startswith(("figures/", "tensorboard/"))} - {
        "SHA256SUMS",
        "report.html",
    }


def test_what_is_made_later_is_no_tampering(run: Path) -> None:
    """Figures, reports, logs, exports and somebody's notes change nothing that is the run's."""
    for name in ("figures", "export", "tests/version_0", "notes", "fold_0/logs"):
        (run / name).mkdir(parents=True, exist_ok=True)
        (run / name / "x.csv").write_text("x")
    for name in ("report.html", "mine.csv", ".hidden", "fold_0/.DS_Store"):
        (run / name).write_text("x")
    opened = RunFolder.open(run)
    with pytest.raises(DataError, match=r"mine\.csv was added after the run: remove it"):
        opened.read_table("mine.csv")
    link = run.parent / "latest"
    link.symlink_to(run)
    assert RunFolder.open(link).info == opened.info


@pytest.mark.parametrize(
    "command", ["predict", "test", "report", "export", "serve", "compare", "load"]
)
def test_a_run_of_an_older_format(
    run: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Told with the remedy, whatever its configuration holds and whether it has checksums."""
    info = json.loads((run / "run.json").read_text())
    del info["format"], info["corpus"]
    (run / "run.json").write_text(json.dumps(info))
    (run / "config.yaml").write_text("an: [old key")
    (run / "SHA256SUMS").unlink()
    if command == "load":
        with pytest.raises(DataError, match=f"an older speechnet.*format 1; .* reads {FORMAT}"):
            speechnet.load(run)
        return
    words = {"compare": [str(tiny_run), str(run)]}.get(command, ["--run", str(run)])
    recording = [__file__] if command == "predict" else []  # one that is there
    assert main([command, *words, *recording]) == 3
    said = capsys.readouterr().err
    assert said.startswith(f"error: {run} was made by an older speechnet")
    assert "speechnet fit" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "band", [{"p5": 1}, {"p5": 1, "p50": 0, "p95": 2}, {"p50": "x"}, "x", [1], {"p50": None}]
)
def test_bandwidths_that_are_none(run: Path, band: object) -> None:
    """What the remarks on unlike recordings reckon with is there, or nothing is."""
    info = json.loads((run / "run.json").read_text())
    check_info(run, info | {"corpus": info["corpus"] | {"bandwidth": {}}})
    with pytest.raises(DataError, match=r"damaged: corpus\.bandwidth"):
        check_info(run, info | {"corpus": info["corpus"] | {"bandwidth": band}})


def test_a_package_that_is_missing(run: Path) -> None:
    """It is named with its version and what it provides, before the configuration is read."""
    provided = {"package": "speechnet-more", "version": "2.1"}
    plugins = [{"kind": "model", "name": name, **provided} for name in ("svm", "crf")]
    _info(run, plugins=[*plugins, {"kind": "metric", "name": "gini", **provided}])
    (run / "config.yaml").write_text("models: {crf: {}}")
    write_sums(run)
    message = (
        r"needs the package speechnet-more \(2\.1\), which provides the model crf; pip install"
    )
    with pytest.raises(DataError, match=message):
        SavedRun(run)
    found = RunFolder.open(run).info
    assert ["metric gini" in one for one in missing_packages(found, metrics=True)] == [True]


@pytest.mark.parametrize("command", ["predict", "test", "report", "export"])
def test_every_command_refuses(run: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """One line and the exit code of bad data, and nothing is written."""
    _swap(run, "mlp_0.ckpt")
    before = sorted(run.rglob("*"))
    words = [__file__] if command == "predict" else []  # a recording that is there
    assert main([command, "--run", str(run), *words]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith(f"error: {run} isn't as its run left it: fold_1/mlp_0.ckpt has ch")
    assert sorted(run.rglob("*")) == before


def test_no_permission_to_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose sums can't be written stays incomplete."""
    run = RunFolder.create(tmp_path, "x", seed=0)

    def refused(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("speechnet.experiment.run_folder.write_sums", refused)
    with pytest.raises(StorageError, match="no permission to write"):
        run.finish()
    with pytest.raises(DataError, match="is incomplete"):
        RunFolder.open(run.path)
