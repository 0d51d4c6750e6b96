"""What is let through to Gradio, in the process of the test."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from speechnet.serve.guard import ANSWER, UPLOAD, guarded

_OWN = ["127.0.0.1", "localhost", "[::1]"]


def _request(method: str, path: str, *, hosts: list[str] = _OWN, **given: Any) -> httpx.Response:
    app = guarded(PlainTextResponse("within"), hosts=hosts, upload_bytes=10_000)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **given)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        (UPLOAD, "14096", 200),
        (UPLOAD, "14097", 413),
        (UPLOAD, "9" * 400, 413),
        (ANSWER, "4096", 200),
        (ANSWER, "4097", 413),
        (UPLOAD, "-1", 411),
        (UPLOAD, "1e3", 411),
        (UPLOAD, "²", 411),
        (UPLOAD, "", 411),
    ],
)
def test_a_request_must_announce_its_size(path: str, length: str, status: int) -> None:
    """And not be larger than is allowed."""
    headers = {"content-length": length.encode()}
    assert _request("POST", path, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "hosts", "status"),
    [
        ({"host": "127.0.0.1:7860"}, _OWN, 200),
        ({"host": "localhost"}, _OWN, 200),
        ({"host": "[::1]:7860"}, _OWN, 200),
        ({"host": "evil.example"}, _OWN, 400),
        ({"host": "evil.example"}, [], 200),
        ({"host": "["}, _OWN, 400),
        ({"host": ""}, _OWN, 400),
        ({"origin": "http://127.0.0.1"}, _OWN, 200),
        ({"origin": "http://127.0.0.1:1"}, _OWN, 403),
        ({"origin": "http://evil.example"}, [], 403),
        ({"origin": "null"}, _OWN, 403),
    ],
)
def test_only_the_pages_own_origin_is_answered(
    headers: dict[str, str], hosts: list[str], status: int
) -> None:
    """On the machine's own address also under no other name."""
    assert _request("GET", "/", hosts=hosts, headers=headers).status_code == status


def test_every_answer_forbids_requests_elsewhere() -> None:
    """Refusals too."""
    for path, status in (("/", 200), ("/nowhere", 404)):
        response = _request("GET", path)
        assert response.status_code == status
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert "http" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
