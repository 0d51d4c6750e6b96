"""How many uploads are worked on at once, and what becomes of each."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from markupsafe import Markup

from speechnet.audio.signal_statistics import measure
from speechnet.core.errors import Excluded
from speechnet.inference.prediction import Prediction
from speechnet.serve.limits import Limits
from speechnet.serve.page import render
from speechnet.serve.recognition import Recognition
from speechnet.serve.upload_handler import UploadHandler
from speechnet.serve.uploads import Uploads

_LIMITS = Limits(parallel=2, waiting=3)


def _heard(label: str = "calm", model: str = "mlp") -> Recognition:
    said = Prediction({"emotion": label}, {"emotion": {label: 0.75, "other": 0.25}})
    statistics = measure(np.ones((2_000, 1), np.float32), 8_000, silence_db=-80.0)
    return Recognition(statistics, {model: said}, Markup("<svg></svg>"), None, None, None)


def test_more_than_may_wait_are_turned_away() -> None:
    """Two are worked on, three wait, of ten the rest are told so at once; all are forgotten."""
    uploads = Uploads(_LIMITS)
    go = threading.Event()
    at_once, most = 0, 0
    lock = threading.Lock()

    def hear(_: bytes) -> Recognition:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        assert go.wait(30)
        with lock:
            at_once -= 1
        return _heard()

    async def all_of_them() -> list[str]:
        handler = UploadHandler(hear, uploads=uploads, limits=_LIMITS, best="mlp")
        tasks = [asyncio.create_task(handler.answer(uploads.add(b"x"))) for _ in range(10)]
        done, _ = await asyncio.wait(tasks, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 5:
            await asyncio.sleep(0.01)
            done = {task for task in tasks if task.done()}
        go.set()
        return await asyncio.gather(*tasks)

    answers = asyncio.run(all_of_them())
    assert sum("Too many at once" in answer for answer in answers) == 5
    assert sum("Emotion: calm" in answer for answer in answers) == 5
    assert most == 2
    assert uploads.used == 0


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
    """A fault of the file in plain words; one of the program without its inner life."""
    uploads = Uploads(_LIMITS)

    def hear(_: bytes) -> Recognition:
        raise error

    async def twice() -> tuple[str, str]:
        handler = UploadHandler(hear, uploads=uploads, limits=_LIMITS, best="mlp")
        name = uploads.add(b"x")
        return await handler.answer(name), await handler.answer(name)

    first, second = asyncio.run(twice())
    assert words in first
    assert "/secret" not in first
    assert "no such recording" in second
    assert uploads.used == 0
    assert ("/secret/path" in capsys.readouterr().err) == isinstance(error, MemoryError)


def test_a_hearing_that_is_broken_off_gets_a_message() -> None:
    """When the server ends; Gradio has nothing to print then."""
    uploads = Uploads(_LIMITS)
    go, begun = threading.Event(), threading.Event()

    def hear(_: bytes) -> Recognition:
        begun.set()
        assert go.wait(30)
        return _heard()

    async def broken_off() -> str:
        handler = UploadHandler(hear, uploads=uploads, limits=_LIMITS, best="mlp")
        task = asyncio.create_task(handler.answer(uploads.add(b"x")))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        try:
            return await task
        finally:
            go.set()

    assert "The server is ending" in asyncio.run(broken_off())
    assert uploads.used == 0


def test_a_large_upload_is_said_to_have_no_player() -> None:
    """Instead of leaving it out."""
    html = render("recognition.html.j2", recognition=_heard(), best="mlp")
    assert "Too large to be played here." in html
    assert "<audio" not in html


def test_names_of_a_run_are_escaped() -> None:
    """A class or a model may be called anything."""
    evil = "<img src=x onerror=alert(1)>"
    html = render("recognition.html.j2", recognition=_heard(evil, evil), best=evil)
    assert evil not in html
    assert "&lt;img" in html
