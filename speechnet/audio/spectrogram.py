"""A mel spectrogram to look at, whatever the features of a run are."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from speechnet.core.librosa_loader import librosa
from speechnet.core.types import Float32, Float64

_BANDS: Final = 64
_WINDOW_S: Final = 0.04  # at least: the harmonics of a low voice, 80 Hz apart, just stay separate
_HOP_S: Final = 0.02


def mel_spectrogram(y: Float32, sr: int) -> tuple[Float32, Float64, int]:
    """Compute the mel spectrogram of float32 mono ``[n_samples]``.

    Returns:
        float32 ``[bands, frames]`` in dB below the loudest place, no less than -80; the centres of
        the bands in Hz, float64 ``[bands]``; and the samples from one frame to the next.
    """
    n_fft = 2 ** math.ceil(math.log2(_WINDOW_S * sr))
    hop_length = round(_HOP_S * sr)
    power = librosa.feature.melspectrogram(
        y=y, sr=sr, n_fft=n_fft, hop_length=hop_length, n_mels=_BANDS
    )
    centres = librosa.mel_frequencies(_BANDS + 2, fmin=0.0, fmax=sr / 2)[1:-1]
    return librosa.power_to_db(power, ref=np.max, top_db=80.0), centres, hop_length
