"""The names of columns."""

from __future__ import annotations

import re
from typing import Final

CORPUS_COLUMNS: Final = ("path", "start", "end", "speaker", "gender", "emotion", "sentence")
"""The columns every corpus table has, in this order; further columns may follow."""

NEWS: Final = ("novelty", "unlike", "far", "bandwidth")
"""How unlike the training data a recording is: in every table of answers, behind the targets."""

ANSWER_BEGINS: Final = ("file", "model")
ANSWER_ENDS: Final = (*NEWS, "notes", "reason")
"""Before and behind the targets in the table of ``predict``."""

TIMELINE_BEGINS: Final = ("start", "end", "model")
TIMELINE_ENDS: Final = (*NEWS, "reason")
"""Before and behind the targets in a timeline."""

ANSWERS: Final = frozenset([*ANSWER_BEGINS, *ANSWER_ENDS, *TIMELINE_BEGINS, *TIMELINE_ENDS])
"""Every column of a table of answers that is no target's and no class's."""

SIGNAL_STATISTICS: Final = (
    *("duration", "sample_rate", "channels", "peak", "dc", "clipped", "silence", "snr"),
    *("bandwidth", "digest", "channel_taken", "channel_correlation"),
)
"""The fields of ``speechnet.audio.signal_statistics``, which needs NumPy."""

_ENDING: Final = re.compile(r"(_\d+)?_(mean|std|min|max|count|p\d+)$")


def feature_of(column: str) -> str:
    """The feature that a column of features is a statistic of: ``mfcc`` of ``mfcc_07_mean``."""
    return _ENDING.sub("", column)
