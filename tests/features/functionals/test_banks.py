"""Windows and filters are those of librosa and SciPy, to the last bit."""

import numpy as np
import pytest
import scipy.signal

from speechnet.core.librosa_loader import librosa
from speechnet.features.functionals.torch_backend.banks import (
    chroma_bank,
    fft_frequencies,
    hann_window,
    mel_bank,
)

RATES = [4_000, 16_000, 22_050, 48_000]
FRAMES = [256, 1_000, 2_047, 2_048]


@pytest.mark.parametrize("length", [1, *FRAMES])
def test_hann(length: int) -> None:
    """The periodic one, of odd and of even length."""
    expected = scipy.signal.get_window("hann", length)
    np.testing.assert_array_equal(hann_window(length), expected, strict=True)


@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize("n_fft", FRAMES)
def test_frequencies_and_chroma(sr: int, n_fft: int) -> None:
    """For every tuning alike."""
    np.testing.assert_array_equal(
        fft_frequencies(sr, n_fft), librosa.fft_frequencies(sr=sr, n_fft=n_fft), strict=True
    )
    for tuning in (-0.5, -0.13, 0.0, 0.49):
        np.testing.assert_array_equal(
            chroma_bank(sr, n_fft, tuning),
            librosa.filters.chroma(sr=sr, n_fft=n_fft, tuning=tuning),
            strict=True,
        )


@pytest.mark.filterwarnings("ignore:.*mpty filters", "ignore:some mel filters")
@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize("n_fft", FRAMES)
@pytest.mark.parametrize(("n_mels", "share"), [(128, 1.0), (40, 0.6), (20, 0.04)])
def test_mel(sr: int, n_fft: int, n_mels: int, share: float) -> None:
    """Up to half the rate, below it, and below where the scale bends."""
    fmax = share * sr / 2
    np.testing.assert_array_equal(
        mel_bank(sr, n_fft, n_mels, fmax),
        librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmax=fmax),
        strict=True,
    )


def test_too_many_filters() -> None:
    """Where librosa warns of filters without a bin, so is here."""
    with pytest.warns(UserWarning, match="Empty filters"):
        librosa.filters.mel(sr=16_000, n_fft=256, n_mels=128)
    with pytest.warns(UserWarning, match="some mel filters"):
        mel_bank(16_000, 256, 128, 8_000.0)
