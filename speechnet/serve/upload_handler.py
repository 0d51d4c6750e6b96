"""Where uploads are handed in, and answered in HTML."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from speechnet.console.messages import say
from speechnet.core.errors import Excluded
from speechnet.core.types import REASONS
from speechnet.serve.html import render
from speechnet.serve.limits import Limits
from speechnet.serve.recognition import Heard
from speechnet.serve.uploads import Uploads

_GONE: Final = "It was answered already, or waited too long. Record or upload it again."
_ENDING: Final = "Record or upload it again once it is back."
_BUSY: Final = "Others are being listened to. Try again in a moment."


class Desk:
    """Where uploads are handed in: a few are worked on, some wait, any more are turned away.

    Args:
        hear: what is done with an upload, in a thread.
        uploads: where they lie meanwhile.
        limits: how many at once.
        best: the model whose classes are named first.
    """

    def __init__(
        self, hear: Callable[[bytes], Heard], *, uploads: Uploads, limits: Limits, best: str
    ) -> None:
        self._hear = hear
        self._uploads = uploads
        self._limits = limits
        self._best = best
        self._pool = ThreadPoolExecutor(limits.parallel, thread_name_prefix="hearing")
        self._inside = 0

    async def answer(self, name: str) -> str:
        """The HTML that comes of an upload; whatever becomes of it, it is forgotten.

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
            heard = self._hear(content)
        except Excluded as why:
            return _refusal(why)
        except Exception as error:  # one upload never stops the server
            say(f"an upload failed: {type(error).__name__}: {error}", style="yellow")
            return _refusal(Excluded("failed", ""))
        return render("heard.html.j2", heard=heard, best=self._best)


def _refusal(why: Excluded) -> str:
    detail = why.detail.rstrip(".")
    return render(
        "problem.html.j2",
        title="This recording can't be used",
        text=f"Found: {REASONS[why.reason]}{f' ({detail})' if detail else ''}.",
        code=why.reason,
    )
