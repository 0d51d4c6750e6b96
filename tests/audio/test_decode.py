"""Decoding against librosa's own loader; every fault against the reason it must be given."""

import errno
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from itertools import product
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from helpers import faults
from hypothesis import given, settings
from hypothesis import strategies as st

from speechnet.audio.config import AudioConfig
from speechnet.audio.container import ending
from speechnet.audio.decode import header, load
from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.targets import GENDERS
from speechnet.core.types import REASONS
from speechnet.corpus.synthetic.synthesis import synthesise

# audioread, which librosa.load imports, stands on modules that Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")

CHUNKED = ("WAV", "WAVEX", "RF64", "AIFF", "AU", "CAF", "W64", "NIST")
"""Formats that libsndfile shortens to what is there, or calls malformed."""

AS_LIBROSA = AudioConfig(remove_dc=False, min_duration=0)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 37_800, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_clip_is_what_librosa_loads(tmp_path: Path, rate: int, channels: int) -> None:
    """Mixed, resampled, to the last bit and of the same length."""
    path = tmp_path / "x.wav"
    # 37.8 kHz and 2,808 samples: rounding the ratio first gives a sample more.
    y = np.random.default_rng(rate).uniform(-0.5, 0.5, (108 * 26 * 4, channels))
    soundfile.write(path, y, rate, subtype="PCM_24")
    clip = load(path, AS_LIBROSA)
    expected, sr = librosa.load(path)
    assert clip.sr == sr
    assert clip.y.dtype == np.float32
    np.testing.assert_array_equal(clip.y, expected)


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "WAV/PCM_U8", "WAV/DOUBLE", "WAV/ULAW"])
def test_every_encoding_is_what_librosa_loads(tmp_path: Path, kind: str) -> None:
    """Decoded from a file descriptor, whatever the ending says."""
    path = tmp_path / "x.wav"
    path.write_bytes(faults.encoded(faults.speech(0), kind))
    np.testing.assert_array_equal(load(path, AS_LIBROSA).y, librosa.load(path)[0])


def test_silence_around_is_trimmed_as_librosa_does(tmp_path: Path) -> None:
    """``trim_db`` is ``librosa.effects.trim``'s ``top_db``; what is left is measured again."""
    path = tmp_path / "x.wav"
    y = np.concatenate([np.zeros(9_000), faults.speech(0), np.zeros(7_000)]).astype(np.float32)
    soundfile.write(path, y, 22_050)
    clip = load(path, AudioConfig(remove_dc=False, trim_db=30))
    expected = librosa.effects.trim(librosa.load(path)[0], top_db=30)[0]
    np.testing.assert_array_equal(clip.y, expected)
    assert len(clip.y) < len(y) - 10_000
    with pytest.raises(Excluded, match=r"too_short: 1\.0\d\d s, at least 1\.5 expected"):
        load(path, AudioConfig(trim_db=30, min_duration=1.5))


@pytest.mark.parametrize(("policy", "expected"), [("left", 0), ("right", 1)])
def test_one_channel_can_be_chosen(tmp_path: Path, policy: str, expected: int) -> None:
    """Left and right are the first two channels; a mono file has only the one."""
    path = tmp_path / "x.wav"
    y = np.stack([faults.speech(0), faults.speech(1)], axis=1)
    soundfile.write(path, y, 22_050, subtype="FLOAT")
    config = AudioConfig(mono=policy, remove_dc=False)
    np.testing.assert_array_equal(load(path, config).y, y[:, expected])
    soundfile.write(path, y[:, 0], 22_050, subtype="FLOAT")
    np.testing.assert_array_equal(load(path, config).y, y[:, 0])


def test_the_offset_is_measured_and_removed(tmp_path: Path) -> None:
    """The statistics keep the offset that the samples lose; the crossings of zero come back."""
    path = tmp_path / "x.wav"
    y = faults.speech(0)
    soundfile.write(path, y + 0.5, 22_050, subtype="FLOAT")
    clip = load(path, AudioConfig())
    assert clip.statistics.dc == pytest.approx(0.5 + y.mean(dtype=np.float64), abs=1e-6)
    np.testing.assert_allclose(clip.y, y - y.mean(), atol=1e-6)
    kept = load(path, AudioConfig(remove_dc=False)).y
    assert librosa.zero_crossings(kept).sum() < librosa.zero_crossings(clip.y).sum()


