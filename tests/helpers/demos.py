"""The demo as a process of its own, and what its page would ask of it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

_START_S = 120.0
_WITH_CTRL_C = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background
from speechnet.__main__ import run
run()
"""


class Demo:
    """``python -m speechnet serve`` on a free port.

    Attributes:
        url: where it is.
        temp: the folder that its temporary files lie in.
        process: it.
    """

    def __init__(self, run: Path, temp: Path, *arguments: str) -> None:
        self.temp = temp
        command = ["serve", "--run", str(run), "--port", "0", *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WITH_CTRL_C, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(temp), "OMP_NUM_THREADS": "1"},
        )
        said = self._first_line()
        self.url = next(word for word in said.split() if word.startswith("http://"))

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], _START_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            pytest.fail(f"the demo did not start: {self.process.communicate()[1]}")
        return line

    def client(self, **headers: str) -> httpx.Client:
        """A client that knows no proxy."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=headers)

    def upload(self, client: httpx.Client, content: bytes) -> httpx.Response:
        """Send a file."""
        return client.post("/gradio_api/upload", files={"files": ("a.wav", content)})

    def hear(self, client: httpx.Client, content: bytes) -> str:
        """Send a file and ask for its answer, which is HTML."""
        sent = self.upload(client, content)
        assert sent.status_code == 200, sent.text
        answer = client.post("/answer", content=sent.json()[0])
        assert answer.status_code == 200, answer.text
        return answer.text

    def files(self) -> list[Path]:
        """Temporary files, once those of requests that were just answered are gone.

        The lock that says that the process lives is none of them.
        """
        deadline = time.monotonic() + 10
        while True:
            everything = [path for path in self.temp.rglob("*") if path.is_file()]
            found = [path for path in everything if path.name != "lock"]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def stop(self, number: signal.Signals) -> tuple[int, str, str]:
        """End it by a signal: its exit code and what else it wrote to stdout and stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err
