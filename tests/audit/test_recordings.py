"""Every fault of a recording is named, with its value; sound recordings are not."""

import numpy as np
import pandas as pd
import pytest

from speechnet.audit.config import AuditConfig
from speechnet.audit.recordings import FAULTS, FILE_COLUMNS, examine

SOUND = {
    "duration": 2.0,
    "sample_rate": 16_000,
    "channels": 1,
    "peak": 0.5,
    "dc": 0.0,
    "clipped": 0.0,
    "silence": 0.2,
    "snr": 30.0,
    "digest": "",
    "channel_taken": -1,
    "channel_correlation": 1.0,
}
NONE_SET_ASIDE = pd.DataFrame(columns=["file", "reason", "detail"])


def statistics_of(**files: dict[str, float]) -> pd.DataFrame:
    """Signal statistics of three sound recordings, and of some that differ from them."""
    every = {"a": {}, "b": {}, "c": {}} | files
    table = pd.DataFrame({name: SOUND | changed for name, changed in every.items()}).T
    return table.infer_objects().rename_axis("file")


@pytest.mark.parametrize(
    ("changed", "fault", "value", "detail"),
    [
        ({"duration": 0.3}, "short", 0.3, "0.30 s"),
        ({"peak": 0.001}, "quiet", -60.0, "its peak is -60.0 dB of full scale"),
        ({"silence": 0.9}, "mostly_silent", 0.9, "90% is silence"),
        ({"clipped": 0.05}, "clipped", 0.05, "5.00% is at full scale"),
        ({"dc": -0.2}, "dc", -0.2, "its mean is -0.200 of full scale"),
        ({"snr": 3.04}, "noisy", 3.04, "3.0 dB above its noise"),
        ({"channels": 2}, "stereo", 2, "2 channels"),
        ({"channel_taken": 0}, "channels_cancel", 0, "channel 0 was taken"),
        ({"channel_correlation": -0.5}, "channels_differ", -0.5, "their levels correlate by -0.50"),
        ({"sample_rate": 8_000}, "odd_rate", 8_000, "8000 Hz, most have 16000"),
    ],
)
def test_each_fault_is_named(
    changed: dict[str, float], fault: str, value: float, detail: str
) -> None:
    """With its value and a sentence, for that recording alone."""
    found = examine(statistics_of(bad=changed), NONE_SET_ASIDE, AuditConfig())
    assert found.columns.tolist() == list(FILE_COLUMNS)
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["file"], row["fault"], row["detail"]) == ("bad", fault, detail)
    assert row["value"] == pytest.approx(value)
    assert fault in FAULTS


def test_sound_recordings_have_no_row() -> None:
    """Nor has a recording whose ratio of signal to noise can't be told, nor an empty corpus."""
    for statistics in (
        statistics_of(),
        statistics_of(unknown={"snr": np.nan}),
        statistics_of().iloc[:0],
    ):
        found = examine(statistics, NONE_SET_ASIDE, AuditConfig())
        assert found.columns.tolist() == list(FILE_COLUMNS)
        assert found.empty


def test_what_was_excluded_comes_first() -> None:
    """Under its reason, in the words of excluded.csv; a recording may have several faults."""
    aside = pd.DataFrame(
        [("x", "truncated", "3 bytes short"), ("y", "duplicate", "the same samples as a")],
        columns=["file", "reason", "detail"],
    )
    found = examine(statistics_of(bad={"channels": 2, "duration": 0.1}), aside, AuditConfig())
    assert found[["file", "fault"]].to_numpy().tolist() == [
        ["x", "truncated"],
        ["y", "duplicate"],
        ["bad", "short"],
        ["bad", "stereo"],
    ]
    assert found["value"].isna().tolist() == [True, True, False, False]
    assert found["detail"][0] == "3 bytes short"


def test_thresholds_decide() -> None:
    """What lies on a threshold is no fault, what lies beyond it is one."""
    statistics = statistics_of(bad={"duration": 1.0, "snr": 20.0})
    assert examine(statistics, NONE_SET_ASIDE, AuditConfig(short=1.0, snr=20.0)).empty
    stricter = examine(statistics, NONE_SET_ASIDE, AuditConfig(short=1.01, snr=20.1))
    assert stricter["fault"].tolist() == ["short", "noisy"]
