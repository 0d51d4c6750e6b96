"""Tests of the report page in a real browser."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, get_args

import numpy as np
import pytest
import soundfile
from helpers.browser import Theme, Watched, chromium
from helpers.evidence import with_intervals
from helpers.reported import HOSTILE, SECTIONS, make_report_data
from helpers.results import draw, with_info, with_tables
from matplotlib.image import imread
from playwright.sync_api import Browser, Page

from speechnet.report.drawing.style import save
from speechnet.report.html.page import Attachments, page

pytestmark = pytest.mark.slow

WIDTHS: Final = (1280, 390)
Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every section filled, whose classes and speakers are markup."""
    folder = tmp_path_factory.mktemp("report")
    targets = {"gender": ["female", "male"], "emotion": [HOSTILE, "'\"><svg onload=alert(3)>"]}
    data = make_report_data(targets)
    speakers = data.table("speakers").replace({"speaker": {"01": HOSTILE}})
    scores = with_intervals(data.scores)
    data = with_tables(data, speakers=speakers, scores=scores)
    data = with_info(data, experiment=HOSTILE)
    figures = {
        f"{name}_emotion": save(draw(data, name, f"{name}_emotion"), folder, name)[1].read_text()
        for name in ("confusion", "speakers")
    }
    sound = io.BytesIO()
    soundfile.write(sound, np.sin(np.arange(8000) / 9).astype(np.float32), 16_000, format="MP3")
    files = Attachments(figures=figures, clips={"mistakes/001.mp3": sound.getvalue()})
    path = folder / "report.html"
    path.write_text(page(data, files), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Open]:
    """Opens the page as a double click does: ``opened(width=1280, theme="light")``."""
    watched: list[Watched] = []

    def open_page(*, width: int = 1280, theme: Theme = "light") -> Watched:
        watched.append(Watched(browser, width=width, theme=theme))
        watched[-1].page.on("dialog", lambda dialog: watched[-1].faults.append(dialog.message))
        watched[-1].page.goto(report.as_uri())
        return watched[-1]

    yield open_page
    for each in watched:
        each.page.context.close()


@pytest.mark.parametrize(("width", "theme"), [*itertools.product(WIDTHS, get_args(Theme))])
def test_page_is_whole(opened: Open, report: Path, width: int, theme: Theme) -> None:
    """No fault, no script of the data's, no request, every section, nothing wider than it."""
    watched = opened(width=width, theme=theme)
    found = watched.page
    assert watched.faults == []
    assert watched.requests == [report.as_uri()]
    assert found.locator("section").evaluate_all("all => all.map(each => each.id)") == SECTIONS
    assert all(found.locator(f"#{name} h2").first.is_visible() for name in SECTIONS)
    assert found.evaluate("document.documentElement.scrollWidth") <= width
    assert found.title() == f"{HOSTILE}: speechnet report"


def test_theme_reaches_figures(opened: Open) -> None:
    """Ink and paper of page and figures are dark on light, and light on dark."""
    paper, ink = {}, {}
    for theme in get_args(Theme):
        found = opened(theme=theme).page
        paper[theme] = lightness(found, "document.body", "backgroundColor")
        ink[theme] = lightness(found, "document.body", "color")
        shot = found.locator("figure img").first.screenshot()
        drawn = 255 * imread(io.BytesIO(shot))[..., :3].mean(axis=2)
        assert drawn[0, 0] == pytest.approx(paper[theme], abs=1)
        ends = {"light": drawn.min(), "dark": drawn.max()}
        assert ends[theme] == pytest.approx(ink[theme], abs=8)
    assert paper["light"] - ink["light"] > 180
    assert ink["dark"] - paper["dark"] > 180


def lightness(found: Page, element: str, style: str) -> float:
    """The mean of red, green and blue of a computed colour, 0 to 255."""
    text = found.evaluate(f"getComputedStyle({element}).{style}")
    return float(np.mean([int(part) for part in text.removeprefix("rgb(").rstrip(")").split(",")]))