def test_statistics_are_those_of_the_file(tmp_path: Path) -> None:
    """Rate, channels, peak, clipping and duration before anything is changed; plain for JSON."""
    path = tmp_path / "x.wav"
    y = np.outer(np.clip(faults.speech(0, 1, 8_000), -0.5, 0.5), [1, 1])
    y[:200] = [1, -1]
    soundfile.write(path, y, 8_000, subtype="FLOAT")
    statistics = load(path, AudioConfig()).statistics
    assert (statistics.duration, statistics.sample_rate, statistics.channels, statistics.peak) == (
        1.0,
        8_000,
        2,
        1.0,
    )
    assert statistics.clipped == pytest.approx(200 / 8_000)
    assert SignalStatistics(**json.loads(json.dumps(asdict(statistics)))) == statistics


def _synthetic_voices(rate: int) -> list[np.ndarray]:
    return [
        synthesise(gender=gender, emotion=emotion, sentence=n, speaker=n, sample_rate=rate)
        for n, (gender, emotion) in enumerate(product(GENDERS, ("angry", "sad")), start=1)
    ]


def _spoken_power(y: np.ndarray, rate: int) -> float:
    """Mean power of the frames within 30 dB of the loudest."""
    length = rate // 50
    power = np.square(y[: len(y) // length * length].reshape(-1, length)).mean(axis=1)
    return float(power[power > power.max() / 1_000].mean())


@pytest.mark.parametrize(("rate", "gain"), [(22_050, 1.0), (8_000, 0.1)])
def test_noise_is_estimated_within_a_few_db(tmp_path: Path, rate: int, gain: float) -> None:
    """Speech in white noise of a known level: near it from 0 to 20 dB, and ever less."""
    path = tmp_path / "x.wav"
    rng = np.random.default_rng(0)
    for y in _synthetic_voices(rate):
        noise = rng.standard_normal(len(y)) * np.sqrt(_spoken_power(y, rate))
        estimates = []
        for snr in (20, 15, 10, 5, 0):
            noisy = gain * 0.5 * (y + noise * 10 ** (-snr / 20)) + 0.02
            soundfile.write(path, noisy, rate, subtype="FLOAT")
            estimates.append(load(path, AudioConfig()).statistics.snr)
        np.testing.assert_allclose(estimates, [20, 15, 10, 5, 0], atol=4.5)
        np.testing.assert_allclose(estimates[:3], [20, 15, 10], atol=2.5)
        assert estimates == sorted(estimates, reverse=True)


def test_noise_alone_has_no_signal(tmp_path: Path) -> None:
    """0 dB, also where digital silence around it could be taken for a lack of noise."""
    path = tmp_path / "x.wav"
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal(22_050)
    soundfile.write(path, noise, 22_050)
    assert load(path, AudioConfig()).statistics.snr == 0
    padded = np.concatenate([np.zeros(22_050), noise, np.zeros(22_050)])
    soundfile.write(path, padded, 22_050)
    statistics = load(path, AudioConfig()).statistics
    assert statistics.snr == 0
    assert statistics.silence == pytest.approx(2 / 3, abs=0.02)
    soundfile.write(path, 0.25 + np.outer(noise, [1, -1]), 22_050)
    statistics = load(path, AudioConfig(mono="left")).statistics
    assert (statistics.silence, statistics.snr) == (
        0,
        0,
    )  # what cancels in the mean sounds all the same


def test_the_digest_is_of_the_samples(tmp_path: Path) -> None:
    """The same samples in another container have the same digest; one bit of one sample tells."""
    y = (faults.speech(0) * 32_767).astype(np.int16)
    other = y.copy()
    other[500] ^= 1
    digests = []
    for i, (samples, kind) in enumerate([(y, "WAV"), (y, "FLAC"), (other, "WAV")]):
        path = tmp_path / f"{i}.wav"
        path.write_bytes(faults.encoded(samples, f"{kind}/PCM_16"))
        digests.append(load(path, AudioConfig()).statistics.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_part_is_what_was_cut_from_the_whole(tmp_path: Path, kind: str) -> None:
    """From ``start`` to ``end``; NaN is the beginning or the end."""
    path = tmp_path / "x.wav"
    path.write_bytes(faults.encoded(faults.speech(0, 3), kind))
    whole = soundfile.read(path, dtype="float32")[0]
    for start, end in [(1.0, 1.5), (math.nan, 0.5), (2.25, math.nan)]:
        part = load(path, AS_LIBROSA, start=start, end=end)
        first = 0 if math.isnan(start) else round(start * 22_050)
        last = len(whole) if math.isnan(end) else round(end * 22_050)
        # Seeking in an MP3 rounds otherwise than decoding straight through.
        np.testing.assert_allclose(part.y, whole[first:last], atol=1e-6 if kind == "MP3" else 0)


def test_a_part_must_lie_in_the_recording(tmp_path: Path) -> None:
    """Beyond the end is said; an end rounded up in a table is forgiven."""
    path = tmp_path / "x.wav"
    soundfile.write(path, faults.speech(0, 1.996), 22_050)
    assert len(load(path, AudioConfig(), start=1, end=2.0).y) == round(0.996 * 22_050)
    with pytest.raises(Excluded, match=r"truncated: the part is 1 to 2\.1 s.*ends at 1\.99"):
        load(path, AudioConfig(), start=1, end=2.1)
    with pytest.raises(Excluded, match="truncated: the part is 5 to"):
        load(path, AudioConfig(), start=5)


def test_a_sound_part_of_a_cut_file_is_read(tmp_path: Path) -> None:
    """What lies before the cut is whole; the rest isn't."""
    path = tmp_path / "x.wav"
    path.write_bytes(faults.encoded(faults.speech(0, 3), "WAV")[:-20_000])
    assert len(load(path, AudioConfig(), start=0, end=1).y) == 22_050
    with pytest.raises(Excluded, match=r"truncated: 0\.454 s: 20000 bytes fewer"):
        load(path, AudioConfig(), start=1)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str | None]]:
    folder = tmp_path_factory.mktemp("faults")
    return folder, faults.write_faults(folder)


def test_every_fault_has_its_reason(faulty: tuple[Path, dict[str, str | None]]) -> None:
    """Decoding alone finds all but duplicates; what is sound is read."""
    folder, expected = faulty
    found: dict[str, str | None] = {}
    details: list[str] = []
    for name in expected:
        try:
            clip = load(
                folder / name, AudioConfig(max_samples=faults.MAX_SAMPLES, max_duration=None)
            )
        except Excluded as why:
            found[name] = why.reason
            details.append(why.detail)
        else:
            found[name] = None
            assert np.isfinite(clip.y).all()
    assert all(detail.strip() and "\n" not in detail for detail in details)
    alone = {name: None if why == "duplicate" else why for name, why in expected.items()}
    assert found == alone
    assert set(alone.values()) - {None} <= set(REASONS)


def test_claims_are_refused_before_memory_is_asked_for(
    faulty: tuple[Path, dict[str, str | None]],
) -> None:
    """With 2 GB of address space to grow in, no header makes the process ask for more."""
    folder, expected = faulty
    names = [name for name in expected if "claims" in name or "bomb" in name or "many" in name]
    code = f"""
import resource
from pathlib import Path
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.errors import Excluded
used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
config = AudioConfig(max_samples={faults.MAX_SAMPLES}, max_duration=None)
for name in {names!r}:
    try:
        load(Path({str(folder)!r}) / name, config)
    except Excluded as why:
        print(why.reason)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected[name] for name in names]


def test_an_mp3_without_a_length_is_not_called_cut(tmp_path: Path) -> None:
    """Without the Info frame its length is an estimate, a little too long for a whole file."""
    path = tmp_path / "x.mp3"
    with soundfile.SoundFile(
        path,
        "w",
        22_050,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=0.5,
    ) as sound:
        sound.write(faults.speech(0, 6))
    data = path.read_bytes()
    first = data.index(data[:2], 4)  # the second frame's header
    path.write_bytes(data[first:])
    with soundfile.SoundFile(path) as sound:
        assert sound.frames > len(sound.read())
    assert len(load(path, AudioConfig()).y) > 5.9 * 22_050


def test_files_that_are_none(tmp_path: Path) -> None:
    """Not there, a folder, a link in a circle: each says which."""
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    with pytest.raises(Excluded, match="missing: there is no such file"):
        load(tmp_path / "gone.wav", AudioConfig())
    with pytest.raises(Excluded, match=f"unreadable: {os.strerror(errno.EISDIR)}"):
        load(tmp_path / "folder.wav", AudioConfig())
    with pytest.raises(Excluded, match=f"unreadable: {os.strerror(errno.ELOOP)}"):
        load(tmp_path / "loop.wav", AudioConfig())


def test_a_header_alone(tmp_path: Path) -> None:
    """Seconds and channels, and nothing wherever there is none; a pipe isn't waited for."""
    soundfile.write(tmp_path / "a.wav", np.zeros((12_000, 2)), 8_000)
    assert header(tmp_path / "a.wav") == (1.5, 2)
    (tmp_path / "page.wav").write_text("<html>")
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    shutil.copy(tmp_path / "a.wav", odd := os.fsencode(tmp_path) + b"/latin\xe4.wav")
    assert header(Path(os.fsdecode(odd))).duration == 1.5
    for name in ("page.wav", "empty.wav", "pipe.wav", "none.wav", "", "nul\0.wav", "x" * 5000):
        found = header(tmp_path / name)
        assert math.isnan(found.duration)
        assert found.channels == 1


def test_durations_are_bounded(tmp_path: Path) -> None:
    """Both bounds are inclusive and name what was found."""
    path = tmp_path / "x.wav"
    soundfile.write(path, faults.speech(0, 2), 22_050)
    load(path, AudioConfig(min_duration=2, max_duration=2))
    with pytest.raises(Excluded, match=r"too_short: 2\.000 s, at least 2\.1 expected"):
        load(path, AudioConfig(min_duration=2.1))
    with pytest.raises(Excluded, match=r"too_long: 2\.000 s, at most 1\.9 expected"):
        load(path, AudioConfig(max_duration=1.9))


def test_too_quiet_is_silent(tmp_path: Path) -> None:
    """The peak is compared with ``silence_db`` below full scale, without the offset."""
    path = tmp_path / "x.wav"
    y = 1e-3 * np.sin(np.arange(22_050) * 0.1) + 0.25
    soundfile.write(path, y, 22_050, subtype="FLOAT")
    load(path, AudioConfig(silence_db=-61))
    with pytest.raises(Excluded, match="silent: -60 dB, above -59 dB expected"):
        load(path, AudioConfig(silence_db=-59))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4_000), st.sampled_from([*CHUNKED, "OGG"]), st.booleans())
