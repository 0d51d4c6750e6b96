"""Pretrained encoders, against transformers' own forward pass and torchaudio's networks.

All of them are tiny, with random weights; no test reads the network.
"""

import json
import shutil
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from helpers.devices import DEVICES
from helpers.encoders import KINDS, RATE, save_encoder

from speechnet.audio.config import AudioConfig
from speechnet.config.experiment import read_experiment
from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import Float32, Stack
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction.compute import as_features, rehearse
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import Sound
from speechnet.features.pretrained import Pretrained, PretrainedFrames
from speechnet.features.pretrained.folder import read_encoder
from speechnet.features.pretrained.hub import snapshot
from speechnet.features.pretrained.known import known_encoders
from speechnet.features.pretrained.network import batches, describe, network
from speechnet.features.pretrained.reductions import stacked, statistics

Made = Callable[[str], Path]

OTHERS = ("conformer", "transcriber", "patches")
USUAL = [kind for kind in KINDS if kind not in OTHERS]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Saves an encoder of a kind, once a session: kind -> its folder. Change nothing in it."""
    return cache(lambda kind: save_encoder(kind, tmp_path_factory.mktemp("encoders") / kind))


@pytest.fixture
def copied(made: Made, tmp_path: Path) -> Made:
    """A copy of an encoder that a test may change."""
    return lambda kind: Path(shutil.copytree(made(kind), tmp_path / kind))


def clip(n: int, seed: int = 0) -> Float32:
    return 0.1 * np.random.default_rng(seed).standard_normal(n, dtype=np.float32)


CLIPS = [clip(n, n) for n in (16_000, 13_000, 24_000, 16_000)]


def theirs(folder: Path, y: Float32, dtype: str = "float32") -> np.ndarray:
    """Hidden states of one clip by transformers alone, its own frames only: ``[layers, t, d]``."""
    from transformers import AutoFeatureExtractor, AutoModel

    model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    kind = model.config.model_type
    prepare = AutoFeatureExtractor.from_pretrained(folder)
    inputs = prepare(y, sampling_rate=RATE, return_tensors="pt").to(model.dtype)
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.inference_mode():
        found = encoder(**inputs, output_hidden_states=True).hidden_states
    frames = np.concatenate([layer.float().numpy() for layer in found])
    if kind == "whisper":
        return frames[:, : -(-(len(y) // 160) // 2)]  # a mel frame every 10 ms, one of two kept
    if kind == "wav2vec2-bert":
        return frames[:, : int(inputs["attention_mask"].sum())]
    return frames


@pytest.mark.parametrize("kind", USUAL)
def test_equals_transformers(made: Made, kind: str) -> None:
    """Every layer's mean and deviation, and its frames."""
    folder = made(kind)
    vector = Pretrained(model=str(folder), layers="all")
    frames = PretrainedFrames(model=str(folder), layer=[0, 1, 2])
    rows = vector.extract(CLIPS, Sound(RATE))
    whole = frames.extract(CLIPS, Sound(RATE))
    for y, row, each in zip(CLIPS, rows, whole, strict=True):
        expected = theirs(folder, y)
        pooled = np.stack([expected.mean(axis=1), expected.std(axis=1)], axis=1)
        np.testing.assert_allclose(row, pooled.ravel(), atol=2e-5)
        np.testing.assert_allclose(each, np.concatenate([*expected], axis=1), atol=2e-5)
    assert frames.frame_rate == 50
    assert len(vector.columns) == vector.stored == 3 * 2 * 16
    assert len(frames.columns) == 3 * 16


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", USUAL)
def test_neighbours_change_nothing(made: Made, kind: str, device: str) -> None:
    """In a batch as alone, of one length or of several."""
    encoder = read_encoder(made(kind))
    together = batches(encoder, device, 7.0)
    together.batch_samples = 200_000
    sizes = []

    def reduce(layers: Any, own: Any) -> Any:
        sizes.append(len(own))
        return stacked(layers, own, [0, 1, 2])

    with collected_warnings():  # about WavLM's masks, which transformers makes
        rows = describe(CLIPS, encoder, "float32", together, reduce)
    for y, found in zip(CLIPS, rows, strict=True):
        expected = theirs(made(kind), y)
        np.testing.assert_allclose(found, np.concatenate([*expected], axis=1), atol=1e-4)
    padded = kind not in {"data2vec", "w2v-bert"}
    assert sorted(sizes) == ([4] if padded else [1, 1, 2])


