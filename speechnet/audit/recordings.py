"""Faults of single recordings, found in the statistics of their samples."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from speechnet.audit.config import AuditConfig

FILE_COLUMNS: Final = ("file", "fault", "value", "detail")

FAULTS: Final[dict[str, str]] = {
    "short": "short",
    "quiet": "quiet",
    "mostly_silent": "silent for the most part",
    "clipped": "clipped",
    "dc": "far from zero on average (DC offset)",
    "noisy": "noisy",
    "channels_differ": "of several channels that hold different sounds, such as two ends of a call",
    "channels_cancel": "of several channels that cancel each other: the loudest was taken",
    "stereo": "of several channels",
    "odd_rate": "of another sample rate than most",
}
"""Faults of recordings that are used; the excluded ones have a reason of ``core.types.REASONS``."""


def examine(statistics: pd.DataFrame, excluded: pd.DataFrame, config: AuditConfig) -> pd.DataFrame:
    """List the faults of recordings, by the thresholds of the configuration.

    ``statistics`` is indexed by file (``speechnet.audio.signal_statistics`` describes its columns),
    ``excluded`` has the columns ``file, reason, detail``.

    Returns:
        Columns ``file, fault, value, detail``: first the excluded recordings, whose fault is the
        reason and whose value is NaN, then the others by fault, in the order of ``FAULTS``. The
        value has the statistic's unit; for ``quiet`` it is the peak in dB of full scale.
    """
    refused = excluded.rename(columns={"reason": "fault"}).assign(value=np.nan)
    tables = [refused[list(FILE_COLUMNS)]]
    for fault, (measured, bad, detail) in _checks(statistics, config).items():
        values = measured[bad].astype(np.float64).rename("value").rename_axis("file").reset_index()
        tables.append(
            values.assign(fault=fault, detail=[detail.format(v) for v in values["value"]])
        )
    filled = [table for table in tables if len(table)] or [tables[0]]
    found = pd.concat(filled, ignore_index=True)[list(FILE_COLUMNS)]
    return found.astype({"value": np.float64})


def _checks(
    statistics: pd.DataFrame, config: AuditConfig
) -> dict[str, tuple[pd.Series, pd.Series, str]]:
    """By fault what was measured, which recordings have the fault, and the detail."""
    smallest = np.finfo(np.float64).tiny
    peak_db = 20 * np.log10(statistics["peak"].clip(lower=smallest))
    rates = statistics["sample_rate"]
    usual = rates.mode().iloc[0] if len(rates) else 0
    of = statistics.__getitem__
    alike, taken = of("channel_correlation"), of("channel_taken")
    least = config.channel_correlation
    return {
        "short": (of("duration"), of("duration") < config.short, "{:.2f} s"),
        "quiet": (peak_db, peak_db < config.quiet, "its peak is {:.1f} dB of full scale"),
        "mostly_silent": (of("silence"), of("silence") > config.silence, "{:.0%} is silence"),
        "clipped": (of("clipped"), of("clipped") > config.clipped, "{:.2%} is at full scale"),
        "dc": (of("dc"), of("dc").abs() > config.dc, "its mean is {:+.3f} of full scale"),
        "noisy": (of("snr"), of("snr") < config.snr, "{:.1f} dB above its noise"),
        "channels_differ": (alike, alike < least, "their levels correlate by {:.2f}"),
        "channels_cancel": (taken, taken >= 0, "channel {:.0f} was taken"),
        "stereo": (of("channels"), of("channels") > 1, "{:.0f} channels"),
        "odd_rate": (rates, rates != usual, f"{{:.0f}} Hz, most have {usual:.0f}"),
    }
