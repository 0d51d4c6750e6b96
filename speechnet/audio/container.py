"""Whether a sound file is as long as it says, read from its own bytes.

libsndfile shortens a cut WAV or Ogg file without a word, so its header is compared with its size
here. FLAC and MP3 files are checked as they are decoded.
"""

from __future__ import annotations

import os
import struct
from typing import Final, Protocol

_BYTE_ORDER: Final = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}

_UNKNOWN_LENGTH: Final = frozenset({0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF})
"""What FFmpeg, SoX, arecord and others leave as the size of a WAV's data when they write to a pipe,
for they can't go back to fill in the true one."""

_OGG_TAIL: Final = 65_307
"""The largest possible Ogg page in bytes: the last page begins within so many of the end."""

_OGG_HEADER: Final = 27
"""Bytes of a page's header before its segment table (RFC 3533, section 6)."""


class _Seekable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...


def what_is_missing(file: _Seekable) -> str | None:
    """What the end of a WAV or Ogg file lacks.

    Args:
        file: open for reading bytes; its position is changed.

    Returns:
        What is missing, in words; None for a whole file, and where the format can't tell.
    """
    file.seek(0)
    start = file.read(12)
    if start[:4] in _BYTE_ORDER and start[8:] == b"WAVE":
        missing = _missing_wav_bytes(file, _BYTE_ORDER[start[:4]])
        return f"{missing} bytes short of what the WAV header says" if missing > 0 else None
    if start[:4] == b"OggS" and not _ogg_is_closed(file):
        return "the last Ogg page does not end the stream"
    return None


def _missing_wav_bytes(file: _Seekable, order: str) -> int:
    """How many bytes the ``data`` chunk lacks; 0 where the header can't tell.

    Without a single byte of data nothing was cut: the file is empty, which libsndfile sees.
    """
    size = file.seek(0, os.SEEK_END)
    position = 12  # "RIFF", a size, "WAVE"
    long_length = 0
    while position + 8 < size:
        file.seek(position)
        name, length = struct.unpack(order + "4sI", file.read(8))
        if name == b"ds64":
            # EBU Tech 3306: the 64-bit sizes of the whole file and of the data chunk.
            _, long_length = struct.unpack(order + "QQ", file.read(16).ljust(16, b"\0"))
        if name == b"data":
            unknown = length in _UNKNOWN_LENGTH
            return max(0, position + 8 + (long_length if unknown else length) - size)
        position += 8 + length + length % 2  # chunks are padded to an even length
    return 0


def _ogg_is_closed(file: _Seekable) -> bool:
    """Whether the last page is whole and has the end-of-stream flag (header type 0x04)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _OGG_TAIL))
    tail = file.read(_OGG_TAIL)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_HEADER or not page[5] & 0x04:
        return False
    segments = page[_OGG_HEADER : _OGG_HEADER + page[26]]
    return len(segments) == page[26] and len(page) >= _OGG_HEADER + len(segments) + sum(segments)
