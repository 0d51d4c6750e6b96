"""Tests of figures inside a page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from helpers.browser import Watched, chromium
from helpers.reported import HOSTILE, SVG

from speechnet.core.errors import DataError
from speechnet.report.drawing.style import BLUE, new_figure, save
from speechnet.report.html.svg import COLOURS, inline_svg

pytestmark = pytest.mark.slow


def attributes(image: str) -> dict[str, str]:
    """Those of the only element."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, given: found.append((tag, dict(given)))
    parser.feed(image)
    ((tag, given),) = found
    assert tag == "img"
    return given


def inside(image: str) -> ET.Element:
    """The SVG that an image holds."""
    kind, _, text = attributes(image)["src"].partition(",")
    assert kind == "data:image/svg+xml"
    return ET.fromstring(unquote(text))  # noqa: S314 - just written here


def test_a_real_figure_stays_whole(tmp_path: Path) -> None:
    """All that matplotlib drew is there, for words that are markup too, and none breaks out."""
    figure = new_figure(6, 3)
    left, right = figure.subplots(1, 2)
    left.bar([0, 1], [1, 2], hatch="//", color=BLUE, edgecolor="white", label=HOSTILE)
    left.set_title(HOSTILE)
    right.plot([0, 1], [0, 1], marker="o", color="black", rasterized=True)
    svg = save(figure, tmp_path, "figure")[1].read_text(encoding="utf-8")
    image = inline_svg(svg, name=HOSTILE, description=HOSTILE)
    tags = ("path", "use", "clipPath", "pattern", "image")
    drawn, source = (
        [sum(1 for _ in root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")) for tag in tags]
        for root in (inside(image), ET.fromstring(svg))  # noqa: S314 - just written by matplotlib
    )
    assert drawn == source
    assert all(drawn)
    assert attributes(image)["alt"] == f"{HOSTILE}: {HOSTILE}"


def test_nothing_in_a_figure_runs_or_is_fetched(tmp_path: Path) -> None:
    """Whoever wrote it; and it is drawn all the same."""
    svg = SVG.format(
        "<script>alert(1); top.document.title = 'mine'</script>"
        '<image href="http://127.0.0.1:9/x.png" onerror="alert(2)" width="9" height="9"/>'
        '<style>@import url("http://127.0.0.1:9/x.css");</style>'
        '<foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:alert(3)"/>'
        '</foreignObject><rect width="72" height="36" onload="alert(4)"/>'
    )
    path = tmp_path / "page.html"
    path.write_text(f"<title>own</title>{inline_svg(svg, name='a', description='b')}")
    with chromium() as browser:
        watched = Watched(browser, width=600, theme="light")
        watched.page.on("dialog", lambda dialog: watched.faults.append(dialog.message))
        watched.page.goto(path.as_uri())
        assert watched.page.evaluate("document.images[0].naturalWidth") > 0
        assert watched.page.title() == "own"
        assert watched.requests == [path.as_uri()]
        assert watched.faults == []


def test_colours_follow_the_theme() -> None:
    """The palette's are variables with a value for light and for dark; others stay."""
    image = inline_svg(
        SVG.format(
            '<path style="fill: #0072b2; stroke: #ffffff"/><rect fill="#0072b2"/>'
            '<path style="fill: #123456"/>'
        ),
        name="n",
        description="d",
    )
    sheet, *drawn = inside(image)
    assert [each.attrib for each in drawn] == [
        {"style": "fill: var(--0072b2); stroke: var(--ffffff)"},
        {"fill": "var(--0072b2)"},
        {"style": "fill: #123456"},
    ]
    light, _, dark = str(sheet.text).partition("prefers-color-scheme: dark")
    for name, (in_light, in_dark) in COLOURS.items():
        assert f"--{name[1:].lower()}:{in_light};" in light
        assert f"--{name[1:].lower()}:{in_dark};" in dark


def test_size_and_words() -> None:
    """72 pt are 96 px; a screen reader hears name and description."""
    given = attributes(inline_svg(SVG.format(""), name="a figure", description="What is seen."))
    assert (given["width"], given["height"], given["alt"]) == (
        "96",
        "48",
        "a figure: What is seen.",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no SVG at all", "is no SVG"),
        ('<svg viewBox="0 0 1 1"><path d="M 0', "is no SVG"),
        ("<html/>", "is no SVG"),
        ("<svg/>", "is no SVG"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg viewBox="0 0 1 1">&a;</svg>', "defines entities"),
    ],
)
def test_what_is_no_figure_is_refused(text: str, said: str) -> None:
    """A damaged or foreign file is named."""
    with pytest.raises(DataError, match=f"'roc' {said}"):
        inline_svg(text, name="roc", description="")
