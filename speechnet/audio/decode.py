"""From a file to mono samples: probe, check bounds, decode, prepare.

Every file is either decoded or excluded with a reason.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import soundfile

from speechnet.audio.config import AudioConfig
from speechnet.audio.container import Ending, Filled, ending
from speechnet.audio.prepare import check_rate, check_size, one_channel, prepare
from speechnet.audio.signal_statistics import SignalStatistics, measure
from speechnet.audio.stderr_filter import QUIET
from speechnet.audio.unsupported import LOOKED_AT, what_it_is
from speechnet.core.errors import Excluded
from speechnet.core.reading import open_unbuffered
from speechnet.core.types import Float32

# Seconds by which a part may end after the recording, as tables round to two or three decimals, and
# that may be missing at the end, as some writers count a header or padding as sound.
_SLACK_S: Final = 0.01
# Samples. Without a Xing or Info frame an MP3's length is an estimate, good to one frame.
_MPEG_FRAME: Final = 1152
# Samples before a part at which decoding an MP3 starts: its frames use earlier ones, 511 bytes back
# (ISO/IEC 11172-3, ``main_data_begin``).
_MP3_LEAD: Final = 32 * _MPEG_FRAME
# Frames. libsndfile reports more for a FLAC whose header leaves its length open.
_OPEN_LENGTH: Final = 2**62
_MOST_BYTES: Final = 2**38  # of a file read in parts: 400 hours of 48 kHz, 16 bits, stereo

# libsndfile's codes: an unknown format; a header with an impossible sample rate; and of a FLAC that
# ends early, a failed seek and a lost sync.
_UNKNOWN_FORMAT, _NO_RATE, _FLAC_BREAKS_OFF = 1, 24, {39, 158}


@dataclass(frozen=True)
class Clip:
    """Mono samples ``y``, float32 ``[n_samples]`` at ``sr`` Hz, and the file's statistics."""

    y: Float32
    sr: int
    statistics: SignalStatistics


def load(
    path: Path,
    config: AudioConfig,
    *,
    start: float = math.nan,
    end: float = math.nan,
    channel: int | None = None,
) -> Clip:
    """``load_at_rates`` at ``config.sample_rate`` alone."""
    clips, statistics = load_at_rates(
        path, config, [config.sample_rate], start=start, end=end, channel=channel
    )
    return Clip(clips[config.sample_rate], config.sample_rate, statistics)


def load_at_rates(
    path: Path,
    config: AudioConfig,
    rates: Sequence[int],
    *,
    start: float = math.nan,
    end: float = math.nan,
    channel: int | None = None,
) -> tuple[dict[int, Float32], SignalStatistics]:
    """Read one recording, or a part of it, at several sample rates; it is decoded once.

    Args:
        path: the file.
        config: bounds and mono policy; its own rate doesn't count.
        rates: in Hz, at least one.
        start: where the part begins, in seconds; NaN for the beginning.
        end: where the part ends, in seconds; NaN for the end.
        channel: the only channel to read, from 0; None for all, mixed as ``config.mono`` says.

    Returns:
        By rate float32 mono ``[n_samples]``, finite; and the file's statistics.

    Raises:
        Excluded: the file can't be used.
    """
    config = replace(config, sample_rate=max(rates))
    samples, rate = _decode(path, config, start, end)
    if channel is not None:
        samples = one_channel(samples, channel)
    monos = {each: prepare(samples, rate, replace(config, sample_rate=each)) for each in rates}
    taken = monos[max(rates)].channel
    statistics = measure(samples, rate, silence_db=config.silence_db, channel_taken=taken)
    return {each: mono.y for each, mono in monos.items()}, statistics


def probe(path: Path, config: AudioConfig, *, whole: bool) -> None:
    """Refuse a recording by its header alone; ``whole`` if it will be read at once, not in parts.

    Raises:
        Excluded: it can't be used.
    """
    with opened(path) as (sound, missing):
        check_header(sound, missing, config)
        if whole:
            check_size(sound.frames, sound.channels, rate=sound.samplerate, config=config)
        elif (size := path.stat().st_size) > _MOST_BYTES:
            raise Excluded("too_large", f"{size:,} bytes, at most {_MOST_BYTES:,} allowed")


class Header(NamedTuple):
    """A recording's header: seconds and channels; NaN and 1 where it can't be read."""

    duration: float = math.nan
    channels: int = 1


def header(path: Path) -> Header:
    """Read a recording's header, unchecked."""
    try:
        with opened(path) as (sound, _):
            return Header(sound.frames / sound.samplerate, sound.channels)
    except (Excluded, ValueError, ZeroDivisionError):
        return Header()


