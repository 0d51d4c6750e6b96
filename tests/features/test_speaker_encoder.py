"""The speaker encoder, against the code of the package that its weights come with."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import scipy.ndimage
import torch
import yaml
from helpers.devices import DEVICES
from helpers.faults import speech

from speechnet.core.clip_batches import clip_batches
from speechnet.core.errors import ConfigError
from speechnet.core.schema import decode
from speechnet.features.extractor import EXTRACTORS, Extractor, Sound
from speechnet.features.speaker_encoder import SpeakerEncoder, SpeakerEncoderFrames, network
from speechnet.features.speaker_encoder import weights as weights_
from speechnet.features.speaker_encoder.weights import weights_file

SR = 16_000
EVERY = SpeakerEncoder(layers="joined")


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


def rows(*clips: np.ndarray, device: str = "cpu") -> np.ndarray:
    return np.stack([np.asarray(row) for row in EVERY.extract(clips, Sound(SR, device=device))])


def frames(*clips: np.ndarray, device: str = "cpu", hop: float = 0.04) -> list[np.ndarray]:
    found = SpeakerEncoderFrames(hop=hop).extract(clips, Sound(SR, device=device))
    return [np.asarray(one) for one in found]


def outputs(theirs: SimpleNamespace, y: np.ndarray) -> np.ndarray:
    """What their level, their mels and their layers come to: ``[frames, layers, units]``."""
    audio = theirs.audio
    level = audio.normalize_volume(y, audio.audio_norm_target_dBFS, increase_only=True)
    state, found = None, []
    with torch.no_grad():
        for frame in torch.from_numpy(audio.wav_to_mel_spectrogram(level.astype(np.float32))):
            _, state = theirs.lstm(frame[None, None], state)
            found.append(state[0][:, 0].double().numpy())
    return np.stack(found)


def expected(theirs: SimpleNamespace, y: np.ndarray) -> dict[str, np.ndarray]:
    """The same, by layer and statistic."""
    frames = outputs(theirs, y)
    found = {"mean": frames.mean(axis=0), "std": frames.std(axis=0), "last": frames[-1]}
    return {f"{i + 1}_{name}": layers[i] for name, layers in found.items() for i in range(3)}


# Below and above the level that a clip is raised to; a fraction of a frame, and less than one.
@pytest.mark.parametrize(("seconds", "level"), [(2.0, 0.01), (1.2345, 2.0), (0.02, 0.1)])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal")
def test_their_code(theirs: SimpleNamespace, seconds: float, level: float, device: str) -> None:
    """Level, mels, layers; and each number under its name."""
    y = np.float32(level) * speech(0, seconds, SR)
    (row,) = rows(y, device=device)
    found = dict(zip(EVERY.columns, row, strict=True))
    assert len(found) == 2_304
    for name, values in expected(theirs, y).items():
        ours = [found[f"speaker_encoder_{name}_{unit:03d}"] for unit in range(256)]
        np.testing.assert_allclose(ours, values, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("device", DEVICES)
def test_frames(theirs: SimpleNamespace, device: str) -> None:
    """Means of 4 of the network's frames; the last is the mean of those that are left."""
    y = speech(0, 1.26, SR)
    whole = outputs(theirs, y)
    assert len(whole) % 4 == 3
    means = [whole[start : start + 4].mean(axis=0).ravel() for start in range(0, len(whole), 4)]
    (found,) = frames(y, device=device)
    np.testing.assert_allclose(found, means, atol=2e-5)
    assert SpeakerEncoderFrames().frame_rate == 25


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_its_clips_one_by_one(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever lengths and levels."""
    clips = [(0.1 + i) * speech(i, seconds, SR) for i, seconds in enumerate((0.7, 1.2, 0.63))]
    alone = [rows(clip, device=device)[0] for clip in clips]
    frames_alone = [frames(clip, device=device)[0] for clip in clips]
    monkeypatch.setattr(clip_batches(device), "batch_samples", 2**24)
    np.testing.assert_allclose(rows(*clips, device=device), alone, atol=1e-5)
    for found, one in zip(frames(*clips, device=device), frames_alone, strict=True):
        np.testing.assert_allclose(found, one, atol=1e-5)


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("block", [1, 37, 64])
def test_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Long recordings pass block by block, to the same numbers; 64 ends where a clip does."""
    clips = [speech(0, 1.27, SR), speech(1, 0.63, SR)]
    monkeypatch.setattr(clip_batches("cpu"), "batch_samples", 2**24)
    whole, over_time = rows(*clips), frames(*clips, hop=0.07)
    monkeypatch.setattr(network, "_BLOCK", block)
    np.testing.assert_allclose(rows(*clips), whole, atol=1e-5)
    for found, one in zip(frames(*clips, hop=0.07), over_time, strict=True):
        np.testing.assert_allclose(found, one, atol=1e-5)


@pytest.mark.usefixtures("weights")
def test_digital_silence() -> None:
    """It has no level that could be raised."""
    assert np.isfinite(rows(np.zeros(8_000, np.float32))).all()


def columns_of(encoder: Extractor, stored: np.ndarray) -> dict[str, float]:
    return dict(zip(encoder.columns, encoder.choose(stored[None])[0].tolist(), strict=True))


def test_choice() -> None:
    """Whatever is chosen comes from the same cached row, under its name."""
    stored = np.random.default_rng(0).standard_normal(2_304).astype(np.float32)
    every = columns_of(EVERY, stored)
    assert [*every.values()] == stored.tolist()
    chosen = SpeakerEncoder(layers=[3, 2], statistics=["last", "mean"])
    some = columns_of(chosen, stored)
    assert some == {name: every[name] for name in chosen.columns}
    assert (len(some), chosen.columns[0]) == (1_024, "speaker_encoder_3_last_000")
    mean = columns_of(SpeakerEncoder(layers="mean", statistics=["std"]), stored)
    layers = [every[f"speaker_encoder_{layer}_std_007"] for layer in (1, 2, 3)]
    assert mean["speaker_encoder_mean_std_007"] == pytest.approx(np.mean(layers), abs=1e-6)
    assert (len(mean), SpeakerEncoder(layers="all").n_layers, chosen.n_layers) == (256, 3, 1)
    assert chosen.fingerprint(SR) == SpeakerEncoder().fingerprint(SR)


def test_choice_of_frames() -> None:
    """The layers likewise; what the frames are is another row."""
    stored = np.random.default_rng(0).standard_normal(768).astype(np.float32)
    every = columns_of(SpeakerEncoderFrames(), stored)
    assert ([*every.values()], SpeakerEncoderFrames().n_layers) == (stored.tolist(), 3)
    second = SpeakerEncoderFrames(layers=[2])
    assert columns_of(second, stored) == {name: every[name] for name in second.columns}
    assert second.columns[0] == "speaker_encoder_frames_2_000"
    prints = [SpeakerEncoderFrames(hop=hop).fingerprint(SR) for hop in (0.04, 0.041, 0.05)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("layers", ["[0]", "[4]", "[]", "[2, 2]", "last"])
def test_refused_layers(layers: str) -> None:
    """There are three."""
    with pytest.raises(ConfigError, match="layers"):
        decode(SpeakerEncoder, {"layers": yaml.safe_load(layers)}, "features")


def test_groups() -> None:
    """A layer is a group."""
    encoder = EXTRACTORS["speaker_encoder"]()
    groups = [encoder.group(column) for column in encoder.columns]
    assert {name: groups.count(name) for name in dict.fromkeys(groups)} == {
        "speaker_encoder_2": 768,
        "speaker_encoder_3": 768,
    }


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is computed."""
    monkeypatch.setattr(weights_, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"not installed.*pip install --no-deps resemblyzer"):
        SpeakerEncoder().check(SR)


def test_other_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of that name that has no weights, or others."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(weights_, "find_spec", lambda _: spec)
    with pytest.raises(ConfigError, match=r"lacks .*pretrained\.pt: install it"):
        SpeakerEncoder().check(SR)
    torch.save({"model_state": {}}, tmp_path / "pretrained.pt")
    network._layers.cache_clear()
    with pytest.raises(ConfigError, match="damaged or of another version"):
        rows(speech(0, 0.3, SR))
