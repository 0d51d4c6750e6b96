"""Prepare decoded samples for the features: check, mix, resample, trim.

soxr (``HQ``, librosa's default) resamples; with the DC offset left in, a clip equals what
``librosa.load`` returns.
"""

from __future__ import annotations

import math
from os import PathLike
from typing import Any, Final, NamedTuple

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from speechnet.audio.channels import CANCELLED, loudest_if_cancelled
from speechnet.audio.config import AudioConfig
from speechnet.audio.signal_statistics import peak
from speechnet.core.errors import DataError, Excluded
from speechnet.core.types import Float32
from speechnet.core.wording import counted

# Full scale is 1. Floats seldom exceed it by more than 15 dB; this is 30 dB. Unscaled 16-bit speech
# lies above unless its peak is below -60 dB.
_LOUDEST: Final = 32.0
_MOST_CHANNELS: Final = 32  # rows of an array that is read as [channels, n]
_MOST_BITS: Final = 32  # of an integer sample

# As in librosa.effects.trim.
_FRAME: Final = 2048
_HOP: Final = 512
_LEAST: Final = 1e-10  # the lowest power that counts, of a frame and of the loudest one


class Mono(NamedTuple):
    """A prepared recording: float32 mono ``[n_samples]``, finite.

    ``channel`` is ``SignalStatistics.channel_taken``.
    """

    y: Float32
    channel: int


def prepare(samples: Float32, rate: int, config: AudioConfig) -> Mono:
    """Mix samples, remove their offset, resample them to ``config.sample_rate`` and trim them.

    ``samples`` are float32 ``[n_frames, n_channels]``, at least one frame; they are not changed.

    Raises:
        Excluded: the samples are not finite, not scaled or silent, or trimming leaves too few.
    """
    _check_scale(samples)
    y, channel = _to_mono(samples, config.mono)
    centred = y - np.float32(y.mean(dtype=np.float64))
    level, offset = float(peak(centred)), float(y[0])
    if level <= 10 ** (config.silence_db / 20):
        found = f"{20 * math.log10(level):.0f} dB" if level > 0 else "digital silence"
        if offset and level <= 1e-6 * abs(offset):  # what float32 rounds a mean by
            found = f"a constant level ({offset:.2g}) and no sound"
        raise Excluded("silent", f"{found}, above {config.silence_db:g} dB expected")
    y = _resample(centred if config.remove_dc else y, rate, config.sample_rate)
    if config.trim_db is not None:
        first, last = sounding(y, config.trim_db)
        y = np.ascontiguousarray(y[first:last])
        _check_duration(len(y) / config.sample_rate, config)
    return Mono(y, channel)


def _check_scale(samples: Float32) -> None:
    largest = float(peak(samples))
    if not math.isfinite(largest):
        bad = int((~np.isfinite(samples)).sum())
        raise Excluded("not_finite", f"{bad} of {samples.size} samples are NaN or infinite")
    whole = largest > 1 and largest.is_integer() and bool((samples == np.rint(samples)).all())
    if largest > _LOUDEST or whole:
        scales = [(bits, 2 ** (bits - 1)) for bits in (16, 24, 32)]
        remedy = next(
            (f": divide them by {scale}, if they are {bits}-bit numbers"
             for bits, scale in scales if largest <= scale), ""
        )  # fmt: skip
        raise Excluded("unscaled", f"the largest sample is {largest:g}, full scale is 1{remedy}")


def one_channel(samples: Float32, channel: int) -> Float32:
    """A channel, from 0, of float32 ``[n_frames, n_channels]``: ``[n_frames, 1]``, contiguous.

    Raises:
        Excluded: there is no such channel.
    """
    if channel >= samples.shape[1]:
        raise Excluded("missing", f"there is no channel {channel}, only {samples.shape[1]}")
    return np.ascontiguousarray(samples[:, [channel]])


def as_samples(y: ArrayLike) -> Float32:
    """Convert samples of any usual kind to float32 ``[n, channels]``, as soundfile reads them.

    ``y`` is an array, tensor or list, ``[n]``, ``[n, channels]`` or, as in torchaudio,
    ``[channels, n]``: floats, full scale 1, or integers of 8, 16 or 32 bits.

    Raises:
        DataError: another shape or type.
    """
    array = _as_array(y)
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise DataError(f"y has shape {array.shape}, expected [n] or [n, channels]")
    if array.ndim == 2 and 0 < len(array) < array.shape[1]:
        if len(array) > _MOST_CHANNELS:
            raise DataError(
                f"y has shape {array.shape}, which is {len(array)} samples of {array.shape[1]} "
                "channels; expected [n, channels]: give y.T"
            )
        array = array.T
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


def _as_array(y: object) -> NDArray[Any]:
    if isinstance(y, str | bytes | PathLike):
        raise DataError(
            "y is the name of a file, expected its samples: y, sr = soundfile.read(name)"
        )
    if isinstance(y, tuple) and len(y) == 2:
        raise DataError("y is a pair, expected samples and their rate apart: predict(*pair)")
    if isinstance(y, int | float | np.number):
        raise DataError(f"y is the number {y!r}, expected samples; the order is predict(y, sr)")
    # A tensor of torch, which may need gradients or lie on a GPU.
    for method in ("detach", "cpu"):
        y = getattr(y, method, lambda same=y: same)()
    try:
        return np.asarray(y)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"y can't be read as an array of samples: {error}") from error


