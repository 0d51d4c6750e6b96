"""The gate in torch against noisereduce itself."""

import warnings
from pathlib import Path

import noisereduce
import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr
import torch
from helpers import faults
from helpers.devices import DEVICES
from noisereduce.spectralgate.nonstationary import get_time_smoothed_representation
from noisereduce.spectralgate.utils import _amp_to_db

from speechnet.denoise import DenoiseConfig, torch_backend
from speechnet.denoise.noisereduce_backend import denoise as reference
from speechnet.denoise.recursion import BLOCK, Extent, decay, noise_floor

pytestmark = pytest.mark.slow

METHODS = ("nonstationary", "stationary")
RATE = 22_050
TOLERANCE = {"cpu": 1e-6, "cuda": 1e-4}
"""Largest error as a share of the peak; on a GPU another transform may flip a bin of the mask."""


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Each device that torch can have here."""
    chosen: str = request.param
    return chosen


def denoised(
    clips: list[np.ndarray], sr: int, config: DenoiseConfig, device: str = "cpu"
) -> list[np.ndarray]:
    """One batch, cut back to each clip's length."""
    lengths = torch.tensor([clip.size for clip in clips])
    batch = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(c) for c in clips], batch_first=True)
    out = torch_backend.denoise(batch.to(device), lengths, sr, config)
    assert out.dtype == torch.float32
    assert out.shape == batch.shape
    assert out.device.type == device
    for row, length in zip(out, lengths, strict=True):
        assert not row[length:].any()
    return [row[:length].cpu().numpy() for row, length in zip(out, lengths.tolist(), strict=True)]


def expect(y: np.ndarray, sr: int, config: DenoiseConfig, device: str) -> None:
    """The clip alone comes out as from noisereduce."""
    with warnings.catch_warnings(action="ignore"):  # scipy's, of a clip shorter than its window
        expected = reference(y, sr, config)
    out = denoised([y], sr, config, device)[0]
    np.testing.assert_allclose(out, expected, rtol=0, atol=TOLERANCE[device] * np.abs(y).max())


