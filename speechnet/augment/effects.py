"""Effects: float32 mono ``[n_samples]`` at a rate in Hz, and the same kind back.

Conventions:
    Full scale is 1. Whatever an effect would raise above it is scaled down as a whole, never
    clipped. A silent clip (all zeros) stays as it is. All but ``change_speed`` keep the length.
    What is random is drawn from the generator given: the same state, the same samples.

torchaudio computes wherever it can. Its ``speed`` and ``pitch_shift`` resample with a kernel for
each phase of the ratio of two rates, half a gigabyte for 22,050 Hz and a drawn ratio, so soxr
resamples here; its biquads clip at full scale, so SciPy filters here.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec

import numpy as np
import soxr

from speechnet.augment.config import CodecName, Colour
from speechnet.core.types import Float32

Settings = ParamSpec("Settings")

# Power falls by f to this exponent.
_SLOPES: Final[dict[Colour, float]] = {"white": 0.0, "pink": 1.0, "brown": 2.0}
_LOWEST_HZ: Final = 20.0  # below, coloured noise is as strong as here: nobody hears it
_GAP_S: Final = 0.002  # from the direct sound to the first reflection: a detour of 0.7 m
_WINDOW_S: Final = 0.04  # of the phase vocoder, at least: harmonics 80 Hz apart stay apart
_ORDER: Final = 8  # of the band's filters: 48 dB an octave

# Rates in Hz that Opus and MP3 both have, and how libsndfile names the codecs.
_RATES: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
_FORMATS: Final[dict[CodecName, tuple[str, str]]] = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
    "vorbis": ("OGG", "VORBIS"),
}


def within_scale(y: Float32) -> Float32:
    """Samples divided by their peak if that is above full scale."""
    return np.asarray(y / max(1.0, float(np.abs(y).max())), dtype=np.float32)


def _effect(
    change: Callable[Concatenate[Float32, int, Settings], Float32],
) -> Callable[Concatenate[Float32, int, Settings], Float32]:
    """Keep silent clips as they are, and all others within full scale."""

    @wraps(change)
    def kept(y: Float32, sr: int, /, *args: Settings.args, **kwargs: Settings.kwargs) -> Float32:
        return within_scale(change(y, sr, *args, **kwargs)) if y.any() else y

    return kept


@_effect
def add_noise(
    y: Float32, sr: int, random: np.random.Generator, *, snr: float, colour: Colour = "white"
) -> Float32:
    """Add noise of a colour at a signal-to-noise ratio in dB, of mean powers over the whole clip.

    The colour ``speech`` has the clip's own spectrum at random phases: it masks speech the most,
    and holds nobody else's voice.
    """
    spectrum = np.fft.rfft(random.standard_normal(len(y)))
    if colour == "speech":
        spectrum = np.abs(np.fft.rfft(y)) * np.exp(1j * np.angle(spectrum))
    elif slope := _SLOPES[colour]:
        spectrum *= np.maximum(np.fft.rfftfreq(len(y), 1 / sr), _LOWEST_HZ) ** (-slope / 2)
    return add_recording(y, sr, np.fft.irfft(spectrum, len(y)).astype(np.float32), snr=snr)


@_effect
def add_recording(y: Float32, sr: int, noise: Float32, *, snr: float) -> Float32:
    """Add float32 ``[n_samples]`` at a signal-to-noise ratio as above; silence adds nothing."""
    import torch
    from torchaudio.functional import add_noise as mixed

    del sr
    if not noise.any():
        return y
    both = (torch.from_numpy(one)[None] for one in (y, noise))
    return np.asarray(mixed(*both, torch.tensor([snr]))[0])


@_effect
def change_gain(y: Float32, sr: int, *, db: float) -> Float32:
    """Multiply by ``10^(db / 20)``."""
    del sr
    return y * np.float32(10 ** (db / 20))


@_effect
def change_speed(y: Float32, sr: int, *, factor: float) -> Float32:
    """Play at another speed: length ``n / factor``, all frequencies times ``factor``."""
    del sr
    return np.asarray(soxr.resample(y, factor, 1.0, quality="HQ"))


@_effect
def shift_pitch(y: Float32, sr: int, *, semitones: float) -> Float32:
    """Multiply all frequencies, formants too, by ``2^(semitones / 12)`` at the same speed.

    A phase vocoder (Flanagan and Golden, "Phase Vocoder", 1966) stretches the clip, which is then
    played that much faster.
    """
    import torch
    from torchaudio.functional import phase_vocoder

    factor = 2 ** (semitones / 12)
    size = 2 ** math.ceil(math.log2(_WINDOW_S * sr))
    hop, window = size // 4, torch.hann_window(size)
    spectrum = torch.stft(
        torch.from_numpy(y), size, hop, window=window, pad_mode="constant", return_complex=True
    )
    advance = torch.linspace(0, math.pi * hop, size // 2 + 1)[:, None]
    slower = phase_vocoder(spectrum, 1 / factor, advance)
    stretched = torch.istft(slower, size, hop, window=window, length=round(len(y) * factor))
    found = soxr.resample(stretched.numpy(), factor, 1.0, quality="HQ")[: len(y)]
    return np.pad(found, (0, len(y) - len(found)))


def room_response(sr: int, random: np.random.Generator, *, rt60: float, direct: float) -> Float32:
    """A made room's impulse response, float32 ``[n]``, its energy 1.

    The direct sound, and from 2 ms on Gaussian noise whose level falls by 60 dB in ``rt60``
    seconds, where it ends (J. D. Polack's model, 1988). The direct sound has ``direct`` dB more
    energy than all the rest.
    """
    gap, length = math.ceil(_GAP_S * sr), math.ceil(rt60 * sr)
    tail = random.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail *= 10 ** (-direct / 20) / np.linalg.norm(tail)
    response = np.concatenate([[1.0], np.zeros(gap - 1), tail])
    return np.asarray(response / np.linalg.norm(response), dtype=np.float32)


@_effect
def reverberate(
    y: Float32, sr: int, random: np.random.Generator, *, rt60: float, direct: float = 0.0
) -> Float32:
    """Put a clip into a room of ``room_response``, without the echo behind its end."""
    import torch
    from torchaudio.functional import fftconvolve

    response = room_response(sr, random, rt60=rt60, direct=direct)
    heard = fftconvolve(torch.from_numpy(y), torch.from_numpy(response))
    return np.asarray(heard[: len(y)])


@_effect
def limit_band(y: Float32, sr: int, *, low: float = 300.0, high: float = 3400.0) -> Float32:
    """Keep a band from ``low`` to ``high`` Hz, by default that of a telephone (ITU-T G.712).

    Butterworth filters whose response is 3 dB down at its ends; an end at or beyond 0 or half the
    rate cuts nothing.
    """
    from scipy.signal import butter, sosfilt

    found = y.astype(np.float64)
    for edge, kind in ((low, "highpass"), (high, "lowpass")):
        if 0 < edge < sr / 2:
            found = sosfilt(butter(_ORDER, edge, kind, fs=sr, output="sos"), found)
    return np.asarray(found, dtype=np.float32)


@_effect
def encode(y: Float32, sr: int, *, codec: CodecName, level: float = 0.5) -> Float32:
    """Encode and decode.

    ``mu_law`` is 8 bits a sample (ITU-T G.711), which has no level; the others are libsndfile's
    codecs at its compression level, from 0, the best, to below 1, the smallest.
    """
    y = within_scale(y)
    if codec == "mu_law":
        import torch
        from torchaudio.functional import mu_law_decoding, mu_law_encoding

        return np.asarray(mu_law_decoding(mu_law_encoding(torch.from_numpy(y), 256), 256))
    import soundfile

    rate = next((one for one in _RATES if one >= sr), _RATES[-1])
    container, subtype = _FORMATS[codec]
    file = io.BytesIO()
    resampled = soxr.resample(y, sr, rate, quality="HQ")
    soundfile.write(
        file, resampled, rate, format=container, subtype=subtype, compression_level=level
    )
    file.seek(0)
    decoded = soundfile.read(file, dtype="float32")[0]
    found = soxr.resample(decoded, rate, sr, quality="HQ")[: len(y)]
    return np.pad(found, (0, len(y) - len(found)))
