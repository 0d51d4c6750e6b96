"""Files as people really have them: each is read rightly, or refused for what it is."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import faults

from speechnet.audio.config import AudioConfig
from speechnet.audio.container import ending
from speechnet.audio.decode import load, probe
from speechnet.audio.prepare import check_size
from speechnet.audio.stderr_filter import QUIET
from speechnet.audio.unsupported import what_it_is
from speechnet.core.errors import Excluded

pytestmark = pytest.mark.slow

RATE = 16_000


def streamed(data: int, riff: int = 0, *, behind: bytes = b"") -> bytes:
    """A 16-bit WAV of half a second whose header has these sizes."""
    pcm = (faults.speech(0, 0.5, RATE) * 2**15).astype("<i2").tobytes()
    head = struct.pack("<4sI8sIHHIIHH", b"RIFF", riff, b"WAVEfmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return head + b"data" + struct.pack("<I", data) + pcm + behind


def outcome(path: Path, config: AudioConfig | None = None) -> str:
    """Why a file is excluded, with its detail; empty for one that is used."""
    try:
        load(path, config or AudioConfig())
    except Excluded as why:
        return str(why)
    return ""


@pytest.mark.parametrize("size", [0, 2**31 - 256, 2**31 - 37, 2**31 + 36, 2**32 - 101, 2**32 - 1])
@pytest.mark.parametrize("riff", [0, 8, 36, 16_036, 2**32 - 1])
def test_a_size_that_can_not_be_means_to_the_end(tmp_path: Path, size: int, riff: int) -> None:
    """The samples are those of the same WAV with its true size."""
    (path := tmp_path / "x.wav").write_bytes(streamed(size, riff))
    (true := tmp_path / "true.wav").write_bytes(streamed(16_000, 16_036))
    np.testing.assert_array_equal(load(path, AudioConfig()).y, load(true, AudioConfig()).y)


def test_a_size_of_0_before_other_chunks_is_true(tmp_path: Path) -> None:
    """A WAV without samples but with a title is empty; random samples are no chunks."""
    chunk = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + bytes(14)
    (path := tmp_path / "x.wav").write_bytes(streamed(0)[:44] + chunk)
    assert outcome(path).startswith("empty")


@pytest.mark.parametrize(("missing", "reason"), [(1, ""), (16, ""), (318, ""), (322, "truncated")])
@pytest.mark.parametrize("kind", ["WAV", "WAV/FLOAT", "AIFF", "AU", "W64"])
def test_less_than_10_ms_may_be_missing(
    tmp_path: Path, missing: int, reason: str, kind: str
) -> None:
    """10 ms are 320 bytes of 16 bits at 16 kHz, twice that as floats."""
    data = faults.encoded(faults.speech(0, 0.5, RATE), kind, rate=RATE)
    cut = missing * (2 if kind == "WAV/FLOAT" else 1)
    if kind == "AIFF":
        data = data[: data.index(b"PEAK")] if b"PEAK" in data else data
    (path := tmp_path / "x").write_bytes(data[:-cut])
    assert outcome(path).partition(":")[0] == reason


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF", "AU", "CAF", "W64", "NIST", "FLAC", "OGG"])
def test_what_was_cut_is_not_too_short(tmp_path: Path, kind: str) -> None:
    """However little is left: too short is the experiment's choice, cut is a fault."""
    data = faults.encoded(faults.speech(0, 3), kind)
    path = tmp_path / "x"
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        assert outcome(path).partition(":")[0] == "truncated", share


@pytest.mark.parametrize(
    ("beginning", "name", "remedy"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS", "git lfs pull"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "web page", "download"),
        (b'{"error": "quota"}\n', "text", "download"),
        (bytes.fromhex("1a45dfa39f428681") + bytes(99), "WebM", "ffmpeg -i"),
        (b"\0\0\0\x18ftypM4A \0\0\2\0" + bytes(99), "M4A", "ffmpeg -i"),
        (b"\0\0\0\x18ftypisom\0\0\2\0" + bytes(99), "MP4", "ffmpeg -i"),
        (b"\0\0\0\x18ftyp3gp4\0\0\2\0" + bytes(99), "3GP", "ffmpeg -i"),
        (b"#!AMR\n" + b"\x3c" * 99, "AMR", "ffmpeg -i"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(99), "WMA", "ffmpeg -i"),
        (bytes.fromhex("fff15080001ffc") + bytes(99), "AAC", "ffmpeg -i"),
        (b"OggS\0\2" + bytes(20) + b"\1\x50Speex   1.2" + bytes(99), "Speex", "ffmpeg -i"),
        (b"PK\3\4" + bytes(99), "ZIP", "unpack"),
        (bytes(4_096), "zeros", "copy"),
    ],
)
def test_what_is_something_else_is_named(
    tmp_path: Path, beginning: bytes, name: str, remedy: str
) -> None:
    """Under any ending, with what to do."""
    for ending_ in ("wav", "mp3"):
        (path := tmp_path / f"x.{ending_}").write_bytes(beginning)
        found = outcome(path)
        assert found.startswith(("unreadable: this is", "truncated"))
        assert name in (what_it_is(beginning) or "")
        assert remedy in (what_it_is(beginning) or "")


