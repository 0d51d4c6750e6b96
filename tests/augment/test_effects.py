"""Each effect does what its numbers say, by formulas and by librosa."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import welch

from speechnet.augment.effects import (
    add_noise,
    change_gain,
    change_speed,
    encode,
    limit_band,
    reverberate,
    room_response,
    shift_pitch,
)
from speechnet.core.librosa_loader import librosa
from speechnet.core.types import Float32

SR = 22_050


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def voice(f0: float = 200.0, seconds: float = 1.5) -> Float32:
    """Twelve harmonics whose level comes and goes."""
    t = np.arange(round(seconds * SR)) / SR
    tones = sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, 13))
    return (0.1 * tones * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.float32)


def noise(seconds: float = 4.0, level: float = 0.05) -> Float32:
    return (level * drawn(9).standard_normal(round(seconds * SR))).astype(np.float32)


def spectrum(y: Float32) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and power in dB, by Welch."""
    f, power = welch(y, SR, nperseg=4096)
    return f, 10 * np.log10(power + 1e-30)


EFFECTS: dict[str, Callable[[Float32], Float32]] = {
    "noise": lambda y: add_noise(y, SR, drawn(), snr=3.0, colour="pink"),
    "masker": lambda y: add_noise(y, SR, drawn(), snr=3.0, colour="speech"),
    "gain": lambda y: change_gain(y, SR, db=9.0),
    "speed": lambda y: change_speed(y, SR, factor=1.1),
    "pitch": lambda y: shift_pitch(y, SR, semitones=-2.0),
    "room": lambda y: reverberate(y, SR, drawn(), rt60=0.5),
    "band": lambda y: limit_band(y, SR),
    "mu_law": lambda y: encode(y, SR, codec="mu_law"),
    "mp3": lambda y: encode(y, SR, codec="mp3"),
    "opus": lambda y: encode(y, SR, codec="opus", level=0.9),
    "vorbis": lambda y: encode(y, SR, codec="vorbis"),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect(name: str) -> None:
    """Finite float32, the same from the same state, silence untouched, never clipped."""
    change, y = EFFECTS[name], voice()
    found = change(y)
    assert found.dtype == np.float32
    assert found.ndim == 1
    assert np.isfinite(found).all()
    assert np.array_equal(change(y), found)
    assert not np.array_equal(found[: len(y)], y[: len(found)])
    assert len(found) == len(y) or name == "speed"
    silent = np.zeros(5_000, np.float32)
    assert np.array_equal(change(silent), silent)
    loud = change(np.float32(0.99) * y / np.abs(y).max())
    assert np.abs(loud).max() <= 1
    assert (np.abs(loud) > 0.999).mean() < 2e-3  # what clips stays there for several samples
    assert np.isfinite(change(y[:700])).all()


@pytest.mark.parametrize("snr", [-5.0, 10.0, 30.0])
@pytest.mark.parametrize("colour", ["white", "pink", "brown", "speech"])
def test_signal_to_noise_ratio(snr: float, colour: str) -> None:
    y = 0.1 * voice()
    left = add_noise(y, SR, drawn(), snr=snr, colour=colour).astype(np.float64) - y
    assert 10 * np.log10((y**2).sum() / (left**2).sum()) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize(("colour", "slope"), [("white", 0), ("pink", -10), ("brown", -20)])
def test_colour(colour: str, slope: float) -> None:
    """Power falls by so many dB a decade."""
    y = np.full(8 * SR, 1e-3, np.float32)
    f, level = spectrum(add_noise(y, SR, drawn(), snr=0.0, colour=colour) - y)
    inside = (f > 100) & (f < 8_000)
    found = np.polyfit(np.log10(f[inside]), level[inside], 1)[0]
    assert found == pytest.approx(slope, abs=0.5)


def test_the_masker_has_the_spectrum_of_the_clip() -> None:
    y = voice(seconds=4)
    found = add_noise(y, SR, drawn(), snr=0.0, colour="speech") - y
    (f, clip), (_, masker) = spectrum(y), spectrum(found)
    peaks = np.searchsorted(f, [200.0, 400.0, 600.0, 1000.0])
    assert masker[peaks] == pytest.approx(clip[peaks], abs=1.5)
    assert abs(np.corrcoef(y, found)[0, 1]) < 0.3  # another sound, all the same


def test_gain() -> None:
    y = 0.1 * voice()
    assert change_gain(y, SR, db=-6.0) == pytest.approx(y * 10**-0.3, rel=1e-5)
    loud = change_gain(voice(), SR, db=40.0)
    assert loud == pytest.approx(voice() / np.abs(voice()).max(), abs=1e-5)  # the same shape


@pytest.mark.parametrize("factor", [0.9, 1.037, 1.25])
def test_speed(factor: float) -> None:
    y = voice()
    found = change_speed(y, SR, factor=factor)
    assert len(y) / len(found) == pytest.approx(factor, rel=1e-4)
    assert pitch(found) / pitch(y) == pytest.approx(factor, rel=5e-3)


@pytest.mark.parametrize("semitones", [-3.0, 0.37, 2.0])
def test_pitch(semitones: float) -> None:
    y = voice()
    found = shift_pitch(y, SR, semitones=semitones)
    assert pitch(found) / pitch(y) == pytest.approx(2 ** (semitones / 12), rel=5e-3)
    levels = [librosa.feature.rms(y=one, frame_length=1024)[0] for one in (y, found)]
    assert np.corrcoef(*levels)[0, 1] > 0.95  # it comes and goes at the same speed


def pitch(y: Float32) -> float:
    """Its median in Hz."""
    return float(np.median(librosa.yin(y, fmin=80, fmax=500, sr=SR)))


@pytest.mark.parametrize("rt60", [0.2, 0.9])
def test_reverberation_time(rt60: float) -> None:
    """Schroeder's backward integration, from 5 to 25 dB below the beginning, times three."""
    response = room_response(SR, drawn(), rt60=rt60, direct=0.0).astype(np.float64)
    assert (response**2).sum() == pytest.approx(1, rel=1e-5)
    direct, rest = response[0] ** 2, (response[1:] ** 2).sum()
    assert 10 * np.log10(direct / rest) == pytest.approx(0, abs=0.1)
    assert not response[1 : int(0.002 * SR)].any()
    decay = np.cumsum((response[1:] ** 2)[::-1])[::-1]
    level = 10 * np.log10(decay / decay[0])
    inside = (level < -5) & (level > -25)
    slope = np.polyfit(np.flatnonzero(inside) / SR, level[inside], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=0.1)


def test_reverberation_is_a_convolution() -> None:
    y = 0.1 * voice()
    response = room_response(SR, drawn(4), rt60=0.3, direct=6.0)
    expected = np.convolve(y.astype(np.float64), response)[: len(y)]
    found = reverberate(y, SR, drawn(4), rt60=0.3, direct=6.0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_band() -> None:
    f, level = spectrum(limit_band(noise(), SR))
    before = spectrum(noise())[1]
    change = level - before
    assert np.abs(change[(f > 350) & (f < 3_000)]).max() < 1.5
    assert change[np.searchsorted(f, [300.0, 3400.0])] == pytest.approx(-3, abs=1)
    assert change[(f > 5_000) | ((f > 30) & (f < 130))].max() < -30
    unlimited = limit_band(noise(), SR, low=0.0, high=SR / 2)
    assert unlimited == pytest.approx(noise(), abs=1e-7)


def test_mu_law() -> None:
    """ITU-T G.711's continuous curve: half a step of it is the largest error."""
    y = np.linspace(-0.9, 0.9, 5_000, dtype=np.float32)
    curve = np.sign(y) * np.log1p(255 * np.abs(y)) / np.log(256)
    found = encode(y, SR, codec="mu_law")
    again = np.sign(found) * np.log1p(255 * np.abs(found)) / np.log(256)
    assert np.abs(again - curve).max() <= 1 / 255 + 1e-5
    assert len(np.unique(found)) <= 256


@pytest.mark.parametrize("codec", ["mp3", "opus", "vorbis"])
def test_a_codec_keeps_the_place_and_loses_more_at_a_higher_level(codec: str) -> None:
    y = librosa.resample(noise(2.0), orig_sr=8_000, target_sr=SR)[: 2 * SR] + voice(150.0, 2.0)
    errors = []
    for level in (0.1, 0.5, 0.95):
        found = encode(y, SR, codec=codec, level=level)
        lags = np.fft.irfft(np.fft.rfft(found, 2 * len(y)) * np.fft.rfft(y, 2 * len(y)).conj())
        assert np.argmax(lags) <= 1
        errors.append(((found - y) ** 2).mean() / (y**2).mean())
    assert errors == sorted(errors)
    assert errors[0] < 0.05 < 10 * errors[-1]
