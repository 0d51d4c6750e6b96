"""The picture of one recording shows its samples, its mel spectrogram and its pitch."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import numpy as np
import pytest
from helpers.overlaps import clashes, off_the_page, visible_texts
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speechnet.report.drawing.sound import draw_sound, svg_bytes

RATE = 16_000
HOP = 320
CENTRES = np.linspace(60.0, 7_900.0, 40)


def sound(seconds: float, *, peak: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise of an exact peak, a spectrogram between -90 and 0 dB, and a pitch with gaps."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-peak, peak, round(seconds * RATE)).astype(np.float32)
    y[len(y) // 2] = peak
    frames = 1 + len(y) // HOP
    mel_db = rng.uniform(-90, 0, (len(CENTRES), frames)).astype(np.float32)
    mel_db[3, frames // 2] = 0
    f0 = rng.uniform(80, 300, frames)
    f0[::5] = np.nan
    return y, mel_db, f0


def drawn(
    seconds: float,
    *,
    peak: float = 0.3,
    pitch: bool = False,
    size: tuple[float, float] = (4.5, 2.2),
) -> Figure:
    """The picture of ``sound``."""
    y, mel_db, f0 = sound(seconds, peak=peak)
    return draw_sound(
        y, RATE, mel_db, frequencies=CENTRES, hop_length=HOP, f0=f0 if pitch else None, size=size
    )


def outline(ax: Axes) -> np.ndarray:
    """The corners of the waveform, ``[n, 2]``."""
    (filled,) = ax.collections
    return filled.get_paths()[0].vertices


@pytest.mark.parametrize("seconds", [0.01, 2.0, 90.0])
def test_the_waveform_reaches_every_peak(seconds: float) -> None:
    """However many samples share a column, the lowest and the highest are drawn, in seconds."""
    y, _, _ = sound(seconds)
    corners = outline(drawn(seconds).axes[0])
    assert corners[:, 1].max() == y.max() == np.float32(0.3)
    assert corners[:, 1].min() == y.min()
    at = corners[corners[:, 1] == y.max(), 0]
    assert abs(at[0] - len(y) / 2 / RATE) <= seconds / 240
    assert len(corners) < 600


@pytest.mark.parametrize(
    ("peak", "limit"), [(0.3, 0.5), (1.0, 1.0), (0.012, 0.02), (0.0, 1.0), (6e-5, 1e-4)]
)
def test_the_axis_says_how_loud_it_is(peak: float, limit: float) -> None:
    """The next round number above the peak, by which quiet is told from loud."""
    figure = drawn(0.5, peak=peak)
    np.testing.assert_allclose(figure.axes[0].get_ylim(), (-limit, limit))
    assert figure.axes[0].get_yticklabels()[-1].get_text() == f"{limit:g}"


def test_short_spectrograms_are_shown_frame_by_frame() -> None:
    """Each value at its time and band, 80 dB from the darkest to the brightest."""
    _, mel_db, _ = sound(1.0)
    (image,) = drawn(1.0).axes[1].images
    np.testing.assert_array_equal(image.get_array(), mel_db)
    assert image.get_clim() == (-80, 0)
    left, right, bottom, top = image.get_extent()
    frame = HOP / RATE
    assert (left, bottom) == (-frame / 2, -0.5)
    assert right == pytest.approx((mel_db.shape[1] - 0.5) * frame)
    assert top == len(CENTRES) - 0.5


def test_long_spectrograms_keep_their_loudest_frames() -> None:
    """Neighbouring frames share a column, which is as loud as the loudest of them."""
    _, mel_db, _ = sound(60.0)
    (image,) = drawn(60.0).axes[1].images
    shown = np.asarray(image.get_array())
    edges = [int(column * mel_db.shape[1] / 240) for column in range(241)]
    for column, (first, last) in enumerate(pairwise(edges)):
        np.testing.assert_array_equal(shown[:, column], mel_db[:, first:last].max(axis=1))


def test_frequencies_stand_at_their_bands() -> None:
    """A tick lies between the bands whose centres are below and above it."""
    ax = drawn(1.0).axes[1]
    hz = [float(label.get_text()) for label in ax.get_yticklabels()]
    assert hz == [250, 1_000, 3_000]
    spacing = CENTRES[1] - CENTRES[0]
    np.testing.assert_allclose(ax.get_yticks(), (np.array(hz) - CENTRES[0]) / spacing)


def test_the_pitch_is_drawn_in_its_own_panel() -> None:
    """Every frame at its time in Hz, with gaps where there is none."""
    _, _, f0 = sound(2.0)
    (line,) = drawn(2.0, pitch=True).axes[2].lines
    np.testing.assert_array_equal(line.get_ydata(), f0)
    np.testing.assert_allclose(line.get_xdata(), np.arange(len(f0)) * HOP / RATE)
    assert np.isnan(line.get_ydata()).any()


def test_a_recording_without_pitch_says_so() -> None:
    """Its panel is not just empty."""
    y, mel_db, f0 = sound(1.0)
    figure = draw_sound(
        y, RATE, mel_db, frequencies=CENTRES, hop_length=HOP, f0=np.full_like(f0, np.nan)
    )
    assert "no pitch found" in [text.get_text() for text in visible_texts(figure)]


@pytest.mark.parametrize("pitch", [False, True])
@pytest.mark.parametrize(("seconds", "peak"), [(0.3, 1.0), (3.3, 0.04), (6.0, 6e-4), (600.0, 2e-5)])
def test_nothing_overlaps_or_leaves_the_page(seconds: float, peak: float, *, pitch: bool) -> None:
    """Short and long, loud and quiet; and every axis has its unit."""
    figure = drawn(seconds, peak=peak, pitch=pitch, size=(9.0, 4.0) if pitch else (4.5, 2.2))
    found = visible_texts(figure)
    assert not clashes(figure, found)
    assert not off_the_page(figure, found)
    units = {"Amplitude", "Hz", "dB re max", "Seconds"} | ({"Pitch, Hz"} if pitch else set())
    assert units <= {text.get_text() for text in found}


@pytest.mark.parametrize("pitch", [False, True])
def test_the_panels_share_their_time(*, pitch: bool) -> None:
    """Above each other, from 0 to the end of the recording."""
    figure = drawn(2.0, pitch=pitch)
    panels = figure.axes[: 3 if pitch else 2]
    for ax in panels:
        assert ax.get_xlim() == (0, 2.0)
        np.testing.assert_allclose(ax.bbox.extents[[0, 2]], panels[0].bbox.extents[[0, 2]])


def test_svgs_are_small_and_the_same_each_time() -> None:
    """Six seconds of noise, the hardest to compress, and ten minutes alike; no date."""
    content = svg_bytes(drawn(6.0))
    assert content == svg_bytes(drawn(6.0))
    assert len(content) < 80_000
    assert len(svg_bytes(drawn(600.0))) < 80_000
    assert b"dc:date" not in content


def test_svgs_are_rounded_to_a_hundredth_of_a_point() -> None:
    """The same paths as matplotlib's own, no coordinate further off."""
    buffer = io.BytesIO()
    figure = drawn(1.0)
    content = svg_bytes(figure).decode()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    waveform, exact = (
        np.array(re.findall(r"-?\d+\.?\d*", max(re.findall(r' d="([^"]*)"', svg), key=len)), float)
        for svg in (content, buffer.getvalue().decode())
    )
    assert len(waveform) > 100
    np.testing.assert_allclose(waveform, exact, rtol=0, atol=0.01)
