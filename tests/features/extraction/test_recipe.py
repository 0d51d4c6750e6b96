"""What a recipe is, and which settings it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from helpers import faults

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load_at_rates
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.types import Float32
from speechnet.denoise import DenoiseConfig
from speechnet.denoise.gate import denoise_clips
from speechnet.features.extraction.compute import choose_device, compute, rehearse
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extraction.store import fingerprint
from speechnet.features.extractor import Extractor, Sound
from speechnet.features.functionals import Functionals
from speechnet.features.log_mel import LogMel

CHEAP = Functionals(preset=None, include={"mfcc": ["mean"], "zero_crossings": ["count"]})


def recipe(
    backend: str = "torch", denoise: str = "none", features: Functionals = CHEAP, rate: int = 22_050
) -> Recipe:
    return Recipe(
        AudioConfig(sample_rate=rate),
        DenoiseConfig(method=denoise, backend=backend),  # type: ignore[arg-type]
        {"functionals": replace(features, backend=backend)},  # type: ignore[arg-type]
    )


def described(one: Recipe) -> dict[str, Any]:
    return one.describe("functionals")


@pytest.mark.parametrize(
    ("backend", "always", "gated"),
    [("torch", {"torch"}, set()), ("reference", set(), {"noisereduce"})],
)
def test_a_recipe_is_what_decides_the_numbers(
    backend: str, always: set[str], gated: set[str]
) -> None:
    """Unused gating doesn't; the versions of the libraries that compute do."""
    one = recipe(backend)
    ungated = DenoiseConfig(method="none", prop_decrease=0.5)
    assert described(replace(one, denoise=ungated)) == described(one)
    common = {"librosa", "libsndfile", "numpy", "scipy", "soundfile", "soxr"}
    assert described(one)["versions"].keys() == common | always
    assert described(one)["settings"]["backend"] == backend  # they agree, but not to the last bit
    active = described(recipe(backend, "stationary"))
    assert active["versions"].keys() - described(one)["versions"].keys() == gated


def test_the_highest_frequency_is_part_of_a_recipe() -> None:
    """A preset's own counts; one above half the rate is half the rate."""
    preset = Functionals()
    listed = Functionals(preset=None, include=preset.groups())
    assert listed.columns == preset.columns
    assert described(recipe(features=listed)) != described(recipe(features=preset))
    beyond = Functionals(preset=None, include=preset.groups(), fmax=20_000.0)
    assert described(recipe(features=beyond)) == described(recipe(features=listed))


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_a_rehearsal_passes_or_names_the_settings(backend: str) -> None:
    """The same settings clash in either backend."""
    rehearse(recipe(backend))
    rehearse(recipe(backend, features=Functionals(), rate=8_000))
    low = recipe(backend, "nonstationary", Functionals(contrast_bands=6), 8_000)
    with pytest.raises(ConfigError, match=r"sample_rate \(8000 Hz\).*don't go together: "):
        rehearse(low)


@dataclass
class Loudness(Extractor):
    """As little as an extractor can be; what it gives is decided by the tests."""

    gives: str = "a row"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("loudness_mean", "loudness_max")

    def extract(self, clips: Sequence[Float32], _: Sound) -> list[Float32 | Excluded]:
        given = {
            "a row": np.ones(2, np.float32),
            "NaN": np.array([1, np.nan], np.float32),
            "too many": np.ones(3, np.float32),
            "float64": np.ones(2),
            "frames": np.ones((4, 2), np.float32),
            "a tuple": (1.0, 2.0),
            "refused": Excluded("too_short", "three seconds are needed"),
        }
        if self.gives == "nothing":
            raise ZeroDivisionError("division by zero")
        more = {"one row too few": -1, "one row too many": 1}.get(self.gives, 0)
        return [given.get(self.gives, given["a row"])] * (len(clips) + more)


