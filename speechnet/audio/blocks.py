"""A recording of any length, a block of frames at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import soundfile

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import check_decoded, check_header, opened
from speechnet.errors import SetAside
from speechnet.types import Float32

_BLOCK: Final = 2**20
"""Samples (frames times channels) that are decoded at once."""


@dataclass(frozen=True)
class Stream:
    """A recording that is being read.

    Attributes:
        rate: in Hz.
        channels: how many.
        frames: how many the header promises.
        blocks: float32 ``[n, channels]`` each, end to end as one read would give them. Behind the
            last one a recording that breaks off is set aside.
    """

    rate: int
    channels: int
    frames: int
    blocks: Iterator[Float32]


@contextmanager
def stream(path: Path, config: AudioConfig) -> Iterator[Stream]:
    """Open a recording to be read in blocks, with the checks of ``speechnet.audio.decode.load``.

    Those of its length and size are left to whoever knows how much is needed at once.

    Args:
        path: the file.
        config: bounds of the rate.

    Raises:
        SetAside: the file can't be used.
    """
    with opened(path) as (sound, missing):
        check_header(sound, missing, config)
        if missing:
            raise SetAside("truncated", missing)
        yield Stream(sound.samplerate, sound.channels, sound.frames, _blocks(sound))


def _blocks(sound: soundfile.SoundFile) -> Iterator[Float32]:
    size = max(1, _BLOCK // sound.channels)
    found = 0
    while len(block := sound.read(size, dtype="float32", always_2d=True)):
        found += len(block)
        yield block
    check_decoded(found, sound.frames, sound)