def test_tables_sort_by_click(opened: Open) -> None:
    """Numbers sort by value, the largest first, then the smallest; undefined ones stay last."""
    found = opened().page
    table = found.locator("#models table").first
    heading = table.locator("th", has_text="test UAR")
    place = heading.evaluate("each => each.cellIndex")
    values = [
        f"[...document.querySelector('#models table').tBodies[0].rows].map("
        f"row => Number(row.cells[{place}].dataset.value))"
    ]
    before = found.evaluate(values[0])
    assert before != sorted(before)
    for way, reverse in (("descending", True), ("ascending", False)):
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == way
        assert found.evaluate(values[0]) == sorted(before, reverse=reverse)


def test_tables_sort_by_keyboard(opened: Open) -> None:
    """A heading is reached by Tab and pressed by Enter or the space bar; one sorts at a time."""
    found = opened().page
    first, second = (
        found.locator("#models table").first.locator("th").nth(place) for place in (0, 1)
    )
    first.get_by_role("button").focus()
    found.keyboard.press("Enter")
    assert first.get_attribute("aria-sort") == "ascending"
    found.keyboard.press("Tab")
    found.keyboard.press("Space")
    assert second.get_attribute("aria-sort") == "ascending"
    assert first.get_attribute("aria-sort") is None
    names = found.locator("#models table").first.locator("tbody tr td:nth-child(2)")
    texts = names.all_inner_texts()
    assert texts == sorted(texts)


def test_undefined_values_sort_last(opened: Open) -> None:
    """Whichever way is sorted."""
    found = opened().page
    cells = "[...document.querySelector('#models table').tBodies[0].rows].map(r => r.cells[7])"
    found.evaluate(f"{cells}[1].dataset.value = ''")
    heading = found.locator("#models table").first.locator("th").nth(7)
    for _ in range(2):
        heading.get_by_role("button").click()
        assert found.evaluate(f"{cells}.map(cell => cell.dataset.value).indexOf('')") == 3


def test_sound_plays(opened: Open) -> None:
    """The clip in the page is one that the browser can play."""
    found = opened().page
    found.wait_for_function("document.querySelector('audio').readyState >= 1")
    assert found.evaluate("document.querySelector('audio').duration") == pytest.approx(0.5, abs=0.2)


def test_prints(opened: Open) -> None:
    """To PDF, light even in a dark theme, everything unfolded, nothing cut off at the edge."""
    found = opened(theme="dark").page
    assert found.pdf().startswith(b"%PDF")
    assert found.locator("details[open]").count() == 0  # as it was before
    found.set_viewport_size({"width": 688, "height": 900})  # A4 less its margins
    found.emulate_media(media="print")
    assert lightness(found, "document.body", "backgroundColor") == 255
    assert not found.locator("nav").is_visible()
    found.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert found.locator("details:not([open])").count() == 0


def test_only_boxes_that_scroll_are_stops(opened: Open) -> None:
    """Tables that do are regions with a name, most on a narrow screen; figures never are."""
    counts = []
    for width in WIDTHS:
        found = opened(width=width).page
        found.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        found.wait_for_function(
            "[...document.querySelectorAll('.scroll')].every("
            "box => box.hasAttribute('tabindex') === (box.scrollWidth > box.clientWidth))"
        )
        regions = found.locator(".scroll[role=region]")
        counts.append(regions.count())
        assert all(regions.evaluate_all("all => all.map(each => each.ariaLabel)"))
        assert found.locator("figure [role=region]").count() == 0
    wide, narrow = counts
    assert wide < narrow < opened().page.locator(".scroll[data-name]").count()


def test_the_first_column_stays(opened: Open) -> None:
    """On a narrow screen a row's name is in view however far its table is scrolled."""
    found = opened(width=390).page
    box = found.locator("#models .scroll").first
    left = "each => each.getBoundingClientRect().left"
    first, second = (box.locator("tbody td").nth(place) for place in (0, 1))
    before = first.evaluate(left), second.evaluate(left)
    box.evaluate("each => { each.scrollLeft = 80 }")
    assert (first.evaluate(left), second.evaluate(left)) == (before[0], before[1] - 80)


def test_headings_can_be_hit(opened: Open) -> None:
    """Each button is at least 24 px high, its arrow as dark as small text."""
    found = opened().page
    heights = found.locator("#models th button").evaluate_all("all => all.map(e => e.offsetHeight)")
    assert min(heights) >= 24
    arrow = "getComputedStyle(document.querySelector('th button'), '::after').color"
    assert found.evaluate(arrow) == "rgb(86, 93, 102)"  # 6.7 to 1 on white