class _Onwards(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A sound file that is read without seeking, and without a word from C libraries.

    soundfile seeks to its position after every read, which changes the last bits of an MP3.
    """

    def __init__(self, file: int | io.FileIO) -> None:
        with QUIET:
            super().__init__(file, closefd=False)

    def seekable(self) -> bool:
        return False

    def seek(self, frames: int, whence: int = os.SEEK_SET) -> int:
        with QUIET:
            return int(super().seek(frames, whence))

    def read(self, frames: int) -> Float32:
        """The next frames, float32 ``[n, channels]``: fewer where the file ends."""
        with QUIET:
            samples: Float32 = super().read(frames, dtype="float32", always_2d=True)
        return samples


@contextmanager
def opened(path: Path) -> Iterator[tuple[soundfile.SoundFile, str | None]]:
    """Open a recording; it is excluded for whatever libsndfile or the system finds wrong.

    Yields:
        The open file, and what is missing at its end, in words; None for a whole file.

    Raises:
        Excluded: it is missing, can't be read or decoded, or breaks off.
    """
    try:
        with open_unbuffered(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise Excluded("unreadable", "the file has 0 bytes")
            end = ending(file)
            file.seek(0)
            # By descriptor: libsndfile then never sees a name that isn't UTF-8.
            source = file.fileno() if end.open_size is None else Filled(file, end.open_size)
            try:
                with _Onwards(source) as sound:
                    yield sound, _missing(sound, end)
            except soundfile.LibsndfileError as error:
                raise _diagnosis(error, file, end.missing) from error
    except FileNotFoundError:
        raise Excluded("missing", "there is no such file") from None
    except OSError as error:
        raise Excluded("unreadable", error.strerror or str(error)) from error


def _missing(sound: soundfile.SoundFile, end: Ending) -> str | None:
    """What is missing at the end, in words; None where it is too little to matter."""
    seconds = max(sound.frames, 0) / max(sound.samplerate, 1) * end.share
    if end.missing is None or seconds < _SLACK_S:
        return None
    return end.missing if math.isinf(end.share) else f"{seconds:.3f} s: {end.missing}"


def _decode(path: Path, config: AudioConfig, start: float, end: float) -> tuple[Float32, int]:
    """Probe and decode: float32 ``[n_frames, n_channels]`` and the rate in Hz."""
    with opened(path) as (sound, missing):
        check_header(sound, missing, config)
        first, count = _part(sound, start, end)
        # Before the length is checked: a cut file may be too short.
        if missing and first + count == sound.frames:
            raise Excluded("truncated", missing)
        check_size(count, sound.channels, rate=sound.samplerate, config=config)
        lead = min(first, _MP3_LEAD) if sound.format == "MP3" else 0
        if first > lead:  # seeking to 0 would change an MP3's last bits
            sound.seek(first - lead)
        samples = sound.read(lead + count)[lead:]
        check_decoded(len(samples), count, sound)
        return samples, sound.samplerate


def check_decoded(found: int, expected: int, sound: soundfile.SoundFile) -> None:
    """Refuse a recording that gave fewer frames than its header promises.

    Raises:
        Excluded: some are missing.
    """
    slack = _MPEG_FRAME if sound.format == "MP3" else _SLACK_S * sound.samplerate
    if found == 0 or found < expected - slack:
        raise Excluded("truncated", f"{found} of {expected} frames could be decoded")


def _diagnosis(error: soundfile.LibsndfileError, file: io.FileIO, missing: str | None) -> Excluded:
    """What made libsndfile fail."""
    if missing:
        return Excluded("truncated", missing)
    # A damaged FLAC loses sync too, but before the end of the file.
    at_end = file.tell() >= os.fstat(file.fileno()).st_size
    file.seek(0)
    if found := what_it_is(file.read(LOOKED_AT) or b""):
        return Excluded("unreadable", found)
    if error.code == _NO_RATE:
        return Excluded("bad_rate", "the sample rate in the header is impossible")
    if error.code in _FLAC_BREAKS_OFF and at_end:
        return Excluded("truncated", "the file ends before the frames its header promises")
    if error.code == _UNKNOWN_FORMAT:
        return Excluded("unreadable", "no format of sound begins like this; save it as WAV or FLAC")
    return Excluded("unreadable", str(error.error_string))


def check_header(sound: soundfile.SoundFile, missing: str | None, config: AudioConfig) -> None:
    """Refuse a file whose rate is out of bounds, or that has no samples or an open length.

    Raises:
        Excluded: it is such a file, or has lost all its samples, as ``missing`` says.
    """
    if missing and sound.frames <= 0:
        raise Excluded("truncated", missing)
    check_rate(sound.samplerate, config)
    if sound.frames <= 0:
        raise Excluded("empty", "the header is followed by no samples")
    if sound.frames > _OPEN_LENGTH:
        raise Excluded("unreadable", "the header leaves the length open; encode the file again")


def _part(sound: soundfile.SoundFile, start: float, end: float) -> tuple[int, int]:
    """The first frame to read and how many."""
    rate, frames = sound.samplerate, sound.frames
    first = 0 if math.isnan(start) else round(start * rate)
    last = frames if math.isnan(end) else round(end * rate)
    if first >= frames or last > frames + _SLACK_S * rate:
        raise Excluded(
            "truncated",
            f"the part is {first / rate:g} to {last / rate:g} s, the recording ends at "
            f"{frames / rate:g} s",
        )
    return first, min(last, frames) - first
