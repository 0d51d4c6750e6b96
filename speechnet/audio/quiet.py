"""Keeps what C libraries print while they decode from the terminal.

libmpg123 prints about every damaged frame of an MP3, and has no switch that libsndfile would pass
on. What is wrong with a file is found out and said otherwise.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Final, NamedTuple, Self

_LOCK: Final = threading.Lock()


class _Streams(NamedTuple):
    """C's variable ``stderr``, and a ``FILE *`` that leads nowhere."""

    stderr: ctypes.c_void_p
    nowhere: int


@cache
def _streams() -> _Streams | None:
    """None where ``stderr`` can't be assigned to, as the GNU C library alone says it can be."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - whether it is that library
        libc.fopen.restype = ctypes.c_void_p
        nowhere = libc.fopen(b"/dev/null", b"w")
        stderr = ctypes.c_void_p.in_dll(libc, "stderr")
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return _Streams(stderr, nowhere) if nowhere else None


class _Quiet:
    """A context in which C code prints nothing to ``stderr``; of several threads the last ends it.

    Python's own ``sys.stderr`` and the file descriptor 2 stay as they are.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._before: int | None = None

    def __enter__(self) -> Self:
        streams = _streams()
        if streams is not None:
            with _LOCK:
                if not self._inside:
                    self._before = streams.stderr.value
                    streams.stderr.value = streams.nowhere
                self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        streams = _streams()
        if streams is not None:
            with _LOCK:
                self._inside -= 1
                if not self._inside:
                    streams.stderr.value = self._before


QUIET: Final = _Quiet()