@pytest.mark.parametrize(
    ("gives", "match"),
    [
        ("too many", r"gave float32 \[3\], expected a NumPy array of float32 \[d\] with d = 2"),
        ("float64", r"gave float64 \[2\], expected a NumPy array of float32"),
        ("frames", r"gave float32 \[4, 2\], expected a NumPy array of float32 \[d\]"),
        ("a tuple", "gave a tuple, expected a NumPy array"),
        ("NaN", "gave numbers that are not finite: loudness_max"),
        ("one row too few", "gave 1 row for 2 clips, expected one for each"),
        ("one row too many", "gave 3 rows for 2 clips, expected one for each"),
        ("nothing", r"failed: ZeroDivisionError: division by zero \(test_recipe\.py:\d+\)"),
    ],
)
def test_a_rehearsal_sees_what_an_extractor_gives(
    caplog: pytest.LogCaptureFixture, gives: str, match: str
) -> None:
    """The contract is checked before any recording is read; --verbose shows the traceback."""
    good = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"loudness": Loudness()})
    rehearse(good)
    bad = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"loudness": Loudness(gives)})
    with (
        caplog.at_level("INFO"),
        pytest.raises(
            ConfigError, match=f"on two seconds of noise, the extractor loudness {match}"
        ),
    ):
        rehearse(bad)
    assert "Traceback" in caplog.text


def test_an_extractor_that_refuses_is_no_faulty_one() -> None:
    """It is a matter of the settings."""
    bad = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"loudness": Loudness("refused")})
    with pytest.raises(ConfigError, match="don't go together: too_short: three seconds are needed"):
        rehearse(bad)


@dataclass
class Twice(Loudness):
    columns = ("loudness_mean", "loudness_mean")


def test_each_column_has_its_own_name() -> None:
    """Joined side by side, two of one name could not be told apart."""
    alone = Recipe(AudioConfig(), DenoiseConfig(), {"twice": Twice()})
    with pytest.raises(ConfigError, match="twice has several columns 'loudness_mean'; give each"):
        alone.check()
    twice = {"loudness": Loudness(), "louder": Loudness()}
    with pytest.raises(ConfigError, match="loudness and louder both have a column 'loudness_mean'"):
        Recipe(AudioConfig(), DenoiseConfig(), twice).check()
    with pytest.raises(ConfigError, match=r"data\.features names no extractor"):
        Recipe(AudioConfig(), DenoiseConfig(), {}).check()


def test_each_extractor_has_its_own_rate() -> None:
    """Its clips come denoised at that rate; the columns of the vectors are joined."""
    both = Recipe(
        AudioConfig(sample_rate=8_000),
        DenoiseConfig(),
        {"functionals": CHEAP, "log_mel": LogMel(), "loudness": Loudness()},
    )
    assert both.rates == {"functionals": 8_000, "log_mel": 16_000, "loudness": 8_000}
    assert both.columns == (*CHEAP.columns, "loudness_mean", "loudness_max")
    assert set(both.groups) == {"mfcc", "zero_crossings", "loudness"}
    y = {rate: [faults.speech(0, 1.0, rate)] for rate in (8_000, 16_000)}
    found = compute(both, y, list(both.extractors))
    (denoised,) = denoise_clips(y[16_000], 16_000, both.denoise)
    sound = Sound(16_000, both.denoise.floor)
    np.testing.assert_array_equal(found["log_mel"], LogMel().extract([denoised], sound))
    assert described(both)["audio"]["sample_rate"] == 8_000
    assert both.describe("log_mel")["audio"]["sample_rate"] == 16_000


@pytest.mark.parametrize(
    ("backend", "device", "count", "expected"),
    [
        ("torch", "cpu", 0, "cpu"),
        ("torch", "auto", 0, "cpu"),
        ("torch", "auto", 2, "cuda"),
        ("torch", "cuda:1", 2, "cuda:1"),
        ("reference", "auto", 2, "cpu"),
    ],
)
def test_the_device(
    monkeypatch: pytest.MonkeyPatch, backend: str, device: str, count: int, expected: str
) -> None:
    """``auto`` takes a GPU that is there and of use."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert choose_device(recipe(backend), device) == expected


@pytest.mark.parametrize(
    ("backend", "device", "count", "match"),
    [
        ("torch", "cuda", 0, "'cuda', but there is no GPU that torch can use; set it to auto"),
        ("torch", "cuda:2", 2, "'cuda:2', but there is cuda, cuda:0, cuda:1; set it to auto"),
        ("torch", "gpu", 1, "'gpu', but there is cuda, cuda:0"),
        ("reference", "cuda", 1, "compute on the CPU only"),
    ],
)
def test_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, backend: str, device: str, count: int, match: str
) -> None:
    """What was asked for, what there is, what to do."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ConfigError, match=match):
        choose_device(recipe(backend), device)


