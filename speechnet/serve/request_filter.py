"""A filter in front of Gradio that passes only what the demo's own page requests.

Gradio serves far more than the demo needs: files, proxies, an API, an unbounded queue. Here each
request must be on a short list, its size is checked before it is read, it must come from the page's
own origin, and a request to run a function passes on only the name of an upload.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechnet.serve.address import LOOPBACK, is_loopback

UPLOAD: Final = "/gradio_api/upload"
PROGRESS: Final = "/gradio_api/upload_progress"
FILE: Final = "/gradio_api/file="
RUN: Final = "/gradio_api/run/predict"

_READ: Final = frozenset({"/", "/theme.css", "/favicon.ico", "/manifest.json", PROGRESS})
_READ_BELOW: Final = ("/assets/", "/static/", FILE)
_RUN_BYTES: Final = 4_096
_FORM_BYTES: Final = 4_096
"""For the form around the file."""
_READ_WITHIN_S: Final = 60.0
"""Seconds within which the whole request must arrive."""
_NEXT_WITHIN_S: Final = 5.0
"""Seconds within which the next part of a request must arrive."""

_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        # Gradio's page has scripts and styles of its own inside, and compiles templates.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class RequestFilter:
    """An ASGI application around another one.

    Args:
        app: the other one.
        host: the address that is listened on. If it is the machine's own, requests must name it,
            which stops pages whose name was made to point here (DNS rebinding).
        upload_bytes: most bytes of an upload.
        functions: Gradio's indices of the functions that the page may run.
    """

    def __init__(
        self, app: ASGIApp, *, host: str, upload_bytes: int, functions: Collection[int]
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK if is_loopback(host) else None
        self._bytes = {UPLOAD: upload_bytes + _FORM_BYTES, RUN: _RUN_BYTES}
        self._functions = frozenset(functions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refused = self._refusal(scope)
        if refused is None and scope["path"] == RUN:
            refused, receive = await self._checked(receive)
        answer = _Answer(send)
        if refused is not None:
            await refused(scope, receive, answer)
            return
        try:
            async with asyncio.timeout(None) as deadline:
                if scope["path"] == UPLOAD:
                    receive = _hurried(receive, deadline)
                await self._app(scope, receive, answer)
        except TimeoutError:
            if not answer.begun:
                await _too_slow()(scope, receive, answer)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts is not None and _hostname(host) not in self._hosts:
            return _refuse(403, "this server answers to its own address alone")
        if origin is not None and origin.partition("://")[2] != host:
            return _refuse(403, "requests of other pages are not answered")
        method, path = scope["method"], scope["path"]
        if method in {"GET", "HEAD"}:
            found = path in _READ or path.startswith(_READ_BELOW)
            return None if found else _refuse(404, "there is no such page")
        if method != "POST" or path not in self._bytes:
            return _refuse(404, "there is no such page")
        return self._size_refusal(headers.get("content-length", ""), self._bytes[path])

    def _size_refusal(self, length: str, most: int) -> JSONResponse | None:
        if not (length.isascii() and length.isdigit()):
            return _refuse(411, "a request must say how long it is")
        if int(length[:20]) > most:
            return _refuse(413, f"{length[:20]} bytes, at most {most} allowed")
        return None

    async def _checked(self, receive: Receive) -> tuple[JSONResponse | None, Receive]:
        """The request to run a function, as the page would send it, or a refusal."""
        try:
            async with asyncio.timeout(None) as deadline:
                body = await _body(_hurried(receive, deadline))
            given = json.loads(body)
            name, function = given["data"][0], given["fn_index"]
            if (
                type(name) is not str
                or type(function) is not int
                or function not in self._functions
            ):
                raise ValueError
        except TimeoutError:
            return _too_slow(), receive
        except (ValueError, TypeError, LookupError, RecursionError):
            return _refuse(400, "expected the name of an upload"), receive
        plain = json.dumps({"data": [name], "fn_index": function}).encode()

        async def replay() -> Message:
            return {"type": "http.request", "body": plain, "more_body": False}

        return None, replay


def _hostname(netloc: str) -> str | None:
    try:
        return urlsplit(f"//{netloc}").hostname
    except ValueError:
        return None


def _refuse(status: int, why: str) -> JSONResponse:
    return JSONResponse({"detail": why, "error": why}, status_code=status)


def _too_slow() -> JSONResponse:
    refused = _refuse(408, "the request came too slowly")
    refused.headers["connection"] = "close"  # what is left of it is not waited for
    return refused


def _hurried(receive: Receive, deadline: asyncio.Timeout) -> Receive:
    """Receive with a deadline for each part and for the whole; in between there is none."""
    clock = asyncio.get_running_loop().time
    end = clock() + _READ_WITHIN_S

    async def hurried() -> Message:
        deadline.reschedule(min(end, clock() + _NEXT_WITHIN_S))
        message = await receive()
        deadline.reschedule(None)
        return message

    return hurried


async def _body(receive: Receive) -> bytes:
    """The whole body; the server limits it to the length that was announced."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ValueError("the client went away")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


class _Answer:
    """Sends an answer with the headers common to all, and records that it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
            self.begun = True
        await self._send(message)
