"""How much the demo accepts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on size, length and number.

    Attributes:
        max_mb: megabytes (2^20 bytes) of an upload.
        max_minutes: of a recording.
        parallel: recordings that are worked on at once.
        waiting: further uploads that may wait; any more are turned away.
        keep_s: seconds after which an upload that isn't asked about is dropped.
        arrive_s: seconds within which an upload must arrive.
    """

    max_mb: float = 60.0
    max_minutes: float = 10.0
    parallel: int = 2
    waiting: int = 20
    keep_s: float = 30.0
    arrive_s: float = 60.0

    @property
    def upload_bytes(self) -> int:
        """Largest upload."""
        return int(self.max_mb * 2**20)
