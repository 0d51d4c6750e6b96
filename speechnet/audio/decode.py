"""From a file to mono samples: probe, check against bounds, decode, prepare.

Every file is either decoded or set aside with a reason code; never both, never silently.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import soundfile

from speechnet.audio.config import AudioConfig
from speechnet.audio.container import what_is_missing
from speechnet.audio.facts import Facts, measure
from speechnet.audio.prepare import check_rate, check_size, prepare
from speechnet.errors import SetAside
from speechnet.reading import open_unbuffered
from speechnet.types import Float32

__all__ = ["AudioConfig", "Clip", "check_decoded", "check_header", "load", "opened"]

_SLACK_S: Final = 0.01
"""A part may end so much, in seconds, behind the recording: tables hold two or three decimals."""

_MPEG_FRAME: Final = 1152
"""Samples. Without a Xing or Info frame an MP3's length is a guess, good to one MPEG frame."""

_MP3_LEAD: Final = 32 * _MPEG_FRAME
"""Samples. An MP3 is decoded from so much before a part: its frames draw on earlier ones, 511 bytes
back (ISO/IEC 11172-3, ``main_data_begin``)."""

_OPEN_LENGTH: Final = 2**62
"""Frames. libsndfile names more than this for a FLAC whose header leaves its length open."""

_NO_RATE: Final = 24
"""libsndfile's code for a header without a sample rate that can be."""

_FLAC_BREAKS_OFF: Final = frozenset({39, 158})
"""libsndfile's codes (a failed seek, a lost sync) for a FLAC that ends before its time."""


@dataclass(frozen=True)
class Clip:
    """Samples ready for use: ``y`` float32 mono ``[n_samples]`` at ``sr`` Hz, and the facts."""

    y: Float32
    sr: int
    facts: Facts


def load(
    path: Path, config: AudioConfig, *, start: float = math.nan, end: float = math.nan
) -> Clip:
    """Read one recording, or a part of it.

    Args:
        path: the file.
        config: bounds, mono policy and rate.
        start: where the part begins, in seconds; NaN for the beginning.
        end: where the part ends, in seconds; NaN for the end.

    Returns:
        The clip: float32, mono, finite, at ``config.sample_rate``.

    Raises:
        SetAside: the file can't be used; its reason is one of ``speechnet.types.REASONS``.
    """
    samples, rate = _decode(path, config, start, end)
    y = prepare(samples, rate, config)
    return Clip(y, config.sample_rate, measure(samples, rate, silence_db=config.silence_db))


class _Onwards(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A sound file that is read onwards unless told otherwise.

    soundfile seeks to where it is after every read, and an MP3 then goes on with other last bits.
    """

    def seekable(self) -> bool:
        """Whether to do so."""
        return False


@contextmanager
def opened(path: Path) -> Iterator[tuple[soundfile.SoundFile, str | None]]:
    """Open a recording; whatever libsndfile or the system finds wrong with it sets it aside.

    Args:
        path: the file.

    Yields:
        The open file, and what its end lacks, as ``what_is_missing`` has it.

    Raises:
        SetAside: it is missing, can't be read or decoded, or breaks off.
    """
    try:
        with open_unbuffered(path) as file:
            # libsndfile says "Format not recognised" of an empty file; this says it plainer.
            if os.fstat(file.fileno()).st_size == 0:
                raise SetAside("unreadable", "the file has 0 bytes")
            missing = what_is_missing(file)
            file.seek(0)
            try:
                # By its descriptor: libsndfile then never sees a name that is no UTF-8.
                with _Onwards(file.fileno(), closefd=False) as sound:
                    yield sound, missing
            except soundfile.LibsndfileError as error:
                raise _diagnosis(error, file, missing) from error
    except FileNotFoundError:
        raise SetAside("missing", "there is no such file") from None
    except OSError as error:
        raise SetAside("unreadable", error.strerror or str(error)) from error


def _decode(path: Path, config: AudioConfig, start: float, end: float) -> tuple[Float32, int]:
    """Probe and decode: float32 ``[n_frames, n_channels]`` and the rate in Hz."""
    with opened(path) as (sound, missing):
        check_header(sound, missing, config)
        first, count = _part(sound, start, end)
        check_size(count, sound.channels, rate=sound.samplerate, config=config)
        if missing and first + count == sound.frames:
            raise SetAside("truncated", missing)
        lead = min(first, _MP3_LEAD) if sound.format == "MP3" else 0
        if first > lead:  # seeking to 0 would change an MP3's last bits
            sound.seek(first - lead)
        samples = sound.read(lead + count, dtype="float32", always_2d=True)[lead:]
        check_decoded(len(samples), count, sound)
        return samples, sound.samplerate


def check_decoded(found: int, expected: int, sound: soundfile.SoundFile) -> None:
    """Refuse a recording of which fewer frames could be decoded than its header promises.

    Args:
        found: frames that were decoded.
        expected: frames that were asked for, none beyond the header's.
        sound: where they came from.

    Raises:
        SetAside: some are missing.
    """
    slack = _MPEG_FRAME if sound.format == "MP3" else 0
    if found == 0 or found < expected - slack:
        raise SetAside("truncated", f"{found} of {expected} frames could be decoded")


def _diagnosis(error: soundfile.LibsndfileError, file: io.FileIO, missing: str | None) -> SetAside:
    """Which of the faults it is that libsndfile stumbled over."""
    if missing:
        return SetAside("truncated", missing)
    if error.code == _NO_RATE:
        return SetAside("bad_rate", "the header gives no sample rate that can be")
    # A damaged FLAC loses sync too, but before the decoder has come to the end of the file.
    at_end = file.tell() >= os.fstat(file.fileno()).st_size
    if error.code in _FLAC_BREAKS_OFF and at_end:
        return SetAside("truncated", "the file ends before the frames its header promises")
    return SetAside("unreadable", str(error.error_string))


def check_header(sound: soundfile.SoundFile, missing: str | None, config: AudioConfig) -> None:
    """Refuse a file whose header can't be that of speech, however much of it is to be read.

    Args:
        sound: the open file.
        missing: what its end lacks.
        config: bounds of the rate.

    Raises:
        SetAside: its rate is out of bounds, or it has no samples or an open length.
    """
    if missing and sound.frames <= 0:
        raise SetAside("truncated", missing)
    check_rate(sound.samplerate, config)
    if sound.frames <= 0:
        raise SetAside("empty", "the header is followed by no samples")
    if sound.frames > _OPEN_LENGTH:
        raise SetAside("unreadable", "the header leaves the length open; encode the file again")


def _part(sound: soundfile.SoundFile, start: float, end: float) -> tuple[int, int]:
    """The first frame to read and how many."""
    rate, frames = sound.samplerate, sound.frames
    first = 0 if math.isnan(start) else round(start * rate)
    last = frames if math.isnan(end) else round(end * rate)
    if first >= frames or last > frames + _SLACK_S * rate:
        raise SetAside(
            "truncated",
            f"the part is {first / rate:g} to {last / rate:g} s, the recording ends at "
            f"{frames / rate:g} s",
        )
    return first, min(last, frames) - first
