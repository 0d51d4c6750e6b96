"""From a file to mono samples: probe, check against bounds, decode, mix, resample.

Every file is either decoded or set aside with a reason code; never both, never silently. soundfile
reads, soxr (``HQ``, librosa's own default) resamples, so that a clip equals what ``librosa.load``
returns as long as the DC offset is left in.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import librosa
import numpy as np
import soundfile
import soxr

from speechnet.errors import SetAside
from speechnet.types import Float32

_UNKNOWN_LENGTH = (0, 0xFFFFFFFF)
"""What a WAV that was streamed, never finished by its writer, has as the size of its data."""

_OGG_TAIL = 65_307
"""The largest possible Ogg page in bytes: the last page begins within so many of the end."""


@dataclass
class AudioConfig:
    """How recordings are read.

    Attributes:
        sample_rate: the rate in Hz that everything is resampled to.
        mono: how several channels become one: their mean, or one of the first two.
        remove_dc: subtract the mean of the samples.
        min_duration: shorter recordings, in seconds, are set aside.
        max_duration: longer recordings, in seconds, are set aside; null keeps all.
        trim_db: cut what lies before the first and after the last frame whose level is within so
            many dB of the loudest frame (``librosa.effects.trim``); null keeps all.
        silence_db: recordings whose peak is below, in dB of full scale, are set aside.
        min_rate: lowest plausible sample rate in a file's header, in Hz.
        max_rate: highest plausible sample rate in a file's header, in Hz.
        max_samples: most samples (frames times channels) that are decoded from one file.
    """

    sample_rate: int = 22_050
    mono: Literal["mean", "left", "right"] = "mean"
    remove_dc: bool = True
    min_duration: float = 0.3
    max_duration: float | None = None
    trim_db: float | None = None
    silence_db: float = -80.0
    min_rate: int = 4_000
    max_rate: int = 384_000
    max_samples: int = 2**28


@dataclass(frozen=True)
class Facts:
    """What a recording was like before it was changed.

    Attributes:
        duration: seconds.
        sample_rate: Hz, in the file.
        channels: in the file.
        peak: largest absolute sample, full scale is 1.
        dc: mean of the samples.
        clipped: share of samples at 0.999 of full scale or above.
        digest: 128-bit hash (hexadecimal) of the decoded samples, rate and channels.
    """

    duration: float
    sample_rate: int
    channels: int
    peak: float
    dc: float
    clipped: float
    digest: str


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
    facts = _facts(samples, rate)
    _check_content(samples, facts, config)
    y = _to_mono(samples, config.mono)
    if config.remove_dc:
        y = y - np.float32(y.mean(dtype=np.float64))
    y = _trim(_resample(y, rate, config.sample_rate), config)
    return Clip(y=y, sr=config.sample_rate, facts=facts)


def _decode(path: Path, config: AudioConfig, start: float, end: float) -> tuple[Float32, int]:
    """Probe and decode: float32 ``[n_frames, n_channels]`` and the rate in Hz."""
    try:
        with path.open("rb") as file:
            # libsndfile says "Format not recognised" of an empty file; this says it plainer.
            if os.fstat(file.fileno()).st_size == 0:
                raise SetAside("unreadable", "the file has 0 bytes")
            with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
                first, count = _probe(sound, config, start, end)
                sound.seek(first)
                samples = sound.read(count, dtype="float32", always_2d=True)
                rate, kind = sound.samplerate, sound.format
            _check_complete(file, kind, found=len(samples), expected=count)
    except FileNotFoundError:
        raise SetAside("missing", "there is no such file") from None
    except (soundfile.LibsndfileError, OSError) as error:
        raise SetAside("unreadable", _first_line(error)) from error
    return samples, rate


def _probe(
    sound: soundfile.SoundFile, config: AudioConfig, start: float, end: float
) -> tuple[int, int]:
    """Check the header against the bounds; the first frame to read and how many."""
    rate, frames, channels = sound.samplerate, sound.frames, sound.channels
    if not config.min_rate <= rate <= config.max_rate:
        raise SetAside(
            "bad_rate",
            f"the header says {rate} Hz, expected {config.min_rate} to {config.max_rate}",
        )
    if frames <= 0:
        raise SetAside("empty", "the header is followed by no samples")
    first = 0 if math.isnan(start) else round(start * rate)
    last = frames if math.isnan(end) else round(end * rate)
    if last > frames:
        raise SetAside(
            "truncated", f"the part ends at {end:g} s, the recording at {frames / rate:g} s"
        )
    count = last - first
    _check_duration(count / rate, config)
    if count * channels > config.max_samples:
        raise SetAside(
            "too_large",
            f"{count} frames of {channels} channels, at most {config.max_samples} samples allowed",
        )
    return first, count


def _check_duration(duration: float, config: AudioConfig) -> None:
    if duration < config.min_duration:
        raise SetAside("too_short", f"{duration:.3f} s, at least {config.min_duration:g} expected")
    if config.max_duration is not None and duration > config.max_duration:
        raise SetAside("too_long", f"{duration:.3f} s, at most {config.max_duration:g} expected")


def _check_complete(file: BinaryIO, kind: str, *, found: int, expected: int) -> None:
    """Compare with the length the header promises; libsndfile shortens it without a word."""
    if found < expected:
        raise SetAside("truncated", f"{found} frames decoded, the header says {expected}")
    if kind in {"WAV", "WAVEX"}:
        missing = _missing_wav_bytes(file)
        if missing > 0:
            raise SetAside("truncated", f"{missing} bytes short of what the WAV header says")
    if kind == "OGG" and not _ogg_is_closed(file):
        raise SetAside("truncated", "the last Ogg page does not end the stream")


def _missing_wav_bytes(file: BinaryIO) -> int:
    """How many bytes of the ``data`` chunk the file lacks; 0 where the header can't tell."""
    size = file.seek(0, os.SEEK_END)
    position = 12  # "RIFF", a size, "WAVE"
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            return 0 if length in _UNKNOWN_LENGTH else max(0, position + 8 + length - size)
        position += 8 + length + length % 2  # chunks are padded to an even length
    return 0


