"""Writes one recording of each fault that users hit, and says what must become of it."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050
MAX_SAMPLES = 2**20
"""The bound on samples under which the bombs are bombs."""


def speech(seed: int, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A buzz that comes and goes over noise, float32: another one for each seed."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    voice = np.sign(np.sin(2 * np.pi * (110 + 7 * seed) * t)) * np.sin(2 * np.pi * 3 * t) ** 2
    return (0.2 * voice + 0.01 * rng.standard_normal(t.size)).astype(np.float32)


def encoded(y: np.ndarray, kind: str, *, rate: int = RATE, endian: str = "FILE") -> bytes:
    """A sound file's bytes; ``kind`` is a format and a subtype, such as ``WAV/PCM_16``."""
    name, _, subtype = kind.partition("/")
    buffer = io.BytesIO()
    soundfile.write(buffer, y, rate, format=name, subtype=subtype or None, endian=endian)
    return buffer.getvalue()


def patched(data: bytes, offset: int, layout: str, value: int) -> bytes:
    """The bytes with one packed number put in place."""
    packed = struct.pack(layout, value)
    return data[:offset] + packed + data[offset + len(packed) :]


def data_size(wav: bytes, value: int) -> bytes:
    """A WAV whose header claims another size of its data."""
    return patched(wav, wav.index(b"data") + 4, "<I", value)


def flac_frames(flac: bytes, value: int) -> bytes:
    """A FLAC whose STREAMINFO claims another number of frames (its last 36 bits before the MD5)."""
    (word,) = struct.unpack(">Q", flac[18:26])
    return patched(flac, 18, ">Q", (word >> 36 << 36) | value)


