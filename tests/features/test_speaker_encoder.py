"""The speaker encoder, against the code of the package that its weights come with."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import scipy.ndimage
import torch
from helpers.devices import DEVICES

from speechnet.core.errors import ConfigError
from speechnet.features import speaker_encoder
from speechnet.features.speaker_encoder import (
    SAMPLE_RATE,
    SpeakerEncoder,
    column_names,
    weights_file,
)


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return weights_file()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def theirs(weights: Path) -> Iterator[SimpleNamespace]:
    """The package's own modules; what they import and these tests don't need is left empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "webrtcvad", ModuleType("webrtcvad"))
        patch.setitem(sys.modules, "scipy.ndimage.morphology", scipy.ndimage)
        from resemblyzer import VoiceEncoder, audio

        network = VoiceEncoder("cpu", verbose=False, weights_fpath=weights)
        yield SimpleNamespace(audio=audio, lstm=network.lstm)
    for name in [name for name in sys.modules if name.split(".")[0] == "resemblyzer"]:
        del sys.modules[name]


def clip(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    """A gliding tone in noise, louder and softer by turns."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(seed).standard_normal(len(t))
    tone = np.sin(2 * np.pi * (150 + 40 * seed + 60 * t) * t) * (1 + np.sin(5 * t))
    return np.asarray(level * (tone + 0.1 * noise), dtype=np.float32)


def expected(theirs: SimpleNamespace, y: np.ndarray) -> np.ndarray:
    """Their level and mels, and their layers frame by frame."""
    audio = theirs.audio
    level = audio.normalize_volume(y, audio.audio_norm_target_dBFS, increase_only=True)
    mels = torch.from_numpy(audio.wav_to_mel_spectrogram(level.astype(np.float32)))
    state, outputs = None, []
    with torch.no_grad():
        for frame in mels:
            _, state = theirs.lstm(frame[None, None], state)
            outputs.append(state[0][:, 0].double().numpy())
    hidden = np.stack(outputs)  # [frames, layers, units]
    return np.stack([hidden.mean(axis=0), hidden.std(axis=0), hidden[-1]], axis=1).ravel()


# Below and above the level that a clip is raised to; a fraction of a frame, and less than one.
@pytest.mark.parametrize(("seconds", "level"), [(2.0, 0.001), (1.2345, 0.3), (0.02, 0.01)])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal")
def test_their_code(
    theirs: SimpleNamespace, weights: Path, seconds: float, level: float, device: str
) -> None:
    """Level, mels, and three statistics of three layers."""
    y = clip(seconds, level)
    (row,) = SpeakerEncoder(weights, device).rows([y])
    assert row.dtype == np.float32
    assert row.shape == (len(column_names()),) == (2_304,)
    np.testing.assert_allclose(row, expected(theirs, y), atol=2e-5)


def test_names_say_what_columns_hold(theirs: SimpleNamespace, weights: Path) -> None:
    """A column is found by its layer, statistic and unit."""
    (row,) = SpeakerEncoder(weights).rows([clip(1.0, 0.1)])
    at = column_names().index
    last = row[at("speaker_encoder_3_last_000") : at("speaker_encoder_3_last_255") + 1]
    wanted = expected(theirs, clip(1.0, 0.1))[-256:]
    np.testing.assert_allclose(last, wanted, atol=2e-5)
    assert (row[at("speaker_encoder_1_std_000") : at("speaker_encoder_1_std_255") + 1] >= 0).all()


@pytest.mark.parametrize("device", DEVICES)
def test_neighbours(weights: Path, device: str) -> None:
    """A clip's row is the same alone and beside longer and louder ones."""
    encoder = SpeakerEncoder(weights, device)
    clips = [clip(0.7, 0.002), clip(2.0, 0.3, seed=1), clip(0.3, 0.9, seed=2)]
    alone = [encoder.rows([y])[0] for y in clips]
    np.testing.assert_allclose(encoder.rows(clips), alone, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 37, 64])
def test_blocks(weights: Path, monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    """Long recordings pass block by block, to the same numbers; 64 ends where a clip does."""
    clips = [clip(1.27, 0.01), clip(0.4, 0.2, seed=1)]
    encoder = SpeakerEncoder(weights)
    whole = encoder.rows(clips)
    monkeypatch.setattr(speaker_encoder, "_BLOCK", frames)
    np.testing.assert_allclose(encoder.rows(clips), whole, atol=1e-5)


def test_digital_silence(weights: Path) -> None:
    """It has no level that could be raised."""
    assert np.isfinite(SpeakerEncoder(weights).rows([np.zeros(8_000, np.float32)])).all()


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker_encoder, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"not installed.*pip install --no-deps resemblyzer"):
        weights_file()


def test_missing_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another package of that name."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(speaker_encoder, "find_spec", lambda _: spec)
    with pytest.raises(ConfigError, match=r"lacks .*pretrained\.pt: install it"):
        weights_file()


def test_other_weights(tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    torch.save({"model_state": {}}, path)
    with pytest.raises(ConfigError, match="damaged or of another version"):
        SpeakerEncoder(path)
