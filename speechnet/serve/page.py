"""The page: Gradio's recorder and upload, and around them HTML of this package's templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Literal

import gradio

from speechnet.serve.html import render
from speechnet.serve.limits import Limits
from speechnet.serve.run_summary import About

_FONTS: Final = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
_NAME_OF: Final = "(sound, shown) => sound ? [sound.path, {listening}] : ['', shown]"
"""JavaScript: of what was recorded or uploaded only the name goes to the server, and what was heard
before is no longer shown."""


def build(answer: Callable[[str], Any], about: About, *, limits: Limits) -> gradio.Blocks:
    """Lay the page out.

    Args:
        answer: a coroutine function, from an upload's name to HTML.
        about: what is said of the run.
        limits: what is said of the bounds.
    """
    blocks: gradio.Blocks
    with gradio.Blocks(title=f"{about.run}, heard", analytics_enabled=False) as blocks:
        gradio.HTML(render("about.html.j2", about=about), elem_id="about", padding=False)
        with gradio.Row(equal_height=True, elem_id="sources"):
            sources = [_source("microphone", "Record"), _source("upload", "Upload")]
        gradio.HTML(render("privacy.html.j2", limits=limits), elem_id="privacy", padding=False)
        result = gradio.HTML(render("nothing.html.j2"), elem_id="result", padding=False)
        name = gradio.Textbox(visible="hidden")

        async def heard(given: str) -> tuple[Any, Any, Any]:
            if not given:  # a source was cleared: what was heard last stays
                return gradio.skip(), gradio.skip(), gradio.skip()
            return await answer(given), None, None

        name_of = _NAME_OF.format(listening=json.dumps(render("listening.html.j2")))
        for source in sources:
            # No queue: it would hold results for whoever doesn't fetch them.
            source.input(None, [source, result], [name, result], js=name_of).then(
                heard, [name], [result, *sources], queue=False, api_visibility="private"
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
