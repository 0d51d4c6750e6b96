"""Tests of the reference that is made from the code: a page for every command and every key."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_type_hints

import pytest
import yaml

from speechnet.cli.main import COMMANDS
from speechnet.config.experiment import ExperimentConfig, ModelsConfig
from speechnet.core.metrics import METRICS
from speechnet.report.figure import FIGURES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The module that writes the pages, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["reference"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(reference: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, written."""
    folder = tmp_path_factory.mktemp("reference")
    reference.write_reference(folder)
    return folder


def _keys(section: Any, prefix: str) -> Iterator[str]:
    """Every key, from the configuration's classes and not from a parser."""
    hints = get_type_hints(section)
    for name in (field.name for field in fields(section)):
        if name == "trainer":
            continue
        kind = ModelsConfig if f"{prefix}{name}" == "models" else hints[name]
        inner = [each for each in (kind, *get_args(kind)) if is_dataclass(each)]
        optional = inner and not str(kind).startswith("list")
        if optional:
            yield from _keys(inner[0], f"{prefix}{name}.")
        if not (optional and inner[0] is kind):
            yield f"{prefix}{name}"


def test_every_key_has_a_page(pages: Path) -> None:
    """No key of an experiment lacks its page, and no page is about something else."""
    expected = set(_keys(ExperimentConfig, ""))
    assert len(expected) > 100
    found = {path.stem for path in pages.glob("keys/*/*.md")} - {"index"}
    assert found == expected
    trainer = (pages / "keys" / "trainer" / "index.md").read_text()
    assert "`trainer.max_epochs` | `150`" in trainer
    assert "trainer.logger" not in trainer


def test_every_verb_has_a_page(pages: Path) -> None:
    """Each page shows how the command is called, and every argument with its default."""
    assert {path.stem for path in pages.glob("commands/*.md")} == {*COMMANDS, "index"}
    predict = (pages / "commands" / "predict.md").read_text()
    assert "python -m speechnet predict --run RUN" in predict
    assert "## `model`" in predict
    fit = (pages / "commands" / "fit.md").read_text()
    assert "python -m speechnet fit --config X.yaml" in fit


def test_a_page_says_what_a_key_is(pages: Path) -> None:
    """What it takes, its default, where it stands in a YAML, and which configuration sets it."""
    text = (pages / "keys" / "data.audio" / "data.audio.trim_db.md").read_text()
    assert "number or `null`" in text
    assert "`configs/quickstart.yaml`: `30`" in text
    block = text.partition("```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(block) == {"data": {"audio": {"trim_db": None}}}
    nested = (pages / "keys" / "models.svm" / "models.svm.C.md").read_text()
    assert "list of: number" in nested


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (str, "text"),
        (int | None, "whole number or `null`"),
        (Literal["a", "b"], "one of `a`, `b`"),
        (dict[str, list[float]], "map of text to: list of: number"),
        (list[Literal["x"] | None], "list of: one of `x` or `null`"),
    ],
)
def test_types_in_words(reference: ModuleType, kind: Any, words: str) -> None:
    """A type is written as somebody would say it."""
    assert reference.kind_in_words(kind) == words


def test_every_figure_is_listed(pages: Path) -> None:
    """With the first line of its docstring, which says what it shows."""
    text = (pages / "figures.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))
    assert {*rows} == {*FIGURES}
    assert all(what.endswith(".") for what in rows.values())


def test_every_metric_is_listed(pages: Path) -> None:
    """With its formula, its range, where it is shown, and whether a search can maximise it."""
    text = (pages / "metrics.md").read_text(encoding="utf-8")
    cells = [re.split(r" (?<!\\)\| ", row) for row in re.findall(r"^\| (`.+) \|$", text, re.M)]
    rows = {name.strip("`"): rest for name, *rest in cells}
    assert {*rows} == {*METRICS}
    assert all(len(rest) == 5 for rest in rows.values())
    assert rows["accuracy"][1:] == ["0 to 1", "higher", "terminal, page, figure", "✓"]
    assert r"\|accuracy_b - confidence_b\|" in rows["ece"][0]
    assert rows["brier"][1:] == ["0 to 2", "lower", "", ""]
