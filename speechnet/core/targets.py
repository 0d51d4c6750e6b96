"""What an experiment predicts, and the words that labels are written in."""

from __future__ import annotations

from typing import Final

GENDERS: Final = ("female", "male")

EMOTIONS: Final = (
    "angry",
    "happy",
    "sad",
    "neutral",
    "calm",
    "fearful",
    "disgust",
    "surprised",
    "bored",
    "contempt",
)

VOCABULARY: Final[dict[str, tuple[str, ...]]] = {"gender": GENDERS, "emotion": EMOTIONS}
"""The closed label sets. A corpus's own codes are translated into these when it is read."""
