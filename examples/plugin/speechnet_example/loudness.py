"""A feature of a recording: one row of numbers for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechnet.features.extractor import EXTRACTORS, Extractor, Sound


@EXTRACTORS.register("loudness")
@dataclass
class Loudness(Extractor):
    """How loud a recording is, and how much that varies.

    Attributes:
        seconds: length of a frame.
    """

    seconds: float = 0.02

    @property
    def columns(self) -> tuple[str, ...]:
        """Mean and range of the frames' levels in dB."""
        return ("loudness_mean", "loudness_range")

    def extract(self, clips: Sequence[Any], sound: Sound) -> list[Any]:
        """A row for each clip."""
        import numpy as np

        length = round(self.seconds * sound.sample_rate)
        rows = []
        for clip in clips:
            whole = np.pad(clip, (0, -len(clip) % length)).reshape(-1, length)
            level = 10 * np.log10((whole**2).mean(axis=1) + 1e-8)
            rows.append(np.array([level.mean(), np.ptp(level)], dtype=np.float32))
        return rows
