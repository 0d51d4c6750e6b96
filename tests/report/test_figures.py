"""All figures together: what is written, and that nothing overlaps."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from speechnet.report import Tables, draw_all
from speechnet.report import figures as figures_module
from speechnet.report.style import SVG_DPI

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
        boxes = np.array([text.get_window_extent().extents for text in found])
        pairs = overlapping(boxes) + under_legends(figure, found, boxes)
        assert not pairs, (
            f"{name}: {[(found[i].get_text(), found[j].get_text()) for i, j in pairs]}"
        )
        page = figure.bbox.extents + np.array([-1, -1, 1, 1])
        outside = (boxes[:, :2] < page[:2]).any(axis=1) | (boxes[:, 2:] > page[2:]).any(axis=1)
        assert not outside.any(), (
            f"{name}: {[found[i].get_text() for i in np.flatnonzero(outside)]}"
        )


def under_legends(figure: Figure, found: list[Text], boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of a legend's first text and a text from elsewhere that reaches into the legend."""
    pairs = []
    for legend in figure.findobj(Legend):
        own = {found.index(text) for text in legend.get_texts()}
        everything = np.vstack([boxes, legend.get_window_extent().extents])
        inside = {i for i, j in overlapping(everything) if j == len(boxes)}
        pairs += [(min(own), i) for i in inside - own]
    return pairs


def overlapping(boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of boxes ``[n, 4]`` (x0, y0, x1, y1) that share more than a pixel each way."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = ((high - low) > 1).all(axis=2)
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(shared, k=1))]


def test_overlap_is_found(texts: Callable[[Figure], list[Text]]) -> None:
    """The check above does see two texts on top of each other."""
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    boxes = np.array([text.get_window_extent().extents for text in texts(figure)])
    assert overlapping(boxes) == [(0, 1)]


def test_svg_names_no_machine(tmp_path: Path, build: Callable[..., Tables]) -> None:
    """Neither a date nor a path is in the file."""
    tables = build({"gender": ["female", "male"]}, models=1, n=20)
    draw = figures_module._model_drawings(tables)["accuracy"]
    _, svg = figures_module.save(draw(), tmp_path, "accuracy")
    text = svg.read_text()
    assert "<dc:date>" not in text
    assert not re.search(r"/(home|root|tmp)/", text)
