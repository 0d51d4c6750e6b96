"""Collects the warnings of one thread.

``warnings.catch_warnings`` changes the filters of the whole process: threads that use it at the
same time restore each other's filters, and lose warnings to each other or to the terminal.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

Takes = Callable[[Warning], bool]

_OF_THREAD: Final = threading.local()
_EVERY: Final = "(?#speechnet)"
"""Matches every warning, and identifies our filter."""


@contextmanager
def collected_warnings(takes: Takes = lambda _: True) -> Iterator[list[Warning]]:
    """Collect this thread's warnings in a list instead of showing them.

    Args:
        takes: selects them. Outer blocks and then the filters decide on the others as before,
            except filters of single modules.
    """
    taken: list[Warning] = []
    outer: tuple[tuple[Takes, list[Warning]], ...] = getattr(_OF_THREAD, "all", ())
    _COLLECTOR.open()
    _OF_THREAD.all = ((takes, taken), *outer)
    try:
        yield taken
    finally:
        _OF_THREAD.all = outer
        _COLLECTOR.close()


class _Collector:
    """Receives all warnings of the process while any thread collects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._collecting = 0
        self._shown: set[tuple[object, ...]] = set()

    def open(self) -> None:
        with self._lock:
            self._collecting += 1
            if self._collecting == 1:
                self._clean()
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                self._show_before = warnings.showwarning
                warnings.filterwarnings("always", message=_EVERY)
                warnings.showwarning = self._show

    def close(self) -> None:
        with self._lock:
            self._collecting -= 1
            if not self._collecting:
                self._before.__exit__(None, None, None)

    def _clean(self) -> None:
        """Undo what a ``catch_warnings`` restored that ended after the last block."""
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
        for takes, taken in getattr(_OF_THREAD, "all", ()):
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
        """The action of the other filters, except those of single modules and lines."""
        for action, message, category, module, line in _of_others():
            fits = message is None or message.match(str(warning))
            if fits and isinstance(warning, category) and module is None and line == 0:
                return str(action)
        return "default"


def _of_others() -> list[Any]:
    """The filters except our own."""
    every: list[Any] = list(warnings.filters)
    return [one for one in every if one[1] is None or one[1].pattern != _EVERY]


_COLLECTOR: Final = _Collector()
