"""Silence C libraries while they decode.

libmpg123 prints about every damaged frame of an MP3, and libsndfile passes no switch on; libsndfile
itself prints about damaged ALAC, to standard output, where a table may go. What is wrong with a
file is reported otherwise.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache
from typing import Final, NamedTuple, Self


class _Streams(NamedTuple):
    """C's variables ``stdout`` and ``stderr``, and a ``FILE *`` that leads nowhere."""

    variables: tuple[ctypes.c_void_p, ...]
    nowhere: int


@cache
def _streams() -> _Streams | None:
    """None where they can't be assigned to; only the GNU C library documents that they can."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - whether it is that library
        libc.fopen.restype = ctypes.c_void_p
        nowhere = libc.fopen(b"/dev/null", b"w")
        variables = [ctypes.c_void_p.in_dll(libc, name) for name in ("stdout", "stderr")]
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return _Streams(tuple(variables), nowhere) if nowhere else None


class _Quiet:
    """A context in which C code prints nothing, until the last thread has left it.

    ``sys.stdout``, ``sys.stderr`` and the file descriptors stay as they are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[int | None] = []

    def __enter__(self) -> Self:
        streams = _streams()
        if streams is not None:
            with self._lock:
                if not self._inside:
                    self._before = [variable.value for variable in streams.variables]
                    for variable in streams.variables:
                        variable.value = streams.nowhere
                self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        streams = _streams()
        if streams is not None:
            with self._lock:
                self._inside = max(self._inside - 1, 0)  # a fork inside has reset it
                if not self._inside:
                    self._restore(streams)

    def after_fork(self) -> None:
        """The threads that were inside don't exist in a forked process."""
        self._lock, self._inside = threading.Lock(), 0
        if self._before and (streams := _streams()) is not None:
            self._restore(streams)

    def _restore(self, streams: _Streams) -> None:
        for variable, before in zip(streams.variables, self._before, strict=False):
            variable.value = before
        self._before = []


QUIET: Final = _Quiet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=QUIET.after_fork)
