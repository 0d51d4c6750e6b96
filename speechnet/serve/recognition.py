"""From the bytes of an upload to everything that the page shows of it."""

from __future__ import annotations

import base64
import contextlib
import io
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import soundfile
from markupsafe import Markup
from matplotlib.figure import Figure

from speechnet.audio.decode import Clip, load, load_at_rates
from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.audio.spectrogram import mel_spectrogram
from speechnet.core.errors import Excluded
from speechnet.core.librosa_loader import librosa
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import NOTES, Float32, Float64
from speechnet.experiment.novelty import MEASURED, unlike_in_words
from speechnet.features.functionals import Functionals
from speechnet.inference.prediction import Prediction
from speechnet.inference.predictor import Predictor
from speechnet.inference.windows import Windows, summarise
from speechnet.report.drawing.sound import draw_sound, svg_bytes
from speechnet.report.drawing.timeline import draw_timeline
from speechnet.report.html.svg import inline_svg
from speechnet.serve.limits import Limits

_PLAYED_BYTES: Final = 4 * 2**20
"""An upload up to this size can be listened to in the page, which then holds all of it."""
_KINDS: Final = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg"}
"""The kind of sound by the first bytes of a file; any other is taken for an MP3."""
_RECORDED: Final = 2 * 48_000
"""Samples a second of the most that a browser records: two channels at 48 kHz."""
_SOFT_DB: Final = 40.0
_EDGE: Final = 1.03
_FRAMES: Final = 2_000
_SIZE: Final = (9.0, 4.0)
"""Inches."""
_DRAWING: Final = threading.Lock()
"""Held while matplotlib draws: its settings are the whole process's."""


@dataclass(frozen=True)
class Recognition:
    """The answer to an upload: its statistics, each model's prediction, and what is shown of it.

    A short one has no picture of its windows, a large one no ``data:`` URI to play it. ``unlike``
    says that it is unlike the training data, if it is.
    """

    statistics: SignalStatistics
    predictions: dict[str, Prediction]
    sound: Markup
    timeline: Markup | None
    player: str | None
    unlike: str | None

    @property
    def notes(self) -> list[str]:
        """Remarks on the recording, in words."""
        return [NOTES[code] for code in self.statistics.notes()]


class UploadRecogniser:
    """Recognises and draws uploads; several threads may use it at once.

    Args:
        predictor: of the run, with every model that is shown.
        best: the model whose timeline is drawn.
        limits: how long a recording may be.
    """

    def __init__(self, predictor: Predictor, *, best: str, limits: Limits) -> None:
        self._predictor = predictor
        self._best = best
        self._data = predictor.run.config.data
        # An upload is drawn whole, within the demo's bounds and not the run's.
        seconds = 60 * limits.max_minutes
        self._drawn = replace(
            self._data.audio,
            max_duration=seconds,
            max_samples=max(1, int(seconds * _RECORDED)),
            trim_db=None,
        )
        self._windows = Windows.of(self._data.audio)
        own = self._data.recipe.extractors.get("functionals")
        self._pitch = own if isinstance(own, Functionals) else Functionals()

    def recognise(self, content: bytes) -> Recognition:
        """Recognise an upload and draw it.

        Args:
            content: a sound file.

        Raises:
            Excluded: it can't be used; the reason is one of ``speechnet.core.types.REASONS``.
        """
        with _as_file(content) as path:
            clip = load(path, self._drawn)
            timeline = None
            if clip.statistics.duration > self._windows.longer_than:
                table = self._predictor.timeline_of_file(
                    path, window=self._windows.length, hop=self._windows.hop
                )
                predictions = summarise(table, self._predictor.targets)
                timeline = self._timeline(table)
            else:
                predictions = self._predict(path)
        unlike = self._unlike(predictions[self._best])
        player = _player(content)
        return Recognition(
            clip.statistics, predictions, self._sound(clip), timeline, player, unlike
        )

    def rehearse(self) -> None:
        """Recognise a buzz, so that the first upload need not wait for one-time work."""
        config = self._data.audio
        t = np.arange(round(max(1.0, config.min_duration) * config.sample_rate))
        buzz = 0.3 * np.sign(np.sin(2 * np.pi * 120 * t / config.sample_rate))
        buffer = io.BytesIO()
        soundfile.write(buffer, buzz, config.sample_rate, format="WAV")
        with contextlib.suppress(Excluded):  # a run may exclude it
            self.recognise(buffer.getvalue())

    def _predict(self, path: Path) -> dict[str, Prediction]:
        """Each model's prediction for a recording as a whole."""
        rates = sorted({*self._data.recipe.rates.values()})
        clips, statistics = load_at_rates(path, self._data.audio, rates)
        features = self._predictor.describe_clips(clips)
        return self._predictor.recognise(features, [statistics.bandwidth])[0]

    def _unlike(self, found: Prediction) -> str | None:
        trained = self._predictor.run.folder.info["corpus"].get("bandwidth", {})
        new = pd.DataFrame([(found.novelty, found.far, found.bandwidth)], columns=MEASURED)
        return unlike_in_words(new, self._data, trained)

    def _sound(self, clip: Clip) -> Markup:
        mel_db, frequencies, hop_length = mel_spectrogram(clip.y, clip.sr)
        f0 = pitch(clip.y, clip.sr, self._pitch, hop_length=hop_length)
        draw = partial(draw_sound, clip.y, clip.sr, mel_db, frequencies=frequencies, f0=f0)
        words = "Its waveform, below it its mel spectrogram, and below that its pitch."
        return _inline(partial(draw, hop_length=hop_length, size=_SIZE), "The recording", words)

    def _timeline(self, table: pd.DataFrame) -> Markup:
        labels, targets = self._predictor.run.folder.labels, self._predictor.targets
        draw = partial(draw_timeline, table, targets, model=self._best, labels=labels)
        words = f"The probability of each class in windows of {self._windows.length:g} seconds."
        return _inline(draw, "The recording over time", words)