def test_sound_is_nothing_else() -> None:
    """No format that can be decoded is taken for one that can't."""
    kinds = ["WAV", "WAV/ULAW", "WAVEX", "RF64", "FLAC", "OGG", "OGG/OPUS", "MP3", "AIFF", "AU"]
    for kind in kinds:
        rate = 48_000 if kind == "OGG/OPUS" else RATE
        data = faults.encoded(faults.speech(0, 0.5, rate), kind, rate=rate)
        assert what_it_is(data[:1_024]) is None, kind


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_numbers_that_are_not_scaled(tmp_path: Path, bits: int) -> None:
    """Integers as floats, resampled or not, loud or soft; the remedy is the right divisor."""
    path = tmp_path / "x.wav"
    scale = 2 ** (bits - 1)
    y = faults.speech(0) / 0.25
    for samples in (y * 0.7 * scale, np.round(y * 0.7 * scale), np.round(y * 2**4)):
        soundfile.write(path, samples, faults.RATE, subtype="FLOAT")
        assert outcome(path).startswith("unscaled")
    soundfile.write(path, y * 0.7 * scale, faults.RATE, subtype="FLOAT")
    assert f"divide them by {scale}" in outcome(path)
    soundfile.write(path, y * 1e38, faults.RATE, subtype="FLOAT")
    assert "divide" not in outcome(path)


@pytest.mark.parametrize("gain_db", [3, 12, 24])
def test_floats_may_exceed_full_scale(tmp_path: Path, gain_db: float) -> None:
    """What a float recorder or a mix leaves, unchanged."""
    path = tmp_path / "x.wav"
    y = faults.speech(0)
    y *= np.float32(10 ** (gain_db / 20)) / np.abs(y).max()
    soundfile.write(path, y, faults.RATE, subtype="FLOAT")
    np.testing.assert_array_equal(load(path, AudioConfig(remove_dc=False)).y, y)


@pytest.mark.parametrize("second", [-1.1, -0.9])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_channels_that_cancel(tmp_path: Path, second: float, offset: float) -> None:
    """The louder one is taken, and said; whatever their offset."""
    path = tmp_path / "x.wav"
    y = faults.speech(0)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(y))
    soundfile.write(path, np.stack([y, second * y + noise], 1) + offset, 22_050, subtype="FLOAT")
    clip = load(path, AudioConfig())
    louder = y if second > -1 else second * y + noise
    assert clip.statistics.channel_taken == (0 if second > -1 else 1)
    assert clip.statistics.notes() == ("channels_cancel",)
    np.testing.assert_allclose(clip.y, louder - louder.mean(), atol=1e-6)
    assert load(path, AudioConfig(mono="left")).statistics.channel_taken == -1
    one = load(path, AudioConfig(), channel=1)
    assert (one.statistics.channels, one.statistics.notes()) == (1, ())


@pytest.mark.parametrize("other", ["same", "softer", "silent", "unrelated", "noise"])
def test_channels_that_do_not_cancel_are_mixed(tmp_path: Path, other: str) -> None:
    """What a mean has always been."""
    path = tmp_path / "x.wav"
    y = faults.speech(0)
    rng = np.random.default_rng(0)
    seconds = {"same": y, "softer": -0.3 * y, "silent": 0 * y, "unrelated": faults.speech(3)}
    z = seconds.get(other, 0.1 * rng.standard_normal(len(y)))
    soundfile.write(path, np.stack([y, z], 1), 22_050, subtype="FLOAT")
    clip = load(path, AudioConfig(remove_dc=False))
    assert clip.statistics.channel_taken == -1
    np.testing.assert_allclose(clip.y, (y + z) / 2, atol=1e-7)


def test_two_ends_of_a_call(tmp_path: Path, ravdess: Path) -> None:
    """In turns or at once they differ; one voice by two microphones, or beside noise, doesn't."""
    a, b = (soundfile.read(path)[0] for path in sorted(ravdess.rglob("*.flac"))[5:800:500])
    a, b = (y if y.ndim == 1 else y[:, 0] for y in (a, b))
    n = min(len(a), len(b))
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, len(a)))
    pause = [np.zeros(len(b)), np.zeros(len(a))]
    pairs = {
        "turns": (np.concatenate([a, pause[0]]), np.concatenate([pause[1], b])),
        "at once": (a[:n], b[:n]),
        "later": (a, np.concatenate([np.zeros(240), 0.3 * a[:-240]])),
        "noisy": (a + noise[0], 0.5 * a + noise[1]),
        "noise": (a, 5 * noise[1]),
        "silent": (a, 0 * a),
    }
    found = {}
    for name, (left, right) in pairs.items():
        soundfile.write(tmp_path / "x.wav", np.stack([left, right], axis=1), 48_000)
        found[name] = load(tmp_path / "x.wav", AudioConfig()).statistics.notes()
    differ = ("channels_differ",)
    assert found == dict.fromkeys(pairs, ()) | {"turns": differ, "at once": differ}


