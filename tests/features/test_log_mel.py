"""The mel spectrogram in dB against librosa's."""

import librosa
import numpy as np
import pytest
from helpers import faults
from helpers.devices import DEVICES

from speechnet.core.clip_batches import clip_batches
from speechnet.core.errors import ConfigError
from speechnet.features.extractor import Sound
from speechnet.features.log_mel import LogMel

SR = 16_000


def frames(config: LogMel, *clips: np.ndarray, device: str = "cpu") -> list[np.ndarray]:
    found = config.extract(list(clips), Sound(SR, device=device))
    assert all(isinstance(one, np.ndarray) for one in found)
    return found  # type: ignore[return-value] # as was just seen


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "config",
    [
        LogMel(),
        LogMel(n_mels=40, window=0.032, hop=0.016, fmin=0.0, fmax=4_000.0, floor_db=-60.0),
        LogMel(n_mels=20, window=0.0201, hop=0.0055),
    ],
)
def test_every_level_is_librosa_s(config: LogMel, device: str) -> None:
    """Bands by Slaney, frames centred, zeros beyond both ends; within 1e-4 of 1 dB and value."""
    y = faults.speech(0, 1.3, SR)
    n_fft, hop = round(config.window * SR), round(config.hop * SR)
    power = librosa.feature.melspectrogram(
        y=y, sr=SR, n_fft=n_fft, hop_length=hop, n_mels=config.n_mels,
        fmin=config.fmin, fmax=config.fmax, pad_mode="constant",
    )  # fmt: skip
    expected = np.maximum(10 * np.log10(np.maximum(power, 1e-30)), config.floor_db).T
    (found,) = frames(config, y, device=device)
    assert found.dtype == np.float32
    assert found.shape == (1 + len(y) // hop, len(config.columns))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert config.frame_rate == SR / hop


def test_a_batch_is_its_clips_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever lengths: zeros behind a clip's end give it no frame."""
    clips = [faults.speech(i, seconds, SR) for i, seconds in enumerate((0.5, 0.91, 0.7, 0.05))]
    alone = [frames(LogMel(), clip)[0] for clip in clips]
    monkeypatch.setattr(clip_batches("cpu"), "batch_samples", 2**24)
    for found, expected in zip(frames(LogMel(), *clips), alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_silence_is_the_floor() -> None:
    """Digital zeros have no level; the floor is where they end."""
    (found,) = frames(LogMel(floor_db=-70.0), np.zeros(SR, np.float32))
    assert np.unique(found).tolist() == [-70.0]


def test_settings_that_do_not_go_together() -> None:
    """The lowest band can't begin where the highest ends."""
    LogMel().check(22_050)
    with pytest.raises(ConfigError, match=r"log_mel\.fmin is 500 Hz, expected below fmax \(400 Hz"):
        LogMel(fmin=500.0, fmax=400.0).check(22_050)


def test_all_bands_go_together() -> None:
    """In an ablation and an importance."""
    config = LogMel(n_mels=3)
    assert config.columns == ("log_mel_00", "log_mel_01", "log_mel_02")
    assert {config.group(column) for column in config.columns} == {"log_mel"}
