"""How recordings are read, and their bounds (``data.audio``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError


@dataclass
class AudioConfig:
    """How recordings are read.

    Attributes:
        sample_rate: the rate in Hz that everything is resampled to.
        mono: how several channels become one: their mean, or one of the first two.
        remove_dc: subtract the mean of the samples.
        min_duration: shorter recordings, in seconds, are excluded.
        max_duration: longer recordings, in seconds, are excluded, for one label hardly holds for
            all of them; ``predict`` takes them window by window; null excludes none.
        trim_db: cut what precedes the first and follows the last frame whose level is within so
            many dB of the loudest frame (``librosa.effects.trim``); null cuts nothing.
        silence_db: recordings with a lower peak, in dB of full scale, are excluded.
        min_rate: lowest plausible sample rate in a file's header, in Hz.
        max_rate: highest plausible sample rate in a file's header, in Hz.
        max_samples: most samples (frames times channels, before and after resampling) decoded at
            once, from a file or a part of it; the default is 25 minutes of 44.1 kHz mono and needs
            about 2 GB.
    """

    sample_rate: Annotated[int, Number(ge=4_000)] = 22_050
    mono: Literal["mean", "left", "right"] = "mean"
    remove_dc: bool = True
    min_duration: Annotated[float, Number(ge=0)] = 0.3
    max_duration: float | None = 300.0
    trim_db: Annotated[float, Number(gt=0)] | None = None
    silence_db: float = -80.0
    min_rate: Annotated[int, Number(ge=1)] = 4_000
    max_rate: int = 384_000
    max_samples: Annotated[int, Number(ge=1)] = 2**26

    def check(self) -> None:
        """Refuse settings that no recording could meet.

        Raises:
            ConfigError: a lower bound lies above its upper bound.
        """
        longest = math.inf if self.max_duration is None else self.max_duration
        for what, least, most in (
            ("duration", self.min_duration, longest),
            ("rate", self.min_rate, self.max_rate),
        ):
            if least > most:
                raise ConfigError(
                    f"data.audio.min_{what} is {least:g}, expected at most max_{what} ({most:g})"
                )
