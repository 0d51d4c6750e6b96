"""HTML from this package's templates."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from speechnet.report.html.environment import environment, inlined

_PACKAGE: Final = "speechnet.serve"
_TEMPLATES: Final = "templates"
_ROOT: Final = re.compile(r":root \{(.*?--figure.*?)\}", re.DOTALL)
_COLOUR: Final = re.compile(r"--figure-[\w-]+: [^;]+;")


def render(template: str, **values: object) -> str:
    """Fill a template in; all values are escaped, and a name that isn't there is an error.

    Args:
        template: its name, such as ``heard.html.j2``.
        values: by the names that the template has for them.
    """
    return environment(_PACKAGE).get_template(template).render(values)


def style() -> str:
    """The page's style sheet, besides Gradio's own: figures have the colours of the report's."""
    own = files(_PACKAGE).joinpath(_TEMPLATES, "page.css").read_text(encoding="utf-8")
    light, dark = _ROOT.findall(inlined("page.css").text)
    rules = zip((":root", ".dark"), map(_COLOUR.findall, (light, dark)), strict=True)
    return "".join(f"{which} {{ {' '.join(colours)} }}\n" for which, colours in rules) + own
