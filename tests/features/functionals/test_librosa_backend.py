"""Both backends: every feature against its plain librosa call, every statistic against numpy."""

from collections.abc import Callable
from pathlib import Path

import librosa
import noisereduce
import numpy as np
import pytest
import torch
from helpers import faults
from helpers.devices import DEVICES

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.denoise import DenoiseConfig
from speechnet.denoise.noisereduce_backend import denoise
from speechnet.features.functionals import Functionals, torch_backend
from speechnet.features.functionals.librosa_backend import extract

SR = 22_050
BACKENDS = ["reference", *(pytest.param(device, marks=pytest.mark.slow) for device in DEVICES)]
"""librosa, and torch on each device."""

pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")


def row_of(backend: str, y: np.ndarray, config: Functionals, sr: int = SR) -> np.ndarray:
    """One clip, alone, from the reference or from torch on a device."""
    if backend == "reference":
        return extract(y, sr, config)
    clip = torch.from_numpy(y)[None].to(backend)
    lengths = torch.tensor([len(y)], device=backend)
    return torch_backend.extract(clip, lengths, sr, config)[0].cpu().numpy()


def plain_original(y: np.ndarray) -> np.ndarray:
    """The original experiment's 65 values: five calls of librosa, nothing shared."""
    return np.concatenate(
        [
            librosa.feature.mfcc(y=y, sr=SR, n_mfcc=50).mean(axis=1),
            librosa.feature.chroma_stft(y=y, sr=SR).mean(axis=1),
            librosa.feature.spectral_rolloff(y=y, sr=SR).mean(axis=1),
            librosa.feature.spectral_centroid(y=y, sr=SR).mean(axis=1),
            [librosa.zero_crossings(y, pad=False).sum()],
        ]
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("backend", BACKENDS)
def test_original_is_five_plain_calls(backend: str, seed: int) -> None:
    """On synthetic clips; by librosa to float32's last digits: one STFT is the same STFT."""
    y = faults.speech(seed, 0.4 + seed)
    row = row_of(backend, y, Functionals(preset="original"))
    assert row.dtype == np.float32
    relative, absolute = (1e-6, 1e-6) if backend == "reference" else (1e-5, 1e-4)
    np.testing.assert_allclose(row, plain_original(y), rtol=relative, atol=absolute)


@pytest.mark.parametrize("gated", [False, True])
def test_original_on_real_speech(ravdess: Path, gated: bool) -> None:
    """From the file to the row, with and without denoising, against plain calls all the way."""
    for path in sorted(ravdess.rglob("*.flac"))[::360]:
        clip = load(path, AudioConfig(remove_dc=False))
        y, (plain, _) = clip.y, librosa.load(path)
        if gated:
            y = denoise(y, clip.sr, DenoiseConfig())
            gate = noisereduce.reduce_noise(y=plain, sr=SR)
            plain = np.where(np.abs(gate) > 2**-24 * np.abs(plain).max(), gate, np.float32(0))
        row = extract(y, SR, Functionals(preset="original"))
        np.testing.assert_allclose(row, plain_original(plain), rtol=1e-6, atol=1e-6)


def plain_tempogram(y: np.ndarray, sr: int, n_fft: int, hop: int) -> np.ndarray:
    onsets = librosa.onset.onset_strength(y=y, sr=sr, n_fft=n_fft, hop_length=hop, n_mels=64)
    return librosa.feature.tempogram(onset_envelope=onsets, sr=sr, win_length=32)


def plain_energy(y: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    S = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop))
    return librosa.feature.rms(S=S, frame_length=n_fft)


F = librosa.feature
PLAIN: dict[str, Callable[[np.ndarray, int, int, int], np.ndarray]] = {
    "mfcc": lambda y, sr, n, h: F.mfcc(y=y, sr=sr, n_fft=n, hop_length=h, n_mfcc=13, n_mels=64),
    "delta": lambda y, sr, n, h: F.delta(
        F.mfcc(y=y, sr=sr, n_fft=n, hop_length=h, n_mfcc=13, n_mels=64)
    ),
    "chroma": lambda y, sr, n, h: F.chroma_stft(y=y, sr=sr, n_fft=n, hop_length=h),
    "contrast": lambda y, sr, n, h: F.spectral_contrast(
        y=y, sr=sr, n_fft=n, hop_length=h, n_bands=5
    ),
    "centroid": lambda y, sr, n, h: F.spectral_centroid(y=y, sr=sr, n_fft=n, hop_length=h),
    "bandwidth": lambda y, sr, n, h: F.spectral_bandwidth(y=y, sr=sr, n_fft=n, hop_length=h),
    "rolloff": lambda y, sr, n, h: F.spectral_rolloff(
        y=y, sr=sr, n_fft=n, hop_length=h, roll_percent=0.7
    ),
    "flatness": lambda y, _, n, h: F.spectral_flatness(y=y, n_fft=n, hop_length=h),
    "zero_crossing_rate": lambda y, _, n, h: F.zero_crossing_rate(y, frame_length=n, hop_length=h),
    "zero_crossings": lambda y, *_: librosa.zero_crossings(y, pad=False)[np.newaxis],
    "energy": lambda y, _, n, h: plain_energy(y, n, h),
    "f0": lambda y, sr, n, h: librosa.yin(
        y, fmin=80, fmax=400, sr=sr, frame_length=n, hop_length=h
    )[np.newaxis],
    "tempogram": plain_tempogram,
}
STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda values: np.mean(values, axis=1),
    "std": lambda values: np.std(values, axis=1),
    "min": lambda values: np.min(values, axis=1),
    "max": lambda values: np.max(values, axis=1),
    "p0": lambda values: np.percentile(values, 0, axis=1),
    "p25": lambda values: np.percentile(values, 25, axis=1),
    "p90": lambda values: np.percentile(values, 90, axis=1),
}