@pytest.mark.parametrize("sr", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("method", METHODS)
def test_rates(method: str, sr: int, device: str) -> None:
    """Frames and smoothing follow the rate as in noisereduce."""
    expect(faults.speech(1, 0.9, sr), sr, DenoiseConfig(method=method), device)


@pytest.mark.parametrize("sr", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("method", METHODS)
def test_real_speech(method: str, sr: int, device: str, ravdess: Path) -> None:
    """Quiet recordings, resampled, of three speakers."""
    for path in sorted(ravdess.glob("Actor_*/*-01.flac"))[::500][:3]:
        y, rate = soundfile.read(path, dtype="float32", always_2d=True)
        y = soxr.resample(y.mean(1), rate, sr).astype(np.float32)
        expect(y, sr, DenoiseConfig(method=method), device)


def test_the_same_bins_pass_as_in_noisereduce(ravdess: Path) -> None:
    """On a CPU the hard threshold is the same number, so no bin of real speech differs."""
    for path in sorted(ravdess.glob("Actor_*/*-01.flac"))[::300][:3]:
        y = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(1)
        frames = {"nfft": 1024, "noverlap": 768, "nperseg": 1024, "padded": False}
        level = _amp_to_db(scipy.signal.stft(y, **frames)[2])
        threshold = level.mean(1) + 1.5 * level.std(1)
        batch, lengths = torch.from_numpy(y)[None], torch.tensor([y.size])
        ours = torch_backend._noise_level(batch, lengths, 1.5)
        np.testing.assert_allclose(20 * np.log10(ours[0, 0].numpy()), threshold, rtol=1e-12)
        spectrum = scipy.signal.stft(np.pad(y.astype(np.float64), 30_000), **frames)[2]
        (piece,) = torch_backend._pieces(y.size, 1)
        mask, _ = torch_backend._stationary_mask(torch_backend._stft(batch, piece), ours, 1.0)
        theirs = (_amp_to_db(spectrum) > threshold[:, None]).T[piece.skipped :]
        np.testing.assert_array_equal(mask[0], theirs[: mask.shape[1]])


def awkward() -> dict[str, np.ndarray]:
    """Signals on which a gate goes wrong first, at 22,050 Hz."""
    t = np.arange(RATE) / RATE
    rise = np.hanning(t.size)
    silence = np.zeros(RATE)
    click = silence.copy()
    click[9_000] = 0.7
    first, last = silence.copy(), silence.copy()
    first[0], last[-1] = 0.5, 0.5
    speech = faults.speech(3)
    signals = {
        "silence before": np.concatenate([silence, speech]),
        "silence behind": np.concatenate([speech, silence]),
        "silence within": np.concatenate([speech, silence, silence, speech]),
        "click": click,
        "click at the start": first,
        "click at the end": last,
        "direct current": np.full(RATE, 0.5),
        "swelling direct current": 0.5 * rise,
        "offset": speech + 0.5,
        "tone on a bin": 0.5 * rise * np.sin(2 * np.pi * 20 * RATE / 1024 * t),
        "tone": 0.5 * rise * np.sin(2 * np.pi * 440 * t),
        "clipped": np.clip(20 * speech, -1, 1),
        "quiet": 1e-5 * speech,
        "low-passed": soxr.resample(faults.speech(4, 2, 8_000), 8_000, RATE),
        "of 16 bits": np.round(speech * 300) / 2**15,
    }
    for n in (1_024, 1_025, 1_279, 1_280):
        signals[f"{n} samples"] = faults.speech(5)[3_000 : 3_000 + n]
    return {name: y.astype(np.float32) for name, y in signals.items()}


@pytest.mark.parametrize("name", awkward())
@pytest.mark.parametrize("method", METHODS)
def test_awkward_signals(method: str, name: str, device: str) -> None:
    """Where there is nothing, or nearly nothing, in some bins or frames."""
    expect(awkward()[name], RATE, DenoiseConfig(method=method), device)


@pytest.mark.parametrize("n", [1, 5, 768, 1_023])
def test_a_few_samples(n: int, device: str) -> None:
    """The moving gate takes any clip."""
    expect(faults.speech(6)[4_000 : 4_000 + n], RATE, DenoiseConfig(), device)


PARAMETERS = [
    {"prop_decrease": 0.0},
    {"prop_decrease": 0.6},
    {"freq_mask_smooth_hz": 44.0},
    {"freq_mask_smooth_hz": 1_300.0},
    {"freq_mask_smooth_hz": 40_000.0},
    {"time_mask_smooth_ms": 12.0},
    {"time_mask_smooth_ms": 240.0},
    {"time_mask_smooth_ms": 3_000.0},
    {"time_mask_smooth_ms": 3_000.0, "prop_decrease": 0.6},
    {"freq_mask_smooth_hz": 44.0, "time_mask_smooth_ms": 12.0},
    {"time_constant_s": 0.003},
    {"time_constant_s": 0.05},
    {"time_constant_s": 60.0},
    {"thresh_n_mult": -1.2, "sigmoid_slope": 3.0},
    {"thresh_n_mult": 0.5},
    {"sigmoid_slope": 0.0},
    {"sigmoid_slope": -4.0},
    {"n_std_thresh": -6.0},
    {"n_std_thresh": 0.3, "prop_decrease": 0.6},
    {"n_std_thresh": 4.0},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_each_parameter(method: str, parameters: dict[str, float], device: str) -> None:
    """Off its default, alone and with those it meets; smoothing from none to beyond the grid."""
    y = np.concatenate([faults.speech(8, 0.5), np.zeros(3_000, np.float32)])
    expect(y, RATE, DenoiseConfig(method=method, **parameters), device)


@pytest.mark.parametrize(
    ("sr", "parameters"),
    [
        (4_000, {}),
        (384_000, {}),
        (RATE, {"freq_mask_smooth_hz": 43.0}),
        (RATE, {"time_mask_smooth_ms": 11.0}),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_too_narrow_to_smooth(method: str, sr: int, parameters: dict[str, float]) -> None:
    """Where noisereduce refuses to smooth over less than one bin or frame, so does this."""
    config = DenoiseConfig(method=method, **parameters)
    with pytest.raises(ValueError, match=r"mask_smooth_.* needs to be at least"):
        reference(faults.speech(0), sr, config)
    with pytest.raises(ValueError, match=rf"at {sr} Hz the mask is smoothed over .* expected at"):
        denoised([faults.speech(0)], sr, config)


@pytest.mark.parametrize(
    ("method", "n", "parameters"),
    [
        ("nonstationary", 600_000, {}),
        ("stationary", 600_001, {}),
        ("nonstationary", 1_231_000, {"time_mask_smooth_ms": 3_000.0}),
    ],
)
def test_long_clips(method: str, n: int, parameters: dict[str, float], device: str) -> None:
    """One chunk of noisereduce's, hardly more, and three, where smoothing reaches their edges."""
    y = np.tile(faults.speech(9, 3.1), 19)[:n]
    expect(y, RATE, DenoiseConfig(method=method, **parameters), device)


def expect_batch(clips: list[np.ndarray], config: DenoiseConfig, device: str) -> None:
    """Each comes out of the batch as it does alone, silent ones included."""
    for y, out in zip(clips, denoised(clips, RATE, config, device), strict=True):
        (alone,) = denoised([y], RATE, config, device)
        np.testing.assert_allclose(out, alone, rtol=0, atol=TOLERANCE[device] * np.abs(y).max())
        assert np.isfinite(out).all() == (y.any() or config.method == "stationary")


@pytest.mark.parametrize("parameters", [{}, {"time_mask_smooth_ms": 3_000.0}], ids=["", "wide"])
@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_its_clips(method: str, parameters: dict[str, float], device: str) -> None:
    """Beside longer, shorter, louder and silent ones nothing changes."""
    loud, silent = 100 * faults.speech(1, 0.5), np.zeros(12_000, np.float32)
    clips = [faults.speech(0, 0.9), loud, silent, faults.speech(2)[:900], np.tile(loud, 8)]
    expect_batch(clips, DenoiseConfig(method=method, **parameters), device)


@pytest.mark.parametrize("method", METHODS)
def test_a_long_clip_beside_shorter_ones(method: str, device: str) -> None:
    """Chunks are for the long one alone: the others have one grid, up to 600,000 samples."""
    long = np.tile(faults.speech(2), 28)[:601_000]
    expect_batch([long[:580_000], long, faults.speech(0)], DenoiseConfig(method=method), device)


def test_silence(device: str) -> None:
    """The moving gate gives NaN, as noisereduce does; the fixed one leaves zeros."""
    y = np.zeros(RATE, np.float32)
    assert np.isnan(reference(y, RATE, DenoiseConfig())).all()
    assert np.isnan(denoised([y], RATE, DenoiseConfig(), device)[0]).all()
    expect(y, RATE, DenoiseConfig(method="stationary"), device)


def test_a_silent_chunk_is_nan_as_in_noisereduce() -> None:
    """Half a minute of zeros in a long recording: that chunk, and no other, is NaN."""
    y = np.concatenate([np.zeros(640_000, np.float32), faults.speech(0)])
    with np.errstate(all="ignore"):
        expected = noisereduce.reduce_noise(y=y, sr=RATE)
    (out,) = denoised([y], RATE, DenoiseConfig())
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)
    assert np.isnan(out).sum() == 600_000


def test_the_result_is_an_ordinary_tensor() -> None:
    """It can be written to and stand in a graph, and the clips given are left as they were."""
    y = torch.from_numpy(faults.speech(0))[None]
    given = y.clone()
    for method in METHODS:
        out = torch_backend.denoise(
            y, torch.tensor([y.shape[1]]), RATE, DenoiseConfig(method=method)
        )
        out += 1
        (out * torch.ones(1, requires_grad=True)).sum().backward()
        assert torch.equal(y, given)


@pytest.mark.parametrize("seconds", [0.001, 0.02, 2.0, 100.0])
@pytest.mark.parametrize("begin", [0, -5])
def test_floor_against_filtfilt(begin: int, seconds: float) -> None:
    """The blocked sums are noisereduce's two passes over the whole grid, zeros included."""
    rng = np.random.default_rng(0)
    ends, counts = [40, 75], [31, 48]
    x = np.zeros((2, 3 * BLOCK, 4))
    for clip, n in zip(x, counts, strict=True):
        clip[:n] = rng.random((n, 4))
    blocks = torch.zeros(2, 3, BLOCK + 2, 4, dtype=torch.float64)
    blocks[:, :, :BLOCK] = torch.from_numpy(x).view(2, 3, BLOCK, 4)
    extent = Extent(torch.tensor(counts) - 1, begin, torch.tensor(ends))
    floor = noise_floor(blocks, extent, decay(seconds, RATE, 256)).view(2, -1, 4)
    for clip, out, n, end in zip(x, floor, counts, ends, strict=True):
        grid = np.zeros((end - begin, 4))
        grid[-begin : n - begin] = clip[:n]
        expected = get_time_smoothed_representation(grid.T, RATE, 256, seconds).T
        np.testing.assert_allclose(out[:n], expected[-begin : n - begin], rtol=1e-10)
