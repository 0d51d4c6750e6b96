"""Recordings whose bands end at different frequencies, as far as features look at them.

A model takes for a class, a speaker or a corpus what is a telephone or a codec, and where one kind
was trained on it knows nothing of the other.
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
"""Sample rates in Hz that recordings usually have, or had once."""

_FEW: Final = 0.02
"""Up to this share of recordings of another bandwidth is no mixture."""


def bands(bandwidth: pd.Series, highest: float) -> pd.Series:
    """The kind of each recording by its bandwidth: an octave for each.

    Args:
        bandwidth: where it ends, in Hz; NaN where nothing sounds.
        highest: frequency in Hz that the features look at; what lies beyond makes no difference.

    Returns:
        The middle of its octave in Hz, counted down from ``highest``, indexed as ``bandwidth``.
    """
    top = min(highest, float(bandwidth.max())) if bandwidth.notna().any() else highest
    octaves = np.log2(top / bandwidth.clip(upper=top)).round()
    return pd.Series(top / 2**octaves, index=bandwidth.index)


def nearest_rate(bandwidth: float) -> int:
    """The usual sample rate, in Hz, that keeps a band that ends at some frequency, and no more."""
    return min(RATES, key=lambda rate: abs(math.log(rate / 2 / bandwidth)))


def mixed(bandwidth: pd.Series, highest: float) -> Iterator[Finding]:
    """Whether recordings of several bandwidths are mixed, and what makes them alike.

    Args:
        bandwidth: of each recording in Hz, as ``bands`` takes it.
        highest: as ``bands`` takes it.
    """
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
