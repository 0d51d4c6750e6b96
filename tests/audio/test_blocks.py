"""Tests of reading a recording in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import faults

from speechnet.audio import blocks
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.errors import Excluded

LEFT_TO_OTHERS = {"too_short", "too_long", "too_large", "not_finite", "unscaled"}
LEFT_TO_OTHERS |= {"silent", "duplicate"}
"""Reasons that a block by itself doesn't give; that a claim is false may show all the same."""


def read(path: Path, *, most: int | None = None) -> list[np.ndarray]:
    """All blocks of a file, or the first ones."""
    with blocks.stream(path, AudioConfig()) as sound:
        return [block for _, block in zip(range(most or 10**9), sound.blocks, strict=False)]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "WAV/FLOAT"])
@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_are_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, channels: int
) -> None:
    """End to end they are what one read gives, to the bit, and none is larger."""
    if kind == "MP3" and channels > 2:
        pytest.skip("an MP3 has two channels at most")
    path = tmp_path / "x.wav"
    y = np.stack([faults.speech(seed, 2.7) for seed in range(channels)], axis=1)
    path.write_bytes(faults.encoded(y, kind))
    monkeypatch.setattr(blocks, "_BLOCK", 3_001)
    found = read(path)
    assert {len(block) for block in found[:-1]} == {3_001 // channels}
    with soundfile.SoundFile(path) as sound:  # soundfile.read seeks first: an MP3's bits change
        whole = sound.read(dtype="float32", always_2d=True)
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_what_a_header_says(tmp_path: Path) -> None:
    """Rate, channels and frames are known before anything is decoded."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros((500, 2)), 44_100)
    with blocks.stream(path, AudioConfig()) as sound:
        assert (sound.rate, sound.channels, sound.frames) == (44_100, 2, 500)


def test_every_fault_has_its_reason(tmp_path: Path) -> None:
    """The same as where the file is read at once; a claim of many samples costs nothing."""
    expected = faults.write_faults(tmp_path)
    wrong = {}
    for name, reason in expected.items():
        left = reason is None or reason in LEFT_TO_OTHERS
        found = None
        try:
            read(tmp_path / name, most=1 if left else None)
        except Excluded as why:
            found = why.reason
        if found not in ({None, "truncated"} if left and reason else {reason}):
            wrong[name] = (found, reason)
    assert wrong == {}


def test_notes_of_a_recording_of_any_length(tmp_path: Path) -> None:
    """As of one that is read at once; a NaN in it is no reason for a note, nor for a warning."""
    path = tmp_path / "x.wav"
    y = faults.speech(1, 20)
    for second, notes in ((-y, ("channels_cancel",)), (y, ())):
        soundfile.write(path, np.stack([y, second], axis=1), faults.RATE, subtype="FLOAT")
        assert blocks.notes_of(path, AudioConfig()) == load(path, AudioConfig()).statistics.notes()
        assert blocks.notes_of(path, AudioConfig()) == notes
    y[1_000], y[2_000] = np.nan, 1e38
    soundfile.write(path, np.stack([y, -y], axis=1), faults.RATE, subtype="FLOAT")
    assert blocks.notes_of(path, AudioConfig()) == ()


def test_what_breaks_off_is_told_at_the_end(tmp_path: Path) -> None:
    """A cut FLAC gives what it has, then says so; a cut WAV is known at once."""
    flac, wav = tmp_path / "x.flac", tmp_path / "x.wav"
    y = faults.speech(1, 20)
    flac.write_bytes(faults.encoded(y, "FLAC")[:-100_000])
    wav.write_bytes(faults.encoded(y, "WAV")[:-100_000])
    with pytest.raises(Excluded, match="truncated"):
        read(flac)
    with (
        pytest.raises(Excluded, match=r"truncated: .* 100000 bytes fewer"),
        blocks.stream(wav, AudioConfig()),
    ):
        raise AssertionError("it was opened")