@pytest.mark.parametrize("kind", ["wav2vec2-group", "wavlm", "hubert"])
def test_equals_torchaudio(made: Made, kind: str) -> None:
    """Another implementation, with the weights as they were before they were saved."""
    import transformers
    from torchaudio.models.wav2vec2.utils import import_huggingface_model

    named, settings = KINDS[kind]
    torch.manual_seed(0)
    model = getattr(transformers, f"{named}Model")(
        getattr(transformers, f"{named}Config")(**settings)
    )
    y = torch.from_numpy(CLIPS[0])
    normal = (y - y.mean()) / y.std(correction=0)
    with torch.inference_mode():
        layers, _ = import_huggingface_model(model.eval()).eval().extract_features(normal[None])
    extractor = Pretrained(model=str(made(kind)), layers=[1, 2], pooling=["mean"])
    rows = np.stack(extractor.extract(CLIPS[:1], Sound(RATE)))
    found = extractor.choose(rows)[0].reshape(2, -1)
    for i, layer in enumerate(layers):
        np.testing.assert_allclose(found[i], layer[0].mean(dim=0), atol=1e-5)


def test_old_names_of_weights(made: Made, copied: Made) -> None:
    """As torch called a normalised weight until version 2: read, and not left random."""
    from safetensors.torch import load_file, save_file

    folder = copied("hubert")
    old = {"parametrizations.weight.original0": "weight_g"}
    old |= {"parametrizations.weight.original1": "weight_v"}
    state = load_file(folder / "model.safetensors")
    renamed = {}
    for name, value in state.items():
        for new, before in old.items():
            name = name.replace(new, before)  # noqa: PLW2901
        renamed[name] = value
    assert renamed.keys() != state.keys()
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    rows = [Pretrained(model=str(one)).extract(CLIPS[:1], Sound(RATE)) for one in (
        folder, made("hubert"))]  # fmt: skip
    np.testing.assert_array_equal(rows[0][0], rows[1][0])


