"""The demo's page in a real browser."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.browser import Theme, Watched, chromium
from helpers.demos import Demo
from helpers.faults import speech
from playwright.sync_api import Browser

import speechnet
from speechnet.inference.predict import recognise

pytestmark = pytest.mark.slow

_GRADIO_S_OWN = {
    "Method not implemented.",  # its client can't close the stream of an upload's progress
    "https://svelte.dev/e/derived_inert",
}
"""Warnings that Gradio's page writes to the console in any application."""

_VALUES = """cells => cells.map(cell => [
    cell.dataset.model, cell.dataset.class, cell.dataset.value, cell.innerText.trim()
])"""


@pytest.fixture(scope="module")
def demo(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all; ended by SIGTERM, which must leave nothing."""
    temp = tmp_path_factory.mktemp("temp")
    started = Demo(tiny_run, temp, "--max_mb", "2", "--max_minutes", "1")
    yield started
    code, _, err = started.stop(signal.SIGTERM)
    assert code == 143
    assert "Traceback" not in err
    assert started.files() == []
    assert not list(temp.glob("speechnet*"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds that may pass for speech."""
    path = tmp_path_factory.mktemp("sound") / "three seconds.wav"
    soundfile.write(path, speech(4, 3.0, 16_000), 16_000)
    return path


@pytest.fixture(scope="module")
def browser(sound: Path) -> Iterator[Browser]:
    """A browser with a microphone that hears the sound."""
    with chromium(f"--use-file-for-fake-audio-capture={sound}") as started:
        yield started


def _open(browser: Browser, demo: Demo, *, width: int = 1280, theme: Theme = "light") -> Watched:
    watched = Watched(browser, width=width, theme=theme, permissions=["microphone"])
    watched.page.set_default_timeout(60_000)
    watched.page.goto(demo.url)
    watched.page.wait_for_selector("#result .nothing")
    return watched


def _upload(watched: Watched, path: Path, *, until: str) -> None:
    with watched.page.expect_file_chooser() as chooser:
        watched.page.locator("#upload button:visible").first.click()
    chooser.value.set_files(path)
    watched.page.wait_for_selector(until)


def _shown(watched: Watched) -> dict[tuple[str, str], float]:
    """Every model's probability of every class, each checked to be as it is written."""
    cells = watched.page.eval_on_selector_all("td[data-model]", _VALUES)
    for _, _, value, text in cells:
        assert text == f"{100 * float(value):.1f}"
    return {(model, name): float(value) for model, name, value, _ in cells}


def _assert_calm(watched: Watched, demo: Demo) -> None:
    assert set(watched.faults) <= _GRADIO_S_OWN
    assert [url for url in watched.requests if not url.startswith(demo.url)] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_an_upload_gives_what_predict_gives(
    demo: Demo,
    browser: Browser,
    sound: Path,
    tiny_run: Path,
    tmp_path: Path,
    width: int,
    theme: Theme,
) -> None:
    """All that the page promises is there, nothing beside it, and nothing is fetched elsewhere."""
    recognise(tiny_run, [sound], model="all", out=tmp_path / "said.csv")
    said = pd.read_csv(tmp_path / "said.csv").set_index("model")
    watched = _open(browser, demo, width=width, theme=theme)
    notice = watched.page.locator(".notice").inner_text()
    _upload(watched, sound, until="article.heard figure img")
    shown = _shown(watched)
    pictures = watched.page.locator("article.heard figure img").count()
    wide = watched.page.evaluate("document.documentElement.scrollWidth")
    dark = watched.page.evaluate("document.body.classList.contains('dark')")
    paper = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    watched.page.locator("summary").click()
    scores = watched.page.locator("#about table").inner_text()
    assert "Trained on synthetic speech" in notice
    assert "means nothing" in notice
    assert "Guessing" in scores
    assert shown == {
        (model, name): pytest.approx(said.loc[model, name], abs=2e-6) for model, name in shown
    }
    assert len(shown) == len(said) * 6
    assert pictures == 1
    assert wide <= width
    assert dark == (theme == "dark")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[theme]  # a picture's
    _assert_calm(watched, demo)
    assert demo.files() == []


def test_a_recording_gives_what_predict_gives(
    demo: Demo, browser: Browser, tiny_run: Path, tmp_path: Path
) -> None:
    """Of the samples that came from the microphone, which the page's player holds."""
    watched = _open(browser, demo, width=390)
    watched.page.get_by_role("button", name="Record").click()
    watched.page.wait_for_timeout(2_000)
    watched.page.get_by_role("button", name="Stop").first.click()
    watched.page.wait_for_selector("article.heard audio")
    shown = _shown(watched)
    source = str(watched.page.locator("article.heard audio").get_attribute("src"))
    kind, _, data = source.partition(";base64,")
    assert kind == "data:audio/wav"
    recorded = tmp_path / "recorded.wav"
    recorded.write_bytes(base64.b64decode(data))
    y, rate = soundfile.read(recorded, dtype="float32")
    assert len(y) / rate > 0.5  # longer on a busy machine
    assert np.abs(y).max() > 0.05  # the fake microphone's sound, not its silence
    said = speechnet.load(tiny_run, model="all").predict_all(y, rate)
    assert shown == {
        (model, f"{target}_{name}"): pytest.approx(p, abs=1e-6)
        for model, one in said.items()
        for target, by_class in one.probabilities.items()
        for name, p in by_class.items()
    }
    _assert_calm(watched, demo)
    assert demo.files() == []


def test_a_long_recording_gets_a_timeline(
    demo: Demo, browser: Browser, tmp_path: Path, tiny_run: Path
) -> None:
    """Above 20 s; the probabilities are then the means of the windows, as predict's are."""
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(speech(6, 5.0, 8_000), 5), 8_000)
    recognise(tiny_run, [path], model="best", out=tmp_path / "said.csv")
    (said,) = pd.read_csv(tmp_path / "said.csv").to_dict("records")
    watched = _open(browser, demo)
    _upload(watched, path, until="article.heard figure:nth-of-type(2) img")
    shown = _shown(watched)
    names = watched.page.eval_on_selector_all(
        "article.heard figure img", "all => all.map(e => e.alt.split(':')[0])"
    )
    assert names == ["The recording over time", "The recording"]
    best = {name: p for (model, name), p in shown.items() if model == said["model"]}
    assert best == {name: pytest.approx(said[name], abs=2e-6) for name in best}
    _assert_calm(watched, demo)


