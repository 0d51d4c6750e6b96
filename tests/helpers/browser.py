"""A real browser for tests of what people look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_CHROMIUM: Final = shutil.which("chromium")
_ARGUMENTS: Final = (
    "--no-sandbox",  # which a container's root can't have
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
Theme = Literal["light", "dark"]


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A headless chromium with a fake microphone; skips where there is none.

    Args:
        arguments: further flags, such as ``--use-file-for-fake-audio-capture=x.wav``.
    """
    if _CHROMIUM is None:
        pytest.skip("no chromium on this machine: make browser installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=[*_ARGUMENTS, *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page that remembers what went wrong.

    Attributes:
        page: the page.
        faults: console errors and warnings, and uncaught exceptions.
        requests: the URL of every request but those of ``data:`` and ``blob:``.
    """

    def __init__(self, browser: Browser, *, width: int, theme: Theme, **context: Any) -> None:
        self.page: Page = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, **context
        ).new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._on_request(request.url))

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)

    def _on_request(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.requests.append(url)