@pytest.mark.parametrize("kind", ["hubert", "whisper"])
def test_long_recordings_go_in_windows(made: Made, kind: str) -> None:
    """Of equal length, each as if it were alone; their frames are counted together."""
    y = clip(5 * RATE + 3)
    extractor = Pretrained(model=str(made(kind)), longest=2.0)
    frames = np.concatenate(
        [theirs(made(kind), part) for part in np.array_split(y, 3)], axis=1
    )  # [layers, t, d]
    expected = np.stack([frames.mean(axis=1), frames.std(axis=1)], axis=1).ravel()
    short = CLIPS[1]
    found = extractor.extract([short, y], Sound(RATE))
    np.testing.assert_allclose(found[1], expected, atol=2e-5)
    np.testing.assert_allclose(found[0], extractor.extract([short], Sound(RATE))[0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(made: Made, dtype: Any) -> None:
    """What transformers computes in it, apart from full precision in the cache."""
    full, half = (
        PretrainedFrames(model=str(made("wavlm")), dtype=one) for one in ("float32", dtype)
    )
    (found,) = half.extract(CLIPS[:1], Sound(RATE))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, theirs(made("wavlm"), CLIPS[0], dtype)[-1])
    assert full.fingerprint(RATE) != half.fingerprint(RATE)


def test_a_choice_of_layers(made: Made) -> None:
    """By number, from the end, averaged or all; statistics in the order asked for."""

    def columns(**settings: Any) -> tuple[np.ndarray, Pretrained]:
        one = Pretrained(model=str(made("hubert")), **settings)
        return one.choose(rows)[0], one

    rows = np.arange(3 * 2 * 16, dtype=np.float32)[None]
    cube = rows.reshape(3, 2, 16)  # layers, statistics, units
    found, one = columns(layers=[-1, 0], pooling=["std", "mean"])
    np.testing.assert_array_equal(found.reshape(2, 2, 16), cube[[2, 0]][:, ::-1])
    assert one.columns[0] == "pretrained_2_std_0000"
    assert one.columns[32] == "pretrained_0_std_0000"
    assert {*map(one.group, one.columns)} == {"pretrained"}
    found, one = columns(layers="mean", pooling=["mean"])
    np.testing.assert_array_equal(found, cube[:, 0].mean(axis=0))
    assert (one.n_layers, one.columns[0]) == (1, "pretrained_average_mean_0000")
    found, one = columns(layers="last")
    np.testing.assert_array_equal(found, cube[2].ravel())
    found, one = columns(layers="all")
    np.testing.assert_array_equal(found, cube.ravel())
    matrix = as_features(one, rows, np.array([0, 1]), ["a"])
    assert matrix.stacks == (Stack(0, 3, 32),)
    average = PretrainedFrames(model=str(made("hubert")), layer="mean")
    frames = average.extract(CLIPS[:1], Sound(RATE))[0]
    np.testing.assert_allclose(frames, theirs(made("hubert"), CLIPS[0]).mean(axis=0), atol=2e-5)
    others = [PretrainedFrames(model=average.model, layer=one) for one in ("last", 1, [0, 1])]
    assert len({str(one.fingerprint(RATE)) for one in [average, *others]}) == 4


def test_layers_that_are_not_chosen_take_no_memory(made: Made) -> None:
    """The mean of all is made of a block of rows at a time."""
    extractor = Pretrained(model=str(made("hubert")))
    stored = np.random.default_rng(0).standard_normal((20_000, 96)).astype(np.float16)
    extractor.columns  # noqa: B018 - the folder is read
    tracemalloc.start()
    found = as_features(extractor, stored, np.arange(20_001), [str(i) for i in range(20_000)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000 * 32 * 4 + stored.nbytes  # below half of float32
    np.testing.assert_array_equal(found.X, extractor.choose(stored.astype(np.float32)))


def extracted(root: Path, cache_dir: Path, extractor: Any) -> Extraction:
    files = sorted(path.name for path in root.iterdir())
    table = pd.DataFrame(None, index=pd.Index(files, name="file"), columns=[*CORPUS_COLUMNS])
    table = table.assign(path=files, start=np.nan, end=np.nan)
    audio, denoise = AudioConfig(min_duration=0.01), DenoiseConfig(method="none")
    recipe = Recipe(audio, denoise, {"pretrained": extractor})
    with joblib.parallel_config(backend="threading", n_jobs=1):
        return extract_features(root, table, recipe, cache_dir=cache_dir)


def test_another_choice_costs_nothing(made: Made, copied: Made, tmp_path: Path) -> None:
    """Other layers, statistics or another place come from the cache; other weights don't."""
    root, cache_dir = tmp_path / "corpus", tmp_path / "cache"
    root.mkdir()
    for i, n in enumerate((300, 8_000, 9_000)):
        soundfile.write(root / f"{i}.wav", clip(n, i), RATE, subtype="FLOAT")
    first = extracted(root, cache_dir, Pretrained(model=str(made("wavlm")), layers="all"))
    assert first.computed == 3
    assert first.excluded["reason"].tolist() == ["too_short"]
    assert "300 samples" in first.excluded["detail"].item()
    moved = copied("wavlm")
    last = extracted(
        root, cache_dir, Pretrained(model=str(moved), layers=[2], pooling=["mean"], batch=10.0)
    )
    assert last.computed == 0
    every = first.features.matrix.X.reshape(2, 3, 2, 16)
    np.testing.assert_array_equal(last.features.matrix.X, every[:, 2, 0])
    np.testing.assert_array_equal(every, every.astype(np.float16))
    with (moved / "config.json").open("a") as file:
        file.write("\n")
    read_encoder.cache_clear()
    changed = Pretrained(model=str(moved))
    assert extracted(root, cache_dir, changed).computed == 3


def edit(path: Path, **changes: Any) -> None:
    settings = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in settings.items() if v is not None}))


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid x")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shutil.rmtree, "folder .* doesn't exist"),
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json can't be read"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "no speech encoder .*'hubert'"),
        (lambda f: edit(f / "preprocessor_config.json", sampling_rate=None), "no speech encoder"),
        (lambda f: edit(f / "preprocessor_config.json", sampling_rate=1), "sampling_rate is 1,"),
        (lambda f: edit(f / "config.json", num_hidden_layers=None), "has no num_hidden_layers"),
        (no_weights, "no model.safetensors, only pytorch_model.bin, .* take a revision"),
        (cut, "bytes, expected .*: it was cut short"),
        (pointer, "is a Git LFS pointer"),
        (lambda f: (f / "adapter_config.json").write_text("{}"), "holds an adapter"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x80\x04."), "isn't a safetensors"),
    ],
)
def test_wrong_folders(copied: Made, spoil: Callable[[Path], object], said: str) -> None:
    """Refused as a configuration is checked, without torch."""
    folder = copied("hubert")
    spoil(folder)
    with pytest.raises(ConfigError, match=rf"^data\.features\.pretrained: .*{said}"):
        Pretrained(model=str(folder)).check(RATE)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, r"model is null, expected the folder"),
        ({"model": "some/encoder"}, "no folder some/encoder exists; .* revision must be"),
        ({"model": "some/encoder", "revision": "main"}, "40 hexadecimal digits, and is 'main'"),
        ({"layers": [3]}, r"layers has 3, expected 0 to 2 .*-3 to -1"),
        ({"layers": [2, -1]}, r"layers is \[2, 2\], expected each layer once"),
    ],
)
def test_wrong_settings(made: Made, settings: dict[str, Any], said: str) -> None:
    """Each with its key."""
    known = {"model": str(made("hubert"))} if "layers" in settings else {}
    with pytest.raises(ConfigError, match=f"data.features.pretrained.*{said}"):
        Pretrained(**known | settings).check(RATE)