def test_no_cut_goes_unseen(cut: int, kind: str, big: bool) -> None:
    """Whatever is cut from the end is missed; nothing is of a whole one."""
    endian = "BIG" if big and kind == "WAV" else "FILE"
    data = faults.encoded(faults.speech(0, 0.2), kind, endian=endian)
    assert ending(io.BytesIO(data)).missing is None
    assert ending(io.BytesIO(data[:-cut])).missing is not None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"RIFF\0\0\0\0WAVE", b"OggS", b"RF64"]))
def test_any_bytes_are_excluded(data: bytes, start: bytes) -> None:
    """No byte string makes it fail otherwise."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(start + data)
        file.flush()
        with pytest.raises(Excluded):
            load(Path(file.name), AudioConfig())


@pytest.mark.parametrize(
    ("setting", "value", "match"),
    [
        ("max_duration", 0.1, r"min_duration is 0\.3, expected at most max_duration \(0\.1\)"),
        ("max_rate", 3_000, r"min_rate is 4000, expected at most max_rate \(3000\)"),
    ],
)
def test_a_lower_bound_above_its_upper_one(setting: str, value: float, match: str) -> None:
    """Each names the key, what was found and what was expected."""
    AudioConfig().check()
    with pytest.raises(ConfigError, match=match):
        AudioConfig(**{setting: value}).check()
