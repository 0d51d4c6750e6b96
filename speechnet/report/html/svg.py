"""A figure's SVG made fit to stand inside a page, in light and in dark."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

from speechnet.core.errors import DataError
from speechnet.report.drawing.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    NAVY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
)

COLOURS: Final = {
    BLACK: "ink",
    "#FFFFFF": "paper",
    "#505050": "soft",
    GREY: "grey",
    "#B0B0B0": "pale",
    "#C0C0C0": "pale",
    "#C8C8C8": "pale",
    "#D9D9D9": "faint",
    "#ECECEC": "grid",
    "#FFF3D6": "mark",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    VERMILION: "vermilion",
    SKY: "sky",
    PURPLE: "purple",
    NAVY: "share",
    "#882255": "wine",
    "#999933": "olive",
}
"""The colours of the figures, each with the name of the CSS variable ``--figure-<name>`` that takes
its place. Any other colour stays."""

_ELEMENTS: Final = frozenset(
    ["svg", "g", "defs", "path", "use", "clipPath", "rect", "circle", "line", "image", "pattern"]
)
_PLAIN: Final = frozenset(
    [
        *("d", "transform", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height"),
        *("patternUnits", "preserveAspectRatio", "shape-rendering", "image-rendering"),
        *("fill", "fill-opacity", "fill-rule", "clip-path", "clip-rule", "opacity"),
        *("stroke", "stroke-width", "stroke-opacity", "stroke-linejoin", "stroke-linecap"),
        *("stroke-dasharray", "stroke-dashoffset", "stroke-miterlimit"),
    ]
)
"""Attributes, and properties of a ``style`` attribute, that are taken over."""

_IMAGE: Final = "data:image/png;base64,"
_LOCAL: Final = re.compile(r"url\(#([^()\"'\s]+)\)")
_DECIMALS: Final = re.compile(r"(\.\d\d)\d+")
_STEPS: Final = (12, 18, 24, 30, 36, 42, 48, 54, 60, 66)
"""The least widths in rem that the style sheet knows a class of, ``least-<n>``."""
_DEEPEST: Final = 60
_LEAST: Final = 0.7
"""A figure shrinks to this share of its size, where 9 pt are still 8.4 px; then its box scrolls."""
_PX: Final = 96 / 72
_REM: Final = 16


def inline_svg(svg_text: str, *, name: str, description: str) -> Markup:
    """An SVG that matplotlib wrote as an element of a page.

    Only what draws is taken over: elements and attributes of a short list, links within the figure
    and PNGs inside it. So nothing in it can run or be fetched, whoever wrote the file. Styles
    become attributes, which a strict content security policy lets through; ids get a prefix of the
    figure's own; the colours of ``COLOURS`` follow the page's light or dark theme.

    Args:
        svg_text: the whole file.
        name: what the figure is, read out by a screen reader.
        description: what is seen in it, in a sentence or two, read out after that; another one
            wherever the same figure stands on a page under the same name.

    Raises:
        DataError: it is no SVG.
    """
    source = _parse(svg_text, name)
    identity = f"{name}\0{description}\0{svg_text}"  # one picture may stand on a page twice
    prefix = "s" + hashlib.sha256(identity.encode()).hexdigest()[:8]
    used = set(_references(source))
    width, height = _size(source, name)
    root = _copy(source, prefix, used)
    for attribute, value in (
        ("viewBox", f"0 0 {width:g} {height:g}"),
        ("width", f"{width * _PX:.0f}"),
        ("height", f"{height * _PX:.0f}"),
        ("class", f"least-{_least(width)}"),
        ("role", "img"),
        ("aria-label", name),
        ("aria-describedby", f"{prefix}-text"),
        ("fill", "var(--figure-ink)"),
        ("stroke-linejoin", "round"),
    ):
        root.set(attribute, value)
    text = ET.Element("desc", id=f"{prefix}-text")
    text.text = description
    root.insert(0, text)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - written by an XML writer


def _parse(svg_text: str, name: str) -> ET.Element:
    if "<!ENTITY" in svg_text:
        raise DataError(f"the figure {name!r} defines entities, which no figure of a run does")
    try:
        root = ET.fromstring(svg_text)  # noqa: S314 - without entities there is nothing to expand
    except ET.ParseError as error:
        raise DataError(
            f"the figure {name!r} is no SVG ({error}); draw it again: python -m speechnet report"
        ) from error
    if _is_deep(root):
        raise DataError(f"the figure {name!r} is nested more than {_DEEPEST} levels deep")
    if _local(root.tag) != "svg":
        raise DataError(f"the figure {name!r} is <{_local(root.tag)}>, expected <svg>")
    return root


def _is_deep(root: ET.Element) -> bool:
    """Whether elements lie in each other deeper than a drawing's; counted level by level."""
    level = [root]
    for _ in range(_DEEPEST):
        level = [child for element in level for child in element]
    return bool(level)


def _size(root: ET.Element, name: str) -> tuple[float, float]:
    """Width and height in points."""
    try:
        _, _, width, height = map(float, root.get("viewBox", "").split())
    except ValueError as error:
        raise DataError(f"the figure {name!r} has no viewBox of four numbers") from error
    return width, height


def _copy(element: ET.Element, prefix: str, used: set[str]) -> ET.Element:
    """An element with all below it, without what isn't on the lists."""
    made = ET.Element(_local(element.tag))
    for attribute, value in _attributes(element):
        if attribute == "id":
            if value in used:
                made.set("id", f"{prefix}-{value}")
        elif attribute == "href":
            if value.startswith("#"):
                made.set("href", f"#{prefix}-{value[1:]}")
            elif value.startswith(_IMAGE):
                made.set("href", "".join(value.split()))
        elif attribute in _PLAIN and (kept := _value(attribute, value, prefix)) is not None:
            made.set(attribute, kept)
    made.extend(_copy(child, prefix, used) for child in element if _is_drawn(child))
    return made


def _attributes(element: ET.Element) -> Iterator[tuple[str, str]]:
    """Attributes by local name, those of a style each for itself."""
    for attribute, value in element.attrib.items():
        if attribute != "style":
            yield _local(attribute), value
            continue
        for declaration in value.split(";"):
            key, colon, setting = declaration.partition(":")
            if colon:
                yield key.strip(), setting.strip()


def _value(attribute: str, value: str, prefix: str) -> str | None:
    """The value as it may stand in the page; None if it points out of the figure."""
    if attribute == "d":
        return _DECIMALS.sub(r"\1", " ".join(value.split()))
    if attribute in {"fill", "stroke"} and value.upper() in COLOURS:
        return f"var(--figure-{COLOURS[value.upper()]})"
    if "(" in value and attribute != "transform":
        found = _LOCAL.fullmatch(value)
        return f"url(#{prefix}-{found[1]})" if found else None
    return value


def _references(root: ET.Element) -> Iterator[str]:
    """The ids that something in the figure points to."""
    for element in root.iter():
        for attribute, value in _attributes(element):
            if attribute == "href" and value.startswith("#"):
                yield value[1:]
            else:
                yield from _LOCAL.findall(value)


def _is_drawn(element: ET.Element) -> bool:
    return isinstance(element.tag, str) and _local(element.tag) in _ELEMENTS


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _least(width: float) -> int:
    """The largest of the steps that is no wider than the smallest readable width."""
    return max((step for step in _STEPS if step * _REM <= _LEAST * width * _PX), default=_STEPS[0])
