"""How a long computation reports what it has done, to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[int, float], None]
"""Takes how many files have just been finished, and their seconds of speech."""

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Takes what is done and to how many files; reports go to what its context gives."""


@contextmanager
def silent(name: str, total: int) -> Iterator[Advance]:
    """A ``Progress`` that shows nothing."""
    del name, total
    yield lambda count, seconds: None  # noqa: ARG005 - as ``Advance`` has it
