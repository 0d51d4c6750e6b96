"""Uploads as they come in, in the process of the test."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx
import pytest
import soundfile
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.types import Message

from speechnet.serve.limits import Limits
from speechnet.serve.request_filter import FILE, UPLOAD
from speechnet.serve.uploads import Uploads, routes

_LIMITS = Limits(max_mb=0.01, parallel=1, keep_s=0.05)  # room for 20 kB


def _client(uploads: Uploads, limits: Limits = _LIMITS) -> httpx.AsyncClient:
    app = Starlette(routes=routes(uploads, limits))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


async def _send(client: httpx.AsyncClient, content: bytes, **given: Any) -> httpx.Response:
    return await client.post(UPLOAD, files={"files": ("../../evil.wav", content)}, **given)


def test_an_upload_that_nobody_asks_for_is_forgotten() -> None:
    """After seconds; until then it has a name that has nothing to do with the file's."""

    async def run() -> None:
        uploads = Uploads(_LIMITS)
        async with _client(uploads) as client:
            (name,) = (await _send(client, b"sound")).json()
        assert uploads.get(name) == b"sound"
        assert "evil" not in name
        while uploads.used:
            await asyncio.sleep(0.01)
        assert uploads.get(name) is None

    asyncio.run(asyncio.wait_for(run(), 10))


def test_an_upload_is_never_spooled_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large it is."""

    def rollover(_: object) -> None:
        pytest.fail("it went to a file")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", rollover)
    limits = Limits(max_mb=4)

    async def run() -> int:
        uploads = Uploads(limits)
        async with _client(uploads, limits) as client:
            (name,) = (await _send(client, bytes(3 * 2**20))).json()
        return len(uploads.get(name) or b"")

    assert asyncio.run(run()) == 3 * 2**20


def test_without_room_an_upload_is_turned_away() -> None:
    """For the moment."""

    async def run() -> httpx.Response:
        uploads = Uploads(_LIMITS)
        uploads.add(bytes(15_000))
        async with _client(uploads) as client:
            return await _send(client, bytes(8_000))

    response = asyncio.run(run())
    assert response.status_code == 503
    assert "try again in a moment" in response.text


def test_an_upload_that_breaks_off_leaves_nothing() -> None:
    """No room stays taken."""

    async def run() -> int:
        uploads = Uploads(_LIMITS)
        (upload, *_) = routes(uploads, _LIMITS)
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [
            (b"content-length", b"900"),
            (b"content-type", b"multipart/form-data; boundary=x"),
        ]
        scope = {"type": "http", "method": "POST", "path": UPLOAD, "headers": headers}
        app = Starlette(routes=[upload])
        try:
            await app({**scope, "query_string": b""}, receive, send)
        except ClientDisconnect:
            pytest.fail("this is no fault of the program")
        assert sent[0]["status"] == 400
        return uploads.used

    assert asyncio.run(run()) == 0


def test_nothing_that_came_in_goes_out() -> None:
    """Whatever file is asked for, there is a tenth of a second of silence."""

    async def run() -> list[bytes]:
        uploads = Uploads(_LIMITS)
        async with _client(uploads) as client:
            (name,) = (await _send(client, b"sound")).json()
            return [(await client.get(FILE + each)).content for each in (name, "/etc/passwd")]

    first, second = asyncio.run(run())
    assert first == second
    assert b"sound" not in first
    y, rate = soundfile.read(io.BytesIO(first))
    assert (len(y) / rate, abs(y).max()) == (0.1, 0.0)
