"""The bandwidth of recordings whose band was cut off at a known frequency."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr

from speechnet.audio.signal_statistics import measure


def _speechlike(rate: int, seconds: float = 2.0) -> np.ndarray:
    """Noise that falls by 6 dB an octave, as loud and soft as syllables are."""
    rng = np.random.default_rng(0)
    n = round(rate * seconds)
    coloured = scipy.signal.lfilter([1], [1, -0.9], rng.standard_normal(n))
    syllables = 0.05 + np.sin(np.arange(n) / rate * 4 * np.pi) ** 2
    return np.asarray(0.02 * coloured * syllables)


def _bandwidth(y: np.ndarray, rate: int) -> float:
    return measure(np.float32(y).reshape(len(y), -1), rate, silence_db=-80.0).bandwidth


def _in_16_bits(y: np.ndarray) -> np.ndarray:
    return np.round(y * 32_768) / 32_768


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_the_bandwidth_is_where_a_filter_cuts(rate: int) -> None:
    """A known cut-off within a tenth, loud or quiet, in one channel or two; else half the rate."""
    y = _speechlike(rate)
    assert _bandwidth(_in_16_bits(y), rate) == rate / 2
    for cutoff in (1_800, 3_400, 4_000, 5_500, 7_000, 11_025, 16_000):
        if cutoff > 0.8 * rate / 2:
            continue
        sharp = scipy.signal.firwin(rate // 40 | 1, cutoff, fs=rate)
        low = scipy.signal.fftconvolve(y, sharp, mode="same")
        for gain in (1.0, 0.05):
            found = _bandwidth(_in_16_bits(gain * low), rate)
            assert found == pytest.approx(cutoff, rel=0.1)
        assert _bandwidth(np.stack([low, 0.5 * low], axis=1), rate) == pytest.approx(found, rel=0.1)


def test_a_gentle_filter_is_found_within_an_octave() -> None:
    """As an analogue line's: 48 dB an octave above 3.4 kHz."""
    sos = scipy.signal.butter(8, 3_400, fs=48_000, output="sos")
    found = _bandwidth(_in_16_bits(scipy.signal.sosfilt(sos, _speechlike(48_000))), 48_000)
    assert 3_400 <= found <= 6_800


@pytest.mark.parametrize("order", [5, 8])
def test_noise_through_a_gentle_filter_is_not_of_full_band(order: int) -> None:
    """A filter of 30 to 48 dB an octave, at 3.4 kHz: the end lies about an octave above at most."""
    noise = 0.05 * np.random.default_rng(0).standard_normal(48_000)
    for kind, edges, rate in (("low", 3_400, 48_000), ("band", (300, 3_400), 16_000)):
        sos = scipy.signal.butter(order, edges, kind, fs=rate, output="sos")
        for gain in (1.0, 0.02):
            found = _bandwidth(gain * scipy.signal.sosfilt(sos, noise), rate)
            assert 3_400 <= found <= 2.1 * 3_400
    assert _bandwidth(noise, 48_000) == 24_000


def test_the_bandwidth_survives_resampling_and_codecs(tmp_path: Path) -> None:
    """What a telephone left is seen at 48 kHz; an MP3's own low-pass counts, silence does not."""
    y = _speechlike(48_000)
    phone = soxr.resample(y, 48_000, 8_000)
    path = tmp_path / "x.wav"
    soundfile.write(path, phone, 8_000, subtype="ULAW")
    decoded, _ = soundfile.read(path)
    assert _bandwidth(decoded, 8_000) == 4_000
    again = _in_16_bits(soxr.resample(decoded, 8_000, 48_000))
    assert _bandwidth(again, 48_000) == pytest.approx(4_000, rel=0.1)
    padded = np.concatenate([np.zeros(96_000), again, np.zeros(96_000)])
    assert _bandwidth(padded, 48_000) == pytest.approx(4_000, rel=0.1)
    assert math.isnan(_bandwidth(np.zeros(48_000), 48_000))
    soundfile.write(tmp_path / "x.mp3", 10 * y, 48_000, format="MP3")
    mp3, _ = soundfile.read(tmp_path / "x.mp3")
    assert 15_000 < _bandwidth(mp3, 48_000) < 20_000


def test_real_speech_has_the_bandwidth_of_its_rate(ravdess: Path) -> None:
    """At 48 kHz and resampled: no pause, whisper or vowel is taken for the end of a band."""
    for path in sorted(ravdess.rglob("*.flac"))[::96]:
        y, rate = soundfile.read(path, always_2d=True)
        assert _bandwidth(y, rate) > 14_000
        assert _bandwidth(_in_16_bits(soxr.resample(y, rate, 16_000)), 16_000) == 8_000
        assert _bandwidth(_in_16_bits(soxr.resample(y, rate, 8_000)), 8_000) == 4_000