def test_only_what_can_use_a_gpu_is_fed_to_it() -> None:
    """An extractor in NumPy stays with the worker processes; so does all behind noisereduce."""
    both = replace(recipe(), extractors={"functionals": CHEAP, "loudness": Loudness()})
    assert both.on_device("cuda") == ["functionals"]
    assert both.on_device("cpu") == []
    gated = replace(both, denoise=DenoiseConfig(backend="reference"))
    assert gated.on_device("cuda") == []


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
        clips, statistics = load_at_rates(path, recipe.audio, list(recipe.rates.values()))
        some = {rate: [y] for rate, y in clips.items()}
        (row,) = compute(recipe, some, ["functionals"])["functionals"]
    except Excluded as why:
        return str(why)
    return f"{recipe.columns} {row!r} {statistics}"


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
        "backend": "reference",
        "method": "stationary",
        "prop_decrease": 0.5,
        "freq_mask_smooth_hz": 900.0,
        "time_mask_smooth_ms": 90.0,
        "time_constant_s": 0.5,
        "thresh_n_mult": 1.0,
        "sigmoid_slope": 3.0,
        "n_std_thresh": 0.5,
    },
    Functionals: {
        "backend": "reference",
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
    },
}
"""For every setting a value that changes the recording above, where anything reads the setting."""

FEATURES = list(Functionals().dimensions())


def one_feature(feature: str) -> Functionals:
    statistic = "count" if feature == "zero_crossings" else "mean"
    return Functionals(preset=None, include={feature: [statistic]})


def check_each_setting(base: Recipe, part: str, path: Path) -> None:
    """Another value gives another key if and only if it gives another outcome.

    Or another key alone for another backend, whose numbers agree.
    """
    key, before = fingerprint(described(base)), outcome(path, base)
    config = base.extractors["functionals"] if part == "features" else getattr(base, part)
    assert OTHER[type(config)].keys() == {setting.name for setting in fields(config)}
    for name, value in OTHER[type(config)].items():
        other = replace(config, **{name: value})
        if part == "features":
            changed = replace(base, extractors={"functionals": other})
        else:
            changed = replace(base, **{part: other})
        differs = outcome(path, changed) != before
        new_key = fingerprint(described(changed)) != key
        assert new_key == differs or (name == "backend" and new_key), f"{part}.{name} = {value}"


@pytest.mark.filterwarnings("ignore:Trying to estimate tuning from empty frequency set")
@pytest.mark.parametrize("feature", FEATURES)
def test_the_key_changes_with_the_numbers_of_each_feature(feature: str, stereo: Path) -> None:
    """A setting that the feature doesn't read is no part of the key."""
    base = Recipe(
        AudioConfig(), DenoiseConfig(method="none"), {"functionals": one_feature(feature)}
    )
    check_each_setting(base, "features", stereo)


@pytest.mark.parametrize("method", ["none", "nonstationary", "stationary"])
def test_the_key_changes_with_the_numbers_of_each_gate(method: str, stereo: Path) -> None:
    """A parameter of the other method is no part of it."""
    gate = DenoiseConfig(method=method)  # type: ignore[arg-type]
    base = Recipe(AudioConfig(), gate, {"functionals": one_feature("centroid")})
    check_each_setting(base, "denoise", stereo)


def test_the_key_changes_with_what_is_read(stereo: Path) -> None:
    """Bounds, too: what was excluded is kept."""
    base = Recipe(
        AudioConfig(), DenoiseConfig(method="none"), {"functionals": one_feature("energy")}
    )
    check_each_setting(base, "audio", stereo)


def test_nothing_lies_above_half_the_rate() -> None:
    """``fmax`` up to half the rate is taken; above, both numbers are said."""
    recipe(features=Functionals(fmax=4_000.0), rate=8_000).check()
    with pytest.raises(ConfigError, match=r"fmax is 4001 Hz, .* 4000 Hz, .* \(8000 Hz\)"):
        recipe(features=Functionals(fmax=4_001.0), rate=8_000).check()


def test_an_edit_of_a_plugin_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives another key, whatever ``code_version`` says; ours have no hash of their source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "plugin_that_is_edited.py"
    path.write_text(
        "from test_recipe import Loudness\n\nclass Edited(Loudness):\n    code_version = 1\n"
    )
    edited = import_module(path.stem).Edited()
    one = Recipe(AudioConfig(), DenoiseConfig(), {"edited": edited, "functionals": CHEAP})
    before = one.describe("edited")
    assert one.describe("edited") == before
    path.write_text(path.read_text() + "# another line\n")
    after = one.describe("edited")
    assert before.pop("source") != after.pop("source")
    assert before == after
    assert "source" not in described(one)
