"""The torch backend against librosa on awkward clips, and what it refuses."""

import librosa
import numpy as np
import pytest
import torch
from helpers import faults
from helpers.devices import DEVICES
from test_librosa_backend import PLAIN, SR, one, row_of

from speechnet.core.errors import ConfigError
from speechnet.features.functionals import Functionals, librosa_backend
from speechnet.features.functionals.torch_backend import extract

NO_TUNING = "ignore:Trying to estimate tuning from empty frequency set"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated"),
]
SHORT = "ignore:n_fft=.* is too large for input signal"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("preset", ["original", "functionals"])
@pytest.mark.parametrize(("seconds", "sr"), [(0.3, SR), (0.7, SR), (3.1, SR), (0.7, 8_000)])
def test_presets_are_the_reference(preset: str, seconds: float, sr: int, device: str) -> None:
    """Both presets, all columns in their order, at a telephone's rate too."""
    y, config = faults.speech(5, seconds, sr), Functionals(preset=preset)
    expected = librosa_backend.extract(y, sr, config)
    np.testing.assert_allclose(row_of(device, y, config, sr), expected, rtol=1e-4, atol=2e-4)


def _click() -> np.ndarray:
    y = np.zeros(SR, np.float32)
    y[SR // 2] = 0.9
    return y


def _half_silent() -> np.ndarray:
    y = faults.speech(2, 1.5)
    y[: len(y) // 2] = 0
    return y


AWKWARD = {
    "silence": np.zeros(SR, np.float32),
    "click": _click(),
    "direct current": np.full(SR, 0.5, np.float32),
    "offset": faults.speech(4) + np.float32(0.5),
    "half silent": _half_silent(),
    "faint": faults.speech(6) * np.float32(1e-4),
    "around zero": (1.5e-10 * np.sign(faults.speech(7))).astype(np.float32),
    "clipped": np.clip(faults.speech(8) * 20, -1, 1),
    "under a frame": faults.speech(9, 0.05),
    "one sample": np.full(1, 0.25, np.float32),
}


@pytest.mark.filterwarnings(NO_TUNING, SHORT)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("feature", PLAIN)
def test_awkward_clips(feature: str, name: str, device: str) -> None:
    """What is no speech at all has the values librosa gives it, on the scale of the feature."""
    y = AWKWARD[name]
    if feature == "delta" and len(y) < 8 * 512:
        pytest.skip("too short for a delta")
    if (feature, name) == ("f0", "click"):
        pytest.skip("all lags are equal: librosa's pitch is where rounding puts it")
    statistic = ["count"] if feature == "zero_crossings" else ["mean", "std", "p50"]
    config = one(feature, statistic)
    expected = librosa_backend.extract(y, SR, config)
    # A slope is of decibels, and zero where they stand still.
    scale = max(np.abs(expected).max(), 1.0 if feature in ("delta", "contrast") else 1e-6)
    np.testing.assert_allclose(row_of(device, y, config), expected, rtol=1e-3, atol=2e-5 * scale)


def test_f0_between_two_lags() -> None:
    """Bounds so close that there is no parabola; and the first sample of a frame is loud."""
    y = np.sign(faults.speech(3))
    expected = librosa.yin(y, fmin=400, fmax=405, frame_length=2_048)
    found = row_of("cpu", y, one("f0", ["mean", "std"], f0_min=400, f0_max=405))
    np.testing.assert_allclose(found, [expected.mean(), expected.std()], rtol=1e-4)


def test_percentiles_of_few_frames() -> None:
    """Of one to four frames, between neighbours and at both ends."""
    names = ["p0", "p1", "p50", "p99", "p100"]
    for n in (100, 600, 1_100, 1_600):
        y = faults.speech(n, 1)[:n]
        config = one("zero_crossing_rate", names)
        values = librosa.feature.zero_crossing_rate(y)
        expected = np.percentile(values, [0, 1, 50, 99, 100])
        np.testing.assert_allclose(row_of("cpu", y, config), expected, rtol=1e-6)


def test_what_overflows_is_left_in() -> None:
    """Not finite, in the row of that clip only."""
    y = torch.from_numpy(np.stack([faults.speech(0), faults.speech(1)]))
    config = Functionals(preset="functionals")
    alone = extract(y[1:], torch.tensor([SR]), SR, config)
    y[0] *= 1e25
    found = extract(y, torch.tensor([SR, SR]), SR, config)
    assert not found[0].isfinite().all()
    torch.testing.assert_close(found[1], alone[0], rtol=1e-5, atol=1e-4)


def test_percentiles_show_what_is_not_finite() -> None:
    """A NaN is not sorted out of sight."""
    y = faults.speech(0)
    y[100] = np.nan
    assert np.isnan(row_of("cpu", y, one("centroid", ["p10"]))).all()


def test_rates_without_room_are_refused() -> None:
    """By the name of the setting and what it takes."""
    y = faults.speech(0, 1, 8_000)
    bands = one("contrast", ["mean"], contrast_bands=6)
    for backend in ("cpu", "reference"):
        with pytest.raises(ConfigError, match="begins at 6400 Hz, and 4000 Hz is the highest"):
            row_of(backend, y, bands, 8_000)
    with pytest.raises(ConfigError, match="no bin between 0 and 200 Hz"):
        row_of("cpu", y, one("contrast", ["mean"], n_fft=64, hop_length=32))
    with pytest.raises(ConfigError, match="f0_max is 5000 Hz, expected at most half the rate"):
        one("f0", ["mean"], f0_max=5_000).check(8_000)
    with pytest.raises(ConfigError, match=r"f0_min is 80 Hz, expected above 86\.47"):
        one("f0", ["mean"], n_fft=256, hop_length=64).check(SR)


@pytest.mark.filterwarnings(SHORT)
@pytest.mark.parametrize("n_fft", [512, 513])
def test_frames_are_counted_as_librosa_cuts_them(n_fft: int) -> None:
    """At lengths around a multiple of the hop; too few of them are known beforehand."""
    config = Functionals(n_fft=n_fft, hop_length=128)
    for n in (511, 512, 513):
        expected = PLAIN["centroid"](faults.speech(0)[:n], SR, n_fft, 128).shape[1]
        assert str(config.too_short(n)) == f"too_short: {expected} frames, a delta needs 9"
    assert Functionals().too_short(8 * 512) is None
    assert Functionals().too_short(8 * 512 - 1) is not None
