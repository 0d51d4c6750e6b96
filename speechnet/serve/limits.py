"""How much the demo accepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from speechnet.audio.config import AudioConfig

_MB: Final = 2**20  # as Gradio's own messages have it
_RECORDED: Final = 2 * 48_000
"""Samples a second of the most that a browser records: two channels at 48 kHz."""


@dataclass(frozen=True)
class Limits:
    """Bounds on size, length and number.

    Attributes:
        max_mb: most megabytes of an upload.
        max_minutes: most minutes of a recording.
        parallel: recordings that are worked on at once.
        waiting: further uploads that may wait; any more are turned away.
        keep_s: seconds after which an upload that isn't asked about is dropped.
    """

    max_mb: float = 60.0
    max_minutes: float = 10.0
    parallel: int = 2
    waiting: int = 8
    keep_s: float = 30.0

    @property
    def upload_bytes(self) -> int:
        """Most bytes of an upload."""
        return int(self.max_mb * _MB)

    @property
    def room_bytes(self) -> int:
        """Most bytes of all uploads: for each that is worked on one more may arrive."""
        return 2 * self.parallel * self.upload_bytes

    def bound(self, config: AudioConfig) -> AudioConfig:
        """The settings to read an upload for drawing: all of it, within these bounds.

        Args:
            config: the run's.
        """
        seconds = 60 * self.max_minutes
        return replace(
            config,
            max_duration=seconds,
            max_samples=max(1, int(seconds * _RECORDED)),
            trim_db=None,
        )
