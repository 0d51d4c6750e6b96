"""From where on a recording or a corpus is worth a remark."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

from speechnet.core.errors import ConfigError

_LEAST_EXACT: Final = 1_000
"""Recordings of which a few neighbourhoods would say little."""


@dataclass
class AuditConfig:
    """What the audit remarks on. It only tells: no recording is left out for it.

    Attributes:
        short: recordings shorter than this, in seconds.
        quiet: recordings whose peak is below this, in dB of full scale.
        clipped: recordings with more than this share of samples at full scale.
        dc: recordings whose mean is further than this from 0, full scale being 1.
        snr: recordings whose estimated signal-to-noise ratio is below this, in dB.
        silence: recordings of which more than this share is silence.
        togetherness: recordings whose channels' levels correlate by less, -1 to 1.
        near_duplicates: look for re-encoded, trimmed and rescaled copies among the features.
        near_duplicate_ratio: two recordings are near-duplicates if their distance is at most this
            share of either's distance to its tenth neighbour.
        near_duplicate_exact: recordings up to which all are compared with all; of more, those that
            lie in one neighbourhood, which misses a few pairs and is said.
        tells: speakers, sentences or corpora that tell a class, from this share of its uncertainty
            on.
        single_class: speaker normalisation is advised against where this share of the speakers have
            one class only.
    """

    short: float = 0.5
    quiet: float = -50.0
    clipped: float = 0.001
    dc: float = 0.01
    snr: float = 10.0
    silence: float = 0.8
    togetherness: float = 0.4
    near_duplicates: bool = True
    near_duplicate_ratio: float = 0.6
    near_duplicate_exact: int = 20_000
    tells: float = 0.1
    single_class: float = 0.25

    def __post_init__(self) -> None:
        """Refuse settings out of their range.

        Raises:
            ConfigError: naming the setting, what it is and what was expected.
        """
        for setting in fields(self):
            value = getattr(self, setting.name)
            if not math.isfinite(value):
                raise ConfigError(f"evaluation.audit.{setting.name} is {value}, expected a number")
        if self.short < 0:
            raise ConfigError(f"evaluation.audit.short is {self.short:g} s, expected 0 or more")
        if self.quiet > 0:
            raise ConfigError(f"evaluation.audit.quiet is {self.quiet:g} dB, expected 0 or less")
        for name in ("clipped", "dc", "silence", "tells", "single_class"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"evaluation.audit.{name} is {getattr(self, name):g}, expected 0 to 1"
                )
        if not 0 < self.near_duplicate_ratio < 1:
            raise ConfigError(
                f"evaluation.audit.near_duplicate_ratio is {self.near_duplicate_ratio:g}, "
                "expected between 0 and 1"
            )
        if self.near_duplicate_exact < _LEAST_EXACT:
            raise ConfigError(
                f"evaluation.audit.near_duplicate_exact is {self.near_duplicate_exact}, expected "
                f"{_LEAST_EXACT:,} or more"
            )
