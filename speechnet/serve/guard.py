"""A filter in front of Gradio that passes only what the demo's own page requests.

Gradio serves far more than the demo needs: files, proxies, an API, an unbounded queue. Here each
request must be on a short list, announce a size within bounds, and come from the page's own origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD: Final = "/gradio_api/upload"
PROGRESS: Final = "/gradio_api/upload_progress"
FILE: Final = "/gradio_api/file="
ANSWER: Final = "/answer"

_READ: Final = frozenset({"/", "/theme.css", "/favicon.ico", "/manifest.json", PROGRESS})
_READ_BELOW: Final = ("/assets/", "/static/", FILE)
_SMALL: Final = 4_096
"""Bytes of a request without a recording, and of the form around one."""

_HEADERS: Final = {
    # Gradio's page has scripts and styles inside, and compiles templates.
    "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def guarded(app: ASGIApp, *, hosts: Sequence[str], upload_bytes: int) -> ASGIApp:
    """The application behind the filter.

    Requests must address the server by one of ``hosts``, if there are any, which stops pages whose
    name was made to point here (DNS rebinding).
    """
    most = {UPLOAD: upload_bytes + _SMALL, ANSWER: _SMALL}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = _refusal(scope, most) if scope["type"] == "http" else None
        await (refused or app)(scope, receive, answer)

    return TrustedHostMiddleware(guard, hosts) if hosts else guard


def _refusal(scope: Scope, most: dict[str, int]) -> JSONResponse | None:
    headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host", ""):
        return _refuse(403, "requests of other pages are not answered")
    if method in {"GET", "HEAD"} and (path in _READ or path.startswith(_READ_BELOW)):
        return None
    if method != "POST" or path not in most:
        return _refuse(404, "there is no such page")
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return _refuse(411, "a request must say how long it is")
    if int(length[:20]) > most[path]:
        return _refuse(413, f"{length[:20]} bytes, at most {most[path]} allowed")
    return None


def _refuse(status: int, why: str) -> JSONResponse:
    return JSONResponse({"detail": why, "error": why}, status_code=status)
