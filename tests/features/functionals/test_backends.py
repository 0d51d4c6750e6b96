"""One suite over both backends; and one backend against the other, on real speech."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import librosa
import numpy as np
import pytest
from helpers import faults
from helpers.devices import DEVICES

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.clip_batches import clip_batches
from speechnet.core.errors import Excluded
from speechnet.core.types import Float32
from speechnet.denoise import DenoiseConfig, noisereduce_backend
from speechnet.features.extraction.compute import compute as describe_clips
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.functionals import Functionals

pytestmark = pytest.mark.slow

SR = 22_050
ORIGINAL = Functionals(preset="original")
FUNCTIONALS = Functionals(preset="functionals")
NONE = DenoiseConfig(method="none")
GATED = DenoiseConfig(method="nonstationary")

BACKENDS: Final = ("torch", "reference")


def clips(*seconds: float) -> list[Float32]:
    return [faults.speech(i, length) for i, length in enumerate(seconds)]


def compute(
    backend: str,
    denoise: DenoiseConfig,
    features: Functionals,
    some: list[Float32],
    device: str = "cpu",
) -> list[Float32 | Excluded]:
    """Denoised and described by one of the two implementations."""
    both = {"backend": backend}
    recipe = Recipe(
        AudioConfig(),
        replace(denoise, **both),  # type: ignore[arg-type]
        {"functionals": replace(features, **both)},  # type: ignore[arg-type]
    )
    return describe_clips(recipe, {SR: some}, ["functionals"], device=device)["functionals"]


def rows(*arguments: Any) -> np.ndarray:
    """All rows of ``compute``; none is excluded."""
    found = compute(*arguments)
    assert all(isinstance(row, np.ndarray) for row in found), found
    return np.array(found)


@pytest.fixture(params=BACKENDS)
def name(request: pytest.FixtureRequest) -> str:
    """Each backend in turn."""
    return str(request.param)


@pytest.mark.parametrize("features", [ORIGINAL, FUNCTIONALS], ids=["original", "functionals"])
def test_a_row_for_each_clip(name: str, features: Functionals) -> None:
    """float32, finite, as wide as the names; the same alone as among others."""
    some = clips(0.7, 2.0, 0.4)
    found = rows(name, NONE, features, some)
    assert found.shape == (3, len(features.columns))
    assert found.dtype == np.float32
    for clip, row in zip(some, found, strict=True):
        np.testing.assert_array_equal(rows(name, NONE, features, [clip])[0], row)
    assert compute(name, NONE, features, []) == []


def test_a_clip_is_left_as_it_was(name: str) -> None:
    """No backend works in its caller's arrays."""
    clip = faults.speech(0)
    before = clip.copy()
    clip.setflags(write=False)
    compute(name, GATED, ORIGINAL, [clip])
    np.testing.assert_array_equal(clip, before)


