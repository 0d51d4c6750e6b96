"""Silence C libraries while they decode.

libmpg123 prints about every damaged frame of an MP3, and libsndfile passes no switch on; libsndfile
itself prints about damaged ALAC, to standard output, where a table may go. A fault of a file is
reported as its reason for exclusion.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache
from typing import Final, Self


@cache
def _streams() -> tuple[list[ctypes.c_void_p], int]:
    """C's variables ``stdout`` and ``stderr``, and a ``FILE *`` that leads nowhere.

    No variables where they can't be assigned to; only the GNU C library documents that they can.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - whether it is that library
        libc.fopen.restype = ctypes.c_void_p
        nowhere = libc.fopen(b"/dev/null", b"w")
        variables = [ctypes.c_void_p.in_dll(libc, name) for name in ("stdout", "stderr")]
    except (AttributeError, OSError, TypeError, ValueError):
        return [], 0
    return (variables, nowhere) if nowhere else ([], 0)


class _Quiet:
    """A context in which C code prints nothing, until the last thread has left it.

    ``sys.stdout``, ``sys.stderr`` and the file descriptors stay as they are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[int | None] = []

    def __enter__(self) -> Self:
        variables, nowhere = _streams()
        with self._lock:
            if not self._inside:
                self._before = [variable.value for variable in variables]
                for variable in variables:
                    variable.value = nowhere
            self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside = max(self._inside - 1, 0)  # a fork inside has reset it
            if not self._inside:
                self._restore()

    def after_fork(self) -> None:
        """The threads that were inside don't exist in a forked process."""
        self._lock, self._inside = threading.Lock(), 0
        if self._before:
            self._restore()

    def _restore(self) -> None:
        for variable, before in zip(_streams()[0], self._before, strict=False):
            variable.value = before
        self._before = []


QUIET: Final = _Quiet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=QUIET.after_fork)