def test_what_resampling_makes_of_it_is_bounded(tmp_path: Path) -> None:
    """By the header, before anything is decoded."""
    config = AudioConfig(max_samples=100_000, max_duration=None)
    check_size(18_000, 1, rate=4_000, config=config)  # 99,225 at 22,050 Hz
    with pytest.raises(Excluded, match="too_large: 110250 samples once it has 22050 Hz"):
        check_size(20_000, 1, rate=4_000, config=config)
    path = tmp_path / "x.flac"
    soundfile.write(path, np.zeros(20_000), 4_000)
    for refuse in (lambda: load(path, config), lambda: probe(path, config, whole=True)):
        with pytest.raises(Excluded, match="too_large"):
            refuse()
    probe(path, config, whole=False)


@pytest.mark.skipif(sys.platform != "linux", reason="of the GNU C library alone")
def test_libmpg123_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a damaged MP3, decoded by several threads; what others write meanwhile is not lost."""
    data = bytearray(faults.encoded(faults.speech(0, 2), "MP3"))
    rng = np.random.default_rng(0)
    data[400:] = [b if rng.random() > 0.01 else int(rng.integers(256)) for b in data[400:]]
    (path := tmp_path / "x.mp3").write_bytes(data)
    soundfile.read(path)
    assert "libmpg123" in capfd.readouterr().err
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(outcome, [path] * 8))
    with QUIET, QUIET:
        os.write(2, b"written")
    assert capfd.readouterr().err == "written"
    soundfile.read(path)
    assert "libmpg123" in capfd.readouterr().err


def test_a_header_of_zeros_is_not_walked_through() -> None:
    """A sparse file behind a WAV's first bytes has a trillion empty chunks."""

    class Sparse:
        read_bytes = 0

        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.at = 2**43 if whence == os.SEEK_END else offset
            return self.at

        def read(self, size: int = -1, /) -> bytes:
            self.read_bytes += size
            return b"RIFF\0\0\0\0WAVE"[:size] if self.at == 0 else bytes(size)

    file = Sparse()
    assert ending(file).missing is None
    assert file.read_bytes < 100_000
    assert ending(io.BytesIO(b"RIFF\0\0\0\0WAVE")) == ending(io.BytesIO(b""))


def test_wavlen(case: Callable[[str], Path]) -> None:
    """Each gives the whole sound."""
    folder = case("wavlen")
    true = load(folder / "a_true.wav", AudioConfig()).y
    for path in folder.iterdir():
        np.testing.assert_array_equal(load(path, AudioConfig()).y, true, err_msg=path.name)


def test_audiofiles(case: Callable[[str], Path]) -> None:
    """The lossless ones are one sound, the others are near it or named."""
    folder = case("audiofiles")
    whys = {path.name: outcome(path).partition(":")[0] for path in sorted(folder.glob("*.*"))}
    refused = {name: why for name, why in whys.items() if why}
    foreign = ["html.wav", "lfs.wav", "m4a_named.mp3", "m4a_named.wav", "raw.wav", "voice.amr"]
    foreign += ["voice.m4a", "webm_named.wav"]
    assert refused == dict.fromkeys(foreign, "unreadable") | {"off_by_1s.wav": "truncated"}
    for name in set(foreign) - {"raw.wav"}:
        assert "this is" in outcome(folder / name)
    true = load(folder / "orig.wav", AudioConfig()).y
    lossy = ("id3_head", "mp3", "note", "vorbis", "ima", "msadpcm", "ulaw", "u8", "left_only")
    for path in sorted(folder.iterdir()):
        if path.name in refused:
            continue
        clip = load(path, AudioConfig())
        if not path.name.startswith(lossy):
            sign = np.sign(clip.y @ true)  # of the loudest of two that cancel
            np.testing.assert_allclose(sign * clip.y, true, atol=4e-3, err_msg=path.name)
        assert (clip.statistics.channel_taken >= 0) == path.name.startswith("anti")


def test_voicenotes(case: Callable[[str], Path]) -> None:
    """Voice messages are read, the telephone's own format is named."""
    for path in sorted(case("voicenotes").rglob("*.*")):
        assert ("ffmpeg -i" in outcome(path)) == (path.suffix == ".m4a"), path.name


def test_call(case: Callable[[str], Path]) -> None:
    """Two ends are noticed; a channel is what was recorded of that end."""
    folder = case("call")
    for name, notes in {"call_stereo": ("channels_differ",), "agent": ()}.items():
        assert load(folder / f"{name}.wav", AudioConfig()).statistics.notes() == notes
    assert load(folder / "talking_over.wav", AudioConfig()).statistics.notes() == (
        "channels_differ",
    )
    config = AudioConfig(sample_rate=8_000, remove_dc=False)
    agent = load(folder / "agent.wav", config).y
    first = load(folder / "call_stereo.wav", config, channel=0).y
    np.testing.assert_array_equal(first[: len(agent)], agent)
    with pytest.raises(Excluded, match="there is no channel 2, only 2"):
        load(folder / "call_stereo.wav", config, channel=2)