def test_no_network_and_nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is asked for longer than it takes to say so."""
    import huggingface_hub

    asked = []

    def unreachable(_: str, **options: Any) -> str:
        asked.append(options.get("local_files_only", False))
        raise OSError("no route to host")

    for name in ("snapshot_download", "model_info"):
        monkeypatch.setattr(huggingface_hub, name, unreachable)
    said = r"no folder some/encoder exists.* 01234567.* \(OSError: no route"
    with pytest.raises(ConfigError, match=said):
        Pretrained(model="some/encoder", revision="01234567" * 5).check(RATE)
    assert asked == [True, False]


def test_a_commit_of_the_hub(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the hub's cache is taken without the network."""
    import huggingface_hub.constants

    commit = "89abcdef" * 5
    place = tmp_path / "models--microsoft--wavlm-tiny" / "snapshots" / commit
    shutil.copytree(made("wavlm"), place)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(
        "huggingface_hub._snapshot_download.HF_HUB_CACHE", str(tmp_path), raising=False
    )
    extractor = Pretrained(model="microsoft/wavlm-tiny", revision=commit)
    assert extractor.encoder.path.samefile(place)
    whole = huggingface_hub.snapshot_download

    def download(*given: Any, local_files_only: bool = False, **options: Any) -> str:
        if not local_files_only:
            shutil.copytree(made("wavlm"), place, dirs_exist_ok=True)
        return whole(*given, local_files_only=True, **options)

    # One that was cut short goes on.
    (place / "model.safetensors").unlink()
    index = {"weight_map": {"w": "model-00001-of-00002.safetensors"}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    read_encoder.cache_clear()
    snapshot.cache_clear()
    assert extractor.encoder.files[-1].name == "model.safetensors"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder.layers.1.layer_norm.weight": None}, "lack encoder.layers.1.layer_norm.weight"),
        ({"encoder.stranger": torch.ones(2)}, "have, unknown to that network, encoder.stranger"),
        ({"encoder.layer_norm.weight": torch.ones(3)}, "can't load"),
        ({"lm_head.weight": torch.ones(2), "masked_spec_embed": None}, ""),
    ],
)
def test_weights_of_another_network(copied: Made, change: dict[str, Any], said: str) -> None:
    """Refused by name before any recording is read; heads and training's masks may differ."""
    from safetensors.torch import load_file, save_file

    folder = copied("hubert")
    state = load_file(folder / "model.safetensors") | change
    state = {name: value for name, value in state.items() if value is not None}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    extractor = Pretrained(model=str(folder))
    recipe = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"pretrained": extractor})
    if not said:
        rehearse(recipe)
        assert network.cache_info().currsize > 0
        extractor.release()
        assert network.cache_info().currsize == 0
        return
    with pytest.raises(ConfigError, match=said):
        rehearse(recipe)


