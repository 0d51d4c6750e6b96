"""Recordings from their upload to their answer: in memory, bounded, for seconds.

Uploads are received here and not by Gradio, which would write them to the disk.
"""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import numpy as np
import soundfile
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechnet.console.messages import say
from speechnet.core.errors import Excluded
from speechnet.core.types import REASONS
from speechnet.serve.guard import ANSWER, FILE, PROGRESS, UPLOAD
from speechnet.serve.limits import Limits
from speechnet.serve.page import render

_UNKNOWN: Final = "There is no such recording"
_GONE: Final = "It was answered already, or waited too long. Record or upload it again."
_FIELD: Final = "files"
"""What Gradio's page calls the file in its form."""


class Uploads:
    """The uploads in memory; to be used from the event loop's thread only.

    Args:
        recognise: an upload's answer in HTML, in a thread.
        limits: on the uploads that arrive and wait.
    """

    def __init__(self, recognise: Callable[[bytes], str], limits: Limits) -> None:
        self.held: dict[str, bytes] = {}  # by name
        self.busy: list[int] = []  # bytes of each that arrives or is worked on
        self._recognise = recognise
        self._limits = limits
        self._pool = ThreadPoolExecutor(limits.parallel, thread_name_prefix="upload")

    def routes(self) -> list[BaseRoute]:
        """The routes that take precedence over Gradio's."""
        silence = io.BytesIO()
        soundfile.write(silence, np.zeros(800, np.int16), 8_000, format="WAV")

        async def progress(_: Request) -> Response:
            return Response(media_type="text/event-stream")  # an upload takes no time here

        async def file(_: Request) -> Response:
            # Until it is cleared, the recorder draws what it sent. No upload is ever sent back.
            return Response(silence.getvalue(), media_type="audio/wav")

        return [
            Route(UPLOAD, self.receive, methods=["POST"]),
            Route(ANSWER, self.answer, methods=["POST"]),
            Route(PROGRESS, progress),
            Route(f"{FILE}{{name:path}}", file),
        ]

    def close(self) -> None:
        """Take on nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def receive(self, request: Request) -> Response:
        """Hold an upload under a name that can't be guessed, which is the response."""
        size, limits = int(request.headers["content-length"]), self._limits
        sizes = [size, *self.busy, *map(len, self.held.values())]
        room = 2 * limits.parallel * limits.upload_bytes  # one arrives for each that is worked on
        if sum(sizes) > room or len(sizes) > limits.parallel + limits.waiting:
            raise HTTPException(503, "too many uploads at once: try again in a moment")
        try:
            async with asyncio.timeout(limits.arrive_s):
                with self._busy(size):
                    content = await _file(request)
        except TimeoutError:
            close = {"connection": "close"}  # what is left of it is not waited for
            raise HTTPException(408, "the upload came too slowly", close) from None
        except ClientDisconnect:
            raise HTTPException(400, "the upload broke off") from None
        name = secrets.token_urlsafe(24)
        self.held[name] = content
        asyncio.get_running_loop().call_later(limits.keep_s, self.held.pop, name, None)
        return JSONResponse([name])

    async def answer(self, request: Request) -> Response:
        """Answer in HTML the upload that the request names, and forget it."""
        name = (await request.body()).decode(errors="replace")
        content = self.held.pop(name, None)
        if content is None:
            return HTMLResponse(render("problem.html.j2", title=_UNKNOWN, text=_GONE))
        with self._busy(len(content)):
            loop = asyncio.get_running_loop()
            return HTMLResponse(await loop.run_in_executor(self._pool, self._html, content))

    @contextmanager
    def _busy(self, size: int) -> Iterator[None]:
        self.busy.append(size)
        try:
            yield
        finally:
            self.busy.remove(size)

    def _html(self, content: bytes) -> str:
        try:
            return self._recognise(content)
        except Excluded as error:
            why = error
        except Exception as error:  # one upload never stops the server
            say(f"an upload failed: {type(error).__name__}: {error}", style="yellow")
            why = Excluded("failed", "")
        detail = why.detail.rstrip(".")
        text = f"Found: {REASONS[why.reason]}{f' ({detail})' if detail else ''}."
        title = "This recording can't be used"
        return render("problem.html.j2", title=title, text=text, code=why.reason)


class _InMemory(MultiPartParser):
    spool_max_size = 0  # no file on the disk, whatever the size, which the guard has checked


async def _file(request: Request) -> bytes:
    """The one file of a form."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(400, "expected a form with a file")
    parser = _InMemory(request.headers, request.stream(), max_files=1, max_fields=1)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    try:
        given = form.get(_FIELD)
        if not isinstance(given, UploadFile):
            raise HTTPException(400, f"expected a form with a file named {_FIELD}")
        return await given.read()
    finally:
        await form.close()
