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


class Inlined(NamedTuple):
    """A style sheet or script of a page, and its hash for the content security policy."""

    text: Markup
    source: str


@cache
def environment(package: str = _PACKAGE) -> Environment:
    """The templates in the folder ``templates`` of a package: this one, or one that looks alike.

    All that is filled in is escaped, and a name that isn't there is an error. ``inlined`` gives
    templates the style sheet and the script of this package.
    """
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["inlined"] = inlined
    made.filters |= {"model_name": model_name, "sentence": sentence}
    return made


def inlined(name: str) -> Inlined:
    """A file beside the templates, to be put between its tags without a blank.

    Args:
        name: of a file of this package, never from data.
    """
    text = files(_PACKAGE).joinpath("templates", name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Inlined(Markup(text), f"'sha256-{digest}'")  # noqa: S704 - a file of this package
