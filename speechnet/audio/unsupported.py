"""Name files that libsndfile can't decode by their first bytes, and say what to do about them."""

from __future__ import annotations

import string
from typing import Final, Literal

_CONVERT: Final = "convert it: ffmpeg -i FILE FILE.wav"
_UNPACK: Final = "unpack it first"
_AGAIN: Final = "download it again"
_LEAVE: Final = "leave it out"

# By a file's first bytes: what it is, and what to do.
_BEGINNINGS: Final[dict[bytes, tuple[str, str]]] = {
    b"version https://git-lfs.github.com/": (
        "a Git LFS pointer, not the recording itself",
        "git lfs pull",
    ),
    b"MThd": ("MIDI, which is notes and no sound", _LEAVE),
    b"PK\x03\x04": ("a ZIP archive", _UNPACK),
    b"\x1f\x8b": ("a gzip archive", _UNPACK),
    b"7z\xbc\xaf": ("a 7-Zip archive", _UNPACK),
    b"Rar!": ("a RAR archive", _UNPACK),
    b"%PDF": ("a PDF", _LEAVE),
    b"\x89PNG": ("a picture", _LEAVE),
    b"\xff\xd8\xff": ("a picture", _LEAVE),
    b"\0\5\x16\7": ("what macOS keeps beside a file (AppleDouble)", _LEAVE),
}
_SOUNDS: Final = {
    b"\x1aE\xdf\xa3": "WebM or Matroska",
    b"#!AMR": "AMR",
    b"0&\xb2u\x8ef\xcf\x11": "WMA (ASF)",
    b"ADIF": "AAC",
    b"FLV\x01": "Flash video",
    b"\x00\x00\x01\xba": "MPEG video",
    b".RMF": "RealAudio",
    b".ra\xfd": "RealAudio",
    b"MAC ": "Monkey's Audio",
    b"wvpk": "WavPack",
    b"TTA1": "True Audio",
    b"ajkg": "Shorten",
    b"#!SILK": "SILK",
    b"\x02#!SILK": "SILK",
}
# Names by the major brand of an ISO base media file (ISO/IEC 14496-12, ``ftyp``).
_BOXES: Final = {b"M4A ": "M4A (AAC in MP4)", b"M4B ": "M4A (AAC in MP4)", b"qt  ": "QuickTime"}

# WAV codecs (``wFormatTag``) that libsndfile decodes, or tries to.
_DECODED: Final = frozenset({0x01, 0x02, 0x03, 0x06, 0x07, 0x11, 0x14, 0x31, 0x55, 0x64, 0xFFFE})
_ORDER: Final[dict[bytes, Literal["little", "big"]]] = {b"RIFF": "little", b"RIFX": "big"}
_PLAIN: Final = frozenset(string.printable.encode())

LOOKED_AT: Final = 1024
"""Bytes of a file's beginning that ``what_it_is`` wants."""


def what_it_is(beginning: bytes) -> str | None:
    """What a file is that libsndfile can't decode, and what to do, in words; None if unknown."""
    found = _known(beginning)
    return None if found is None else "this is {}: {}".format(*found)


def _known(beginning: bytes) -> tuple[str, str] | None:
    for magic, found in _BEGINNINGS.items():
        if beginning.startswith(magic):
            return found
    for magic, name in _SOUNDS.items():
        if beginning.startswith(magic):
            return name, _CONVERT
    if beginning[4:8] == b"ftyp":
        brand = beginning[8:12]
        name = "3GP" if brand.startswith(b"3g") else _BOXES.get(brand, "MP4")
        return name, _CONVERT
    if beginning[:4] == b"RIFF" and beginning[8:11] == b"AVI":
        return "AVI video", _CONVERT
    if beginning[:4] in {b"RIFF", b"RIFX"} and (tag := _wav_codec(beginning)) not in _DECODED:
        return f"WAV with the codec 0x{tag:04x}", _CONVERT
    if beginning[:4] == b"OggS" and beginning[28:33] in {b"Speex", b"\x80theo"}:
        return "Ogg with Speex or a video", _CONVERT
    # ADTS: twelve bits of sync, and a layer of 0, which no MP3 has (ISO/IEC 13818-7, 6.2).
    if beginning[:1] == b"\xff" and len(beginning) > 1 and beginning[1] & 0xF6 == 0xF0:
        return "AAC", _CONVERT
    return _text(beginning)


def _wav_codec(beginning: bytes) -> int:
    """The codec's tag; 1 (PCM) where there is none."""
    place = beginning.find(b"fmt ") + 8
    if place < 8 or len(beginning) < place + 2:
        return 1
    return int.from_bytes(beginning[place : place + 2], _ORDER[beginning[:4]])


def _text(beginning: bytes) -> tuple[str, str] | None:
    if not beginning.strip(b"\0"):
        return "nothing but zeros, at least to begin with", f"{_AGAIN}, or copy it again"
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page (HTML), such as an error or a sign-in", _AGAIN
    if all(byte in _PLAIN for byte in beginning):
        return "text", f"{_AGAIN}, or leave it out"
    return None
