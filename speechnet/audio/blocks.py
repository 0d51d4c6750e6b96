"""Read a recording of any length in blocks of frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from speechnet.audio.channels import (
    channel_correlation,
    channel_notes,
    frame_powers,
    in_frames,
    loudest_if_cancelled,
)
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import check_decoded, check_header, opened
from speechnet.audio.prepare import mixed
from speechnet.core.errors import Excluded
from speechnet.core.types import Float32

_BLOCK: Final = 2**20  # samples (frames times channels) decoded at once


@dataclass(frozen=True)
class Stream:
    """A recording that is being read: its rate in Hz, and the frames its header promises.

    ``blocks`` are float32 ``[n, channels]`` each. A recording that breaks off is excluded after the
    last one.
    """

    rate: int
    channels: int
    frames: int
    blocks: Iterator[Float32]


@contextmanager
def stream(path: Path, config: AudioConfig) -> Iterator[Stream]:
    """Open a recording, with the checks of ``decode.load`` except those of length and size.

    Raises:
        Excluded: the file can't be used.
    """
    with opened(path) as (sound, missing):
        check_header(sound, missing, config)
        if missing:
            raise Excluded("truncated", missing)
        yield Stream(sound.samplerate, sound.channels, sound.frames, _blocks(sound))


def notes_of(path: Path, config: AudioConfig) -> tuple[str, ...]:
    """``SignalStatistics.notes`` of a recording of any length.

    Raises:
        Excluded: the file can't be used.
    """
    # NaN and huge samples make NaN here, and no note; the windows that hold them are excluded.
    with stream(path, config) as sound, np.errstate(invalid="ignore", over="ignore"):
        if sound.channels == 1:
            return ()
        powers, means = [], []
        for block in sound.blocks:
            powers.append(frame_powers(in_frames(block, sound.rate)))
            means.append(frame_powers(in_frames(mixed(block)[:, None], sound.rate)))
        found = np.concatenate(powers)
        taken = loudest_if_cancelled(found.mean(axis=0), float(np.concatenate(means).mean()))
        return channel_notes(taken if config.mono == "mean" else -1, channel_correlation(found))


def _blocks(sound: soundfile.SoundFile) -> Iterator[Float32]:
    size = max(1, _BLOCK // sound.channels)
    found = 0
    while len(block := sound.read(size)):
        found += len(block)
        yield block
    check_decoded(found, sound.frames, sound)
