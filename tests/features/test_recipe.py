"""What a recipe is, and which settings it refuses."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import faults

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.errors import ConfigError, Excluded
from speechnet.denoise import DenoiseConfig
from speechnet.features.functionals.backends import make_backend, rehearse
from speechnet.features.functionals.config import FeaturesConfig, dimensions
from speechnet.features.recipe import Recipe
from speechnet.features.store import fingerprint

CHEAP = FeaturesConfig(preset=None, include={"mfcc": ["mean"], "zero_crossings": ["count"]})


def recipe(backend: str, denoise: str = "none", features: FeaturesConfig = CHEAP) -> Recipe:
    return Recipe(AudioConfig(), DenoiseConfig(method=denoise), features, backend)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "always", "gated"),
    [("torch", {"torch"}, set()), ("reference", set(), {"noisereduce"})],
)
def test_a_recipe_is_what_decides_the_numbers(
    backend: str, always: set[str], gated: set[str]
) -> None:
    """Scaling and unused gating don't; the versions of the libraries that compute do."""
    scaled = FeaturesConfig(preset=None, include=CHEAP.include, scaling="robust")
    ungated = DenoiseConfig(method="none", prop_decrease=0.5)
    described = recipe(backend).describe()
    assert Recipe(AudioConfig(), ungated, scaled, backend).describe() == described  # type: ignore[arg-type]
    common = {"librosa", "libsndfile", "numpy", "scipy", "soundfile", "soxr"}
    assert described["versions"].keys() == common | always
    active = recipe(backend, "stationary").describe()
    assert active["versions"].keys() - described["versions"].keys() == gated


def test_the_highest_frequency_is_part_of_a_recipe() -> None:
    """A preset's own counts; one above half the rate is half the rate."""
    preset = FeaturesConfig()
    listed = FeaturesConfig(preset=None, include=preset.groups())
    assert listed.names() == preset.names()
    assert (
        recipe("torch", features=listed).describe() != recipe("torch", features=preset).describe()
    )
    beyond = FeaturesConfig(preset=None, include=preset.groups(), fmax=20_000.0)
    described = recipe("torch", features=beyond).describe()
    assert described == recipe("torch", features=listed).describe()


def test_backends_do_not_share_rows() -> None:
    """They agree, but not to the last bit."""
    assert recipe("torch").describe() != recipe("reference").describe()


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_a_rehearsal_passes_or_names_the_settings(backend: str) -> None:
    """The same settings clash in either backend."""
    rehearse(recipe(backend))
    phone = AudioConfig(sample_rate=8_000)
    rehearse(Recipe(phone, DenoiseConfig(method="none"), FeaturesConfig(), backend))  # type: ignore[arg-type]
    low = Recipe(phone, DenoiseConfig(), FeaturesConfig(contrast_bands=6), backend)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"sample_rate \(8000 Hz\).*don't go together: "):
        rehearse(low)


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second at 24 kHz: two channels that differ, off centre, silence at both ends."""
    path = tmp_path_factory.mktemp("recipe") / "stereo.wav"
    left, right = (np.pad(faults.speech(i, 0.4, 24_000), 1_200) for i in (1, 2))
    soundfile.write(path, np.stack([left, right], axis=1) + 0.01, 24_000)
    return path


def outcome(path: Path, recipe: Recipe) -> str:
    """All that the cache would hold of the recording."""
    try:
        clip = load(path, recipe.audio)
        backend = make_backend(recipe.backend, recipe.denoise, recipe.features)
        (row,) = backend.rows([clip.y], clip.sr)
    except Excluded as why:
        return str(why)
    return f"{recipe.features.names()} {row!r} {clip.statistics}"


OTHER: dict[type, dict[str, Any]] = {
    AudioConfig: {
        "sample_rate": 16_000,
        "mono": "left",
        "remove_dc": False,
        "min_duration": 0.6,
        "max_duration": 0.4,
        "trim_db": 20.0,
        "silence_db": -1.0,
        "min_rate": 32_000,
        "max_rate": 16_000,
        "max_samples": 1_000,
    },
    DenoiseConfig: {
        "method": "stationary",
        "prop_decrease": 0.5,
        "freq_mask_smooth_hz": 900.0,
        "time_mask_smooth_ms": 90.0,
        "time_constant_s": 0.5,
        "thresh_n_mult": 1.0,
        "sigmoid_slope": 3.0,
        "n_std_thresh": 0.5,
    },
    FeaturesConfig: {
        "preset": "original",
        "include": {"energy": ["mean"]},
        "n_mfcc": 7,
        "n_mels": 40,
        "fmax": 5_000.0,
        "contrast_bands": 3,
        "n_fft": 1_024,
        "hop_length": 300,
        "roll_percent": 0.5,
        "f0_min": 150.0,
        "f0_max": 180.0,
        "tempogram_lags": 9,
        "scaling": "robust",
        "per_speaker": True,
    },
}
"""For every setting a value that changes the recording above, where anything reads the setting."""

FEATURES = list(dimensions(FeaturesConfig()))


def one_feature(feature: str) -> FeaturesConfig:
    statistic = "count" if feature == "zero_crossings" else "mean"
    return FeaturesConfig(preset=None, include={feature: [statistic]})


def check_each_setting(base: Recipe, part: str, path: Path) -> None:
    """Another value gives another key if and only if it gives another outcome."""
    key, before = fingerprint(base.describe()), outcome(path, base)
    config = getattr(base, part)
    assert OTHER[type(config)].keys() == {setting.name for setting in fields(config)}
    for name, value in OTHER[type(config)].items():
        changed = replace(base, **{part: replace(config, **{name: value})})
        other = outcome(path, changed) != before
        assert (fingerprint(changed.describe()) != key) == other, f"{part}.{name} = {value}"


@pytest.mark.filterwarnings("ignore:Trying to estimate tuning from empty frequency set")
@pytest.mark.parametrize("feature", FEATURES)
def test_the_key_changes_with_the_numbers_of_each_feature(feature: str, stereo: Path) -> None:
    """A setting that the feature doesn't read is no part of the key."""
    base = Recipe(AudioConfig(), DenoiseConfig(method="none"), one_feature(feature))
    check_each_setting(base, "features", stereo)


@pytest.mark.parametrize("method", ["none", "nonstationary", "stationary"])
def test_the_key_changes_with_the_numbers_of_each_gate(method: str, stereo: Path) -> None:
    """A parameter of the other method is no part of it."""
    gate = DenoiseConfig(method=method)  # type: ignore[arg-type]
    check_each_setting(Recipe(AudioConfig(), gate, one_feature("centroid")), "denoise", stereo)


def test_the_key_changes_with_what_is_read(stereo: Path) -> None:
    """Bounds, too: what was excluded is kept."""
    base = Recipe(AudioConfig(), DenoiseConfig(method="none"), one_feature("energy"))
    check_each_setting(base, "audio", stereo)


def test_nothing_lies_above_half_the_rate() -> None:
    """``fmax`` up to half the rate is taken; above, both numbers are said."""
    audio = AudioConfig(sample_rate=8_000)
    Recipe(audio, DenoiseConfig(), FeaturesConfig(fmax=4_000.0)).check()
    with pytest.raises(ConfigError, match=r"fmax is 4001 Hz, .* 4000 Hz, .* \(8000 Hz\)"):
        Recipe(audio, DenoiseConfig(), FeaturesConfig(fmax=4_001.0)).check()
