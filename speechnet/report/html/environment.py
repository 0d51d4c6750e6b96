"""How templates become pages: escaped, strict, and with what they need inside one file."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from speechnet.report.names import model_name, sentence

_PACKAGE: Final = "speechnet.report.html"
_TEMPLATES: Final = "templates"


class Inlined(NamedTuple):
    """A style sheet or a script as it stands in the page.

    Attributes:
        text: all of it.
        source: what the page's content security policy knows it by, ``'sha256-...'``.
    """

    text: Markup
    source: str


@cache
def environment(package: str = _PACKAGE) -> Environment:
    """The templates of a package, in its folder ``templates``.

    All that is filled in is escaped, and a name that isn't there is an error. ``inlined`` gives
    templates the style sheet and the script of this one.

    Args:
        package: its name; this one, or another whose pages look alike.
    """
    made = Environment(
        loader=PackageLoader(package, _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["inlined"] = inlined
    made.filters["model_name"] = model_name
    made.filters["sentence"] = sentence
    return made


def inlined(name: str) -> Inlined:
    """A file beside the templates, to be put between its tags without a blank.

    Args:
        name: of a file of this package, never from data.
    """
    folder = files(_PACKAGE).joinpath(_TEMPLATES)
    text = folder.joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Inlined(Markup(text), f"'sha256-{digest}'")  # noqa: S704 - a file of this package
