"""The thresholds of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from speechnet.core.bounds import Number

_Share = Annotated[float, Number(ge=0, le=1)]


@dataclass
class AuditConfig:
    """What the audit reports; it excludes no recording.

    Attributes:
        short: recordings shorter than this, in seconds.
        quiet: recordings whose peak is below this, in dB of full scale.
        clipped: recordings with more than this share of samples at full scale.
        dc: recordings whose mean is further than this from 0; full scale is 1.
        snr: recordings whose estimated signal-to-noise ratio is below this, in dB.
        silence: recordings with more than this share of silence.
        channel_correlation: recordings whose channels' levels correlate by less than this, -1 to 1.
        near_duplicates: look for re-encoded, trimmed and rescaled copies among the features.
        near_duplicate_ratio: two recordings are near-duplicates if their distance is at most this
            share of either's distance to its tenth neighbour.
        near_duplicate_exact: up to this many recordings, all pairs are compared; of more, only
            neighbours, which misses about one pair in a hundred and is reported.
        confounding: speakers, sentences, corpora or bandwidths that remove at least this share of
            the uncertainty about a class.
        single_class: advise against speaker normalisation where at least this share of the speakers
            have one class only.
    """

    short: Annotated[float, Number(ge=0)] = 0.5
    quiet: Annotated[float, Number(le=0)] = -50.0
    clipped: _Share = 0.001
    dc: _Share = 0.01
    snr: float = 10.0
    silence: _Share = 0.8
    channel_correlation: float = 0.4
    near_duplicates: bool = True
    near_duplicate_ratio: Annotated[float, Number(gt=0, lt=1)] = 0.6
    near_duplicate_exact: Annotated[int, Number(ge=1_000)] = 20_000
    confounding: _Share = 0.1
    single_class: _Share = 0.25
