"""The warnings of one thread: ``warnings.catch_warnings`` changes those of the whole process.

Under it, threads that begin and end at different times restore each other's filters: warnings that
one wants to hear go to another, or to the terminal.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

Takes = Callable[[Warning], bool]

_LISTENERS: Final = threading.local()
_EVERY: Final = "(?#for speechnet's listeners)"
"""Matches every warning, and tells our filter from those of others."""


@contextmanager
def warned(takes: Takes = lambda _: True) -> Iterator[list[Warning]]:
    """Collect warnings of this thread in place of showing them.

    Args:
        takes: which of them; for others the filters hold as they were, but those of single
            modules, and the callers' lists.

    Yields:
        A list that grows with them.
    """
    taken: list[Warning] = []
    outer: tuple[tuple[Takes, list[Warning]], ...] = getattr(_LISTENERS, "all", ())
    _OFFICE.open()
    _LISTENERS.all = ((takes, taken), *outer)
    try:
        yield taken
    finally:
        _LISTENERS.all = outer
        _OFFICE.close()


class _Office:
    """Receives all warnings of the process for as long as any thread listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening = 0
        self._shown: set[tuple[object, ...]] = set()

    def open(self) -> None:
        with self._lock:
            self._listening += 1
            if self._listening == 1:
                self._clean()
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                self._show_before = warnings.showwarning
                warnings.filterwarnings("always", message=_EVERY)
                warnings.showwarning = self._show

    def close(self) -> None:
        with self._lock:
            self._listening -= 1
            if not self._listening:
                self._before.__exit__(None, None, None)

    def _clean(self) -> None:
        """Undo what a ``catch_warnings`` brought back that ended after the last listener."""
        if warnings.showwarning == self._show:
            warnings.showwarning = self._show_before
            warnings.filters[:] = _of_others()  # type: ignore[index]

    def _show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        warning = message if isinstance(message, Warning) else category(message)
        for takes, taken in getattr(_LISTENERS, "all", ()):
            if takes(warning):
                taken.append(warning)
                return
        action = self._action(warning)
        if action == "error":
            raise warning
        places = {"once": (), "module": (filename,), "default": (filename, lineno)}
        if action in places:
            key = (action, str(warning), category, *places[action])
            if key in self._shown:
                return
            self._shown.add(key)
        if action != "ignore":
            self._show_before(warning, category, filename, lineno, file, line)

    def _action(self, warning: Warning) -> str:
        """What the other filters say; those of single modules and lines are left out."""
        for action, message, category, module, line in _of_others():
            fits = message is None or message.match(str(warning))
            if fits and isinstance(warning, category) and module is None and line == 0:
                return str(action)
        return "default"


def _of_others() -> list[Any]:
    """The filters but our own."""
    every: list[Any] = list(warnings.filters)
    return [one for one in every if one[1] is None or one[1].pattern != _EVERY]


_OFFICE: Final = _Office()
