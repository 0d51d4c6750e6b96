"""Figures as the framework treats them: those that fail, their files, sections and titles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.results import build_data
from matplotlib.figure import Figure

from speechnet.core import registry
from speechnet.core.errors import StorageError
from speechnet.core.registry import Registry
from speechnet.report.data import ReportData
from speechnet.report.figure import FIGURES, Drawing, draw_all, drawings_of

FigureRegistry = Registry[Callable[[ReportData], Iterable[Drawing]]]

ONE = Drawing(file="one", section="models", title="One", caption="One.", draw=Figure)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> FigureRegistry:
    """A registry with the built-in figure of scores alone."""
    few: FigureRegistry = Registry("figure", group="speechnet.none", modules=())
    few.register("scores")(FIGURES["scores"])
    monkeypatch.setattr("speechnet.report.figure.FIGURES", few)
    return few


@pytest.fixture
def data() -> ReportData:
    """A run that has scores."""
    return build_data({"gender": ["female", "male"]}, models=1, n=20)


@pytest.mark.parametrize("package", ["speechnet", "a-plugin"])
def test_figures_can_fail(
    monkeypatch: pytest.MonkeyPatch,
    figures: FigureRegistry,
    data: ReportData,
    tmp_path: Path,
    package: str,
) -> None:
    """One that fails is left out, and named once with the line and the error; others are drawn."""

    def failing(data: ReportData) -> list[Drawing]:
        return [replace(ONE, title=data.scores["recall"])]

    def unfit(data: ReportData) -> list[Drawing]:
        return [replace(ONE, draw=lambda: data.scores["recall"])]

    told: list[registry.Refusal] = []
    monkeypatch.setattr(registry, "on_refusal", [told.append])
    figures._package = package
    figures.register("failing")(failing)
    figures.register("unfit")(unfit)
    for _ in range(2):  # the report asks for the drawings once more
        drawn = draw_all(drawings_of(data), tmp_path)
    assert {each.file for each in drawn} == {"uar", "accuracy"}
    assert [str(refusal) for refusal in told] == [
        f"the figure {figure.__name__!r} of the package {package}: "
        f"{__file__}:{figure.__code__.co_firstlineno + 1}: KeyError: 'recall'"
        for figure in (failing, unfit)
    ]


@pytest.mark.usefixtures("figures")
def test_a_full_disk_is_no_fault_of_a_figure(
    monkeypatch: pytest.MonkeyPatch, data: ReportData, tmp_path: Path
) -> None:
    """It ends the drawing, and with it the run."""

    def fail(*_: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr("speechnet.report.drawing.style.write_whole", fail)
    with pytest.raises(StorageError):
        draw_all(drawings_of(data), tmp_path)


def test_files(figures: FigureRegistry, data: ReportData, tmp_path: Path) -> None:
    """Names are made safe; a file that another drawing has is refused."""
    figures.register("slash")(lambda _: [replace(ONE, file="../a/b"), replace(ONE, file="_a_b")])
    figures.register("taken")(lambda _: [replace(ONE, file="uar")])
    drawn = draw_all(drawings_of(data), tmp_path)
    assert [each.file for each in drawn] == ["uar", "accuracy", "_a_b"]
    assert (tmp_path / "_a_b.svg").exists()
    slash, taken = (str(refusal) for refusal in figures.refusals)
    assert slash.endswith("ValueError: the figure 'slash' has the file '_a_b' already")
    assert taken.endswith("ValueError: the figure 'scores' has the file 'uar' already")


def test_an_unknown_section(
    figures: FigureRegistry, data: ReportData, caplog: pytest.LogCaptureFixture
) -> None:
    """The drawing is kept, and the nearest section or all of them are named."""
    figures.register("near")(lambda _: [replace(ONE, section="model")])
    figures.register("far")(lambda _: [replace(ONE, file="two", section="elsewhere")])
    with caplog.at_level(logging.WARNING):
        found = drawings_of(data)
    assert [len(found[name]) for name in ("near", "far")] == [1, 1]
    near, far = caplog.messages
    said = "stands in More: there is no section"
    assert near == f"the figure 'near' {said} 'model' (did you mean 'models'?)"
    assert far.startswith(f"the figure 'far' {said} 'elsewhere'; known: corpus, models, ")


def test_titles(figures: FigureRegistry, data: ReportData, tmp_path: Path) -> None:
    """A picture without a title shows the drawing's, in the common look; others keep theirs."""

    def titled() -> Figure:
        figure = Figure()
        figure.suptitle("Mine")
        return figure

    bare = replace(ONE, title="Confidences: $a$_b")
    figures.register("both")(lambda _: [bare, replace(ONE, file="two", draw=titled)])
    draw_all(drawings_of(data), tmp_path)
    one, two = ((tmp_path / f"{name}.svg").read_text() for name in ("one", "two"))
    assert "<!-- Confidences: $a$ b -->" in one
    assert "<!-- Mine -->" in two
    assert "<!-- One -->" not in two
