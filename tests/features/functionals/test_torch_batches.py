"""The torch backend gives a clip the same row in any company and in any number of blocks."""

import numpy as np
import pytest
import torch
from helpers import faults
from helpers.devices import DEVICES
from test_librosa_backend import PLAIN, SR, row_of
from test_torch_features import NO_TUNING

from speechnet.features.functionals import Functionals, librosa_backend
from speechnet.features.functionals.torch_backend import extract, frames, rows
from speechnet.features.functionals.torch_backend.chroma import Peaks, tunings

pytestmark = pytest.mark.slow

LENGTHS = [30_000, 4_500, 66_150, 5_120, 17_408, 66_149]
STATISTICS = ["mean", "std", "min", "max", "p0", "p10", "p50", "p99", "p100"]
EVERYTHING = dict.fromkeys(PLAIN, STATISTICS) | {"zero_crossings": ["count"]}


def everything(**parameters: int) -> Functionals:
    """All features under all statistics."""
    return Functionals(preset=None, include=EVERYTHING, tempogram_lags=24, **parameters)


def batch(clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips side by side, zeros behind the shorter ones."""
    y = torch.zeros(len(clips), max(map(len, clips)))
    for i, clip in enumerate(clips):
        y[i, : len(clip)] = torch.from_numpy(clip)
    return y, torch.tensor([len(clip) for clip in clips])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n_fft", [1_024, 1_025])
def test_clips_of_unequal_lengths_come_out_as_alone(n_fft: int, device: str) -> None:
    """A loud, long clip beside a faint, short one; an offset, so that an end is a crossing."""
    clips = [faults.speech(i, 3)[:n] for i, n in enumerate(LENGTHS)]
    clips[1] *= 1e-3
    clips[4] -= 0.3
    config = everything(n_fft=n_fft, hop_length=256)
    y, lengths = batch(clips)
    together = extract(y.to(device), lengths.to(device), SR, config).cpu().numpy()
    for found, clip in zip(together, clips, strict=True):
        np.testing.assert_allclose(found, row_of("cpu", clip, config), rtol=1e-5, atol=1e-4)


@pytest.mark.filterwarnings(NO_TUNING)
def test_a_silent_clip_takes_no_tuning_from_its_neighbours() -> None:
    """First, between and last; a batch of silence alone."""
    config = Functionals(preset=None, include={"chroma": ["mean"]})
    silent, loud = np.zeros(9_000, np.float32), faults.speech(1)
    y, lengths = batch([silent, loud, silent, loud, silent])
    found = extract(y, lengths, SR, config).numpy()
    expected = librosa_backend.extract(loud, SR, config)
    np.testing.assert_allclose(found[[1, 3]], [expected, expected], rtol=1e-4, atol=1e-5)
    assert not found[[0, 2, 4]].any()
    assert not extract(*batch([silent, silent]), SR, config).any()


def test_tuning_is_of_each_clips_higher_peaks() -> None:
    """Against numpy's median and histogram, clip by clip."""
    rng = np.random.default_rng(0)
    clip, tuning = np.sort(rng.integers(0, 4, 999)), rng.integers(0, 100, 999)
    clip[clip == 2] = 3  # one has no peaks
    height = rng.random(999, dtype=np.float32)
    found = tunings([Peaks(*map(torch.from_numpy, (clip, tuning, height)))], 4)
    for i in (0, 1, 3):
        own = tuning[clip == i][height[clip == i] >= np.median(height[clip == i])]
        assert found[i] == np.bincount(own, minlength=100).argmax()
    assert found[2] == 50


def test_padding_longer_than_any_clip_changes_nothing() -> None:
    """The width of the batch is no one's length."""
    y, config = faults.speech(3, 0.5), everything()
    wide = torch.nn.functional.pad(torch.from_numpy(y)[None], (0, 9_999))
    found = extract(wide, torch.tensor([len(y)]), SR, config)[0].numpy()
    np.testing.assert_array_equal(found, row_of("cpu", y, config))


@pytest.mark.parametrize("kept", [True, False])
def test_blocks_make_no_difference(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few frames, the power kept for the chroma or computed again."""
    config, clips = everything(), [faults.speech(1, 2.5), faults.speech(2, 1.9)]
    whole = extract(*batch(clips), SR, config)
    monkeypatch.setattr(frames, "_BLOCK_CPU", 11 * 2_048)
    monkeypatch.setattr(rows, "_KEPT_CPU", 2**30 if kept else 0)
    parts = extract(*batch(clips), SR, config)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-5)


def test_a_long_recording_is_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute: several blocks, and the spectra computed twice, as for an hour."""
    y = np.concatenate([faults.speech(i, 10, 16_000) for i in range(3)])
    config = Functionals(preset="functionals")
    monkeypatch.setattr(rows, "_KEPT_CPU", 2**18)
    expected = librosa_backend.extract(y, 16_000, config)
    np.testing.assert_allclose(row_of("cpu", y, config, 16_000), expected, rtol=1e-4, atol=2e-4)
