"""The scores of worsened test recordings, as they are shown."""

from __future__ import annotations

from typing import Final, NamedTuple

import pandas as pd

from speechnet.report.data import ReportData
from speechnet.report.scores import scores_by_key

CLEAN: Final = "clean"
"""The effect of the recordings as they are; its severity is NaN."""

_COLUMNS: Final = (
    *("effect", "severity", "words", "target", "model"),
    *("value", "low", "high", "lost"),
)


class Effect(NamedTuple):
    """How an effect is called, what its severities are, and one of them in words."""

    title: str
    axis: str
    words: str


EFFECTS: Final = {
    "noise": Effect("Noise", "Signal-to-noise ratio (dB)", "noise at {:g} dB"),
    "band": Effect("Narrow band", "Upper end (Hz)", "nothing above {:g} Hz"),
    "reverb": Effect("Room", "Reverberation time (s)", "a room of {:g} s"),
    "codec": Effect("MP3", "Compression level", "MP3 at level {:g}"),
}


def in_words(effect: str, severity: float) -> str:
    """A condition: ``noise at 10 dB``."""
    return EFFECTS[effect].words.format(severity) if effect in EFFECTS else effect


def worsened(data: ReportData) -> pd.DataFrame:
    """A row for each condition, target and model, as scores are shown.

    Returns:
        Columns ``effect, severity, words, target, model, value, low, high, lost``; the value is
        the mean over folds, or else the score of the only fold, or of all rows; NaN where every
        recording is lost.
    """
    rows: list[dict[str, object]] = []
    table = data.table("robustness")
    for key, scores in table.groupby(["effect", "severity"], sort=False, dropna=False):
        effect, severity = str(key[0]), float(scores["severity"].iloc[0])
        for (model, target, _, _), score in scores_by_key(scores).items():
            if target in data.targets:
                where = (effect, severity, in_words(effect, severity), target, model)
                ends = (score.value, score.low, score.high, int(scores["lost"].iloc[0]))
                rows.append(dict(zip(_COLUMNS, (*where, *ends), strict=True)))
    return pd.DataFrame(rows, columns=[*_COLUMNS])
