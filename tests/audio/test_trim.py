"""What is cut from both ends, compared with librosa."""

import numpy as np
import pytest

from speechnet.audio.prepare import sounding
from speechnet.core.librosa_loader import librosa


def _faded(seed: int, length: int) -> np.ndarray:
    """Noise that comes out of silence and goes back into it, at any level."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(-12, 0) * np.abs(np.linspace(-1, rng.uniform(0.2, 1), length))
    return (10.0**level * rng.standard_normal(length)).astype(np.float32)


@pytest.mark.parametrize("length", [1, 700, 2_048, 40_000])
def test_the_same_samples_as_librosa(length: int) -> None:
    """To the sample, whatever is taken for silence."""
    for seed in range(40):
        y, top_db = _faded(seed, length), float(seed)
        assert sounding(y, top_db) == tuple(librosa.effects.trim(y, top_db=top_db)[1]), seed


@pytest.mark.parametrize("y", [np.zeros(5_000, np.float32), np.full(5_000, 1e-7, np.float32)])
def test_silence(y: np.ndarray) -> None:
    """Digital silence, and what lies below the floor, is as loud as its loudest frame."""
    assert sounding(y, 30) == tuple(librosa.effects.trim(y, top_db=30)[1])
