"""Uploads from their arrival to their answer, in the process of the test."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from markupsafe import Markup
from starlette.applications import Starlette

from speechnet.audio.signal_statistics import measure
from speechnet.core.errors import Excluded
from speechnet.inference.prediction import Prediction
from speechnet.serve.guard import ANSWER, FILE, UPLOAD
from speechnet.serve.limits import Limits
from speechnet.serve.page import render
from speechnet.serve.recognition import Recognition
from speechnet.serve.uploads import Uploads


def _heard(label: str = "calm", model: str = "mlp") -> Recognition:
    said = Prediction({"emotion": label}, {"emotion": {label: 0.75, "other": 0.25}})
    statistics = measure(np.ones((2_000, 1), np.float32), 8_000, silence_db=-80.0)
    return Recognition(statistics, {model: said}, Markup("<svg></svg>"), None, None, None)


def _html(found: Recognition) -> str:
    return render("recognition.html.j2", recognition=found, best="mlp", labels={})


def _with_client(
    use: Callable[[httpx.AsyncClient, Uploads], Awaitable[Any]],
    *,
    limits: Limits,
    hear: Callable[[bytes], Recognition] = lambda _: _heard(),
) -> Any:
    """What ``use`` returns; nothing may be in memory after it."""

    async def run() -> Any:
        uploads = Uploads(lambda content: _html(hear(content)), limits)
        transport = httpx.ASGITransport(app=Starlette(routes=uploads.routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            found = await use(client, uploads)
        assert not uploads.busy
        while uploads.held:
            await asyncio.sleep(0.01)
        return found

    return asyncio.run(asyncio.wait_for(run(), 60))


async def _send(client: httpx.AsyncClient, content: bytes) -> httpx.Response:
    return await client.post(UPLOAD, files={"files": ("../../evil.wav", content)})


async def _answer(client: httpx.AsyncClient, content: bytes = b"x") -> str:
    (name,) = (await _send(client, content)).json()
    return (await client.post(ANSWER, content=name)).text


def test_an_upload_that_nobody_asks_for_is_forgotten() -> None:
    """After seconds; until then it has a name that can't be guessed, nor is the file's."""

    async def use(client: httpx.AsyncClient, uploads: Uploads) -> None:
        names = {(await _send(client, b"sound")).json()[0] for _ in range(3)}
        assert uploads.held == dict.fromkeys(names, b"sound")
        assert all(len(name) == 32 and "evil" not in name for name in names)

    _with_client(use, limits=Limits(keep_s=0.05))


def test_an_upload_is_never_spooled_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large it is."""

    def rollover(_: object) -> None:
        pytest.fail("it went to a file")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", rollover)
    sizes: list[int] = []

    def hear(content: bytes) -> Recognition:
        sizes.append(len(content))
        return _heard()

    _with_client(lambda c, _: _answer(c, bytes(3 * 2**20)), limits=Limits(max_mb=4), hear=hear)
    assert sizes == [3 * 2**20]


@pytest.mark.parametrize(("content", "most"), [(bytes(9_000), 2), (b"x", 5)])
def test_without_room_an_upload_is_turned_away(content: bytes, most: int) -> None:
    """By their bytes, 20 kB, or their number, with those that are worked on, one at a time."""
    limits = Limits(max_mb=0.01, parallel=1, waiting=4)
    go, lock = threading.Event(), threading.Lock()

    def hear(_: bytes) -> Recognition:
        assert lock.acquire(blocking=False)
        assert go.wait(30)
        lock.release()
        return _heard()

    async def use(client: httpx.AsyncClient, uploads: Uploads) -> list[httpx.Response]:
        async def heard() -> httpx.Response:
            sent = await _send(client, content)
            ask = client.post(ANSWER, content=sent.json()[0]) if sent.is_success else None
            return await ask if ask else sent

        tasks = [asyncio.create_task(heard()) for _ in range(10)]
        while sum(task.done() for task in tasks) < 10 - most:
            await asyncio.sleep(0.01)
        assert len(uploads.busy) == most
        go.set()
        return await asyncio.gather(*tasks)

    responses = _with_client(use, limits=limits, hear=hear)
    turned_away = [response for response in responses if response.status_code == 503]
    assert len(turned_away) == 10 - most
    assert all("try again in a moment" in response.text for response in turned_away)
    assert sum("Emotion: calm" in response.text for response in responses) == most


def test_an_upload_that_breaks_off_or_stops_leaves_nothing() -> None:
    """No room stays taken; one that stops coming is given up, with the connection's end."""

    async def slowly() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.sleep(60)

    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": "900"}

    async def use(client: httpx.AsyncClient, uploads: Uploads) -> httpx.Response:
        async def gone() -> dict[str, str]:
            return {"type": "http.disconnect"}

        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": UPLOAD, "query_string": b""}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await Starlette(routes=uploads.routes())({**scope, "headers": pairs}, gone, send)
        assert sent[0]["status"] == 400
        return await client.post(UPLOAD, content=slowly(), headers=headers)

    response = _with_client(use, limits=Limits(arrive_s=0.05))
    assert (response.status_code, response.headers["connection"]) == (408, "close")


def test_nothing_that_came_in_goes_out() -> None:
    """Whatever file is asked for, there is a tenth of a second of silence."""

    async def use(client: httpx.AsyncClient, _: Uploads) -> list[bytes]:
        (name,) = (await _send(client, b"sound")).json()
        return [(await client.get(FILE + each)).content for each in (name, "/etc/passwd")]

    first, second = _with_client(use, limits=Limits(keep_s=0.05))
    assert first == second
    y, rate = soundfile.read(io.BytesIO(first))
    assert (len(y) / rate, abs(y).max()) == (0.1, 0.0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Excluded("silent", "digital silence, above -80 dB expected"), "(digital silence, above"),
        (Excluded("unreadable", "<script>."), "(&lt;script&gt;)."),
        (MemoryError("/secret/path"), "a step of the extraction raised an error."),
    ],
)
def test_what_fails_gets_a_message_and_is_forgotten(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of the file in plain words; one of the program without its details."""

    def hear(_: bytes) -> Recognition:
        raise error

    async def use(client: httpx.AsyncClient, _: Uploads) -> tuple[str, str]:
        (name,) = (await _send(client, b"x")).json()
        first, second = [(await client.post(ANSWER, content=name)).text for _ in range(2)]
        return first, second

    first, second = _with_client(use, limits=Limits(), hear=hear)
    assert words in first
    assert "/secret" not in first
    assert "no such recording" in second
    assert ("/secret/path" in capsys.readouterr().err) == isinstance(error, MemoryError)


def test_a_large_upload_is_said_to_have_no_player() -> None:
    """Instead of leaving it out."""
    html = _html(_heard())
    assert "Too large to be played here." in html
    assert "<audio" not in html


def test_names_of_a_run_are_escaped() -> None:
    """A class or a model may be called anything."""
    evil = "<img src=x onerror=alert(1)>"
    html = render(
        "recognition.html.j2", recognition=_heard(evil, evil), best=evil, labels={evil: evil}
    )
    assert evil not in html
    assert "&lt;img" in html
