"""Tests of the page of compared runs, read as text and in a real browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.browser import Theme, Watched, chromium
from helpers.compared_runs import a_pair, make_comparison
from helpers.reported import Read
from playwright.sync_api import Browser

from speechnet.comparison.figure import draw_runs
from speechnet.comparison.page import compare_page
from speechnet.comparison.result import RunComparison, in_sentences
from speechnet.report.drawing.style import save
from speechnet.report.names import sentence

pytestmark = pytest.mark.slow

SECTIONS = ["answer", "settings", "scores", "pairs", "provenance"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    with chromium() as started:
        yield started


def drawn(comparison: RunComparison, folder: Path) -> str:
    """The figure's SVG."""
    _, svg = save(draw_runs(comparison), folder, "comparison")
    return svg.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def svg(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A figure, where it doesn't matter of what."""
    return drawn(make_comparison([a_pair()]), tmp_path_factory.mktemp("figure"))


def test_numbers(svg: str) -> None:
    """Each cell is the number of the table of scores, in per cent."""
    pairs = [a_pair(), a_pair(models=("knn", "knn"), untested="other folds", p_holm=math.nan)]
    comparison = make_comparison(pairs, settings={"data.denoise.method": ["none", "stationary"]})
    tables = Read(compare_page(comparison, svg)).tables
    scores = comparison.scores.set_index(["model", "run", "target", "part", "metric"])["value"]
    rows = tables["Emotion: scores in %"]
    assert rows[0][:4] == ["model", "run", "dev UAR", "test UAR"]
    for row, (model, run) in zip(
        rows[1:], [("svm", "A"), ("svm", "B"), ("knn", "A"), ("knn", "B")], strict=True
    ):
        at = (model, run, "emotion")
        tested = ("uar", "accuracy", "macro_f1", "auc_macro")
        keys = [("dev", "uar"), *(("test", name) for name in tested)]
        assert row[0].lower() == model
        assert row[1] == run
        assert [cell.split()[0] for cell in row[2:7]] == [
            f"{100 * scores[*at, *k]:.1f}" for k in keys
        ]
    assert [row[7] for row in rows[1:]] == ["", "-10.0 [-15.0, -5.0]", "", "not tested"]
    pair, untested = tables["Emotion: all pairs"][1:]
    assert pair[4:8] == ["", "+10.0 [+5.0, +15.0]", "p = 0.008", "100"]
    assert untested[5:] == ["not tested", "", "", "other folds"]
    assert tables["Settings that differ"][1] == ["data.denoise.method", "none", "stationary"]
    assert tables["The runs"][1] == ["folder", "exp/version_0", "exp/version_1"]


def test_no_path_of_the_machine(svg: str) -> None:
    """Whoever gets the page learns no folder of whoever made it."""
    settings = {"data.corpus.name": ["/home/somebody/a.yaml", '["/home/somebody/b.yaml", "c"]']}
    page = compare_page(make_comparison([a_pair()], settings=settings), svg)
    assert "somebody" not in page
    assert "…/a.yaml" in page
    assert "…/b.yaml" in page
    assert "/runs/" not in page


def test_figure_has_a_text(svg: str) -> None:
    """Who can't see the figure hears what it shows."""
    comparison = make_comparison([a_pair()])
    (found,) = in_sentences(comparison)
    (image,) = Read(compare_page(comparison, svg)).of("img")
    assert image["alt"] == f"Runs side by side on the test part: {sentence(found)}"


def test_nothing_to_say(svg: str) -> None:
    """Every section is there where nothing differs and nothing could be tested."""
    page = compare_page(make_comparison([a_pair(untested="other folds", p_holm=math.nan)]), svg)
    assert all(f'<section id="{name}"' in page for name in SECTIONS)
    assert "No two of these runs could be tested" in page
    assert "No setting that can change an answer." in page
    assert "Before you compare" not in page


ATTACK = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of five runs of names that would like to be more than text."""
    folder = tmp_path_factory.mktemp("hostile")
    models = ("mlp", "svm", "knn")
    comparison = make_comparison(
        [a_pair("A" + run, (model, model)) for run in "BCDE" for model in models],
        runs=5,
        models=models,
        titles=[f"{ATTACK}/version_{number}" for number in range(5)],
        settings={ATTACK: [ATTACK] * 5, "data.features.functionals.preset": list("vwxyz")},
        notes=[ATTACK],
    )
    path = folder / "compare.html"
    path.write_text(compare_page(comparison, drawn(comparison, folder)), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_in_a_browser(browser: Browser, hostile: Path, width: int, theme: Theme) -> None:
    """It loads nothing, complains of nothing, doesn't spill over, sorts, and runs no label."""
    watched = Watched(browser, width=width, theme=theme)
    page = watched.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(hostile.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("section").evaluate_all("all => all.map(each => each.id)") == SECTIONS
    assert page.locator("img").count() == 1  # the figure
    assert page.locator("main script").count() == 0
    table = page.locator("#scores table").last
    table.locator("th button", has_text="test UAR").click()
    values = table.locator("tbody td:nth-child(4)").evaluate_all(
        "all => all.map(c => +c.dataset.value)"
    )
    assert len(values) == 15
    assert values == sorted(values, reverse=True)
    assert watched.requests == [hostile.as_uri()]
    assert watched.faults == []
    assert dialogs == []
