"""The names of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

CORPUS_COLUMNS: Final = ("path", "start", "end", "speaker", "gender", "emotion", "sentence")
"""The columns of every corpus table, in this order; further columns may follow."""

NOVELTY_COLUMNS: Final = ("novelty", "unlike", "far", "bandwidth")
"""How unlike the training data a recording is: columns of every table of answers."""

ANSWER_BEGINS: Final = ("file", "model")
ANSWER_ENDS: Final = (*NOVELTY_COLUMNS, "notes", "reason")
"""The columns before and after the targets in the table of ``predict``."""

TIMELINE_BEGINS: Final = ("start", "end", "model")
TIMELINE_ENDS: Final = (*NOVELTY_COLUMNS, "reason")
"""The columns before and after the targets in a timeline."""

ANSWERS: Final = frozenset([*ANSWER_BEGINS, *ANSWER_ENDS, *TIMELINE_BEGINS, *TIMELINE_ENDS])
"""Every column of a table of answers that isn't a target or a class."""

SIGNAL_STATISTICS: Final = (
    *("duration", "sample_rate", "channels", "peak", "dc", "clipped", "silence", "snr"),
    *("bandwidth", "digest", "channel_taken", "channel_correlation"),
)
"""The fields of ``speechnet.audio.signal_statistics``, which needs NumPy."""

_ENDING: Final = re.compile(r"(_\d+)?_(mean|std|min|max|count|p\d+)$")


def feature_of(column: str) -> str:
    """The feature of a column of statistics: ``mfcc`` of ``mfcc_07_mean``."""
    return _ENDING.sub("", column)


def averaged_names(names: Sequence[str], layers: int) -> tuple[str, ...]:
    """The names of the mean of several layers, such as ``encoder_mean_000``.

    Args:
        names: of the columns of a stack, such as ``encoder_07_mean_000``, layer by layer.
        layers: how many.
    """
    if layers == 1:
        return tuple(names)
    width = len(names) // layers
    words = (_words(names[column::width]) for column in range(width))
    found = ["_".join(each[0] for each in some if len({*each}) == 1) for some in words]
    return tuple(found) if len({*found} - {""}) == width else tuple(names[:width])


def layer_names(names: Sequence[str], layers: int) -> list[str]:
    """What the columns of a stack call its layers, such as ``07``; else their numbers from 0."""
    differ = [each for each in _words(names[:: len(names) // layers]) if len({*each}) > 1]
    return [*differ[0]] if len(differ) == 1 else [*map(str, range(layers))]


def _words(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The first words of some names, their second words, and so on."""
    return [*zip(*(name.split("_") for name in names), strict=False)]
