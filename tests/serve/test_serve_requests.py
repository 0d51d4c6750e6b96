"""A demo in a process of its own among requests that mean it no good."""

from __future__ import annotations

import itertools
import re
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from helpers.demos import Demo
from helpers.faults import MAX_SAMPLES, encoded, speech, write_faults

import speechnet

pytestmark = pytest.mark.slow

_MINUTES = MAX_SAMPLES / 96_000 / 60  # so that the bombs are bombs
_TOO_LONG = {"bomb.flac", "claims_2_36_frames.flac"}  # here their length is found out first
_REQUESTS = 1_000
_AT_ONCE = 20


@pytest.fixture(scope="module")
def demo(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all; ended by Ctrl-C, which must be quiet and leave nothing."""
    temp = tmp_path_factory.mktemp("temp")
    limits = ("--max_mb", "5", "--max_minutes", f"{_MINUTES}")
    started = Demo(tiny_run, temp, *limits)
    yield started
    code, out, err = started.stop(signal.SIGINT)
    assert (code, out, err) == (130, "", "")
    assert started.files() == []
    assert not list(temp.glob("speechnet*"))


@pytest.fixture
def client(demo: Demo) -> Iterator[httpx.Client]:
    with demo.client() as made:
        yield made


def _values(html: str) -> dict[tuple[str, str], float]:
    found = re.findall(r'data-model="(\w+)" data-class="(\w+)" data-value="([\d.]+)"', html)
    return {(model, name): float(value) for model, name, value in found}


def _raw(demo: Demo, data: bytes) -> bytes:
    """What comes back for bytes that no client would send; the connection is then cut."""
    address = urlsplit(demo.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65_536)


def test_an_upload_gives_what_predict_gives(
    demo: Demo, client: httpx.Client, tiny_run: Path
) -> None:
    """Every model's probabilities, to six digits."""
    y, rate = speech(3, 2.0, 16_000), 16_000
    shown = _values(demo.hear(client, encoded(y, "WAV/FLOAT", rate=rate)))
    recogniser = speechnet.load(tiny_run, model="all")
    for model, said in recogniser.predict_all(y, rate).items():
        for target, by_class in said.probabilities.items():
            for name, p in by_class.items():
                assert shown.pop((model, f"{target}_{name}")) == pytest.approx(p, abs=1e-6)
    assert not shown


def test_every_fault_is_named(demo: Demo, client: httpx.Client, tmp_path: Path) -> None:
    """Each of the faulty files gives a message with the reason why."""
    for name, (content, reason) in _faults(tmp_path).items():
        html = demo.hear(client, content)
        assert f"<code>{reason}</code>" in html, (name, html)
    assert demo.files() == []


def test_too_large_an_upload_is_refused_before_it_is_read(demo: Demo, client: httpx.Client) -> None:
    """By what its header says, so that not a byte of it is waited for."""
    assert demo.upload(client, bytes(5_300_000)).status_code == 413
    head = (
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99000000\r\n\r\n"
    )
    assert b" 413 " in _raw(demo, head)


def test_no_path_or_address_leads_to_a_file(client: httpx.Client, tmp_path: Path) -> None:
    """Whatever stands for the name of an upload, nothing is read and nothing fetched."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encoded(speech(1), "WAV"))
    for name in (str(secret), f"../../../..{secret}", "http://127.0.0.1:9/a.wav", "\0", b"\xff"):
        assert "no such recording" in client.post("/answer", content=name).text
    for path in (f"/gradio_api/file={secret}", f"/gradio_api/file/{secret}", f"/file={secret}"):
        response = client.get(path)
        assert response.status_code == 404 or set(response.content[44:]) == {0}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/info"),
        ("GET", "/config"),
        ("GET", "/monitoring"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:9/"),
        ("GET", "/gradio_api/queue/status"),
        ("GET", "/gradio_api/heartbeat/x"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/call/heard"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/login"),
        ("DELETE", "/"),
        ("PUT", "/gradio_api/upload"),
        ("OPTIONS", "/gradio_api/upload"),
    ],
)
def test_gradios_other_services_are_not_there(client: httpx.Client, method: str, path: str) -> None:
    """What the page has no use for is answered as if it didn't exist."""
    assert client.request(method, path).status_code == 404


def test_other_names_and_other_pages_are_refused(demo: Demo) -> None:
    """A name made to point here (DNS rebinding), and requests of another page."""
    for headers in ({"Host": "evil.example"}, {"Host": "["}, {"Origin": "http://evil.example"}):
        with demo.client(**headers) as client:
            assert client.get("/").status_code in {400, 403}
    with demo.client(Host=f"localhost:{urlsplit(demo.url).port}") as client:
        assert client.get("/").status_code == 200


def _faults(folder: Path) -> dict[str, tuple[bytes, str]]:
    """The faulty files by name, each with the reason it must be refused for."""
    reasons = write_faults(folder) | dict.fromkeys(_TOO_LONG, "too_long")
    return {
        name: ((folder / name).read_bytes(), reason)
        for name, reason in reasons.items()
        if reason is not None and reason != "duplicate"
    }


def _attacks(demo: Demo, client: httpx.Client, folder: Path) -> list[Callable[[], object]]:
    """Requests of every kind; each raises if it is answered as it should not be."""
    bad = [content for content, _ in _faults(folder).values()]
    kind = {"content-type": "multipart/form-data; boundary=x"}
    up = "/gradio_api/upload"

    def refused(method: str, path: str, **given: object) -> Callable[[], object]:
        def send() -> None:
            response = client.request(method, path, **given)  # type: ignore[arg-type]
            assert 400 <= response.status_code < 500, (path, given, response.text)

        return send

    def raw(data: bytes) -> Callable[[], object]:
        return lambda: _raw(demo, data)

    def heard(content: bytes) -> Callable[[], object]:
        def send() -> None:
            assert 'role="alert"' in demo.hear(client, content)

        return send

    attacks = [
        refused("POST", "/gradio_api/run/predict", content=b"{" * 2_000),
        refused("POST", "/answer", content=bytes(4_097)),
        refused("POST", "/answer", content=iter([b"x"])),  # in chunks, without a length
        refused("POST", up, content=b"no form"),
        refused("POST", up, content=b"no such boundary", headers=kind),
        refused("POST", up, content=b"--x\r\n\r\n", headers=kind),
        refused("POST", up, content=b"--x\r\n" + b"a" * 9_000, headers=kind),
        refused("POST", up, content=b"x", headers={"content-type": "multipart/form-data"}),
        refused("POST", up, files={"other": b"x"}),
        refused("POST", up, files=[("files", b"x")] * 3),
        refused("POST", up, data={"files": "text"}),
        refused("GET", "/gradio_api/file/etc/passwd"),
        refused("GET", "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"),
        refused("GET", "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd"),
        raw(b"\x16\x03\x01 no HTTP\r\n\r\n"),
        raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 99_000),
        # The connection is cut in the middle of an upload.
        raw(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: "
            b'form-data; name="files"; filename="a"\r\n\r\nRIFF'
        ),
    ]
    return [*map(heard, bad), *attacks]


def test_a_thousand_hostile_requests(demo: Demo, client: httpx.Client, tmp_path: Path) -> None:
    """Twenty at a time: the demo then answers as before, no larger, without a file left."""
    y = speech(5, 1.5)
    before = demo.hear(client, encoded(y, "WAV"))
    memory = _memory(demo)
    attacks = _attacks(demo, client, tmp_path)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sent = [pool.submit(a) for a in itertools.islice(itertools.cycle(attacks), _REQUESTS)]
        for future in sent:
            future.result()
    assert demo.process.poll() is None
    assert _values(demo.hear(client, encoded(y, "WAV"))) == _values(before) != {}
    assert demo.files() == []
    assert _memory(demo) - memory < 200


def _memory(demo: Demo) -> float:
    """Megabytes that the process has in memory; 0 where the system doesn't say."""
    status = Path(f"/proc/{demo.process.pid}/status")
    if not status.exists():
        return 0.0
    (line,) = re.findall(r"VmRSS:\s+(\d+) kB", status.read_text())
    return int(line) / 1_000
