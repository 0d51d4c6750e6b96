"""One suite over both backends; and one backend against the other, on real speech."""

import logging
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from helpers import faults
from helpers.devices import DEVICES

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.types import Float32
from speechnet.denoise import DenoiseConfig, noisereduce_backend
from speechnet.features.functionals.backends import (
    Backend,
    TorchBackend,
    choose_device,
    make_backend,
)
from speechnet.features.functionals.config import FeaturesConfig
from speechnet.features.recipe import BackendName

pytestmark = pytest.mark.slow

SR = 22_050
ORIGINAL = FeaturesConfig(preset="original")
FUNCTIONALS = FeaturesConfig(preset="functionals")
NONE = DenoiseConfig(method="none")
GATED = DenoiseConfig(method="nonstationary")

BACKENDS: tuple[BackendName, ...] = ("torch", "reference")


def clips(*seconds: float) -> list[Float32]:
    return [faults.speech(i, length) for i, length in enumerate(seconds)]


def rows(backend: Backend, some: list[Float32], sr: int = SR) -> np.ndarray:
    found = backend.rows(some, sr)
    assert all(isinstance(row, np.ndarray) for row in found), found
    return np.array(found)


@pytest.fixture(params=BACKENDS)
def name(request: pytest.FixtureRequest) -> BackendName:
    """Each backend in turn."""
    chosen: BackendName = request.param
    return chosen


@pytest.mark.parametrize("features", [ORIGINAL, FUNCTIONALS], ids=["original", "functionals"])
def test_a_row_for_each_clip(name: BackendName, features: FeaturesConfig) -> None:
    """float32, finite, as wide as the names; the same alone as among others."""
    backend = make_backend(name, NONE, features)
    some = clips(0.7, 2.0, 0.4)
    found = rows(backend, some)
    assert found.shape == (3, len(features.names()))
    assert found.dtype == np.float32
    for clip, row in zip(some, found, strict=True):
        np.testing.assert_array_equal(rows(backend, [clip])[0], row)
    assert backend.rows([], SR) == []


def test_a_clip_is_left_as_it_was(name: BackendName) -> None:
    """No backend works in its caller's arrays."""
    clip = faults.speech(0)
    before = clip.copy()
    clip.setflags(write=False)
    make_backend(name, GATED, ORIGINAL).rows([clip], SR)
    np.testing.assert_array_equal(clip, before)


def test_a_silent_clip_is_refused_and_spares_the_others(name: BackendName) -> None:
    """The gate divides by its level, 0."""
    backend = make_backend(name, GATED, ORIGINAL)
    if isinstance(backend, TorchBackend):
        backend.batch_samples = 2**24
    good = clips(1.0, 1.2)
    first, silent, last = backend.rows([good[0], np.zeros(SR, np.float32), good[1]], SR)
    assert isinstance(silent, Excluded)
    assert silent.reason == "not_finite_denoised"
    assert silent.detail == "nonstationary gating gave NaN or infinite samples"
    assert isinstance(first, np.ndarray)
    assert isinstance(last, np.ndarray)
    np.testing.assert_allclose([first, last], rows(backend, good), rtol=1e-4, atol=1e-4)


def test_a_clip_too_short_for_a_feature_is_refused(name: BackendName) -> None:
    """With what was found and what is needed, the same words in both."""
    found = make_backend(name, NONE, FUNCTIONALS).rows(
        [faults.speech(0, 0.1), faults.speech(1)], SR
    )
    assert isinstance(found[0], Excluded)
    assert (found[0].reason, found[0].detail) == ("too_short", "5 frames, a delta needs 9")
    assert isinstance(found[1], np.ndarray)


@pytest.mark.filterwarnings("ignore:nperseg = 1024 is greater than input length")
@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large for input signal")
def test_a_clip_too_short_for_the_gate_is_refused(name: BackendName) -> None:
    """The stationary one needs a frame for its statistics; the others go on."""
    backend = make_backend(name, DenoiseConfig(method="stationary"), ORIGINAL)
    first, short, last = backend.rows([*clips(1.0), faults.speech(1)[:768], *clips(0.5)], SR)
    assert isinstance(short, Excluded)
    assert str(short) == "too_short: 768 samples, the stationary gate needs 769"
    assert isinstance(first, np.ndarray)
    assert isinstance(last, np.ndarray)
    assert isinstance(backend.rows([faults.speech(1)[:769]], SR)[0], np.ndarray)


def test_values_beyond_float32_are_named() -> None:
    """Which of the columns, by name; librosa itself raises there."""
    loud = np.float32(1e18) * faults.speech(0, 1.0)
    with np.errstate(all="ignore"):
        (found,) = make_backend("torch", NONE, ORIGINAL).rows([loud], SR)
    assert isinstance(found, Excluded)
    assert found.reason == "not_finite_features"
    assert "_mean" in found.detail


@pytest.fixture(scope="module")
def speech(ravdess: Path) -> list[Float32]:
    """Every 120th recording of RAVDESS."""
    return [load(path, AudioConfig()).y for path in sorted(ravdess.rglob("*.flac"))[::120]]


EVERYTHING = FeaturesConfig(n_mfcc=50, include={"zero_crossings": ["count"]})
"""All columns of both presets."""


