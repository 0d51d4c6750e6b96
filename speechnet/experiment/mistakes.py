"""The most confident mistakes of a run: a table, and a clip and a picture of each recording.

Conventions:
    Clip and picture show the input of the features: mixed, without offset, resampled and trimmed by
    ``data.audio``, but not yet denoised. The level is that of the file, since loudness is part of
    the evidence; only floats beyond full scale are reduced to it. Of a long recording the beginning
    is kept. Files are numbered, never named after the data.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import soundfile
import soxr

from speechnet.audio.decode import load
from speechnet.audio.prepare import sounding
from speechnet.audio.spectrogram import mel_spectrogram
from speechnet.console.progress import progress
from speechnet.core.errors import Excluded
from speechnet.core.files import storage_errors, write_whole
from speechnet.core.types import Float32
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.mistakes import confident_mistakes
from speechnet.experiment.run_folder import RunFolder
from speechnet.report.config import ReportConfig
from speechnet.report.drawing.sound import draw_sound, svg_bytes

_FOLDER: Final = "mistakes"
_COLUMNS: Final = (
    *("target", "model", "fold", "file", "speaker", "gender"),
    *("truth", "predicted", "confidence"),
)
_LONGEST_S: Final = 6.0

_MP3_RATES: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz; the only rates of an MP3 (ISO/IEC 11172-3 and 13818-3, and their extension MPEG 2.5)."""


@dataclass(frozen=True)
class Excerpt:
    """The clip and the picture of a recording.

    Attributes:
        start: where it begins in the file, in seconds; NaN without a clip.
        end: where it ends.
        clip: the MP3, relative to the run folder; empty if there is none.
        picture: the SVG, likewise.
        unavailable: why there is none.
    """

    start: float = math.nan
    end: float = math.nan
    clip: str = ""
    picture: str = ""
    unavailable: str = ""


def write_mistakes(
    config: ReportConfig,
    data: SpeechDataModule,
    *,
    run: RunFolder,
    predictions: pd.DataFrame,
    model: str | None,
) -> None:
    """Write ``mistakes.csv``, and where audio is allowed a clip and a picture of each recording.

    Columns: target, model, fold, file, speaker, gender, truth, predicted, confidence, those of
    ``Excerpt``, and the ``p_<class>`` of the predictions. A recording that can no longer be read
    has the reason instead of a clip.

    The mistakes are those of ``model``; without one the table is empty.

    Raises:
        StorageError: no space or no permission.
    """
    models = {} if model is None else dict.fromkeys(data.targets, model)
    speakers = dict(data.table["speaker"])
    found = confident_mistakes(predictions, models, count=config.mistakes, speakers=speakers)
    excerpts = _excerpts(data, list(found["file"].unique()), run.path, audio=config.audio)
    shown = {
        column.name: [getattr(excerpts[file], column.name) for file in found["file"]]
        for column in fields(Excerpt)
    }
    who = {column: found["file"].map(data.table[column]) for column in ("speaker", "gender")}
    probabilities = [column for column in found.columns if column.startswith("p_")]
    table = found.assign(**who, **shown)
    run.write_table("mistakes.csv", table[[*_COLUMNS, *shown, *probabilities]])


def _excerpts(
    data: SpeechDataModule, files: list[str], folder: Path, *, audio: bool
) -> dict[str, Excerpt]:
    """Write the clip and the picture of each recording, once for all targets."""
    if not audio:
        return dict.fromkeys(files, Excerpt(unavailable="switched off by report.audio"))
    excerpts = {}
    with storage_errors(folder / _FOLDER), progress("recordings", len(files)) as advance:
        (folder / _FOLDER).mkdir()
        for number, file in enumerate(files, start=1):
            excerpts[file], contents = _excerpt(data, file, f"{_FOLDER}/{number:03d}")
            for name, content in contents.items():
                write_whole(folder / name, content)
            advance(1)
    return excerpts


def _excerpt(data: SpeechDataModule, file: str, stem: str) -> tuple[Excerpt, dict[str, bytes]]:
    """The excerpt of a recording, and the contents of its files by their names."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of a recording shorter than a window
            y, sr, start = _beginning(data, file)
            contents = {f"{stem}.mp3": mp3_bytes(y, sr), f"{stem}.svg": picture_bytes(y, sr)}
    except Excluded as why:
        return Excerpt(unavailable=why.detail), {}
    except Exception as error:  # no single recording may fail a run
        return Excerpt(unavailable=f"{type(error).__name__}: {error}"), {}
    return Excerpt(start, start + len(y) / sr, *contents), contents


def _beginning(data: SpeechDataModule, file: str) -> tuple[Float32, int, float]:
    """The samples of the excerpt, their rate in Hz, and its start in the file in seconds."""
    audio = data.config.audio
    path, begin, end = data.table.loc[[file], ["path", "start", "end"]].to_numpy()[0]
    untrimmed = replace(audio, trim_db=None)  # to know where the trimmed part begins
    clip = load(data.corpus.root / path, untrimmed, start=float(begin), end=float(end))
    if clip.statistics.digest != data.extraction.statistics.loc[file, "digest"]:
        raise Excluded(
            "failed", "it no longer holds the samples that its features were computed from"
        )
    trim_db = audio.trim_db
    first, last = (0, len(clip.y)) if trim_db is None else sounding(clip.y, trim_db)
    y = clip.y[first : min(last, first + round(_LONGEST_S * clip.sr))]
    return y, clip.sr, (0.0 if math.isnan(begin) else float(begin)) + first / clip.sr


def mp3_bytes(y: Float32, sr: int) -> bytes:
    """Samples as an MP3, which every browser plays.

    Args:
        y: float32 mono ``[n_samples]``, reduced to full scale if it exceeds it.
        sr: Hz; resampled to the next higher rate of an MP3, at most 48 kHz.
    """
    rate = next((rate for rate in _MP3_RATES if rate >= sr), _MP3_RATES[-1])
    if rate != sr:
        y = soxr.resample(y, sr, rate, quality="HQ")
    buffer = io.BytesIO()
    soundfile.write(buffer, y / max(1.0, float(np.abs(y).max())), rate, format="MP3")
    return buffer.getvalue()


def picture_bytes(y: Float32, sr: int) -> bytes:
    """Waveform and mel spectrogram of float32 mono samples ``[n_samples]`` at ``sr`` Hz, as SVG."""
    mel_db, frequencies, hop_length = mel_spectrogram(y, sr)
    return svg_bytes(draw_sound(y, sr, mel_db, frequencies=frequencies, hop_length=hop_length))