def _cut() -> dict[str, tuple[bytes, str | None]]:
    y = speech(1, 3)
    flac = encoded(y, "FLAC")
    flipped = bytearray(flac)
    flipped[len(flac) // 4] ^= 0x10
    opus = encoded(speech(1, 3, 48_000), "OGG/OPUS", rate=48_000)
    return {
        "cut.wav": (encoded(y, "WAV")[:-30_001], "truncated"),
        "cut_by_one_byte.wav": (encoded(speech(13), "WAV")[:-1], None),
        "cut_to_a_moment.wav": (encoded(y, "WAV")[:4_000], "truncated"),
        "cut_to_a_moment.aiff": (encoded(y, "AIFF")[:4_000], "truncated"),
        "cut_extensible.wav": (encoded(y, "WAVEX")[:-30_000], "truncated"),
        "cut_big_endian.wav": (encoded(y, "WAV", endian="BIG")[:-30_000], "truncated"),
        "cut_rf64.wav": (encoded(y, "RF64")[:-30_000], "truncated"),
        "cut.flac": (flac[: len(flac) // 2], "truncated"),
        "cut_to_the_header.flac": (flac[:100], "truncated"),
        "flipped.flac": (bytes(flipped), "unreadable"),
        "cut.mp3": ((mp3 := encoded(y, "MP3"))[: len(mp3) // 2], "truncated"),
        "cut.ogg": ((ogg := encoded(y, "OGG"))[: len(ogg) * 2 // 3], "truncated"),
        "cut_early.ogg": (ogg[: len(ogg) // 3], "truncated"),
        "cut_in_the_last_page.ogg": (ogg[:-10], "truncated"),
        "cut_opus.ogg": (opus[: len(opus) // 2], "truncated"),
    }


def _headers() -> dict[str, tuple[bytes, str | None]]:
    wav, flac = encoded(speech(2), "WAV"), encoded(speech(3), "FLAC")
    start = wav.index(b"data") + 8
    (word,) = struct.unpack(">Q", flac[18:26])  # the first 20 of these 64 bits are the rate
    return {
        "zero_bytes.wav": (b"", "unreadable"),
        "html.wav": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n", "unreadable"),
        "noise.wav": (np.random.default_rng(0).bytes(40_000), "unreadable"),
        "header_only.wav": (wav[:start], "empty"),
        "no_samples.wav": (encoded(np.zeros(0, np.float32), "WAV"), "empty"),
        "rate_0.wav": (patched(wav, 24, "<I", 0), "bad_rate"),
        "rate_1.wav": (patched(wav, 24, "<I", 1), "bad_rate"),
        "rate_0.flac": (patched(flac, 18, ">Q", word & (2**44 - 1)), "bad_rate"),
        "claims_4_gb.wav": (data_size(wav, 0xF0000000), "truncated"),
        "claims_2_36_frames.flac": (flac_frames(flac, 2**36 - 1), "too_large"),
        "claims_more.flac": (flac_frames(flac, 2 * RATE), "truncated"),
        "open_length.flac": (flac_frames(flac, 0), "unreadable"),
        "streamed.wav": (data_size(encoded(speech(4), "WAV"), 0xFFFFFFFF), None),
        "streamed_by_sox.wav": (data_size(encoded(speech(5), "WAV"), 0x7FFFF000), None),
        "bomb.flac": (encoded(np.zeros(2 * MAX_SAMPLES, np.int16), "FLAC"), "too_large"),
        "many_channels.wav": (
            encoded(np.zeros((2_000, 1_000), np.int16), "WAV", rate=4_000),
            "too_large",
        ),
    }


def _samples() -> dict[str, tuple[bytes, str | None]]:
    nan, inf = speech(6), speech(7)
    nan[100], inf[-1] = np.nan, np.inf
    twice = (speech(12) * 2**15).astype(np.int16)
    return {
        "nan.wav": (encoded(nan, "WAV/FLOAT"), "not_finite"),
        "inf.wav": (encoded(inf, "WAV/FLOAT"), "not_finite"),
        "silence.wav": (encoded(np.zeros(RATE, np.float32), "WAV"), "silent"),
        "direct_current.wav": (encoded(np.full(RATE, 0.5, np.float32), "WAV"), "silent"),
        "huge.wav": (encoded(speech(14) * 1e38, "WAV/FLOAT"), "unscaled"),
        "unscaled.wav": (encoded(speech(15) * 2**15, "WAV/FLOAT"), "unscaled"),
        "cancelled.wav": (encoded(np.outer(speech(8), [1, -1]), "WAV"), None),
        "offset.wav": (encoded(speech(9) + 0.5, "WAV"), None),
        "clipped.wav": (encoded(np.clip(speech(10) * 20, -1, 1), "WAV"), None),
        "shorter_than_a_frame.wav": (encoded(speech(11, 0.05), "WAV"), "too_short"),
        "hours.flac": (encoded(np.zeros(6 * 3_600 * 50, np.int16), "FLAC", rate=50), "bad_rate"),
        "twice_a.wav": (encoded(twice, "WAV"), None),
        "twice_b.flac": (encoded(twice, "FLAC"), "duplicate"),
        "twice_c.wav": (encoded(twice, "WAV"), "duplicate"),
    }


def _good() -> dict[str, tuple[bytes, str | None]]:
    files: dict[str, tuple[bytes, str | None]] = {
        "stereo.wav": (encoded(np.outer(speech(20), [1, 0.5]), "WAV"), None),
        "good.mp3": (encoded(speech(21), "MP3"), None),
        "good.ogg": (encoded(speech(22), "OGG"), None),
        "good_opus.ogg": (encoded(speech(23, 1, 48_000), "OGG/OPUS", rate=48_000), None),
        "good.flac": (encoded(speech(24), "FLAC"), None),
        "trailing_junk.wav": (encoded(speech(25), "WAV") + b"junk" * 9, None),
        "tagged.mp3": (b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + encoded(speech(26), "MP3"), None),
        "with space.wav": (encoded(speech(27), "WAV"), None),
        "ünï 日本.wav": (encoded(speech(28), "WAV"), None),
        "new\nline.wav": (encoded(speech(29), "WAV"), None),
        os.fsdecode(b"latin_\xe9.wav"): (encoded(speech(30), "WAV"), None),
    }
    for seed, rate in enumerate((8_000, 11_025, 44_100, 48_000, 96_000), start=31):
        files[f"rate_{rate}.wav"] = (encoded(speech(seed, 1, rate), "WAV", rate=rate), None)
    kinds = ("WAV/PCM_U8", "WAV/PCM_24", "WAV/PCM_32", "WAV/FLOAT", "WAV/DOUBLE", "WAV/ULAW")
    for seed, kind in enumerate((*kinds, "RF64/PCM_16", "WAVEX/PCM_24"), start=41):
        files[f"{kind.replace('/', '_').lower()}.wav"] = (encoded(speech(seed), kind), None)
    return files


def write_faults(folder: Path) -> dict[str, str | None]:
    """Write a file of each fault among good ones.

    Args:
        folder: where; it must exist.

    Returns:
        Each file's name with the reason it must be excluded for, None for a good one. The bounds
        of the default configuration hold, but for ``max_samples``, which is ``MAX_SAMPLES``.
    """
    files = _cut() | _headers() | _samples() | _good()
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return {name: reason for name, (_, reason) in files.items()}