def agrees(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Whether each value is within 1e-3 of the value or of the column's spread.

    Or within 1e-4 dB, or one bin of the spectrum for a rolloff, which is a bin's frequency.
    """
    allowed = 1e-3 * np.maximum(np.abs(expected), expected.std(axis=0))
    for column, name in enumerate(EVERYTHING.names()):
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
    expected = rows(make_backend("reference", denoise, EVERYTHING), speech)
    found = rows(make_backend("torch", denoise, EVERYTHING, device), speech)
    near = agrees(found, expected)
    chroma = np.array([name.startswith("chroma") for name in EVERYTHING.names()])
    assert near[:, ~chroma].mean() >= (1 if device == "cpu" else 0.99)
    assert (~near[:, chroma]).any(axis=1).sum() <= 1


@pytest.mark.parametrize("name", BACKENDS)
def test_a_contrast_has_a_floor_where_there_is_a_gate(name: BackendName) -> None:
    """The level of a sine half a step of 24 bits high, and librosa's contrast without a gate."""
    y = np.concatenate([faults.speech(0), np.zeros(SR, np.float32), faults.speech(1)])
    contrasts = FeaturesConfig(preset=None, include={"contrast": ["mean"]}, fmax=7_000)
    for denoise in (NONE, GATED):
        gated = noisereduce_backend.denoise(y, SR, denoise)
        S = np.abs(librosa.stft(gated))[: int(7_000 * 2_048 / SR) + 1]
        if denoise is GATED:
            S = np.maximum(S, np.abs(gated).max() * 2**-24 * 2_048 / 4)
        freq = librosa.fft_frequencies(sr=SR)[: len(S)]
        expected = librosa.feature.spectral_contrast(S=S, freq=freq, n_bands=5).mean(axis=1)
        (row,) = rows(make_backend(name, denoise, contrasts), [y])
        np.testing.assert_allclose(row, expected, rtol=1e-3)


@pytest.mark.parametrize("denoise", [NONE, GATED], ids=lambda config: config.method)
@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_its_clips_one_by_one(denoise: DenoiseConfig, device: str) -> None:
    """Of whatever lengths: padding touches no maximum, no statistic, no tuning."""
    some = clips(0.5, 3.0, 1.1, 0.9, 2.2, 0.3)
    single = rows(make_backend("torch", denoise, FUNCTIONALS), some)
    for batch_samples in (0, 3 * SR, 6 * SR, 2**24):
        backend = TorchBackend(denoise, FUNCTIONALS, device=device, batch_samples=batch_samples)
        np.testing.assert_allclose(rows(backend, some), single, rtol=2e-4, atol=2e-4)


@pytest.mark.skipif("cuda" not in DEVICES, reason="no GPU: the tests above ran on the CPU alone")
def test_the_tests_above_ran_on_a_gpu() -> None:
    """So that a run without one says so, once."""
    assert choose_device("torch", "auto") == "cuda"


def test_batches_are_of_about_one_length() -> None:
    """The longest first, no more than asked for, none padded to twice its length."""
    backend = TorchBackend(NONE, ORIGINAL, batch_samples=100)
    lengths = [10, 120, 50, 49, 30, 33, 34, 31]
    batches = list(backend._batches(lengths))
    assert batches == [[1], [2, 3], [6, 5], [7, 4], [0]]


class Narrow(TorchBackend):
    """A device with memory for so many samples at once."""

    room = 0
    error: RuntimeError = torch.OutOfMemoryError("CUDA out of memory.")

    def _compute(self, clips, sr, device):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if device != "cpu" and sum(map(len, clips)) > self.room:
            raise self.error
        return super()._compute(clips, sr, "cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ],
)
def test_too_little_memory_halves_the_batch(
    caplog: pytest.LogCaptureFixture, error: RuntimeError
) -> None:
    """It goes on with smaller ones, says so once a halving, and loses nothing."""
    some = clips(*[0.5] * 8, 1.5)
    backend = Narrow(NONE, ORIGINAL, device="cuda")
    backend.room, backend.error = SR, error
    with caplog.at_level(logging.WARNING):
        found = rows(backend, some)
    np.testing.assert_array_equal(found, rows(make_backend("torch", NONE, ORIGINAL), some))
    told = [record.getMessage() for record in caplog.records]
    assert sum("ran out of memory" in message for message in told) >= 2
    assert sum("too long for the GPU: the CPU takes it" in message for message in told) == 1
    assert backend.batch_samples < 2 * SR


def test_other_errors_are_not_taken_for_it() -> None:
    """A fault of the program is not hidden behind smaller batches."""
    backend = Narrow(NONE, ORIGINAL, device="cuda")
    backend.error = RuntimeError("a fault")
    with pytest.raises(RuntimeError, match="a fault"):
        backend.rows(clips(1.0), SR)


@pytest.mark.parametrize(
    ("name", "device", "count", "expected"),
    [
        ("torch", "cpu", 0, "cpu"),
        ("torch", "auto", 0, "cpu"),
        ("torch", "auto", 2, "cuda"),
        ("torch", "cuda:1", 2, "cuda:1"),
        ("reference", "auto", 2, "cpu"),
    ],
)
def test_the_device(
    monkeypatch: pytest.MonkeyPatch, name: BackendName, device: str, count: int, expected: str
) -> None:
    """``auto`` takes a GPU that is there and of use."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert choose_device(name, device) == expected


@pytest.mark.parametrize(
    ("name", "device", "count", "match"),
    [
        ("torch", "cuda", 0, "'cuda', but there is no GPU that torch can use; set it to auto"),
        ("torch", "cuda:2", 2, "'cuda:2', but there is cuda, cuda:0, cuda:1; set it to auto"),
        ("torch", "gpu", 1, "'gpu', but there is cuda, cuda:0"),
        ("reference", "cuda", 1, "reference computes on the CPU only"),
    ],
)
def test_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, name: BackendName, device: str, count: int, match: str
) -> None:
    """What was asked for, what there is, what to do."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ConfigError, match=match):
        choose_device(name, device)
