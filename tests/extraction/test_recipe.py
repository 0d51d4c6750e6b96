"""What a recipe is, and which settings it refuses."""

import pytest

from speechnet.audio.decode import AudioConfig
from speechnet.denoise import DenoiseConfig
from speechnet.errors import ConfigError
from speechnet.extraction.recipe import Recipe
from speechnet.features import FeaturesConfig

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
    recipe(backend).rehearse()
    phone = AudioConfig(sample_rate=8_000)
    Recipe(phone, DenoiseConfig(method="none"), FeaturesConfig(), backend).rehearse()  # type: ignore[arg-type]
    low = Recipe(phone, DenoiseConfig(), FeaturesConfig(contrast_bands=6), backend)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"sample_rate \(8000 Hz\).*don't go together: "):
        low.rehearse()
