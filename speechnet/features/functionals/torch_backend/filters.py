"""Windows and filters as librosa has them, to the last bit, without waiting for numba.

References:
    M. Slaney, "Auditory Toolbox", version 2, 1998: the mel scale, and filters of one area each.
    D. Ellis, "Chroma feature analysis and synthesis", 2007: Gaussian bumps around each semitone,
    weighed by octave.
"""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np

from speechnet.core.types import Float32, Float64

_HZ_A_MEL: Final = 200.0 / 3
"""Up to the break, above which mels are logarithmic."""
_BREAK_HZ: Final = 1_000.0
_BREAK_MEL: Final = _BREAK_HZ / _HZ_A_MEL
_LOG_STEP: Final = np.log(6.4) / 27.0

_SEMITONES: Final = 12
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0
_FROM_A_TO_C: Final = 3


def fft_frequencies(sr: int, n_fft: int) -> Float64:
    """The centre of each bin of a real FFT in Hz: float64 ``[bins]``."""
    return np.asarray(np.fft.rfftfreq(n_fft, 1.0 / sr), dtype=np.float64)


def hann_window(length: int) -> Float64:
    """A periodic Hann window, as SciPy's to the last bit: float64 ``[length]``."""
    if length == 1:
        return np.ones(1)
    return 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, length + 1)[:-1])


def mel_bank(sr: int, n_fft: int, n_mels: int, fmax: float) -> Float32:
    """Triangles between neighbours on Slaney's mel scale, from 0 Hz on, each of one area.

    Args:
        sr: Hz.
        n_fft: samples of a frame.
        n_mels: filters.
        fmax: where the last one ends, in Hz.

    Returns:
        float32 ``[n_mels, bins]``.
    """
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(fmax), n_mels + 2))
    widths = np.diff(edges)
    ramps = np.subtract.outer(edges, fft_frequencies(sr, n_fft))
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    # Rounded to float32 before it is weighed, as librosa has it.
    bank = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    bank *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    if not ((edges[:-2] == 0) | (bank.max(axis=1) > 0)).all():
        warnings.warn(
            "some mel filters lie between two bins and are empty: lower n_mels", stacklevel=2
        )
    return bank


def chroma_bank(sr: int, n_fft: int, tuning: float) -> Float32:
    """A bump around each of the twelve semitones in every octave, C first.

    Args:
        sr: Hz.
        n_fft: samples of a frame.
        tuning: deviation from A440, in semitones.

    Returns:
        float32 ``[12, bins]``.
    """
    hertz = np.linspace(0, sr, n_fft, endpoint=False)[1:]
    octave_0 = 440.0 * 2.0 ** (tuning / _SEMITONES) / 16
    semitones = _SEMITONES * np.log2(hertz / octave_0)
    # 0 Hz has no pitch: one and a half octaves below the first bin it is half a turn away.
    semitones = np.concatenate(([semitones[0] - 1.5 * _SEMITONES], semitones))
    widths = np.concatenate((np.maximum(np.diff(semitones), 1.0), [1]))
    away = np.subtract.outer(semitones, np.arange(_SEMITONES, dtype=np.float64)).T
    half = _SEMITONES / 2
    away = np.remainder(away + half + 10 * _SEMITONES, _SEMITONES) - half
    bank = np.exp(-0.5 * (2 * away / widths) ** 2)
    length = np.sqrt(np.sum(np.abs(bank) ** 2, axis=0, keepdims=True))
    bank /= np.where(length < np.finfo(np.float64).tiny, 1.0, length)
    octave = (semitones / _SEMITONES - _CENTRE_OCTAVE) / _OCTAVE_WIDTH
    bank *= np.exp(-0.5 * octave**2)
    bank = np.roll(bank, -_FROM_A_TO_C, axis=0)[:, : 1 + n_fft // 2]
    return np.ascontiguousarray(bank, dtype=np.float32)


def _hz_to_mel(hertz: float) -> float:
    if hertz < _BREAK_HZ:
        return hertz / _HZ_A_MEL
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HZ) / _LOG_STEP)


def _mel_to_hz(mels: Float64) -> Float64:
    linear = _HZ_A_MEL * mels
    curved = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.asarray(np.where(mels >= _BREAK_MEL, curved, linear))
