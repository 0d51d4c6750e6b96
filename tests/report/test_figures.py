"""All figures together: what is written, and that nothing overlaps."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.overlaps import clashes, off_the_page
from matplotlib.figure import Figure
from matplotlib.text import Text

from speechnet.report.figures import draw as figures_module
from speechnet.report.figures.draw import draw_all
from speechnet.report.figures.style import SVG_DPI
from speechnet.report.tables import Tables

pytestmark = pytest.mark.slow

EMOTIONS = ["angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised"]
LONG = ["pleasantly_surprised_and_calm", "x", "very_angry_indeed", "whispered_very_softly_now"]
SHAPES = {
    "three targets": (
        {"gender": ["female", "male"], "emotion": EMOTIONS[:4], "age": ["young", "old"]},
        1,
        1,
    ),
    "eight classes, six models, folds": ({"emotion": EMOTIONS}, 6, 6),
    "long names, five models": ({"speaking_style": LONG}, 5, 2),
    "two classes, two models": ({"gender": ["female", "male"]}, 2, 1),
}

HARD_FOR_CLUSTERS = ("three targets", "long names, five models")


def test_everything_is_written(
    tmp_path: Path, build: Callable[..., Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each figure there are tables for is saved, under a name that is safe as a file's."""
    monkeypatch.setattr(figures_module, "save", lambda _, folder, name: [folder / name])
    tables = build({"gender": ["female", "male"], "a/b c": EMOTIONS[:3]}, models=2, n=40)
    assert [path.name for path in draw_all(tables, tmp_path)] == [
        "accuracy",
        "uar",
        "confusion_gender",
        "roc_gender",
        "confusion_a_b_c",
        "roc_a_b_c",
        "learning_curves",
        "corpus",
        "clusters",
    ]
    bare = replace(tables, history=None, clusters=None, corpus=None)
    assert [path.name for path in draw_all(bare, tmp_path)] == [
        "accuracy",
        "uar",
        "confusion_gender",
        "roc_gender",
        "confusion_a_b_c",
        "roc_a_b_c",
    ]


def test_clouds_of_points_stay_small(tmp_path: Path, build: Callable[..., Tables]) -> None:
    """20,000 points in each of 13 panels make an SVG below a megabyte."""
    tables = build(SHAPES["three targets"][0], models=1, n=20_000, speakers=400)
    only = figures_module._data_drawings(tables)["clusters"]
    svg = tmp_path / "clusters.svg"
    only().savefig(svg, dpi=SVG_DPI)
    assert svg.stat().st_size < 1_000_000


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_overlaps(
    build: Callable[..., Tables],
    texts: Callable[[Figure], list[Text]],
    monkeypatch: pytest.MonkeyPatch,
    shape: str,
) -> None:
    """No two texts of a figure intersect, and none leaves the page."""
    drawn: dict[str, Figure] = {}

    def keep(figure: Figure, _folder: Path, name: str) -> list[Path]:
        drawn[name] = figure
        return []

    monkeypatch.setattr(figures_module, "save", keep)
    targets, models, folds = SHAPES[shape]
    tables = build(targets, models=models, folds=folds, n=60)
    if shape not in HARD_FOR_CLUSTERS:  # the slowest figure
        tables = replace(tables, clusters=None)
    draw_all(tables, Path("unused"))
    for name, figure in drawn.items():
        found = texts(figure)
        assert not clashes(figure, found), name
        assert not off_the_page(figure, found), name


def test_overlap_is_found(texts: Callable[[Figure], list[Text]]) -> None:
    """The check above does see two texts on top of each other."""
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    figure.text(0.99, 0.1, "too far")
    assert clashes(figure, texts(figure)) == [("one", "two")]
    assert off_the_page(figure, texts(figure)) == ["too far"]


def test_svg_names_no_machine(tmp_path: Path, build: Callable[..., Tables]) -> None:
    """Neither a date nor a path is in the file."""
    tables = build({"gender": ["female", "male"]}, models=1, n=20)
    draw = figures_module._model_drawings(tables)["accuracy"]
    _, svg = figures_module.save(draw(), tmp_path, "accuracy")
    text = svg.read_text()
    assert "<dc:date>" not in text
    assert not re.search(r"/(home|root|tmp)/", text)
