"""How recordings are read, and what they must be like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from speechnet.core.errors import ConfigError

_LOWEST_RATE: Final = 4_000
"""The lowest rate, in Hz, that speech is still telling at: telephones use twice that."""


@dataclass
class AudioConfig:
    """How recordings are read.

    Attributes:
        sample_rate: the rate in Hz that everything is resampled to.
        mono: how several channels become one: their mean, or one of the first two.
        remove_dc: subtract the mean of the samples.
        min_duration: shorter recordings, in seconds, are excluded.
        max_duration: longer recordings, in seconds, are excluded, for one label hardly holds for
            all of them; ``predict`` takes them window by window; null keeps all.
        trim_db: cut what lies before the first and after the last frame whose level is within so
            many dB of the loudest frame (``librosa.effects.trim``); null keeps all.
        silence_db: recordings whose peak is below, in dB of full scale, are excluded.
        min_rate: lowest plausible sample rate in a file's header, in Hz.
        max_rate: highest plausible sample rate in a file's header, in Hz.
        max_samples: most samples (frames times channels, and once they are resampled) that are
            decoded at once, from a file or a part of it; the default is 25 minutes of 44.1 kHz mono
            and needs about 2 GB.
    """

    sample_rate: int = 22_050
    mono: Literal["mean", "left", "right"] = "mean"
    remove_dc: bool = True
    min_duration: float = 0.3
    max_duration: float | None = 300.0
    trim_db: float | None = None
    silence_db: float = -80.0
    min_rate: int = 4_000
    max_rate: int = 384_000
    max_samples: int = 2**26

    def check(self) -> None:
        """Refuse settings that no recording could meet.

        Raises:
            ConfigError: a setting is out of its range.
        """
        longest = math.inf if self.max_duration is None else self.max_duration
        if self.sample_rate < _LOWEST_RATE:
            raise ConfigError(
                f"data.audio.sample_rate is {self.sample_rate} Hz, expected {_LOWEST_RATE} or more"
            )
        if not 0 <= self.min_duration <= longest:
            raise ConfigError(
                f"data.audio.min_duration is {self.min_duration:g} s, expected 0 or more and at "
                f"most max_duration ({longest:g} s)"
            )
        if not 1 <= self.min_rate <= self.max_rate:
            raise ConfigError(
                f"data.audio.min_rate is {self.min_rate} Hz, expected 1 or more and at most "
                f"max_rate ({self.max_rate} Hz)"
            )
        if self.trim_db is not None and self.trim_db <= 0:
            raise ConfigError(f"data.audio.trim_db is {self.trim_db:g}, expected above 0, or null")
        if self.max_samples < 1:
            raise ConfigError(f"data.audio.max_samples is {self.max_samples}, expected 1 or more")
