"""Recordings between their upload and their answer: in memory, bounded, for seconds.

Their requests are answered here and not by Gradio, which would write them to the disk.
"""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import soundfile
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechnet.serve.limits import Limits
from speechnet.serve.request_filter import FILE, PROGRESS, UPLOAD

_FIELD: Final = "files"
"""What Gradio's page calls the file in its form."""


class Full(Exception):  # noqa: N818 - not a fault: there is room again in a moment
    """The uploads that are held leave no room for another."""


class Uploads:
    """The uploads that wait to be worked on; to be used from the event loop's thread only.

    Args:
        limits: bound the bytes of one upload and of all.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: dict[str, bytes] = {}
        self._coming = 0

    @property
    def used(self) -> int:
        """Bytes that are held or arriving."""
        return self._coming + sum(map(len, self._held.values()))

    @contextmanager
    def room_for(self, size: int) -> Iterator[None]:
        """Reserve room for an upload while it arrives.

        Args:
            size: of the whole request, in bytes.

        Raises:
            Full: there is no room.
        """
        if self.used + size > self._limits.room_bytes:
            raise Full
        self._coming += size
        try:
            yield
        finally:
            self._coming -= size

    def add(self, content: bytes) -> str:
        """Hold an upload.

        Returns:
            A name that can't be guessed.
        """
        name = secrets.token_urlsafe(24)
        self._held[name] = content
        return name

    def get(self, name: str) -> bytes | None:
        """The upload of a name; None if there is none (any more)."""
        return self._held.get(name)

    def discard(self, name: str) -> None:
        """Forget an upload, if it is still there."""
        self._held.pop(name, None)


def routes(uploads: Uploads, limits: Limits) -> list[BaseRoute]:
    """The routes that take precedence over Gradio's.

    Args:
        uploads: receives the uploads.
        limits: how long they are kept.
    """
    silence = _silence()

    async def upload(request: Request) -> Response:
        try:
            with uploads.room_for(int(request.headers["content-length"])):
                name = uploads.add(await _file(request))
        except Full:
            raise HTTPException(503, "too many uploads at once: try again in a moment") from None
        except ClientDisconnect:
            raise HTTPException(400, "the upload broke off") from None
        asyncio.get_running_loop().call_later(limits.keep_s, uploads.discard, name)
        return JSONResponse([name])

    async def progress(_: Request) -> Response:
        return Response(media_type="text/event-stream")  # an upload from here takes no time

    async def file(_: Request) -> Response:
        # Until it is cleared, the recorder draws what it sent. No upload is ever sent back.
        return Response(silence, media_type="audio/wav")

    return [
        Route(UPLOAD, upload, methods=["POST"]),
        Route(PROGRESS, progress),
        Route(f"{FILE}{{name:path}}", file),
    ]


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


def _silence() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(800, np.int16), 8_000, format="WAV")
    return buffer.getvalue()
