"""What the command refuses, and in which words."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from speechnet.cli.serve import run
from speechnet.core.errors import ConfigError, DataError
from speechnet.experiment.saved_run import SavedRun
from speechnet.serve.limits import Limits
from speechnet.serve.server import is_loopback, serve, url_of

_WITHOUT_GRADIO = """\
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "gradio" else found(name, *rest)
sys.modules |= dict.fromkeys(["gradio", "starlette", "fastapi", "uvicorn"])
from speechnet.cli.main import main
sys.exit(main(["serve", "--run", "nothing"]))
"""


def test_without_gradio_it_says_how_to_get_it() -> None:
    """And needs nothing that comes with it to say so."""
    command = [sys.executable, "-c", _WITHOUT_GRADIO]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: the demo needs Gradio: pip install 'speechnet[serve]'\n"


def test_a_port_that_is_taken_is_named(tiny_run: Path) -> None:
    """With a way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .*give another by --port"):
            run(["--run", str(tiny_run), "--port", str(port)])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "99999"], "port is 99999"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
        (["--max_mb", "0"], "max_mb is 0"),
        (["--parallel", "0"], "parallel is 0"),
        (["--max_minutes", "-1"], "max_minutes is -1"),
        (["--paralel", "2"], "nearest known one is 'parallel'"),
    ],
)
def test_settings_out_of_range_are_refused(tiny_run: Path, flags: list[str], words: str) -> None:
    """By their names."""
    with pytest.raises(ConfigError, match=words):
        run(["--run", str(tiny_run), *flags])


def test_a_folder_that_is_no_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the environment is as before, what a user has set for Gradio included."""
    monkeypatch.setenv("GRADIO_SHARE", "True")
    before = dict(os.environ)
    with pytest.raises(DataError, match="no run folder"):
        serve(tmp_path / "nothing", limits=Limits(), host="127.0.0.1", port=0)
    assert os.environ == before


def test_a_run_with_features_by_speaker_is_refused(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One recording has nothing to be compared with."""
    saved = SavedRun(tiny_run)
    saved.config.data.per_speaker = True
    monkeypatch.setattr("speechnet.experiment.saved_run.SavedRun", lambda _: saved)
    with pytest.raises(ConfigError, match="per_speaker"):
        serve(tiny_run, limits=Limits(), host="127.0.0.1", port=0)


def test_the_address_is_one_to_click_on() -> None:
    """Brackets around what has colons."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_the_machines_own_addresses_are_known() -> None:
    """Anything else lets others in."""
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "localhost", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.7", "example.org")))  # noqa: S104
