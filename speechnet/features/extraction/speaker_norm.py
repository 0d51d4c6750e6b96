"""Each speaker's recordings standardised by themselves: what is left is how a speaker varies.

No label takes part, but every recording of the speaker does, those of a test part too. To apply a
model trained this way, several recordings of each new speaker are needed first. Where speakers show
one class only, that class is what is subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.types import FeatureMatrix, Features, FeatureSet, Float32
from speechnet.core.wording import counted, plural


def standardise_by_speaker(
    X: Float32, speakers: Sequence[object], *, first: int | None = None
) -> Float32:
    """Subtract each speaker's mean and divide by the standard deviation, column by column.

    Args:
        X: float32 ``[n, d]``, finite.
        speakers: who speaks in each row, ``[n]``.
        first: how many rows, from the first, the statistics are of; None for all. Each speaker
            has one of them.

    Returns:
        float32 ``[n, d]``, ``(x - mean) / sd`` with the population's ``sd`` of the speaker's rows,
        as scikit-learn's ``StandardScaler`` has it; 0 where a speaker's column does not vary, as
        with a single recording.

    Raises:
        DataError: a row without a speaker.
    """
    codes, names = pd.factorize(np.array(list(speakers), dtype=object))
    if (unknown := int((codes < 0).sum())) > 0:
        raise DataError(
            f"{unknown:,} of {counted(len(codes), 'recording')} {plural(unknown, 'has', 'have')} "
            "no speaker, by whom their features would be standardised: name the speakers, or set "
            "data.per_speaker: false"
        )
    out = np.zeros_like(X)
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]):
        values = X[rows].astype(np.float64)
        own = rows < (len(X) if first is None else first)
        centred = values - values[own].mean(axis=0)
        sd = centred[own].std(axis=0)
        # What rounding leaves of a constant column isn't variation.
        varies = sd > 10 * np.finfo(np.float32).eps * np.abs(values[own]).max(axis=0)
        out[rows] = np.where(varies, centred / np.where(varies, sd, 1.0), 0.0)
    return out


def by_speaker(
    features: FeatureSet, speakers: Sequence[object], *, first: int | None = None
) -> FeatureSet:
    """Apply ``standardise_by_speaker`` to all vectors, and to all frames of sequences.

    ``speakers`` says who speaks in each of the ``n`` recordings, ``[n]``; of the ``first`` the
    statistics are, or of all.
    """
    found: dict[str, Features] = {}
    for name, one in features.by_extractor.items():
        if isinstance(one, FeatureMatrix):
            found[name] = replace(one, X=standardise_by_speaker(one.X, speakers, first=first))
        else:
            each = np.repeat(np.array(speakers, dtype=object), np.diff(one.starts))
            count = None if first is None else int(one.starts[first])
            frames = standardise_by_speaker(one.frames, list(each), first=count)
            found[name] = replace(one, frames=frames)
    return FeatureSet(found)
