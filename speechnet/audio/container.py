"""Whether a sound file is as long as its header says.

libsndfile silently shortens cut files of most formats, so the header is compared here with the
bytes that follow. FLAC and MP3 files are checked as they are decoded.
"""

from __future__ import annotations

import io
import math
import os
import re
import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

# Bytes. A size so near 2^31 or 2^32 is a placeholder: writers that stream can't go back to fill in
# the true one, and leave the largest number, less a header, or rounded down to a block.
_PLACEHOLDER_SPAN: Final = 2**20
_NO_SIZE: Final = 2**32 - 1  # stands for a size that 32 bits can't hold (EBU Tech 3306)
# More than any recording has; a file of zeros after a header would consist of empty chunks.
_MOST_CHUNKS: Final = 1_000
# Bytes of the largest possible Ogg page: the last page begins at most this far from the end.
_OGG_TAIL: Final = 65_307
_OGG_HEADER: Final = 27  # bytes of a page's header before its segment table (RFC 3533, section 6)
_NIST_COUNT: Final = re.compile(rb"^(sample_count|channel_count|sample_n_bytes) -i (\d+)", re.M)


class _Seekable(Protocol):
    def read(self, size: int = ..., /) -> bytes | None: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...


class Ending(NamedTuple):
    """How the end of a file compares with its header."""

    missing: str | None = None  # in words; None for a whole file, or where the format can't tell
    share: float = math.inf  # the missing bytes relative to those that are there; infinite: unknown
    open_size: int | None = None  # the position of a four-byte size that is 0 though sound follows


class _Data(NamedTuple):
    """Where the samples begin, and how many bytes of them the header promises."""

    begin: int
    length: int


class _Chunks(NamedTuple):
    """The layout of a container of chunks."""

    name: str
    header: str  # the ``struct`` format of a chunk's name and size in bytes
    first: int  # where the first chunk begins
    data: bytes  # the name of the chunk of samples
    multiple: int = 2  # chunks begin at multiples of this many bytes
    inclusive: bool = False  # whether a chunk's size counts its header


_WAV: Final = _Chunks("WAV", "<4sI", 12, b"data")
_CONTAINERS: Final = {
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"RIFX": _WAV._replace(header=">4sI"),
    b"FORM": _Chunks("AIFF", ">4sI", 12, b"SSND"),
    b"caff": _Chunks("CAF", ">4sq", 8, b"data", multiple=1),
    b"riff": _Chunks("W64", "<4s12xQ", 40, b"data", multiple=8, inclusive=True),
}


def ending(file: _Seekable) -> Ending:
    """Compare a file's length with what its header says; the file's position is changed."""
    size = file.seek(0, os.SEEK_END)
    start = _at(file, 0, 12)
    if start[:4] == b"OggS":
        closed = _ogg_is_closed(file, size)
        return Ending(None if closed else "the last Ogg page does not end the stream")
    if layout := _CONTAINERS.get(start[:4]):
        name, data = layout.name, _data_chunk(file, layout, size)
    elif start[:4] == b".snd":
        name, data = "AU", _Data(*struct.unpack(">II", start[4:].ljust(8, b"\0")))
    elif start[:4] == b"NIST":
        name, data = "NIST", _nist_data(_at(file, 0, 1024))
    else:
        return Ending()
    # Without a byte of data the file is empty, not cut; libsndfile reports that.
    if data is None or data.begin >= size:
        return Ending()
    there = size - data.begin
    if data.length == 0 and name == "WAV" and not _are_chunks(file, data.begin, size):
        return Ending(open_size=data.begin - 4)
    lack = data.length - there
    placeholder = any(abs(data.length - 2**b) <= _PLACEHOLDER_SPAN for b in (31, 32, 63, 64))
    if lack <= 0 or placeholder:
        return Ending()
    return Ending(f"{lack} bytes fewer than its {name} header says", lack / there)


class Filled(io.FileIO):
    """A WAV whose data's size, at ``place``, is 0, read as if the true size stood there."""

    def __init__(self, file: io.FileIO, place: int) -> None:
        super().__init__(file.fileno(), closefd=False)
        length = self.seek(0, os.SEEK_END) - place - 4
        self._place, self._size = place, struct.pack("<I", min(length, _NO_SIZE))
        self.seek(0)

    def readinto(self, buffer: Any, /) -> int:
        """Read bytes; see ``io.FileIO``."""
        begin = self.tell()
        count = super().readinto(buffer) or 0
        for i, byte in enumerate(self._size, self._place - begin):
            if 0 <= i < count:
                buffer[i : i + 1] = bytes([byte])
        return count


def _at(file: _Seekable, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count) or b""


def _chunks(
    file: _Seekable, layout: _Chunks, position: int, size: int
) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and length of each chunk, without its header."""
    head = struct.calcsize(layout.header)
    for _ in range(_MOST_CHUNKS):
        if position + head > size:
            return
        name, length = struct.unpack(layout.header, _at(file, position, head).ljust(head, b"\0"))
        length = max(length - head, 0) if layout.inclusive else length
        yield name, position + head, length
        if length < 0:
            return
        position += head + length
        position += -position % layout.multiple


def _data_chunk(file: _Seekable, layout: _Chunks, size: int) -> _Data | None:
    long_length = 0
    for name, begin, length in _chunks(file, layout, layout.first, size):
        if name == b"ds64":
            # EBU Tech 3306: the 64-bit sizes of the whole file and of the data chunk.
            long_length = struct.unpack("<QQ", _at(file, begin, 16).ljust(16, b"\0"))[1]
        if name == layout.data:
            return _Data(begin, long_length if long_length and length == _NO_SIZE else length)
    return None


def _are_chunks(file: _Seekable, position: int, size: int) -> bool:
    """Whether nothing but chunks of a WAV follows, up to the end of the file."""
    end = position
    for name, begin, length in _chunks(file, _CONTAINERS[_at(file, 0, 4)], position, size):
        if not (name.isascii() and name.decode().isprintable()):
            return False
        end = begin + length
    return position < end <= size <= end + end % _WAV.multiple


def _nist_data(header: bytes) -> _Data | None:
    """The samples of a SPHERE file, whose header is lines of ``name -type value``."""
    found = {name: int(number) for name, number in _NIST_COUNT.findall(header)}
    if b"sample_count" not in found or not header[8:16].strip().isdigit():
        return None
    factors = (found.get(name, 1) for name in (b"channel_count", b"sample_n_bytes"))
    return _Data(int(header[8:16]), found[b"sample_count"] * math.prod(factors))


def _ogg_is_closed(file: _Seekable, size: int) -> bool:
    """Whether the last page is whole and has the end-of-stream flag (header type 0x04)."""
    tail = _at(file, max(0, size - _OGG_TAIL), _OGG_TAIL)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _OGG_HEADER or not page[5] & 0x04:
        return False
    segments = page[_OGG_HEADER : _OGG_HEADER + page[26]]
    return len(segments) == page[26] and len(page) >= _OGG_HEADER + len(segments) + sum(segments)
