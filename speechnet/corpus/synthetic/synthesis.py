"""A source-filter synthesiser of speech-like recordings.

A band-limited pulse train with jitter and shimmer, and aspiration noise, pass through a cascade of
formant resonances that glide from one speech sound to the next; frication noise is added. Frames
are filtered in the frequency domain, each by a filter of its own, and overlap-added: no loop runs
over samples.

References:
    G. Fant, *Acoustic Theory of Speech Production*, 1960: the source-filter model.
    D. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67(3), 1980: resonances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from speechnet.core.types import Float32, Float64
from speechnet.corpus.synthetic.phones import PHONES, SENTENCES, Segment
from speechnet.corpus.synthetic.voices import (
    EMOTIONS,
    Manner,
    Voice,
    draw_manner,
    draw_voice,
    normal,
)

Complex64 = NDArray[np.complex64]

VERSION: Final = 1
"""Raised whenever the output changes, so that an older corpus isn't mistaken for a new one."""

_HIGH_FORMANTS: Final = tuple(1000.0 * n + 500.0 for n in range(3, 10))
_JITTER: Final = 0.008  # of a period, standard deviation
_SHIMMER: Final = 0.05  # of the size
_LEVEL_DB: Final = -27.0  # root mean square of a neutral recording, below full scale
_PEAK: Final = 0.97
_HOP_RATE: Final = 80  # frames in a second
_HOPS: Final = 4  # length of a filtered frame: two of sound, two for the filter to die away


def synthesise(
    *,
    gender: str,
    emotion: str,
    sentence: int,
    speaker: int,
    seed: int = 0,
    sample_rate: int = 22_050,
) -> Float32:
    """Speak one sentence; the same arguments give the same samples.

    Args:
        gender: ``female`` or ``male``.
        emotion: one of ``EMOTIONS``.
        sentence: 1 to 10.
        speaker: a number, 0 or more.
        seed: of the corpus, 0 or more.
        sample_rate: in Hz, 8,000 to 48,000.

    Returns:
        float32 ``[n_samples]``, mono, finite, of absolute value below 1.
    """
    voice = draw_voice(gender, speaker, seed=seed)
    key = (speaker, sentence, EMOTIONS.index(emotion))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    plan = _plan(SENTENCES[sentence - 1], voice, draw_manner(voice, emotion, rng), rng)
    return _record(_speak(plan, sample_rate, rng), plan, rng)


@dataclass(frozen=True)
class _Plan:
    """What is said, when and how."""

    voice: Voice
    manner: Manner
    segments: Float64  # [s, 9], rows of Segment
    starts: Float64  # [s], seconds
    ends: Float64  # [s], seconds
    stress: Float64  # [s], 1 in the phones of a stressed vowel, else 0

    def column(self, name: str) -> Float64:
        """A field of ``Segment``, float64 ``[s]``."""
        values: Float64 = self.segments[:, Segment._fields.index(name)]
        return values

    def track(self, name: str, times: Float64, *, edge: float = 0.005) -> Float64:
        """A field of ``Segment`` at times in seconds: float64 ``[t]``.

        It is constant in each segment except for two edges of at most ``edge`` seconds and a third
        of the segment; straight lines join the segments.
        """
        inset = np.minimum(edge, (self.ends - self.starts) / 3)
        knots = np.stack([self.starts + inset, self.ends - inset], axis=1)
        return np.interp(times, knots.ravel(), self.column(name).repeat(2))


@dataclass(frozen=True)
class _Grid:
    """The frames, with Hann windows of two hops that add up to one, and their frequencies."""

    sample_rate: int
    hop: int
    times: Float64  # [t], seconds, of the frames' middles
    hertz: Float64  # [bins]

    @property
    def n_samples(self) -> int:
        return (len(self.times) + 1) * self.hop

    @property
    def n_fft(self) -> int:
        return _HOPS * self.hop


