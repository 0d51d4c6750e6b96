"""Tests of figures inside a page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from helpers.reported import HOSTILE, SVG
from matplotlib.figure import Figure

from speechnet.core.errors import DataError
from speechnet.report.drawing.style import BLUE, new_figure, save
from speechnet.report.html.environment import inlined as sheet
from speechnet.report.html.svg import COLOURS, inline_svg

pytestmark = pytest.mark.slow


def inlined(inside: str, name: str = "a figure") -> ET.Element:
    """What becomes of an SVG that holds this."""
    return parsed(inline_svg(SVG.format(inside), name=name, description="what is seen"))


def drawn(folder: Path) -> str:
    """A figure with everything that matplotlib writes: text, clips, hatches, markers, an image."""
    figure = new_figure(6, 3)
    left, right = figure.subplots(1, 2)
    left.bar([0, 1], [1, 2], hatch="//", color=BLUE, edgecolor="white", label=HOSTILE)
    left.set_title(HOSTILE)
    right.plot([0, 1], [0, 1], marker="o", color="black", rasterized=True)
    return saved(figure, folder)


def parsed(svg: str) -> ET.Element:
    """The element that stands in the page."""
    return ET.fromstring(svg)  # noqa: S314 - just written by an XML writer


def saved(figure: Figure, folder: Path) -> str:
    return save(figure, folder, "figure")[1].read_text(encoding="utf-8")


def test_only_what_draws_is_taken_over() -> None:
    """Scripts, handlers, links, styles, foreign objects and comments are gone."""
    root = inlined(
        "<script>alert(1)</script><style>*{fill:red}</style><!-- <b> --><foreignObject/>"
        '<a href="javascript:alert(1)"><path d="M 0 0"/></a>'
        '<path d="M 1 1" onclick="alert(1)" class="x" data-x="y"/>'
        '<image href="https://example.org/x.png" width="1"/>'
        '<image href="data:image/svg+xml;base64,AAAA" width="2"/>'
        '<use href="other.svg#x"/>'
        '<rect style="fill: url(https://example.org/x); stroke: url(#in); background: red"/>'
    )
    assert [element.tag for element in root.iter()] == [
        *("svg", "desc", "path", "image", "image", "use", "rect")
    ]
    attributes = [element.attrib for element in root.iter()][2:]
    assert attributes[:4] == [{"d": "M 1 1"}, {"width": "1"}, {"width": "2"}, {}]
    assert re.fullmatch(r"url\(#s[0-9a-f]{8}-in\)", attributes[4].pop("stroke"))
    assert attributes[4] == {}


def test_a_real_figure_keeps_all_it_points_to(tmp_path: Path) -> None:
    """Every reference is to an id that is there, once; no style is left to be refused."""
    root = parsed(inline_svg(drawn(tmp_path), name="n", description="d"))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    pointed = {
        found
        for element in root.iter()
        for value in element.attrib.values()
        for found in re.findall(r"^#(.+)$|url\(#(.+?)\)", value)
    }
    named = {one or other for one, other in pointed}
    assert named <= set(ids)
    assert {"use", "clipPath", "pattern", "image"} <= {element.tag for element in root.iter()}
    assert len(named) > 20  # glyphs, markers, a clip, a hatch
    assert len(ids) == len(set(ids))
    assert not any("style" in element.attrib for element in root.iter())


def test_labels_from_data_can_not_break_out(tmp_path: Path) -> None:
    """A label that is markup is drawn as glyphs and leaves no markup, in name and text neither."""
    svg = inline_svg(drawn(tmp_path), name=HOSTILE, description=HOSTILE)
    assert "<script" not in svg
    assert "<img" not in svg
    root = parsed(svg)
    assert root.get("aria-label") == HOSTILE
    assert root.findtext("desc") == HOSTILE


def test_two_figures_on_a_page_share_no_id(tmp_path: Path) -> None:
    """The same drawing under another name has other ids."""
    svg = drawn(tmp_path)
    first, second = (
        set(re.findall(r' id="([^"]+)"', inline_svg(svg, name=name, description="")))
        for name in ("one", "two")
    )
    assert first
    assert not first & second


def test_colours_follow_the_theme() -> None:
    """Ink, paper and the palette are variables, in attributes and styles; others stay."""
    root = inlined(
        '<path style="fill: #0072b2; stroke: #ffffff"/><rect fill="#0072B2"/><path fill="#123456"/>'
    )
    one, two, three = list(root)[1:]
    assert one.attrib == {"fill": "var(--figure-blue)", "stroke": "var(--figure-paper)"}
    assert two.attrib == {"fill": "var(--figure-blue)"}
    assert three.attrib == {"fill": "#123456"}
    assert root.get("fill") == "var(--figure-ink)"


def test_every_colour_of_a_figure_has_a_variable() -> None:
    """The style sheet knows each variable, for light and for dark."""
    css = str(sheet("page.css").text)
    for name in COLOURS.values():
        assert css.count(f"--figure-{name}:") == 2


def test_size_and_words() -> None:
    """72 pt are 96 px; a screen reader hears name and description."""
    root = inlined("")
    assert (root.get("width"), root.get("height"), root.get("role")) == ("96", "48", "img")
    assert root.get("aria-label") == "a figure"
    assert root.find("desc").get("id") == root.get("aria-describedby")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no SVG at all", "is no SVG"),
        ("<html/>", "expected <svg>"),
        ("<svg/>", "no viewBox"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg viewBox="0 0 1 1">&a;</svg>', "defines entities"),
    ],
)
def test_what_is_no_figure_is_refused(text: str, said: str) -> None:
    """A damaged or foreign file is named."""
    with pytest.raises(DataError, match=said):
        inline_svg(text, name="roc", description="")
