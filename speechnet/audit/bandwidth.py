"""Recordings whose bands end at different frequencies, within what the features use.

A model may mistake a telephone or a codec for a class, a speaker or a corpus, and knows nothing of
a kind of recording that it wasn't trained on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.findings import Finding
from speechnet.core.wording import khz, listing, plural

RATES: Final = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000)
"""Sample rates in Hz that recordings usually have, or used to have."""

_FEW: Final = 0.02  # a mixture has a larger share of recordings of another bandwidth


def bands(bandwidth: pd.Series, highest: float) -> pd.Series:
    """Sort recordings by bandwidth, into octaves counted down from ``highest``.

    ``bandwidth`` says where each recording's band ends, in Hz, NaN for silence; ``highest`` is the
    highest frequency in Hz that the features use. Returns the middle of each octave in Hz.
    """
    top = min(highest, float(bandwidth.max())) if bandwidth.notna().any() else highest
    octaves = np.log2(top / bandwidth.clip(upper=top)).round()
    return pd.Series(top / 2**octaves, index=bandwidth.index)


def nearest_rate(bandwidth: float) -> int:
    """The usual sample rate in Hz that best fits a band which ends at some frequency in Hz."""
    return min(RATES, key=lambda rate: abs(math.log(rate / 2 / bandwidth)))


def mixed(bandwidth: pd.Series, highest: float) -> Iterator[Finding]:
    """Find a mixture of bandwidths, and the sample rate that makes all alike; see ``bands``."""
    kinds = bands(bandwidth, highest).dropna()
    if kinds.nunique() < 2:
        return
    ends = bandwidth[kinds.index].groupby(kinds)
    (_, _, usual), *others = sorted(
        ((len(of), str(kind), float(of.median())) for kind, of in ends), reverse=True
    )
    count = sum(size for size, _, _ in others)
    if count <= _FEW * len(kinds):
        return
    rate = nearest_rate(min(usual, *(median for _, _, median in others)))
    many = listing((f"{khz(median)} ({size:,})" for size, _, median in others), 5)
    yield Finding(
        "bandwidth",
        "warning",
        f"{plural(count, 'recording')} of another bandwidth than most",
        count,
        f"most end at {khz(usual)}, these at {many}: a model knows little of "
        f"the rarer kind; with data.audio.sample_rate {rate} all are alike",
        numbers={"share": count / len(kinds)},
    )
