"""From the bytes of an upload to all that the page shows of it."""

from __future__ import annotations

import base64
import contextlib
import io
import math
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
import pandas as pd
import soundfile
from markupsafe import Markup

from speechnet.audio.decode import Clip, load
from speechnet.core.errors import Excluded
from speechnet.core.librosa_loader import librosa
from speechnet.core.types import NOTES, Float32, Float64
from speechnet.experiment.mistakes import mel_spectrogram
from speechnet.experiment.novelty import MEASURED, unlike_in_words
from speechnet.features.functionals.config import FeaturesConfig
from speechnet.inference.prediction import Prediction, recognition
from speechnet.inference.predictor import Predictor
from speechnet.inference.sliding_windows import summarise, timeline_of_file
from speechnet.inference.timelines import Windowing
from speechnet.report.figures.sound import draw_sound, svg_bytes
from speechnet.report.figures.timeline import draw_timeline
from speechnet.report.html.svg import inline_svg
from speechnet.serve.limits import Limits

_PLAYED_BYTES: Final = 4 * 2**20
"""An upload up to this size can be listened to in the page, which then holds all of it."""
_KINDS: Final = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg"}
"""How a file begins, and what kind of sound it then is; any other is taken for an MP3."""
_SOFT_DB: Final = 40.0
_EDGE: Final = 1.03
_FRAMES: Final = 2_000
_SIZE: Final = (9.0, 4.0)
"""Inches."""
_DRAWING: Final = threading.Lock()
"""Held while matplotlib draws: its settings are the whole process's."""


@dataclass(frozen=True)
class Heard:
    """What came of a recording.

    Attributes:
        duration: seconds.
        sample_rate: of the upload, in Hz.
        channels: of the upload.
        said: what each model says of it, by its name.
        sound: the picture of its waveform, mel spectrogram and pitch.
        notes: what should be known of it, in words.
        timeline: the picture of its windows; None for a short one.
        player: a ``data:`` URI of the upload; None for a large one.
        unlike: that it is unlike the training data, in words; None where it isn't.
    """

    duration: float
    sample_rate: int
    channels: int
    said: dict[str, Prediction]
    sound: Markup
    notes: tuple[str, ...]
    timeline: Markup | None
    player: str | None
    unlike: str | None