def test_what_can_t_be_used_gets_a_message(
    demo: Demo, browser: Browser, sound: Path, tmp_path: Path
) -> None:
    """A page named .wav, and a file that is too large, which never leaves the browser; then on."""
    hostile, large = tmp_path / "<img src=x onerror=alert(1)>.wav", tmp_path / "large.wav"
    hostile.write_bytes(b"<!DOCTYPE html><script>alert(1)</script>")
    large.write_bytes(bytes(3_000_000))
    watched = _open(browser, demo)
    _upload(watched, hostile, until=".problem")
    problem = watched.page.locator(".problem").inner_text()
    sent = len(watched.requests)
    _upload(watched, large, until=".toast-body.error")
    toast = watched.page.locator(".toast-body.error").inner_text()
    assert not [url for url in watched.requests[sent:] if "/upload?" in url]
    _upload(watched, sound, until="article.heard")
    assert "not an audio file" in problem
    assert "unreadable" in problem
    assert "exceed the maximum allowed size of 2.0 Mb" in toast
    _assert_calm(watched, demo)
    assert demo.files() == []


def test_an_answer_never_stands_for_the_next_one(demo: Demo, browser: Browser, sound: Path) -> None:
    """With a new source it goes, also where the request that follows fails."""
    watched = _open(browser, demo)
    _upload(watched, sound, until="article.heard")
    watched.page.route("**/answer", lambda route: route.fulfill(status=503))
    _upload(watched, sound, until="#result .problem")
    assert "No answer" in watched.page.locator("#result").inner_text()
    assert watched.page.locator("article.heard").count() == 0