def as_rate(sr: float | None) -> int:
    """Convert a sample rate in Hz.

    Raises:
        DataError: it isn't a whole number.
    """
    if sr is None:
        raise DataError("sr isn't given, expected the rate of y in Hz: predict(y, sr)")
    number = isinstance(sr, int | float | np.integer | np.floating) and not isinstance(sr, bool)
    if number and sr % 1 == 0:  # which neither NaN nor an infinity is
        return int(sr)
    what = repr(sr) if np.ndim(sr) == 0 else f"of the type {type(sr).__name__}"
    raise DataError(f"sr is {what}, expected a whole number of Hz")


def check_rate(rate: int, config: AudioConfig) -> None:
    """Refuse a rate in Hz that is out of bounds.

    Raises:
        Excluded: it is.
    """
    if not config.min_rate <= rate <= config.max_rate:
        raise Excluded(
            "bad_rate", f"found {rate} Hz, expected {config.min_rate} to {config.max_rate}"
        )


def check_size(frames: int, channels: int, *, rate: int, config: AudioConfig) -> None:
    """Refuse a recording that is shorter, longer or larger than the configuration allows.

    Raises:
        Excluded: it is.
    """
    if frames == 0:
        raise Excluded("empty", "there are no samples")
    _check_duration(frames / rate, config)
    resampled = math.ceil(frames * config.sample_rate / rate)
    for count, what in (
        (frames * channels, f"{counted(frames, 'frame')} of {counted(channels, 'channel')}"),
        (resampled, f"{resampled} samples once it has {config.sample_rate} Hz"),
    ):
        if count > config.max_samples:
            raise Excluded("too_large", f"{what}, at most {config.max_samples} allowed")


def _check_duration(duration: float, config: AudioConfig) -> None:
    if duration < config.min_duration:
        raise Excluded("too_short", f"{duration:.3f} s, at least {config.min_duration:g} expected")
    if config.max_duration is not None and duration > config.max_duration:
        raise Excluded("too_long", f"{duration:.3f} s, at most {config.max_duration:g} expected")


def _to_mono(samples: Float32, policy: str) -> tuple[Float32, int]:
    """Mono ``[n_frames]``, and the channel that was taken because the mean would cancel it."""
    if policy != "mean" and samples.shape[1] > 1:
        return np.ascontiguousarray(samples[:, 0 if policy == "left" else 1]), -1
    mean = mixed(samples)
    if samples.shape[1] == 1:
        return mean, -1
    flat = samples.reshape(-1)
    power, of_mean = float(flat @ flat) / len(flat), float(mean @ mean) / len(mean)
    left = samples.shape[1] * (of_mean - float(mean.mean(dtype=np.float64)) ** 2)
    # Power with an offset is no less than without: this settles most recordings.
    if left >= CANCELLED * power:
        return mean, -1
    powers = samples.var(axis=0, dtype=np.float64)
    channel = loudest_if_cancelled(powers, float(mean.var(dtype=np.float64)))
    return (mean, -1) if channel < 0 else (np.ascontiguousarray(samples[:, channel]), channel)


def mixed(samples: Float32) -> Float32:
    """The mean of the channels, float32 ``[n_frames]``."""
    if samples.shape[1] == 2:  # the same to the last bit, thirty times as fast
        return np.asarray((samples[:, 0] + samples[:, 1]) / np.float32(2))
    return np.asarray(samples.mean(axis=1), dtype=np.float32)


def _resample(y: Float32, rate: int, target: int) -> Float32:
    """Resample with soxr HQ to the length that librosa gives: ``ceil(n * (target / rate))``."""
    if rate == target:
        return y
    resampled = soxr.resample(y, rate, target, quality="HQ")
    # In librosa's order: for a few rates the other one differs by a sample.
    length = math.ceil(len(y) * (target / rate))
    fitted = np.zeros(length, dtype=np.float32)
    fitted[: len(resampled)] = resampled[:length]
    return fitted


def sounding(y: Float32, top_db: float) -> tuple[int, int]:
    """The first sample and the one after the last of the part between loud frames; else 0 and 0.

    As ``librosa.effects.trim``, without numba: a frame of float32 mono ``[n_samples]`` is silent if
    its RMS lies ``top_db`` below the loudest frame's.
    """
    padded = np.pad(y, _FRAME // 2)
    frames = sliding_window_view(padded, _FRAME)[::_HOP].T  # [n_samples] -> [2048, n_frames]
    # In librosa's order and in float32: rounding must not put a frame on the other side.
    rms = np.sqrt(np.mean(np.square(frames), axis=0))
    loudest = np.square(rms.max())
    level = 10.0 * np.log10(np.maximum(_LEAST, np.square(rms)))
    level -= 10.0 * np.log10(np.maximum(_LEAST, loudest))
    loud = np.flatnonzero(level > -top_db)
    if not loud.size:
        return 0, 0
    return int(loud[0]) * _HOP, min(len(y), (int(loud[-1]) + 1) * _HOP)
