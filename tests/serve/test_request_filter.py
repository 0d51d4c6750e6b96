"""What is let through to Gradio, in the process of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from speechnet.serve.address import is_loopback
from speechnet.serve.request_filter import RUN, UPLOAD, RequestFilter


class _Within:
    """Stands for Gradio: remembers the bodies of what came through."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        self.bodies.append(body + message.get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"within"})


def _request(
    method: str, path: str, *, host: str = "127.0.0.1", app: ASGIApp | None = None, **given: Any
) -> tuple[httpx.Response, list[bytes]]:
    within = _Within()
    guard = RequestFilter(app or within, host=host, upload_bytes=10_000, functions=[3])

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **given)

    return asyncio.run(send()), within.bodies


def test_of_a_request_to_work_the_name_alone_gets_through() -> None:
    """Whatever else is said of session, event or file never reaches Gradio."""
    body = {
        "data": ["name", {"path": "/etc/passwd"}],
        "fn_index": 3,
        "session_hash": "x",
        "event_data": {"path": "/etc/passwd"},
        "oauth_token": "x",
    }
    response, bodies = _request("POST", RUN, json=body)
    assert response.status_code == 200
    assert [json.loads(each) for each in bodies] == [{"data": ["name"], "fn_index": 3}]


@pytest.mark.parametrize(
    "body",
    [
        {"data": ["name"], "fn_index": 4},
        {"data": ["name"], "fn_index": 3.0},
        {"data": ["name"]},
        {"data": [], "fn_index": 3},
        {"data": {"0": "name"}, "fn_index": 3},
        {"data": [{"path": "/etc/passwd"}], "fn_index": 3},
        ["name"],
        None,
    ],
)
def test_other_requests_to_work_are_refused(body: object) -> None:
    """Another function, no name, or anything else in its place."""
    response, bodies = _request("POST", RUN, json=body)
    assert response.status_code == 400
    assert bodies == []


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        (UPLOAD, "14096", 200),
        (UPLOAD, "14097", 413),
        (UPLOAD, "9" * 400, 413),
        (RUN, "4097", 413),
        (UPLOAD, "-1", 411),
        (UPLOAD, "1e3", 411),
        (UPLOAD, "²", 411),
        (UPLOAD, "", 411),
    ],
)
def test_a_request_must_say_how_long_it_is(path: str, length: str, status: int) -> None:
    """And not be longer than is allowed."""
    headers = {"content-length": length.encode()}
    assert _request("POST", path, headers=headers)[0].status_code == status


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        ({"host": "127.0.0.1:7860"}, "127.0.0.1", 200),
        ({"host": "localhost"}, "127.0.0.1", 200),
        ({"host": "[::1]:7860"}, "::1", 200),
        ({"host": "evil.example"}, "127.0.0.1", 403),
        ({"host": "evil.example"}, "0.0.0.0", 200),  # noqa: S104 - what a user may ask for
        ({"host": "["}, "127.0.0.1", 403),
        ({"host": ""}, "127.0.0.1", 403),
        ({"origin": "http://127.0.0.1"}, "127.0.0.1", 200),
        ({"origin": "http://127.0.0.1:1"}, "127.0.0.1", 403),
        ({"origin": "http://evil.example"}, "0.0.0.0", 403),  # noqa: S104 - as above
        ({"origin": "null"}, "127.0.0.1", 403),
    ],
)
def test_only_the_pages_own_origin_is_answered(
    headers: dict[str, str], host: str, status: int
) -> None:
    """On the machine's own address also under no other name."""
    assert _request("GET", "/", host=host, headers=headers)[0].status_code == status


def test_every_answer_forbids_requests_elsewhere() -> None:
    """Refusals too."""
    for path in ("/", "/nowhere"):
        headers = _request("GET", path)[0].headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [UPLOAD, RUN])
def test_a_request_that_stops_coming_is_given_up(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a status that says so, and an end to the connection."""
    monkeypatch.setattr("speechnet.serve.request_filter._NEXT_WITHIN_S", 0.05)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"begun "
        await asyncio.sleep(60)

    response, bodies = _request("POST", path, content=slowly(), headers={"content-length": "600"})
    assert (response.status_code, response.headers["connection"]) == (408, "close")
    assert bodies == []


def test_a_request_that_comes_in_time_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the work takes that follows: the clock is the sender's."""
    monkeypatch.setattr("speechnet.serve.request_filter._NEXT_WITHIN_S", 0.05)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.2)
        await _Within()(scope, receive, send)

    response, _ = _request("POST", UPLOAD, app=app, content=b"whole")
    assert response.status_code == 200


def test_the_machines_own_addresses_are_known() -> None:
    """Anything else lets others in."""
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "localhost", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.7", "example.org")))  # noqa: S104
