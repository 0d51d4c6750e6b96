"""Keeps what C libraries print while they decode from the terminal.

libmpg123 prints about every damaged frame of an MP3, and has no switch that libsndfile would pass
on; libsndfile itself prints about damaged ALAC, and into standard output, where a table may go.
What is wrong with a file is found out and said otherwise.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Final, NamedTuple, Self

_LOCK: Final = threading.Lock()


class _Streams(NamedTuple):
    """C's variables ``stdout`` and ``stderr``, and a ``FILE *`` that leads nowhere."""

    variables: tuple[ctypes.c_void_p, ...]
    nowhere: int


@cache
def _streams() -> _Streams | None:
    """None where they can't be assigned to, as the GNU C library alone says it can be."""
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
    """A context in which C code prints nothing; of several threads the last ends it.

    Python's own ``sys.stdout`` and ``sys.stderr`` and the file descriptors stay as they are.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._before: list[int | None] = []

    def __enter__(self) -> Self:
        streams = _streams()
        if streams is not None:
            with _LOCK:
                if not self._inside:
                    self._before = [variable.value for variable in streams.variables]
                    for variable in streams.variables:
                        variable.value = streams.nowhere
                self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        streams = _streams()
        if streams is not None:
            with _LOCK:
                self._inside -= 1
                if not self._inside:
                    for variable, before in zip(streams.variables, self._before, strict=True):
                        variable.value = before


QUIET: Final = _Quiet()
