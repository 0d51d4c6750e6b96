"""A feature over time: one row of numbers for each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechnet.features.extractor import EXTRACTORS, Extractor, Sound


@EXTRACTORS.register("envelope")
@dataclass
class Envelope(Extractor):
    """The level and the share of sign changes, 50 frames per second."""

    kind = "sequence"
    sample_rate = 16_000
    frame_rate = 50.0

    @property
    def columns(self) -> tuple[str, ...]:
        """What each frame has."""
        return ("envelope_level", "envelope_crossings")

    def extract(self, clips: Sequence[Any], sound: Sound) -> list[Any]:
        """The frames of each clip."""
        import numpy as np

        length = round(sound.sample_rate / self.frame_rate)
        found = []
        for clip in clips:
            frames = np.pad(clip, (0, -len(clip) % length)).reshape(-1, length)
            level = 10 * np.log10((frames**2).mean(axis=1) + 1e-8)
            crossings = (np.diff(np.signbit(frames), axis=1)).mean(axis=1)
            found.append(np.stack([level, crossings], axis=1).astype(np.float32))
        return found
