"""Recordings between their upload and what comes of it: in memory, bounded, for seconds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from speechnet.serve.limits import Limits


class Full(Exception):  # noqa: N818 - not a fault: there is room again in a moment
    """The uploads that are held leave no room for another."""


class Uploads:
    """The uploads that wait to be worked on; all methods belong to the event loop's thread.

    Args:
        limits: how many bytes there is room for, in one upload and in all.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: dict[str, bytes] = {}
        self._coming = 0

    @property
    def used(self) -> int:
        """Bytes that are held or on their way."""
        return self._coming + sum(map(len, self._held.values()))

    @contextmanager
    def room_for(self, size: int) -> Iterator[None]:
        """Keep room for an upload while it comes in.

        Args:
            size: of the whole request, in bytes.

        Raises:
            Full: there is no room.
        """
        if self.used + size > self._limits.room_bytes:
            raise Full
        self._coming += size
        try:
            yield
        finally:
            self._coming -= size

    def add(self, content: bytes) -> str:
        """Hold an upload.

        Returns:
            A name that can't be guessed.
        """
        name = secrets.token_urlsafe(24)
        self._held[name] = content
        return name

    def get(self, name: str) -> bytes | None:
        """The upload of a name; None if there is none, or none any more."""
        return self._held.get(name)

    def discard(self, name: str) -> None:
        """Forget an upload, if it is still there."""
        self._held.pop(name, None)
