"""Tests of keeping what C libraries print."""

import subprocess
import sys

import pytest

FORKED = """
import ctypes, os, sys, threading
from speechnet.audio.stderr_filter import QUIET
inside, done = threading.Event(), threading.Event()
def decode():
    with QUIET, QUIET._lock:
        inside.set()
        done.wait()
thread = threading.Thread(target=decode)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    libc = ctypes.CDLL(None)
    stderr = ctypes.c_void_p.in_dll(libc, "stderr")
    libc.fputs(b"heard ", stderr)
    with QUIET:
        libc.fputs(b"kept ", stderr)
    libc.fputs(b"again", stderr)
    libc.fflush(stderr)
    os._exit(0)
os.waitpid(child, 0)
done.set()
thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library's streams")
def test_a_process_forked_while_a_thread_decodes() -> None:
    """It has its streams back, and a lock that nobody holds."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "heard again"