def test_a_silent_clip_is_refused_and_spares_the_others(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate divides by its level, 0."""
    monkeypatch.setattr(clip_batches("cpu"), "batch_samples", 2**24)
    good = clips(1.0, 1.2)
    some = [good[0], np.zeros(SR, np.float32), good[1]]
    first, silent, last = compute(name, GATED, ORIGINAL, some)
    assert isinstance(silent, Excluded)
    assert silent.reason == "not_finite_denoised"
    assert silent.detail == "nonstationary gating gave NaN or infinite samples"
    assert isinstance(first, np.ndarray)
    assert isinstance(last, np.ndarray)
    np.testing.assert_allclose(
        [first, last], rows(name, GATED, ORIGINAL, good), rtol=1e-4, atol=1e-4
    )


def test_a_clip_too_short_for_a_feature_is_refused(name: str) -> None:
    """With what was found and what is needed, the same words in both."""
    found = compute(name, NONE, FUNCTIONALS, [faults.speech(0, 0.1), faults.speech(1)])
    assert isinstance(found[0], Excluded)
    assert (found[0].reason, found[0].detail) == ("too_short", "5 frames, a delta needs 9")
    assert isinstance(found[1], np.ndarray)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large for input signal")
def test_a_clip_too_short_for_the_gate_is_refused(name: str) -> None:
    """The stationary one needs a frame for its statistics; the others go on."""
    gate = DenoiseConfig(method="stationary")
    some = [*clips(1.0), faults.speech(1)[:1_023], *clips(0.5)]
    first, short, last = compute(name, gate, ORIGINAL, some)
    assert isinstance(short, Excluded)
    assert str(short) == "too_short: 1023 samples, the stationary gate needs 1024"
    assert isinstance(first, np.ndarray)
    assert isinstance(last, np.ndarray)
    assert isinstance(compute(name, gate, ORIGINAL, [faults.speech(1)[:1_024]])[0], np.ndarray)


def test_values_beyond_float32_are_named() -> None:
    """Which of the columns, by name; librosa itself raises there."""
    loud = np.float32(1e18) * faults.speech(0, 1.0)
    with np.errstate(all="ignore"):
        (found,) = compute("torch", NONE, ORIGINAL, [loud])
    assert isinstance(found, Excluded)
    assert found.reason == "not_finite_features"
    assert "_mean" in found.detail


@pytest.fixture(scope="module")
def speech(ravdess: Path) -> list[Float32]:
    """Every 120th recording of RAVDESS."""
    return [load(path, AudioConfig()).y for path in sorted(ravdess.rglob("*.flac"))[::120]]


EVERYTHING = Functionals(n_mfcc=50, include={"zero_crossings": ["count"]})
"""All columns of both presets."""


def agrees(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Whether each value is within 1e-3 of the value or of the column's spread.

    Or within 1e-4 dB, or one bin of the spectrum for a rolloff, which is a bin's frequency.
    """
    allowed = 1e-3 * np.maximum(np.abs(expected), expected.std(axis=0))
    for column, name in enumerate(EVERYTHING.columns):
        if name.startswith(("mfcc", "delta", "contrast")):
            allowed[:, column] += 1e-4
        elif name.startswith("rolloff"):
            allowed[:, column] += SR / 2_048
    return np.asarray(np.abs(found - expected) <= allowed)


@pytest.mark.parametrize("method", ["none", "nonstationary", "stationary"])
@pytest.mark.parametrize("device", DEVICES)
def test_every_value_of_real_speech_is_the_reference_s(
    speech: list[Float32], method: str, device: str
) -> None:
    """All columns of both presets, whichever gate. A tuning may fall on the other side.

    On a GPU another transform may let a bin pass that the reference stops.
    """
    denoise = DenoiseConfig(method=method)  # type: ignore[arg-type]
    expected = rows("reference", denoise, EVERYTHING, speech)
    found = rows("torch", denoise, EVERYTHING, speech, device)
    near = agrees(found, expected)
    chroma = np.array([name.startswith("chroma") for name in EVERYTHING.columns])
    assert near[:, ~chroma].mean() >= (1 if device == "cpu" else 0.99)
    assert (~near[:, chroma]).any(axis=1).sum() <= 1


@pytest.mark.parametrize("name", BACKENDS)
def test_a_contrast_has_a_floor_where_there_is_a_gate(name: str) -> None:
    """The level of a sine half a step of 24 bits high, and librosa's contrast without a gate."""
    y = np.concatenate([faults.speech(0), np.zeros(SR, np.float32), faults.speech(1)])
    contrasts = Functionals(preset=None, include={"contrast": ["mean"]}, fmax=7_000)
    for denoise in (NONE, GATED):
        gated = y if denoise is NONE else noisereduce_backend.denoise(y, SR, denoise)
        S = np.abs(librosa.stft(gated))[: int(7_000 * 2_048 / SR) + 1]
        if denoise is GATED:
            S = np.maximum(S, np.abs(gated).max() * 2**-24 * 2_048 / 4)
        freq = librosa.fft_frequencies(sr=SR)[: len(S)]
        expected = librosa.feature.spectral_contrast(S=S, freq=freq, n_bands=5).mean(axis=1)
        (row,) = rows(name, denoise, contrasts, [y])
        np.testing.assert_allclose(row, expected, rtol=1e-3)
