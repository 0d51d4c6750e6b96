"""The command line in real processes that need no second to start.

What the program imports is imported once, by a process that does nothing else; each process of a
test is a fork of it, in a session of its own as a shell would have it, and ends as any other does:
by the interpreter's own end, or by a signal.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

_SERVER: Final = """
import json, os, sys
import speechnet.runs.experiment  # once for all
from speechnet.__main__ import run

for line in sys.stdin:
    asked = json.loads(line)
    if "pid" in asked:
        pid, status = os.waitpid(asked["pid"], os.WNOHANG)
        print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        break
    print(json.dumps(pid), flush=True)
else:
    sys.exit()
os.setsid()
log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT, 0o644)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(log, 1)
os.dup2(log, 2)
sys.argv = ["speechnet", *asked["arguments"]]
run()
"""


class Started:
    """A process of the command line.

    Attributes:
        pid: its number, and that of its group.
    """

    def __init__(self, server: Server, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it goes on."""
        if self._code is None:
            self._code = self._server.ask(pid=self.pid)
        return self._code

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended."""
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"it still goes on after {seconds} s"
            time.sleep(0.02)
        return code

    def kill(self) -> None:
        """End it with all that it started, if it still goes on."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait(60)


class Server:
    """Starts processes."""

    def __init__(self, asked: IO[str], answered: IO[str]) -> None:
        self._asked = asked
        self._answered = answered

    def ask(self, **words: Any) -> Any:
        """What the server answers."""
        self._asked.write(f"{json.dumps(words)}\n")
        self._asked.flush()
        return json.loads(self._answered.readline())

    def start(self, *arguments: str, log: Path) -> Started:
        """``python -m speechnet`` with these arguments, both outputs to a file."""
        return Started(self, self.ask(arguments=arguments, log=str(log)))


@contextmanager
def server() -> Iterator[Server]:
    """A server, for as long as it is needed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Server(process.stdin, process.stdout)
        process.stdin.close()