def test_every_feature_has_its_plain_call() -> None:
    """A new feature needs an oracle here."""
    assert set(PLAIN) == set(Functionals().dimensions())


def one(feature: str, statistics: list[str], **parameters: float) -> Functionals:
    """One feature by itself, with the parameters of its plain call."""
    plain = {"n_mfcc": 13, "n_mels": 64, "roll_percent": 0.7, "f0_min": 80.0, "f0_max": 400.0}
    plain["tempogram_lags"] = 32
    return Functionals(preset=None, include={feature: statistics}, **(plain | parameters))


# Frames of an even and an odd length, which librosa can't infer from the height of a spectrum; a
# hop that does not divide them; a rate below 8 kHz, whose highest bin may be a pitch.
@pytest.mark.parametrize(
    ("sr", "n_fft", "hop"),
    [
        (22_050, 2_048, 512),
        (16_000, 1_024, 160),
        (16_000, 1_201, 300),
        (96_000, 4_096, 1_024),
        (8_000, 1_001, 100),
        (4_000, 512, 128),
    ],
)
@pytest.mark.parametrize("feature", PLAIN)
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_feature_is_its_plain_call(
    backend: str, feature: str, sr: int, n_fft: int, hop: int
) -> None:
    """Under all statistics and frames of any length, within 2e-5 of the feature's own size."""
    if feature == "contrast" and sr <= 6_400:
        pytest.skip("librosa has no contrast of five octaves below 6.4 kHz")
    y = faults.speech(3, 1.2, sr)
    statistics = STATISTICS if feature != "zero_crossings" else {"count": lambda v: v.sum(axis=1)}
    config = one(feature, list(statistics), n_fft=n_fft, hop_length=hop)
    values = PLAIN[feature](y, sr, n_fft, hop)
    expected = np.concatenate([of(values) for of in statistics.values()])
    row = row_of(backend, y, config, sr)
    assert row.dtype == np.float32
    assert len(row) == len(config.columns)
    np.testing.assert_allclose(row, expected, rtol=2e-5, atol=2e-5 * np.abs(values).max())


def plain_below(y: np.ndarray, sr: int, fmax: float) -> dict[str, np.ndarray]:
    """Plain calls that see no bin above a frequency."""
    S, freq = np.abs(librosa.stft(y)), librosa.fft_frequencies(sr=sr)
    seen = {"S": S[freq <= fmax], "freq": freq[freq <= fmax]}
    mfcc = F.mfcc(y=y, sr=sr, n_mfcc=20, fmax=fmax)
    return {
        "mfcc": mfcc,
        "delta": F.delta(mfcc),
        "contrast": F.spectral_contrast(**seen, sr=sr, n_bands=5),
        "centroid": F.spectral_centroid(**seen),
        "bandwidth": F.spectral_bandwidth(**seen),
        "rolloff": F.spectral_rolloff(**seen),
        "flatness": F.spectral_flatness(S=seen["S"]),
    }


@pytest.mark.parametrize(("sr", "fmax"), [(22_050, 7_000.0), (8_000, 3_500.0)])
def test_functionals_see_nothing_above_7_khz(sr: int, fmax: float) -> None:
    """So that recordings at 16 kHz and at 48 kHz have the same columns; 8 kHz still has a row."""
    y = faults.speech(3, 1.2, sr)
    config = Functionals()
    row = dict(zip(config.columns, extract(y, sr, config), strict=True))
    for feature, values in plain_below(y, sr, fmax).items():
        means = [value for name, value in row.items() if _is_mean_of(name, feature)]
        np.testing.assert_allclose(means, values.mean(axis=1), rtol=2e-5, atol=1e-4)


def _is_mean_of(name: str, feature: str) -> bool:
    return name.startswith(feature) and name.endswith("_mean")


def test_statistics_stand_under_their_names() -> None:
    """Row by row and statistic by statistic, in the order that was asked for."""
    y = faults.speech(1)
    config = Functionals(
        preset=None, include={"f0": ["p90", "mean", "p10", "max"], "centroid": ["min"]}
    )
    row = dict(zip(config.columns, extract(y, SR, config), strict=True))
    f0 = librosa.yin(y, fmin=65, fmax=600, sr=SR, frame_length=2_048, hop_length=512)
    assert row["f0_p90"] == pytest.approx(np.percentile(f0, 90))
    assert row["f0_mean"] == pytest.approx(f0.mean())
    assert row["f0_p10"] == pytest.approx(np.percentile(f0, 10))
    assert row["f0_max"] == pytest.approx(f0.max())
    assert row["centroid_min"] == pytest.approx(F.spectral_centroid(y=y, sr=SR).min())


def test_a_buzz_has_its_own_pitch() -> None:
    """A pulse train of 125 Hz is found at 125 Hz."""
    y = np.zeros(SR, np.float32)
    y[:: SR // 125] = 0.5
    row = extract(y, SR, Functionals(preset=None, include={"f0": ["p50"]}))
    assert row[0] == pytest.approx(SR / (SR // 125), rel=0.01)