class Listener:
    """Recognises and draws uploads; several threads may use it at once.

    Args:
        recogniser: the run, with every model that is shown.
        best: the model whose timeline is drawn.
        limits: how long a recording may be.
        folder: where an upload lies while it is decoded, and no longer, on systems that have no
            files in memory.
    """

    def __init__(self, recogniser: Predictor, *, best: str, limits: Limits, folder: Path) -> None:
        self._recogniser = recogniser
        self._best = best
        data = recogniser.run.config.data
        self._audio, self._drawn = data.audio, limits.bound(data.audio)
        self._windows = Windowing().within(data.audio)
        self._features = data.features
        self._folder = folder

    def hear(self, content: bytes) -> Heard:
        """Recognise an upload and draw it.

        Args:
            content: a sound file.

        Raises:
            Excluded: it can't be used; the reason is one of ``speechnet.core.types.REASONS``.
        """
        with _as_file(content, self._folder) as path:
            return self._hear(path, player=_player(content))

    def rehearse(self) -> None:
        """Hear something once, so that the first upload need not wait for what is made once."""
        config = self._audio
        t = np.arange(round(max(1.0, config.min_duration) * config.sample_rate))
        buzz = 0.3 * np.sign(np.sin(2 * np.pi * 120 * t / config.sample_rate))
        buffer = io.BytesIO()
        soundfile.write(buffer, buzz, config.sample_rate, format="WAV")
        with contextlib.suppress(Excluded):  # a run may take a buzz for no speech
            self.hear(buffer.getvalue())

    def _hear(self, path: Path, *, player: str | None) -> Heard:
        clip = load(path, self._drawn)
        timeline = None
        if clip.statistics.duration > self._windows.longer_than:
            table = timeline_of_file(
                self._recogniser, path, window=self._windows.window, hop=self._windows.hop
            )
            said = summarise(table, self._recogniser.targets)
            timeline = self._timeline(table)
        else:
            said = self._said(path)
        return Heard(
            duration=clip.statistics.duration,
            sample_rate=clip.statistics.sample_rate,
            channels=clip.statistics.channels,
            said=said,
            sound=self._sound(clip),
            notes=tuple(NOTES[code] for code in clip.statistics.notes()),
            timeline=timeline,
            player=player,
            unlike=self._unlike(said[self._best]),
        )

    def _unlike(self, said: Prediction) -> str | None:
        run = self._recogniser.run
        new = pd.DataFrame([(said.novelty, said.far, said.bandwidth)], columns=MEASURED)
        return unlike_in_words(new, run.config.data, run.folder.info["corpus"].get("bandwidth", {}))

    def _said(self, path: Path) -> dict[str, Prediction]:
        """What each model says of a recording as a whole."""
        clip = load(path, self._audio)
        (row,) = self._recogniser.rows([clip.y])
        if isinstance(row, Excluded):
            raise row
        targets, new = self._recogniser.targets, self._recogniser.novelty(row[None])
        return {
            model: recognition(
                {t: p[0] for t, p in found.items()},
                targets,
                abstain=0.0,
                novelty=new.novelty[0],
                far=new.far[0],
                bandwidth=clip.statistics.bandwidth,
            )
            for model, found in self._recogniser.probabilities(row[None]).items()
        }

    def _sound(self, clip: Clip) -> Markup:
        mel_db, frequencies, hop_length = mel_spectrogram(clip.y, clip.sr)
        f0 = pitch(clip.y, clip.sr, self._features, hop_length=hop_length)
        with _DRAWING:
            figure = draw_sound(
                clip.y,
                clip.sr,
                mel_db,
                frequencies=frequencies,
                hop_length=hop_length,
                f0=f0,
                size=_SIZE,
            )
            svg = svg_bytes(figure).decode()
        words = "Its waveform, below it its mel spectrogram, and below that its pitch."
        return inline_svg(svg, name="The recording", description=words)

    def _timeline(self, table: pd.DataFrame) -> Markup:
        with _DRAWING:
            figure = draw_timeline(table, self._recogniser.targets, model=self._best)
            svg = svg_bytes(figure).decode()
        words = f"The probability of each class in windows of {self._windows.window:g} seconds."
        return inline_svg(svg, name="The recording over time", description=words)


def pitch(y: Float32, sr: int, features: FeaturesConfig, *, hop_length: int) -> Float64:
    """The pitch as it is drawn, by librosa's YIN (de Cheveigné and Kawahara 2002).

    YIN finds one in every frame. Left out is that of frames which are 40 dB softer than the
    loudest, and what lies at an end of the range, where nothing was found within it.

    Args:
        y: float32 mono ``[n_samples]``.
        sr: Hz.
        features: between which frequencies it is looked for.
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
        f0 = librosa.yin(
            part,
            fmin=low,
            fmax=high,
            sr=sr,
            frame_length=length,
            hop_length=hop_length,
            center=False,
        )
        parts.append(f0)
    f0 = np.concatenate(parts)
    soft = level < level.max() * 10 ** (-_SOFT_DB / 20)
    return np.where(soft | (f0 < low * _EDGE) | (f0 > high / _EDGE), math.nan, f0)


@contextlib.contextmanager
def _as_file(content: bytes, folder: Path) -> Iterator[Path]:
    """A file with this content: on Linux in memory, of which nothing outlives a killed process."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("upload"), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield Path(f"/proc/self/fd/{memory.fileno()}")
    else:
        path = folder / uuid4().hex
        try:
            path.write_bytes(content)
            yield path
        finally:
            path.unlink(missing_ok=True)


def _player(content: bytes) -> str | None:
    """The upload as a ``data:`` URI, so that hearing it again needs no server."""
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), "mpeg")
    if len(content) > _PLAYED_BYTES:
        return None
    return f"data:audio/{kind};base64,{base64.b64encode(content).decode()}"