def _plan(sentence: str, voice: Voice, manner: Manner, rng: np.random.Generator) -> _Plan:
    """Place the sentence's segments in time, between two silences."""
    segments, stress = [Segment(0)], [0.0]
    for phone in sentence.split():
        parts = PHONES[phone.removesuffix("1")]
        segments += parts
        stress += [float(phone.endswith("1"))] * len(parts)
    segments.append(Segment(0))
    stress.append(0.0)

    table, stressed = np.array(segments), np.array(stress)
    seconds = table[:, 0] / 1000 * np.exp(0.08 * normal(rng, stressed.shape) - manner.rate)
    seconds *= 1 + 0.25 * stressed
    seconds[-4:-1] *= 1.3  # a sentence slows down at its end
    seconds[[0, -1]] = rng.uniform(0.15, 0.4, size=2)
    ends = np.cumsum(seconds)
    return _Plan(voice, manner, table, ends - seconds, ends, stressed)


def _speak(plan: _Plan, sample_rate: int, rng: np.random.Generator) -> Float32:
    """The speech without level and noise, float32 ``[n_samples]``."""
    hop = sample_rate // _HOP_RATE
    times = np.arange(hop, plan.ends[-1] * sample_rate, hop) / sample_rate
    grid = _Grid(sample_rate, hop, times, scipy.fft.rfftfreq(_HOPS * hop, 1 / sample_rate))
    pulses = _framed(_pulses(plan, grid, rng), hop)
    noise = _framed(rng.standard_normal(grid.n_samples, dtype=np.float32), hop)
    spectrum = np.zeros((len(times), len(grid.hertz)), dtype=np.complex64)

    breath = plan.track("breath", times)
    breath += 0.1 * np.exp(plan.manner.breath) * plan.track("voice", times)
    on = np.flatnonzero(breath)
    source = scipy.fft.rfft(pulses[on] + _upright(breath[on]) * noise[on], grid.n_fft)
    source *= _slope(grid.hertz, plan.manner.tilt)
    spectrum[on] = source * _resonances(plan, grid, times[on])

    hiss = plan.track("hiss", times)
    on = np.flatnonzero(hiss)
    bands = _bands(plan, grid.hertz)[np.searchsorted(plan.ends, times[on])]
    spectrum[on] += scipy.fft.rfft(_upright(hiss[on]) * noise[on], grid.n_fft) * bands
    return _overlap_add(scipy.fft.irfft(spectrum, grid.n_fft), hop)


def _pulses(plan: _Plan, grid: _Grid, rng: np.random.Generator) -> Float32:
    """The glottal pulses, float32 ``[n_samples]``: windowed sincs, which don't alias.

    There is a pulse wherever the phase, the integral of F0, passes a whole number. Their power does
    not depend on F0.
    """
    f0 = _melody(plan, grid.times, rng)
    phase = np.cumsum(f0) * grid.hop / grid.sample_rate
    at = np.interp(np.arange(np.ceil(phase[0]), phase[-1]), phase, grid.times)
    period = 1 / np.interp(at, grid.times, f0)
    rough = np.exp(plan.manner.rough)
    at += _JITTER * rough * period * normal(rng, at.shape)
    size = np.sqrt(grid.sample_rate * period) * (1 + _SHIMMER * rough * normal(rng, at.shape))
    size *= plan.track("voice", at, edge=0.012)

    taps = np.arange(-7, 9)
    whole = np.floor(at * grid.sample_rate).astype(np.int64)
    distance = taps - _upright(at * grid.sample_rate - whole)  # [pulses, taps]
    shape = np.sinc(distance) * np.cos(np.pi * distance / 17) ** 2 * _upright(size)
    place = np.clip(whole[:, np.newaxis] + taps, 0, grid.n_samples - 1)
    return np.bincount(place.ravel(), shape.ravel(), grid.n_samples).astype(np.float32)


def _melody(plan: _Plan, times: Float64, rng: np.random.Generator) -> Float64:
    """F0 in Hz, float64 ``[t]``: a falling line, with a rise on every stressed vowel."""
    vowels = plan.column("voice") == 1
    middles = ((plan.starts + plan.ends) / 2)[vowels]
    along = np.linspace(0, 1, len(middles))
    accents = plan.stress[vowels] * (2.5 + 0.8 * normal(rng, along.shape))
    semitones = plan.manner.pitch + np.exp(plan.manner.range) * (1.5 - 3.5 * along + accents)
    semitones[-1] += plan.manner.rise
    f0: Float64 = plan.voice.pitch_hz * 2 ** (np.interp(times, middles, semitones) / 12)
    return f0


