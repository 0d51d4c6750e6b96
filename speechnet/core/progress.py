"""The callbacks by which long computations report their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[int, float], None]
"""Takes the number of files just finished, and their seconds of speech."""

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Takes the name of a task and its number of files; its context gives an ``Advance``."""


@contextmanager
def silent(name: str, total: int) -> Iterator[Advance]:
    """A ``Progress`` that shows nothing."""
    del name, total
    yield lambda count, seconds: None  # noqa: ARG005 - as ``Advance`` has it
