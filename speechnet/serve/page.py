"""The page: Gradio's recorder and upload, and around them HTML of this package's templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final, Literal

import gradio

from speechnet.report.html.environment import environment
from speechnet.serve.limits import Limits
from speechnet.serve.run_summary import RunSummary

_PACKAGE: Final = "speechnet.serve"
_FONTS: Final = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
_NAME_OF: Final = "(sound, shown) => sound ? [sound.path, {listening}] : ['', shown]"
"""JavaScript: only the name of a recording or upload goes to the server, and the last result is no
longer shown."""


def build(answer: Callable[[str], Any], summary: RunSummary, *, limits: Limits) -> gradio.Blocks:
    """Lay the page out.

    Args:
        answer: a coroutine function, from an upload's name to HTML.
        summary: of the run.
        limits: what is said of the bounds.
    """
    blocks: gradio.Blocks
    with gradio.Blocks(title=f"{summary.run}, heard", analytics_enabled=False) as blocks:
        gradio.HTML(render("about.html.j2", about=summary), elem_id="about", padding=False)
        with gradio.Row(equal_height=True, elem_id="sources"):
            sources = [_source("microphone", "Record"), _source("upload", "Upload")]
        gradio.HTML(render("privacy.html.j2", limits=limits), elem_id="privacy", padding=False)
        result = gradio.HTML(render("nothing.html.j2"), elem_id="result", padding=False)
        name = gradio.Textbox(visible="hidden")

        async def show(given: str) -> tuple[Any, Any, Any]:
            if not given:  # a source was cleared: the last result stays
                return gradio.skip(), gradio.skip(), gradio.skip()
            return await answer(given), None, None

        name_of = _NAME_OF.format(listening=json.dumps(render("listening.html.j2")))
        for source in sources:
            # No queue: it would hold results for whoever doesn't fetch them.
            source.input(None, [source, result], [name, result], js=name_of).then(
                show, [name], [result, *sources], queue=False, api_visibility="private"
            )
    return blocks


def theme() -> gradio.themes.Base:
    """Gradio's plain theme in the fonts of the system: none is fetched from anywhere."""
    return gradio.themes.Base(font=_FONTS, font_mono=["ui-monospace", "monospace"])


def _source(kind: Literal["microphone", "upload"], label: str) -> gradio.Audio:
    return gradio.Audio(
        sources=[kind],
        type="filepath",
        label=label,
        editable=False,
        elem_id=kind,
        buttons=[],
    )


def render(template: str, **values: object) -> str:
    """Fill a template in; all values are escaped, and a name that isn't there is an error.

    Args:
        template: its name, such as ``about.html.j2``.
        values: by the names that the template has for them.
    """
    return environment(_PACKAGE).get_template(template).render(values)


def style() -> str:
    """The page's style sheet, besides Gradio's own."""
    return files(_PACKAGE).joinpath("templates", "page.css").read_text(encoding="utf-8")
