"""The chain of effects that makes a copy of a recording, from the recording's key alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import header, load
from speechnet.augment import effects
from speechnet.augment.config import AugmentConfig, Copy, Noise
from speechnet.core.errors import ConfigError, Excluded, in_words
from speechnet.core.types import Float32

_Apply = Callable[[Float32, int, np.random.Generator, Any], Float32]

_READ: Final = AudioConfig(min_duration=0, max_duration=None)

# In the order of AugmentConfig: the speaker, the room, the microphone, the line. What is strong or
# weak is drawn before samples are, so that it is the same at every rate.
_APPLY: Final[dict[str, _Apply]] = {
    "speed": lambda y, sr, random, one: effects.change_speed(
        y, sr, factor=random.uniform(*one.factor)
    ),
    "pitch": lambda y, sr, random, one: effects.shift_pitch(
        y, sr, semitones=random.uniform(*one.semitones)
    ),
    "reverb": lambda y, sr, random, one: effects.reverberate(
        y, sr, random, rt60=random.uniform(*one.rt60), direct=random.uniform(*one.direct)
    ),
    "noise": lambda y, sr, random, one: effects.add_noise(
        y, sr, random, snr=random.uniform(*one.snr), colour=random.choice(one.colours)
    ),
    "gain": lambda y, sr, random, one: effects.change_gain(y, sr, db=random.uniform(*one.db)),
    "telephone": lambda y, sr, random, one: effects.limit_band(
        y, sr, low=random.uniform(*one.low), high=random.uniform(*one.high)
    ),
    "codec": lambda y, sr, random, one: effects.encode(
        y, sr, codec=random.choice(one.codecs), level=random.uniform(*one.level)
    ),
}


def changed(y: Float32, sr: int, key: str, copy: Copy) -> Float32:
    """A copy of a recording: the same in every process, run and order.

    Args:
        y: float32 mono ``[n_samples]``, read and trimmed, not denoised: a gate meets the noise of a
            copy as it would meet that of a recording.
        sr: its rate in Hz.
        key: of the recording: its content, and the part of it that is used.
        copy: which copy, and the effects.

    Returns:
        float32 ``[m]``. What is drawn depends on ``key``, the copy's number and the seed; of an
        effect also on its name, so that no effect's settings change what another one draws.
    """
    for name, effect in copy.augment.effects.items():
        text = f"{copy.augment.seed}/{copy.number}/{name}/{key}"
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        random = np.random.default_rng(int.from_bytes(digest))
        if random.random() >= effect.p:
            continue
        if name == "noise" and copy.noises:
            snr = random.uniform(*effect.snr)
            y = effects.add_recording(y, sr, _drawn(copy.noises, len(y), sr, random), snr=snr)
        else:
            y = _APPLY[name](y, sr, random, effect)
    return y


def _drawn(noises: Sequence[Noise], n: int, sr: int, random: np.random.Generator) -> Float32:
    """A part of one of some recordings, float32 ``[n]``, repeated where that is too short.

    Raises:
        Excluded: the recording can't be used.
    """
    path = Path(noises[int(random.integers(len(noises)))].path)
    duration, share = header(path).duration, random.random()
    start = share * max(0.0, duration - n / sr)
    try:
        # Somewhat more than is needed, for the end of a part may be rounded.
        clip = load(
            path,
            replace(_READ, sample_rate=sr),
            start=start,
            end=min(duration, start + n / sr + 0.1),
        )
    except Excluded as why:
        if why.reason != "silent":
            raise
        return np.zeros(n, dtype=np.float32)
    return np.resize(clip.y, n)


def rehearse_effects(augment: AugmentConfig, rates: Collection[int]) -> None:
    """Apply each effect once to a second of noise at each rate in Hz.

    Raises:
        ConfigError: one fails, such as a codec that libsndfile lacks here.
    """
    for rate in rates:
        random = np.random.default_rng(0)
        y = 0.1 * random.standard_normal(rate, dtype=np.float32)
        for name, effect in augment.effects.items():
            try:
                _APPLY[name](y, rate, random, effect)
                for codec in getattr(effect, "codecs", []):
                    effects.encode(y, rate, codec=codec, level=effect.level[1])
            except Exception as error:
                raise ConfigError(
                    f"data.augment.{name}: tried on a second of noise at {rate} Hz, it failed: "
                    f"{in_words(error)}"
                ) from error
