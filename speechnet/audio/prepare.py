"""From decoded samples to those that features are computed from: check, mix, resample, trim.

soxr (``HQ``, librosa's own default) resamples, so that a clip equals what ``librosa.load`` returns
as long as the DC offset is left in.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import soxr
from numpy.typing import ArrayLike

from speechnet.audio.config import AudioConfig
from speechnet.audio.facts import peak
from speechnet.compiled import librosa
from speechnet.errors import DataError, SetAside
from speechnet.types import Float32
from speechnet.wording import counted

_MOST_BITS: Final = 32
"""Of an integer sample; nothing records 64."""


def prepare(samples: Float32, rate: int, config: AudioConfig) -> Float32:
    """What becomes of decoded samples: mixed, freed of their offset, resampled and trimmed.

    Args:
        samples: float32 ``[n_frames, n_channels]``, at least one frame; left as they are.
        rate: theirs, in Hz.
        config: mono policy, rate, silence and trimming.

    Returns:
        float32 mono ``[n_samples]``, finite, at ``config.sample_rate``.

    Raises:
        SetAside: they are not finite or silent, or trimming leaves too few.
    """
    if not math.isfinite(peak(samples)):
        bad = int((~np.isfinite(samples)).sum())
        raise SetAside("not_finite", f"{bad} of {samples.size} samples are NaN or infinite")
    y = _to_mono(samples, config.mono)
    # A constant offset is no sound: the level is what is left above it.
    centred = y - np.float32(y.mean(dtype=np.float64))
    _check_level(float(peak(centred)), config)
    return _trim(_resample(centred if config.remove_dc else y, rate, config.sample_rate), config)


def as_samples(y: ArrayLike) -> Float32:
    """Samples of any usual kind as soundfile would have read them.

    Args:
        y: ``[n]`` or ``[n, channels]``: floats, full scale 1, or integers of 8, 16 or 32 bits, full
            scale that of their type (unsigned ones around its middle).

    Returns:
        float32 ``[n, channels]``, contiguous.

    Raises:
        DataError: another shape or type.
    """
    array = np.asarray(y)
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise DataError(f"y has shape {array.shape}, expected [n] or [n, channels]")
    if array.ndim == 2 and 0 < len(array) < array.shape[1]:
        raise DataError(
            f"y has shape {array.shape}, which is {len(array)} samples of {array.shape[1]} "
            "channels; expected [n, channels]: give y.T"
        )
    samples = array[:, None] if array.ndim == 1 else array
    kind, bits = array.dtype.kind, 8 * array.dtype.itemsize
    if kind in "iu" and bits <= _MOST_BITS:
        half = 2 ** (bits - 1)
        centred = samples.astype(np.float64) - (half if kind == "u" else 0)
        return np.ascontiguousarray(centred / half, dtype=np.float32)
    if kind == "f":
        with np.errstate(over="ignore"):  # what float32 can't hold is found to be infinite
            return np.ascontiguousarray(samples, dtype=np.float32)
    raise DataError(f"y holds {array.dtype}, expected floats or integers of 8, 16 or 32 bits")


def as_rate(sr: float) -> int:
    """A sample rate in Hz as soundfile would have read it.

    Raises:
        DataError: it isn't a whole number.
    """
    number = isinstance(sr, int | float | np.integer | np.floating) and not isinstance(sr, bool)
    if number and sr % 1 == 0:  # which neither NaN nor an infinity is
        return int(sr)
    raise DataError(f"sr is {sr!r}, expected a whole number of Hz")


def check_rate(rate: int, config: AudioConfig) -> None:
    """Refuse a rate in Hz that is out of bounds.

    Raises:
        SetAside: it is.
    """
    if not config.min_rate <= rate <= config.max_rate:
        raise SetAside(
            "bad_rate", f"found {rate} Hz, expected {config.min_rate} to {config.max_rate}"
        )


def check_size(frames: int, channels: int, *, rate: int, config: AudioConfig) -> None:
    """Refuse what is shorter, longer or larger than the configuration allows.

    Raises:
        SetAside: it is.
    """
    if frames == 0:
        raise SetAside("empty", "there are no samples")
    _check_duration(frames / rate, config)
    if frames * channels > config.max_samples:
        raise SetAside(
            "too_large",
            f"{frames} frames of {counted(channels, 'channel')}, at most {config.max_samples} "
            "samples allowed",
        )


def _check_duration(duration: float, config: AudioConfig) -> None:
    if duration < config.min_duration:
        raise SetAside("too_short", f"{duration:.3f} s, at least {config.min_duration:g} expected")
    if config.max_duration is not None and duration > config.max_duration:
        raise SetAside("too_long", f"{duration:.3f} s, at most {config.max_duration:g} expected")


def _check_level(level: float, config: AudioConfig) -> None:
    if level <= 10 ** (config.silence_db / 20):
        found = f"{20 * math.log10(level):.0f} dB" if level > 0 else "digital silence"
        raise SetAside("silent", f"{found}, above {config.silence_db:g} dB expected")


def _to_mono(samples: Float32, policy: str) -> Float32:
    if policy == "mean" or samples.shape[1] == 1:
        return np.asarray(samples.mean(axis=1), dtype=np.float32)
    return np.ascontiguousarray(samples[:, 0 if policy == "left" else 1])


def _resample(y: Float32, rate: int, target: int) -> Float32:
    """Resample with soxr HQ to the length that librosa gives: ``ceil(n * (target / rate))``."""
    if rate == target:
        return y
    resampled = soxr.resample(y, rate, target, quality="HQ")
    # In this order, rounding included: for a few rates the other one differs by a sample.
    length = math.ceil(len(y) * (target / rate))
    fitted = np.zeros(length, dtype=np.float32)
    fitted[: len(resampled)] = resampled[:length]
    return fitted


def _trim(y: Float32, config: AudioConfig) -> Float32:
    if config.trim_db is None:
        return y
    kept = np.ascontiguousarray(librosa.effects.trim(y, top_db=config.trim_db)[0])
    _check_duration(len(kept) / config.sample_rate, config)
    return kept
