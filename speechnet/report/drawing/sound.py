"""One recording as a picture: waveform, mel spectrogram and, where it is wanted, pitch."""

from __future__ import annotations

import io
import math
import re
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from speechnet.core.types import Float32, Float64
from speechnet.report.drawing import style

_COLUMNS: Final = 240
"""More than these can't be told apart at the usual width, and would only make the file larger."""

_COLOURS: Final = 32
"""Steps of 2.5 dB: the eye sees no finer ones here, and the image takes half the bytes."""

_RANGE_DB: Final = 80.0  # what lies so much below the loudest place is shown as dark as can be

_MARGINS: Final = (0.68, 0.6, 0.42, 0.1)
"""Inches left and right of the panels, below and above them: what their labels need."""

_HEIGHTS: Final = (1.0, 2.0, 1.2)
_TICKS_HZ: Final = (250, 1_000, 3_000, 8_000)  # three of them even below 4 kHz
_SMALL: Final = 7.5  # points

_METADATA: Final = ("Creator", "Date", "Format", "Type")  # left out
_PATH: Final = re.compile(rb' d="[^"]*"')
_DECIMALS: Final = re.compile(rb"(\.\d\d)\d+")


@style.styled
def draw_sound(
    y: Float32,
    sr: int,
    mel_db: Float32,
    *,
    frequencies: Float64,
    hop_length: int,
    f0: Float64 | None = None,
    size: tuple[float, float] = (4.5, 2.2),
) -> Figure:
    """The waveform above the mel spectrogram above the pitch, on one time axis in seconds.

    Recordings of any length: what is too narrow to be seen is drawn together, as the lowest and
    the highest sample, and as the loudest frame.

    Args:
        y: float ``[n_samples]``, full scale is 1, at least one sample.
        sr: samples a second.
        mel_db: float ``[bands, frames]``, dB below its loudest place, at least one of each;
            frame ``i`` is centred at sample ``i * hop_length``, as librosa's are.
        frequencies: Hz ``[bands]``, the bands' centres, equally far apart in mel from 0 Hz on.
        hop_length: samples from one frame to the next.
        f0: Hz ``[frames]``, the pitch, NaN where there is none; None to draw none.
        size: width and height of the whole figure in inches.
    """
    figure = Figure(figsize=size)  # not laid out: all alike, in two thirds of the time
    left, right, bottom, top = _MARGINS
    heights = _HEIGHTS[: 2 if f0 is None else 3]
    axes = figure.subplots(len(heights), sharex=True, height_ratios=heights)
    figure.subplots_adjust(
        left / size[0], bottom / size[1], 1 - right / size[0], 1 - top / size[1], hspace=0.2
    )
    _waveform(axes[0], y, sr)
    image = _mel(axes[1], mel_db, frequencies, hop_length / sr)
    if f0 is not None:
        _pitch(axes[2], f0, hop_length / sr)
    axes[0].set_xlim(0, len(y) / sr)
    axes[-1].set_xlabel("Seconds", fontsize=_SMALL)
    inch = 1 / (size[0] - left - right)
    bar = axes[1].inset_axes((1 + 0.08 * inch, 0, 0.07 * inch, 1))
    figure.colorbar(image, cax=bar, ticks=np.linspace(*image.get_clim(), 3).round())
    bar.set_ylabel("dB re max", fontsize=_SMALL)
    for ax in [*axes, bar]:
        ax.tick_params(labelsize=_SMALL)
    for ax in axes:
        ax.yaxis.set_label_coords(-0.52 * inch, 0.5)
    return figure


@style.styled
def svg_bytes(figure: Figure) -> bytes:
    """A figure as an SVG file; equal figures give equal bytes.

    Paths are written to a hundredth of a point: a page holds many of these.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", dpi=style.SVG_DPI, metadata=dict.fromkeys(_METADATA))
    return _PATH.sub(lambda path: _DECIMALS.sub(rb"\1", path[0]), buffer.getvalue())


def _starts(count: int) -> np.ndarray:
    """Where each column of the picture begins, int64 ``[columns]``."""
    return np.linspace(0, count, min(count, _COLUMNS), endpoint=False).astype(np.int64)


def _waveform(ax: Axes, y: Float32, sr: int) -> None:
    starts = _starts(len(y))
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    ax.fill_between(starts / sr, low, high, color=style.BLUE, linewidth=0.4)
    peak = float(np.abs(y).max()) or 1.0
    power = 10.0 ** math.floor(math.log10(peak))
    limit = next(step * power for step in (1, 2, 5, 10) if peak <= step * power)
    ax.set_ylim(-limit, limit)
    ax.set_yticks([-limit, 0, limit], [f"\N{MINUS SIGN}{limit:g}", "0", f"{limit:g}"])
    ax.set_ylabel("Amplitude", fontsize=_SMALL)


def _mel(ax: Axes, mel_db: Float32, frequencies: Float64, frame_s: float) -> AxesImage:
    bands, frames = mel_db.shape
    loudest = float(mel_db.max())
    image = ax.imshow(
        np.maximum.reduceat(mel_db, _starts(frames), axis=1),
        origin="lower",
        aspect="auto",
        interpolation="none",  # embedded as small as it is, and enlarged where it is shown
        extent=(-0.5 * frame_s, (frames - 0.5) * frame_s, -0.5, bands - 0.5),
        cmap=colormaps["magma"].resampled(_COLOURS),
        vmin=loudest - _RANGE_DB,
        vmax=loudest,
    )
    ticks = [hz for hz in _TICKS_HZ if hz <= frequencies[-1]]
    known = np.concatenate([[0.0], frequencies])  # on the axis of bands, row -1 would be at 0 Hz
    rows = np.interp(ticks, known, np.arange(-1.0, bands))
    ax.set_yticks(rows, [f"{hz}" for hz in ticks])
    ax.set_ylabel("Hz", fontsize=_SMALL)
    return image


def _pitch(ax: Axes, f0: Float64, frame_s: float) -> None:
    at = _starts(len(f0))
    ax.plot(at * frame_s, f0[at], color=style.VERMILION, linewidth=1.2)
    if not np.isfinite(f0[at]).any():
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no pitch found", transform=ax.transAxes, ha="center", va="center")
    ax.set_ylabel("Pitch, Hz", fontsize=_SMALL)
