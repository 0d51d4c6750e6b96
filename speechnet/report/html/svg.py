"""A figure's SVG as an image of a page, in light and in dark."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from markupsafe import Markup

from speechnet.core.errors import DataError
from speechnet.report.drawing import style

COLOURS: Final = {
    style.BLACK: ("#16191d", "#e7eaee"),
    "#FFFFFF": ("#ffffff", "#14171b"),
    "#505050": ("#505050", "#b3bac3"),
    style.GREY: ("#767676", "#98a0aa"),
    "#B0B0B0": ("#bcbcbc", "#59616b"),
    "#C0C0C0": ("#bcbcbc", "#59616b"),
    "#C8C8C8": ("#bcbcbc", "#59616b"),
    "#D9D9D9": ("#d9d9d9", "#3a4149"),
    "#ECECEC": ("#ececec", "#2a3037"),
    "#FFF3D6": ("#fff3d6", "#3a3118"),
    style.BLUE: ("#0072b2", "#3593db"),
    style.ORANGE: ("#e69f00", "#eead2b"),
    style.GREEN: ("#009e73", "#2fbf95"),
    style.VERMILION: ("#d55e00", "#f07f35"),
    style.SKY: ("#56b4e9", "#8ccdf5"),
    style.PURPLE: ("#cc79a7", "#e09cc2"),
    style.NAVY: ("#084a8c", "#5da0da"),
    "#882255": ("#882255", "#d06a9d"),
    "#999933": ("#999933", "#c3c35e"),
}
"""The colours of the figures, each with what it is in light and in dark. Any other colour stays."""

_COLOUR: Final = re.compile(r"""(?<=fill: |roke: |fill=")#[0-9a-f]{6}\b""")
_UNSEEN: Final = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
_PATH: Final = re.compile(r' d="[^"]*"')
_DECIMALS: Final = re.compile(r"(\.\d\d)\d+")
_PX: Final = 96 / 72  # of a point
_PLAIN: Final = " /:=;,'()@*{}!~$?+"  # may stand in the address as they are


def inline_svg(svg_text: str, *, name: str, description: str) -> Markup:
    """An SVG that matplotlib wrote as an image that stands in the page itself.

    A browser runs no script of an image and loads nothing that it names, whoever wrote the file.
    The colours of ``COLOURS`` follow the light or dark theme of the page.

    A screen reader reads ``name`` out, and then ``description``: what is seen in the figure.

    Raises:
        DataError: it is no SVG.
    """
    width, height = _size(svg_text, name)
    drawn = _UNSEEN.sub("", svg_text[svg_text.index("<svg") :])
    drawn = _PATH.sub(lambda path: _DECIMALS.sub(r"\1", path[0]), drawn)
    drawn = _COLOUR.sub(lambda found: _variable(found[0]), drawn)
    start = drawn.index(">") + 1
    whole = " ".join(f"{drawn[:start]}{_themes()}{drawn[start:]}".split())
    return Markup('<img src="{}" width="{:.0f}" height="{:.0f}" alt="{}: {}">').format(
        f"data:image/svg+xml,{quote(whole, safe=_PLAIN)}",
        width * _PX,
        height * _PX,
        name,
        description,
    )


def _size(svg_text: str, name: str) -> tuple[float, float]:
    """Width and height in points."""
    if "<!ENTITY" in svg_text:
        raise DataError(f"the figure {name!r} defines entities, which no figure of a run does")
    try:
        root = ET.fromstring(svg_text)  # noqa: S314 - without entities there is nothing to expand
        _, _, width, height = map(float, root.get("viewBox", "").split())
    except (ET.ParseError, ValueError) as error:
        raise DataError(
            f"the figure {name!r} is no SVG ({error}); draw it again: python -m speechnet report"
        ) from error
    return width, height


def _variable(colour: str) -> str:
    return f"var(--{colour[1:]})" if colour.upper() in COLOURS else colour


def _themes() -> str:
    """The style sheet that gives the variables their colours; text has none but this."""
    light, dark = (
        "".join(f"--{name[1:].lower()}:{themes[which]};" for name, themes in COLOURS.items())
        for which in (0, 1)
    )
    screen = f"@media (prefers-color-scheme: dark){{:root{{{dark}}}}}"
    return f"<style>:root{{{light}fill:var(--000000)}}{screen}</style>"
