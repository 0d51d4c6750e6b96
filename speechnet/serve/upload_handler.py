"""Answers uploads in HTML."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from speechnet.console.messages import say
from speechnet.core.errors import Excluded
from speechnet.core.types import REASONS
from speechnet.serve.limits import Limits
from speechnet.serve.page import render
from speechnet.serve.recognition import Recognition
from speechnet.serve.uploads import Uploads

_GONE: Final = "It was answered already, or waited too long. Record or upload it again."
_ENDING: Final = "Record or upload it again once it is back."
_BUSY: Final = "Others are being listened to. Try again in a moment."


class UploadHandler:
    """Answers uploads: a few at once, some wait, any more are turned away.

    Args:
        recognise: what is done with an upload, in a thread.
        uploads: where they are kept meanwhile.
        limits: how many at once.
        best: the model whose classes are named first.
    """

    def __init__(
        self,
        recognise: Callable[[bytes], Recognition],
        *,
        uploads: Uploads,
        limits: Limits,
        best: str,
    ) -> None:
        self._recognise = recognise
        self._uploads = uploads
        self._limits = limits
        self._best = best
        self._pool = ThreadPoolExecutor(limits.parallel, thread_name_prefix="upload")
        self._inside = 0

    async def answer(self, name: str) -> str:
        """Answer an upload in HTML, and forget it.

        Args:
            name: as ``Uploads`` gave it; anything else gets a message.
        """
        content = self._uploads.get(name)
        try:
            if content is None:
                return render("problem.html.j2", title="There is no such recording", text=_GONE)
            if self._inside >= self._limits.parallel + self._limits.waiting:
                return render("problem.html.j2", title="Too many at once", text=_BUSY)
            self._inside += 1
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._pool, self._html, content)
            except asyncio.CancelledError:  # Gradio would print where it came from
                return render("problem.html.j2", title="The server is ending", text=_ENDING)
            finally:
                self._inside -= 1
        finally:
            self._uploads.discard(name)

    def close(self) -> None:
        """Take on nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _html(self, content: bytes) -> str:
        try:
            found = self._recognise(content)
        except Excluded as why:
            return _refusal(why)
        except Exception as error:  # one upload never stops the server
            say(f"an upload failed: {type(error).__name__}: {error}", style="yellow")
            return _refusal(Excluded("failed", ""))
        return render("recognition.html.j2", recognition=found, best=self._best)


def _refusal(why: Excluded) -> str:
    detail = why.detail.rstrip(".")
    return render(
        "problem.html.j2",
        title="This recording can't be used",
        text=f"Found: {REASONS[why.reason]}{f' ({detail})' if detail else ''}.",
        code=why.reason,
    )
