"""Statistics of a recording's samples as they were decoded."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from speechnet.audio.channels import channel_correlation, channel_notes, frame_powers, in_frames
from speechnet.core.types import Float32

# Power, full scale squared, that every recorded frame exceeds: a 24-bit step is 1.4e-14, but the
# lowest bits of a converter are noise.
_DIGITAL_SILENCE: Final = 1e-12
_FLOOR: Final = 0.05  # the quantile of the frames' power that stands for the noise
# Frames averaged into a spectrum: six seconds, spread over a longer recording.
_MOST_FRAMES: Final = 300
# A band ends where everything beyond a step of this share of the frequency is this many dB weaker:
# after a steep low-pass filter, or a gentle one. The spectrum of speech itself falls less: of
# RAVDESS's 1,440 recordings 7 end below 14 kHz, of 360 copies at 16 kHz none below 8.
_EDGES: Final = ((1 / 8, 15.0), (1 / 2, 30.0))
# Share of the power above _LOWEST_EDGE that lies beyond the end of a band without an edge, and the
# factor by which an edge may lie above that end; beyond it a gentle filter is assumed.
_BEYOND: Final = 1e-4
_AT_ODDS: Final = math.sqrt(2)
_NOTHING: Final = 1e-10  # share of a spectrum's strongest power below which there is only rounding
# Hz. Below, the harmonics of a voice make edges too.
_LOWEST_EDGE: Final = 1_000.0
_NARROWEST_STEP: Final = 200.0
# Share of half the rate above which an edge is that of any recorder or resampler.
_ANTI_ALIASING: Final = 7 / 8


@dataclass(frozen=True)
class SignalStatistics:
    """A recording as it was decoded.

    Attributes:
        duration: seconds.
        sample_rate: Hz, in the file.
        channels: in the file.
        peak: largest absolute sample, full scale is 1.
        dc: mean of the samples.
        clipped: share of samples at 0.999 of full scale or above.
        silence: share of frames of 20 ms whose root mean square without offset is at most
            ``AudioConfig.silence_db``.
        snr: estimated signal-to-noise ratio in dB, 0 or more; NaN where nothing sounds. The noise
            is the 5 % quantile of the frames' power (without digital silence), the signal the mean
            of the frames twice as strong, less the noise. This relies on pauses (R. Martin,
            "Spectral subtraction based on minimum statistics", 1994): speech without one seems
            noisier than it is, and intermittent noise is missed.
        bandwidth: the frequency in Hz above which there is nothing: half the rate, unless a
            telephone, a codec or an earlier resampling cut it off. It is the highest frequency
            beyond which the mean spectrum is at least 15 dB weaker a step of one eighth further up,
            or 30 dB per step of one half, and stays so; but where that is more than half an octave
            above the frequency beyond which 0.01 % of the power above 1 kHz lies, the latter. NaN
            where nothing sounds. A sharp cut is found within a tenth, a gentle filter above its
            nominal frequency: Butterworth filters of 48 dB an octave at 3.4 kHz mostly at 4.8 kHz.
        digest: 128-bit hash (hexadecimal) of the decoded samples, rate and channels.
        channel_taken: the channel, from 0, that was taken because the mean of all would cancel it;
            else -1.
        channel_correlation: how far the channels rise and fall together: Pearson's correlation of
            the levels of frames of 20 ms, of each channel with the loudest one, the lowest of them.
            Frames in which no channel speaks, channels 40 dB below the loudest and channels whose
            level hardly changes are left out; 1 where fewer than two channels are left. Two
            microphones before one speaker give about 1, the two ends of a call about 0 or less.
    """

    duration: float
    sample_rate: int
    channels: int
    peak: float
    dc: float
    clipped: float
    silence: float
    snr: float
    bandwidth: float
    digest: str
    channel_taken: int = -1
    channel_correlation: float = 1.0

    def notes(self) -> tuple[str, ...]:
        """Codes of ``core.types.NOTES`` on the channels."""
        return channel_notes(self.channel_taken, self.channel_correlation)


def measure(
    samples: Float32, rate: int, *, silence_db: float, channel_taken: int = -1
) -> SignalStatistics:
    """Measure a recording, float32 ``[n_samples, channels]``, finite, at ``rate`` Hz.

    ``silence_db`` is the highest level, in dB of full scale, that is silence.
    """
    digest = hashlib.sha256(f"{rate} {samples.shape[1]} ".encode())
    digest.update(np.ascontiguousarray(samples).data)
    clipped = np.count_nonzero(samples >= 0.999) + np.count_nonzero(samples <= -0.999)
    frames = in_frames(samples, rate)
    powers = frame_powers(frames)
    power = powers.mean(axis=1)
    return SignalStatistics(
        duration=len(samples) / rate,
        sample_rate=rate,
        channels=samples.shape[1],
        peak=float(peak(samples)),
        dc=float(samples.mean(dtype=np.float64)),
        clipped=float(clipped / samples.size),
        silence=float((power <= 10 ** (silence_db / 10)).mean()),
        snr=_snr(power),
        bandwidth=_band_end(frames, rate),
        digest=digest.hexdigest()[:32],
        channel_taken=channel_taken,
        channel_correlation=channel_correlation(powers),
    )


def bandwidth(samples: Float32, rate: int) -> float:
    """``SignalStatistics.bandwidth`` of samples as ``measure`` takes them."""
    return _band_end(in_frames(samples, rate), rate)


def _snr(power: Float32) -> float:
    """The signal-to-noise ratio in dB of frames of some power; see ``SignalStatistics``."""
    sounding = power[power > _DIGITAL_SILENCE]
    if len(sounding) == 0:
        return math.nan
    noise = float(np.quantile(sounding, _FLOOR))
    loud = sounding[sounding > 2 * noise]
    return 10 * math.log10(float(loud.mean(dtype=np.float64)) / noise - 1) if len(loud) else 0.0


def _band_end(frames: Float32, rate: int) -> float:
    """The ``bandwidth`` of ``SignalStatistics``."""
    length = frames.shape[1]
    spread = np.linspace(0, len(frames) - 1, min(len(frames), _MOST_FRAMES)).astype(np.int64)
    window = np.hanning(length + 1)[:-1, None].astype(np.float32)
    windowed = np.ascontiguousarray((frames[spread] * window).transpose(0, 2, 1))
    spectra = np.fft.rfft(windowed).reshape(-1, length // 2 + 1)
    parts = spectra.view(spectra.real.dtype)
    power = np.einsum("fp,fp->p", parts, parts).reshape(-1, 2).sum(axis=1, dtype=np.float64)
    if not power.max() > 0:
        return math.nan
    level = 10 * np.log10(np.maximum(power, _NOTHING * power.max()))
    loudest_above = np.maximum.accumulate(level[::-1])[::-1]
    frequency = np.arange(len(level)) * (rate / length)
    highest = 0.0
    for share, fall in _EDGES:
        step = np.maximum(frequency * share, _NARROWEST_STEP)
        beyond = np.searchsorted(frequency, frequency + step)
        inside = np.flatnonzero((beyond < len(level)) & (frequency >= _LOWEST_EDGE))
        edges = inside[level[inside] - loudest_above[beyond[inside]] >= fall]
        highest = max(highest, float(frequency[edges[-1]]) if len(edges) else 0.0)
    end = highest if 0 < highest < _ANTI_ALIASING * rate / 2 else rate / 2
    below = np.cumsum(np.where(frequency >= _LOWEST_EDGE, power, 0.0))
    gentle = float(frequency[np.searchsorted(below, (1 - _BEYOND) * below[-1])])
    return gentle if 0 < _AT_ODDS * gentle < end else end


def peak(samples: Float32) -> np.float32:
    """Largest magnitude, NaN if any sample is, without a second array of that size."""
    return np.float32(np.maximum(samples.max(), -samples.min()))
