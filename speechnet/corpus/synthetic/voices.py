"""The invented speakers of the synthetic corpus: who they are, and how they show an emotion.

Speakers differ in their habits, expressiveness and way of showing each emotion, so
that unseen speakers are harder to recognise than seen ones.

References:
    P. Juslin and P. Laukka, "Communication of emotions in vocal expression and music performance",
    Psychological Bulletin 129(5), 2003: the directions in which emotions change the voice. The
    sizes are chosen, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from speechnet.core.types import Float64

EMOTIONS: Final = ("angry", "happy", "sad", "neutral")
"""The original's four emotions; its codes are the positions here, from 1."""


class Manner(NamedTuple):
    """How a voice speaks, as offsets, so that variations add up.

    Attributes:
        pitch: semitones above the gender's mean.
        range: log of the size of the pitch movements.
        rate: log of the speed.
        level: dB.
        tilt: dB per octave; more is brighter.
        rough: log of jitter and shimmer.
        breath: log of the aspiration noise.
        smile: log of the shift of all formants.
        rise: semitones by which the end of the sentence lies above a plain fall.
    """

    pitch: float
    range: float
    rate: float
    level: float
    tilt: float
    rough: float
    breath: float
    smile: float
    rise: float


# A speaker of mean expressiveness: a row for each of EMOTIONS.
_PROTOTYPES: Final = np.array(
    [
        Manner(3.0, 0.35, 0.10, 6.0, 2.0, 0.60, -0.4, 0.015, -1.5),
        Manner(5.0, 0.55, 0.06, 2.5, 0.6, -0.20, 0.1, 0.040, 2.5),
        Manner(-1.0, -0.50, -0.16, -4.0, -1.6, 0.30, 0.5, -0.015, -0.5),
        Manner(0.0, 0.00, 0.00, 0.0, 0.0, 0.00, 0.0, 0.000, 0.0),
    ]
)
# Standard deviations of a speaker's habits, of a speaker's way with an emotion, of a recording.
_HABIT: Final = np.array(Manner(2.0, 0.20, 0.09, 2.5, 0.6, 0.30, 0.30, 0.04, 0.8))
_WAY: Final = np.array(Manner(0.8, 0.15, 0.05, 1.2, 0.35, 0.20, 0.20, 0.010, 0.8))
_MOMENT: Final = np.array(Manner(0.6, 0.15, 0.04, 1.2, 0.3, 0.15, 0.15, 0.006, 0.6))

_PITCH_HZ: Final = {"female": 205.0, "male": 115.0}
_TRACT: Final = {"female": 1.16, "male": 1.0}  # formants relative to a man's


@dataclass(frozen=True)
class Voice:
    """An invented speaker.

    Attributes:
        pitch_hz: mean F0 of the gender.
        tract: formants relative to the tables of ``phones``.
        age: in years; it doesn't influence the voice.
        noise: level of the noise floor, dB relative to full scale.
        manners: float64 ``[4, 9]``, the mean ``Manner`` for each of ``EMOTIONS``.
    """

    pitch_hz: float
    tract: float
    age: int
    noise: float
    manners: Float64


def draw_voice(gender: str, speaker: int, *, seed: int = 0) -> Voice:
    """Draw the voice of speaker number 0 or more; the same arguments give the same voice."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(speaker,)))
    habit = _HABIT * normal(rng, _HABIT.shape)
    expressive = np.exp(0.35 * normal(rng, (1,)))
    way = _WAY * normal(rng, _PROTOTYPES.shape)
    return Voice(
        pitch_hz=_PITCH_HZ[gender],
        tract=_TRACT[gender],
        age=int(rng.integers(18, 66)),
        noise=float(rng.uniform(-66, -52)),
        manners=habit + expressive * _PROTOTYPES + way,
    )


def draw_manner(voice: Voice, emotion: str, rng: np.random.Generator) -> Manner:
    """Draw how the voice speaks in one recording."""
    mean = voice.manners[EMOTIONS.index(emotion)]
    return Manner(*(mean + _MOMENT * normal(rng, mean.shape)).tolist())


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Float64:
    """Standard normal values, cut at 2.5 so that no voice leaves the human range."""
    values: Float64 = rng.standard_normal(shape).clip(-2.5, 2.5)
    return values