def _inline(draw: Callable[[], Figure], name: str, words: str) -> Markup:
    with _DRAWING:
        svg = svg_bytes(draw()).decode()
    return inline_svg(svg, name=name, description=words)


def pitch(y: Float32, sr: int, features: Functionals, *, hop_length: int) -> Float64:
    """The pitch as it is drawn, by librosa's YIN (de Cheveigné and Kawahara 2002).

    YIN finds one in every frame. Frames 40 dB softer than the loudest are left out, and values at
    an end of the range, where YIN found nothing within it.

    Args:
        y: float32 mono ``[n_samples]``.
        sr: Hz.
        features: the range of frequencies.
        hop_length: samples from one frame to the next.

    Returns:
        Hz, float64 ``[frames]``, frame ``i`` centred at sample ``i * hop_length``; NaN where there
        is none.
    """
    low, high = features.f0_min, min(features.f0_max, sr / 2)
    length = 2 * math.ceil(2 * sr / low)  # four periods of the lowest, an even number
    level = librosa.feature.rms(y=y, frame_length=length, hop_length=hop_length)[0]
    padded = np.pad(y, length // 2)
    parts = []
    for first in range(0, len(level), _FRAMES):  # of all at once it would need gigabytes
        last = min(first + _FRAMES, len(level)) - 1
        part = padded[first * hop_length : last * hop_length + length]
        settings = {"fmin": low, "fmax": high, "sr": sr, "frame_length": length}
        parts.append(librosa.yin(part, **settings, hop_length=hop_length, center=False))
    f0 = np.concatenate(parts)
    soft = level < level.max() * 10 ** (-_SOFT_DB / 20)
    return np.where(soft | (f0 < low * _EDGE) | (f0 > high / _EDGE), math.nan, f0)


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    """A file with this content: on Linux in memory, so that nothing outlives a killed process."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("upload"), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield Path(f"/proc/self/fd/{memory.fileno()}")
    else:
        with temporary_folder() as folder:
            path = Path(folder, "upload")
            path.write_bytes(content)
            yield path


def _player(content: bytes) -> str | None:
    """The upload as a ``data:`` URI, so that hearing it again needs no server."""
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), "mpeg")
    if len(content) > _PLAYED_BYTES:
        return None
    return f"data:audio/{kind};base64,{base64.b64encode(content).decode()}"
