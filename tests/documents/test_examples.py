"""Tests of what the documentation tells people to type: every command, every piece of Python."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.encoders import encoder_folder

from speechnet.cli.main import COMMANDS as KNOWN
from speechnet.cli.main import main
from speechnet.config.experiment import read_experiment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICK = [
    "--models.mlp=null",
    "--models.knn=null",
    "--models.svm=null",
    "--evaluation.resamples=200",
    "--evaluation.figures=false",
    "--evaluation.clustering.enabled=false",
    "--data.split.folds=2",
]
"""What makes an experiment quick without making it another command."""


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.S)


def _commands(page: Path) -> list[list[str]]:
    """The words behind ``python -m speechnet`` of every command in a page's shell blocks."""
    text = "\n".join(_blocks(page, "sh")).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.startswith("python -m speechnet ")]
    return [shlex.split(line, comments=True)[3:] for line in lines]


COMMANDS = [(page.name, words) for page in PAGES for words in _commands(page)]


def test_there_are_examples() -> None:
    """The pages are found, and their blocks are."""
    assert {"README.md", "tutorial.md", "apply.md", "own-corpus.md"} <= {n for n, _ in COMMANDS}
    assert {words[0] for _, words in COMMANDS} == set(KNOWN)


@pytest.mark.parametrize("words", [words for _, words in COMMANDS], ids=" ".join)
def test_commands_can_be_typed(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command names a command, and settings that it knows, with values that it takes."""
    monkeypatch.chdir(ROOT)  # where configs/ lies
    encoder = str(encoder_folder(tmp_path))
    command, *rest = [word.replace("path/to/wavlm-large", encoder) for word in words]
    if command in {"fit", "audit"}:
        read_experiment(rest)
    else:
        import_module(f"speechnet.cli.{command}").parser().parse_args(rest)


def test_python_runs(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of Python runs as it stands, with a run and a recording in its place."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "recording.wav", 0.1 * rng.standard_normal(16_000), 8_000)
    monkeypatch.chdir(tmp_path)
    blocks = [block for page in PAGES for block in _blocks(page, "python")]
    assert blocks
    for block in blocks:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            exec(block.replace('"RUN"', repr(str(tiny_run))), {})  # noqa: S102 - the examples
        assert "emotion" in shown.getvalue() or "angry" in shown.getvalue()


def test_the_tutorial(
    ravdess: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its commands run one after the other on real speech, with fewer actors and models."""
    for actor in range(1, 13):
        shutil.copytree(ravdess / f"Actor_{actor:02}", tmp_path / "ravdess" / f"Actor_{actor:02}")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(tmp_path / "ravdess" / "Actor_01", tmp_path / "path" / "to" / "recordings")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECHNET_CACHE", str(tmp_path / "cache"))
    for command, *rest in _commands(ROOT / "docs" / "tutorial.md"):
        words = [word.replace("path/to/ravdess", "ravdess") for word in rest]
        if command == "serve":  # which goes on until it is stopped
            continue
        quick = QUICK if command in {"fit", "audit"} else []
        assert main([command, *words, *quick]) == 0, (command, capsys.readouterr().err)
    shown = capsys.readouterr().out
    assert (tmp_path / "checkpoints" / "ravdess" / "version_1" / "report.html").exists()
    assert "no difference shown" in shown
    assert "recordings/03-01" in shown


@pytest.mark.parametrize("name", ["tutorial.md", "read-the-report.md"])
def test_scores_of_ravdess_are_those_of_the_readme(name: str) -> None:
    """A score with its interval that a page names stands in README's table as well."""
    score = re.compile(r"\d+\.\d \[\d+\.\d, \d+\.\d\]")
    told = score.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert told
    assert set(told) <= set(score.findall((ROOT / "README.md").read_text(encoding="utf-8")))
