"""Tests of the figure of compared runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.compared_runs import TARGETS, a_pair, make_comparison
from helpers.overlaps import clashes, off_the_page
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from speechnet.comparison.figure import draw_runs
from speechnet.comparison.result import RunComparison
from speechnet.report.drawing.style import GREY, PALETTE, save

pytestmark = pytest.mark.slow

MODELS = ("mlp", "svm", "knn", "logreg", "sklearn_mlp")


def written(figure: Figure) -> list[Text]:
    """All texts that are seen."""
    figure.canvas.draw()
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def drawn(ax: Axes, colour: str) -> tuple[np.ndarray, np.ndarray]:
    """The points ``[n, 2]`` and whiskers ``[n, 2]`` (low, high) of a colour, from above."""
    points, ends = [], []
    for each in ax.collections:
        if isinstance(each, PathCollection) and len(np.atleast_2d(each.get_offsets())):
            if to_hex(each.get_edgecolor()[0]) == colour.lower():
                points += np.asarray(each.get_offsets()).tolist()
        elif isinstance(each, LineCollection) and to_hex(each.get_color()[0]) == colour.lower():
            ends += [(*segment[:, 0], segment[0, 1]) for segment in each.get_segments()]
    by_place = sorted(points, key=lambda point: point[1]), sorted(ends, key=lambda end: end[2])
    return np.array(by_place[0]), np.array([end[:2] for end in by_place[1]])


def uar(comparison: RunComparison, target: str, run: str) -> np.ndarray:
    """Value, low and high of a run's models, ``[models, 3]``."""
    scores = comparison.scores
    rows = scores[(scores["target"] == target) & (scores["run"] == run)]
    rows = rows[(rows["part"] == "test") & (rows["metric"] == "uar")]
    return rows[["value", "low", "high"]].to_numpy()


def test_points_and_whiskers() -> None:
    """Each run in its colour, its models from above; the numbers stand beside them."""
    comparison = make_comparison([a_pair()], runs=3)
    figure = draw_runs(comparison)
    texts = {text.get_text() for text in written(figure)}
    for ax, target in zip(figure.axes, TARGETS, strict=True):
        for run, colour in zip("ABC", PALETTE, strict=False):
            points, ends = drawn(ax, colour)
            expected = uar(comparison, target, run)
            np.testing.assert_allclose(points[:, 0], expected[:, 0])
            np.testing.assert_allclose(ends, expected[:, 1:])
            for value, low, high in 100 * expected:
                assert f"{value:.1f} [{low:.1f}, {high:.1f}]" in texts
    assert "-10.0 [-15.0, -5.0]  p = 0.008" in texts


@pytest.mark.parametrize(("p", "grey"), [(0.05, False), (0.051, True)])
def test_what_is_not_shown_is_grey(p: float, grey: bool) -> None:
    """The text of a difference that isn't shown is grey."""
    figure = draw_runs(make_comparison([a_pair(p_holm=p)]))
    (text,) = (text for text in written(figure) if text.get_text().startswith("-10.0"))
    assert (text.get_color() == GREY) is grey


def test_undefined_scores_leave_a_gap() -> None:
    """A model without a score keeps its row, with a dash."""
    comparison = make_comparison([])
    rows = comparison.scores["model"] == "knn"
    comparison.scores.loc[rows, ["value", "low", "high"]] = np.nan
    figure = draw_runs(comparison)
    assert [text.get_text() for text in written(figure)].count("–") == 4  # noqa: RUF001 - as shown
    assert len(drawn(figure.axes[0], PALETTE[0])[0]) == 1


@pytest.mark.parametrize("runs", [2, 8])
def test_nothing_lies_on_anything(runs: int) -> None:
    """Up to eight runs of five models: no text on another, none off the page, all runs named."""
    names = "ABCDEFGH"[:runs]
    pairs = [
        a_pair("A" + run, (model, model), target=target)
        for target in TARGETS
        for run in names[1:]
        for model in MODELS
    ]
    titles = [f"a_rather_long_experiment_{'x' * 20}/version_{number}" for number in range(runs)]
    figure = draw_runs(make_comparison(pairs, runs=runs, models=MODELS, titles=titles))
    found = written(figure)
    assert clashes(figure, found) == []
    assert off_the_page(figure, found) == []
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text[:2] for text in legend if text != "chance"] == [f"{name}:" for name in names]


def test_hostile_titles(tmp_path: Path) -> None:
    """What a folder is called is drawn as it stands, and the SVG stays one."""
    titles = ["<script>alert(1)</script>/$a$", 'x" onload="alert(1)\n\x1b[31m/\udc80']
    _, svg = save(draw_runs(make_comparison([], titles=titles)), tmp_path, "runs")
    assert "<script" not in svg.read_text(encoding="utf-8").lower().replace("<!--", "")
