"""The gate against noisereduce called plainly."""

import noisereduce
import numpy as np
import pytest
from helpers import faults

from speechnet.denoise import DenoiseConfig
from speechnet.denoise.gate import denoise_clips
from speechnet.denoise.noisereduce_backend import denoise


def floored(gated: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Without what lies below half a step of 24 bits, the largest sample being full scale."""
    return np.where(np.abs(gated) <= np.abs(y).max() / 2**24, np.float32(0), gated)


@pytest.mark.parametrize("method", ["nonstationary", "stationary"])
def test_what_is_audible_is_noisereduce_s(method: str) -> None:
    """To 1e-7 of the peak, at any level; what it leaves of silence, 1e-13 and less, is zero."""
    y = np.concatenate([1e-3 * faults.speech(1), faults.speech(0, 2), 1e-3 * faults.speech(2)])
    for level in (1e-6, 1.0, 1e4):
        clip = (level * y).astype(np.float32)
        out = denoise(clip, 22_050, DenoiseConfig(method=method))
        theirs = noisereduce.reduce_noise(y=clip, sr=22_050, stationary=method == "stationary")
        assert np.abs(out - theirs).max() <= 1e-7 * np.abs(clip).max()
        gone = (out == 0) & (theirs != 0)
        assert np.abs(theirs[gone]).max() <= np.abs(clip).max() / 2**24
        assert gone.sum() > 1_000


@pytest.mark.parametrize("method", ["nonstationary", "stationary"])
@pytest.mark.parametrize("sr", [16_000, 22_050])
def test_defaults_are_those_of_noisereduce(method: str, sr: int) -> None:
    """Called with nothing but the method, noisereduce gives the same samples."""
    y = faults.speech(0, 1, sr)
    out = denoise(y, sr, DenoiseConfig(method=method))
    expected = noisereduce.reduce_noise(y=y, sr=sr, stationary=method == "stationary")
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, floored(expected, y))
    assert np.abs(out - y).max() > 1e-3


PARAMETERS = {
    "prop_decrease": ("prop_decrease", 0.5, "both"),
    "freq_mask_smooth_hz": ("freq_mask_smooth_hz", 900.0, "both"),
    "time_mask_smooth_ms": ("time_mask_smooth_ms", 90.0, "both"),
    "time_constant_s": ("time_constant_s", 0.5, "nonstationary"),
    "thresh_n_mult": ("thresh_n_mult_nonstationary", 3.0, "nonstationary"),
    "sigmoid_slope": ("sigmoid_slope_nonstationary", 4.0, "nonstationary"),
    "n_std_thresh": ("n_std_thresh_stationary", 0.5, "stationary"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_parameter_is_handed_on(name: str) -> None:
    """It changes the samples as it does in noisereduce, in the modes that know it."""
    theirs, value, mode = PARAMETERS[name]
    y = faults.speech(0)
    for method in ("nonstationary", "stationary"):
        out = denoise(y, 22_050, DenoiseConfig(method=method, **{name: value}))
        stationary = method == "stationary"
        expected = noisereduce.reduce_noise(
            y=y, sr=22_050, stationary=stationary, **{theirs: value}
        )
        np.testing.assert_array_equal(out, floored(expected, y))
        default = denoise(y, 22_050, DenoiseConfig(method=method))
        assert np.array_equal(out, default) == (mode not in {"both", method})


def test_none_returns_what_it_was_given() -> None:
    """Not even a copy is made."""
    y = faults.speech(0)
    assert denoise_clips([y], 22_050, DenoiseConfig(method="none"))[0] is y


def test_nothing_but_zeros_is_nothing_finite() -> None:
    """The gate divides by the level, which is 0."""
    assert np.isnan(denoise(np.zeros(22_050, np.float32), 22_050, DenoiseConfig())).all()


@pytest.mark.parametrize("method", ["nonstationary", "stationary"])
def test_silence_within_is_no_fault(method: str) -> None:
    """Zeros before and after speech leave finite samples."""
    y = np.concatenate([np.zeros(9_000), faults.speech(0), np.zeros(9_000)]).astype(np.float32)
    assert np.isfinite(denoise(y, 22_050, DenoiseConfig(method=method))).all()