def _ogg_is_closed(file: BinaryIO) -> bool:
    """Whether the last page has the end-of-stream flag (RFC 3533, header type 0x04)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _OGG_TAIL))
    tail = file.read()
    page = tail.rfind(b"OggS")
    return page >= 0 and page + 5 < len(tail) and bool(tail[page + 5] & 0x04)


def _facts(samples: Float32, rate: int) -> Facts:
    magnitude = np.abs(samples)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{rate} {samples.shape[1]} ".encode())
    digest.update(np.ascontiguousarray(samples).data)
    return Facts(
        duration=len(samples) / rate,
        sample_rate=rate,
        channels=samples.shape[1],
        peak=float(magnitude.max()),
        dc=float(samples.mean(dtype=np.float64)),
        clipped=float((magnitude >= 0.999).mean()),
        digest=digest.hexdigest(),
    )


def _check_content(samples: Float32, facts: Facts, config: AudioConfig) -> None:
    if not math.isfinite(facts.peak):
        bad = int((~np.isfinite(samples)).sum())
        raise SetAside("not_finite", f"{bad} of {samples.size} samples are NaN or infinite")
    # A constant offset is no sound: the level is what is left above it.
    offset = samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    level = float(np.abs(samples - offset).max())
    if level <= 10 ** (config.silence_db / 20):
        found = f"{20 * math.log10(level):.0f} dB" if level > 0 else "digital silence"
        raise SetAside("silent", f"{found}, above {config.silence_db:g} dB expected")


def _to_mono(samples: Float32, policy: str) -> Float32:
    if policy == "mean" or samples.shape[1] == 1:
        return np.asarray(samples.mean(axis=1), dtype=np.float32)
    return np.ascontiguousarray(samples[:, 0 if policy == "left" else 1])


def _resample(y: Float32, rate: int, target: int) -> Float32:
    """Resample with soxr HQ to ``ceil(n * target / rate)`` samples, as librosa does."""
    if rate == target:
        return y
    resampled = soxr.resample(y, rate, target, quality="HQ")
    length = math.ceil(len(y) * target / rate)
    fitted = np.zeros(length, dtype=np.float32)
    fitted[: len(resampled)] = resampled[:length]
    return fitted


def _trim(y: Float32, config: AudioConfig) -> Float32:
    if config.trim_db is None:
        return y
    kept = np.ascontiguousarray(librosa.effects.trim(y, top_db=config.trim_db)[0])
    _check_duration(len(kept) / config.sample_rate, config)
    return kept


def _first_line(error: Exception) -> str:
    # soundfile puts the object it was given (a file descriptor) before libsndfile's own words.
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return str(text).strip().splitlines()[0] if str(text).strip() else type(error).__name__