def _resonances(plan: _Plan, grid: _Grid, times: Float64) -> Complex64:
    """The vocal tract's transfer function, complex64 ``[t, bins]``.

    A cascade of Klatt's two-pole resonators of unit gain at 0 Hz. The first three formants move;
    above them there is one in each 1000 Hz, as in a uniform tube of 17 cm.
    """
    fixed = [np.array([middle]) for middle in _HIGH_FORMANTS]
    moving = [plan.track(name, times, edge=0.03) for name in ("f1", "f2", "f3")]
    delay = np.exp(-2j * np.pi * grid.hertz / grid.sample_rate).astype(np.complex64)
    below = np.ones((1, len(delay)), dtype=np.complex64)
    for formant in fixed + moving:
        middle = formant * plan.voice.tract * np.exp(plan.manner.smile)
        if middle.max() > 0.45 * grid.sample_rate:  # it would fold back at half the sample rate
            continue
        radius = np.exp(-np.pi * (50 + 0.035 * middle) / grid.sample_rate)
        first = -2 * radius * np.cos(2 * np.pi * middle / grid.sample_rate)
        unit = 1 / (1 + first + radius**2)
        section = _upright(unit * radius**2) * delay  # in place from here: half the time
        section += _upright(unit * first)
        section *= delay
        section += _upright(unit)
        below = below * section
    # 1 / below, written out: NumPy's complex division takes ten times as long.
    power = np.square(below.real)
    power += np.square(below.imag)
    response: Complex64 = below.conj()
    response *= 1 / power
    return response


def _slope(hertz: Float64, tilt: float) -> Float32:
    """The spectrum of glottis and lips, float32 ``[bins]``: -6 dB per octave, and the tilt.

    The glottal flow falls by 12 dB per octave, the radiation at the lips rises by 6 (Fant, 1960).
    Below 80 Hz the gain goes to zero, as a microphone's does.
    """
    decibels = (tilt - 6) * np.log2(np.maximum(hertz, 80) / 1000)
    gain: Float32 = (10 ** (decibels / 20) * hertz**2 / (hertz**2 + 80**2)).astype(np.float32)
    return gain


def _bands(plan: _Plan, hertz: Float64) -> Float32:
    """The gain of each segment's hiss, a bell over frequency, float32 ``[s, bins]``."""
    centre, width = plan.column("centre")[:, np.newaxis], plan.column("width")[:, np.newaxis]
    bell: Float32 = np.exp(-0.5 * ((hertz - centre) / width) ** 2).astype(np.float32)
    return bell


def _record(speech: Float32, plan: _Plan, rng: np.random.Generator) -> Float32:
    """Set the level, add the room's noise, and keep the peak below 1."""
    level = 10 ** ((_LEVEL_DB + plan.manner.level) / 20)
    speech *= np.float32(level) / np.sqrt(np.mean(np.square(speech)))
    white = rng.standard_normal(len(speech), dtype=np.float32)
    room = scipy.signal.lfilter([0.3], [1, -0.9], white).astype(np.float32)
    speech += np.float32(10 ** (plan.voice.noise / 20)) * room
    speech *= np.float32(min(1.0, _PEAK / np.abs(speech).max()))
    return speech


def _framed(y: Float32, hop: int) -> Float32:
    """``[n_samples]`` -> ``[frames, 2 * hop]`` under a periodic Hann window."""
    window = scipy.signal.windows.hann(2 * hop, sym=False).astype(np.float32)
    frames: Float32 = sliding_window_view(y, 2 * hop)[::hop] * window
    return frames


def _overlap_add(frames: Float32, hop: int) -> Float32:
    """``[frames, _HOPS * hop]`` -> ``[n_samples]``, each frame one hop later than the last."""
    parts = frames.reshape(len(frames), _HOPS, hop)
    y = np.zeros((len(frames) + _HOPS - 1, hop), dtype=np.float32)
    for i in range(_HOPS):
        y[i : i + len(frames)] += parts[:, i]
    return y.ravel()


def _upright(x: Float64) -> Float32:
    """``[n]`` -> ``[n, 1]``, in single precision."""
    return x.astype(np.float32)[:, np.newaxis]