def test_no_memory_left(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is halved, as often as need be."""
    encoder = read_encoder(made("hubert"))
    together = batches(encoder, "cpu", 11.0)
    together.batch_samples = 10**6
    alone = network(encoder, "float32", "cpu").layers
    sizes = []

    def small(_: Any, y: torch.Tensor, lengths: torch.Tensor) -> Any:
        sizes.append(len(y))
        if len(y) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return alone(y, lengths)

    monkeypatch.setattr("speechnet.features.pretrained.network.Network.layers", small)
    found = describe(CLIPS, encoder, "float32", together, statistics)
    expected = Pretrained(model=str(made("hubert"))).extract(CLIPS, Sound(RATE))
    np.testing.assert_allclose([each.ravel() for each in found], np.stack(expected), atol=1e-5)
    assert sizes[:2] == [4, 2]


def test_known_encoders(made: Made, tmp_path: Path) -> None:
    """By name and size; of all others nothing is claimed."""
    assert {"microsoft/wavlm-large", "facebook/hubert-base-ls960", "openai/whisper-large-v3"} <= {
        one.model for one in known_encoders()
    }
    unknown = Pretrained(model=str(made("wavlm"))).provenance
    assert (unknown.licence, unknown.seen) == ("unknown", ("not listed",))
    assert "that speechnet doesn't know" in unknown.what
    assert unknown.source == "wavlm"  # not where it lies, which nobody else need know
    called = Path(shutil.copytree(made("wavlm"), tmp_path / "WavLM-Large"))
    assert Pretrained(model=str(called)).provenance.licence == "unknown"  # by far too small
    edit(called / "config.json", num_hidden_layers=24, hidden_size=1024)
    read_encoder.cache_clear()
    known = Pretrained(model=str(called)).provenance
    assert (known.licence, known.seen) == ("MIT", ("Libri-Light", "GigaSpeech", "VoxPopuli"))


@pytest.mark.parametrize(
    ("place", "saved_from", "licence"),
    [
        ("my-model", "WavLMModel", "unknown"),  # whatever it began with
        ("wavlm-large", "WavLMForSequenceClassification", "unknown"),
        ("wavlm-large", None, "unknown"),
        ("models--me--wavlm-large/snapshots/0123", "WavLMModel", "unknown"),
        ("models--microsoft--wavlm-large/snapshots/0123", None, "MIT"),
    ],
)
def test_trained_further(
    copied: Made, tmp_path: Path, place: str, saved_from: str | None, licence: str
) -> None:
    """Weights of somebody else aren't taken for those that they began with."""
    folder = copied("wavlm")
    classes = saved_from and [saved_from]
    settings = {"num_hidden_layers": 24, "hidden_size": 1024, "architectures": classes}
    edit(folder / "config.json", _name_or_path="microsoft/wavlm-large", **settings)
    there = tmp_path / place
    there.parent.mkdir(parents=True, exist_ok=True)
    assert Pretrained(model=str(folder.rename(there))).provenance.licence == licence


def test_a_flag_adds_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside functionals, its path made absolute; an id of the hub stays as it is."""
    folder = made("hubert")
    monkeypatch.chdir(folder.parent)
    config, text = read_experiment(["--data.features.pretrained.model", folder.name])
    assert config.data.features.functionals is not None
    assert config.data.features.pretrained.model == str(folder)
    assert str(folder) in text
    with pytest.raises(ConfigError, match=r"^data\.features\.pretrained_frames\.model is null"):
        read_experiment(["--models.attention_pooling.features", "pretrained_frames"])


def test_nothing_of_a_folder_is_executed(copied: Made) -> None:
    """Code beside the weights is not run, even where the configuration asks for it."""
    folder = copied("hubert")
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass M: pass\nC = M")
    edit(
        folder / "config.json",
        model_type="stranger",
        auto_map={"AutoConfig": "evil.C", "AutoModel": "evil.M"},
    )
    with pytest.raises(ConfigError, match="can't load"):
        Pretrained(model=str(folder)).extract(CLIPS[:1], Sound(RATE))
    assert not (folder / "ran").exists()


def test_a_folder_has_no_say_in_how_attention_is_computed(made: Made, copied: Made) -> None:
    """Least of all by code that it names on the hub."""
    folder = copied("hubert")
    edit(folder / "config.json", attn_implementation="some-owner/some-kernel")
    found, expected = (
        Pretrained(model=str(one)).extract(CLIPS[:1], Sound(RATE))
        for one in (folder, made("hubert"))
    )
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds(tmp_path: Path, kind: str) -> None:
    """Their clips go one length at a time; what pads by itself, nobody knows how, is refused."""
    extractor = PretrainedFrames(model=str(save_encoder(kind, tmp_path)), layer=1)
    if kind == "patches":
        with pytest.raises(ConfigError, match=r"pretrained_frames: .* one second as of"):
            extractor.extract(CLIPS, Sound(RATE))
        return
    for y, found in zip(CLIPS, extractor.extract(CLIPS, Sound(RATE)), strict=True):
        np.testing.assert_allclose(found, theirs(tmp_path, y)[1], atol=1e-5)
    assert extractor.frame_rate == (50 if kind == "conformer" else 25)


def test_what_is_too_short(made: Made) -> None:
    """A clip below the receptive field is set aside; one of exactly that has one frame."""
    extractor = PretrainedFrames(model=str(made("wav2vec2-group")))
    short, just = extractor.extract([clip(399), clip(400)], Sound(RATE))
    assert isinstance(short, Excluded)
    assert (short.reason, "expected 400" in short.detail) == ("too_short", True)
    assert len(just) == 1
