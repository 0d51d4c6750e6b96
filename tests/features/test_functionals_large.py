"""The large set against librosa, SciPy and NumPy, each number written out."""

from itertools import combinations, groupby, pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.signal
from helpers import faults
from helpers.devices import DEVICES

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.clip_batches import clip_batches
from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import Sound
from speechnet.features.functionals import Functionals
from speechnet.features.functionals_large import FunctionalsLarge

SR, HOP, N_FFT, FPS = 16_000, 160, 1_024, 100
F = librosa.feature
NOISE = np.random.default_rng(0).standard_normal(SR, dtype=np.float32) / 10
SHORT = pytest.mark.filterwarnings("ignore:n_fft=.* is too large for input signal")
pytestmark = pytest.mark.slow


def voice(seconds: float) -> np.ndarray:
    """A buzz whose pitch and level wander, with pauses of noise."""
    t = np.arange(round(seconds * SR)) / SR
    buzz = scipy.signal.sawtooth(2 * np.pi * (170 * t + 12 * np.sin(4 * t)))
    level = (np.sin(13 * t) > -0.4) * (0.2 + 0.1 * np.cos(3 * t))
    return (level * buzz).astype(np.float32) + 0.2 * np.resize(NOISE, len(t))


def rows(*clips: np.ndarray, device: str = "cpu") -> np.ndarray:
    return np.stack(FunctionalsLarge().extract(clips, Sound(SR, device=device)))


def named(row: np.ndarray) -> dict[str, float]:
    columns = [column.removeprefix("large_") for column in FunctionalsLarge().columns]
    return dict(zip(columns, row.tolist(), strict=True))


def contours(y: np.ndarray) -> dict[str, np.ndarray]:
    """Each contour by its plain call: ``[rows, frames]``."""
    S, freq = np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP)), np.arange(513) * SR / N_FFT
    seen = {"S": S[freq <= 7_000], "freq": freq[freq <= 7_000]}
    bands = F.melspectrogram(S=S**2, sr=SR, n_fft=N_FFT, n_mels=40, fmax=7_000)
    mel = librosa.power_to_db(bands)
    f0 = librosa.yin(y, fmin=65, fmax=500, sr=SR, frame_length=N_FFT, hop_length=HOP)
    return {
        "mfcc": F.mfcc(S=mel, n_mfcc=20),
        "mel": mel.reshape(20, 2, -1).mean(axis=1),
        "centroid": F.spectral_centroid(**seen),
        "bandwidth": F.spectral_bandwidth(**seen),
        **{f"rolloff_{p}": F.spectral_rolloff(**seen, roll_percent=p / 100) for p in (25, 50, 85)},
        "flatness": librosa.power_to_db(F.spectral_flatness(S=seen["S"]), top_db=None),
        "zero_crossing_rate": F.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP),
        "flux": librosa.onset.onset_strength(S=mel, sr=SR, center=False)[None],
        "contrast": F.spectral_contrast(**seen, sr=SR, n_bands=5),
        "energy": librosa.amplitude_to_db(F.rms(S=S, frame_length=N_FFT)),
        "f0": 12 * np.log2(f0 / 55)[None],
        "periodicity": np.array([periodicity(y, f0)]),
        "wide": np.vstack((mel.reshape(8, 5, -1).mean(axis=1), librosa.amplitude_to_db(
            F.rms(S=S, frame_length=N_FFT)))),
    }  # fmt: skip


def periodicity(y: np.ndarray, f0: np.ndarray) -> list[float]:
    """A frame times itself one period later, over the mean of both squares."""
    found = []
    for i, lag in enumerate(np.rint(SR / f0).astype(int)):
        frame = np.pad(y.astype(float), N_FFT // 2)[i * HOP : i * HOP + N_FFT]
        a, b = frame[:-lag], frame[lag:]
        found.append(2 * (a @ b) / max(a @ a + b @ b, 1e-30))
    return found


def statistics(found: dict[str, float], name: str, values: np.ndarray) -> None:
    """All seven, for each row."""
    many = [f"{name}_{i:02d}" for i in range(len(values))] if len(values) > 1 else [name]
    for row, v in zip(many, values.astype(float), strict=True):
        found |= {f"{row}_mean": v.mean(), f"{row}_std": v.std()}
        found |= {f"{row}_p{p}": np.percentile(v, p) for p in (5, 25, 50, 75, 95)}


def expected(y: np.ndarray) -> dict[str, float]:
    """The whole row of a clip with voiced and unvoiced frames."""
    of, found = contours(y), dict[str, float]()
    spectrum = [*("centroid", "bandwidth", "rolloff_25", "rolloff_50", "rolloff_85"),
                *("flatness", "zero_crossing_rate", "flux")]  # fmt: skip
    for name in ("mfcc", "mel", *spectrum, "contrast", "energy", "periodicity"):
        statistics(found, name, of[name])
    for name in (*spectrum, "energy"):
        statistics(found, f"{name}_slope", slope(of[name]))
    for i, coefficient in enumerate(of["mfcc"]):
        statistics(found, f"mfcc_{i:02d}_slope", slope(coefficient[None]))
    voiced = (of["periodicity"] > 0.7)[0] & (of["energy"] > of["energy"].max() - 40)[0]
    for name in ("f0", "energy", "periodicity"):
        statistics(found, name if name == "f0" else f"{name}_voiced", of[name][:, voiced])
    statistics(found, "energy_unvoiced", of["energy"][:, ~voiced])
    rows = [*of["mfcc"], *(of[name][0] for name in spectrum), *of["contrast"], *of["energy"]]
    return found | pitch(of, voiced) | runs(voiced) | movement(of, np.array(rows), spectrum)


def slope(values: np.ndarray) -> np.ndarray:
    """Per second, over a quarter of one."""
    return F.delta(values, width=25, mode="nearest") * FPS


def pitch(of: dict[str, np.ndarray], voiced: np.ndarray) -> dict[str, float]:
    f0, time = of["f0"][0], np.arange(len(voiced)) / FPS
    steps = np.abs(np.diff(f0))[voiced[1:] & voiced[:-1]]
    return {
        "f0_step_mean": steps.mean(),
        "f0_step_std": steps.std(),
        "f0_step_p50": np.median(steps),
        "f0_step_p95": np.percentile(steps, 95),
        "f0_range": np.subtract(*np.percentile(f0[voiced], [95, 5])),
        "f0_trend": np.polyfit(time[voiced], f0[voiced], 1)[0],
        "f0_energy": np.corrcoef(f0[voiced], of["energy"][0, voiced])[0, 1],
    }


def runs(voiced: np.ndarray) -> dict[str, float]:
    """By walking through the frames."""
    lengths = [(is_voiced, len([*run])) for is_voiced, run in groupby(voiced)]
    yes = [n for is_voiced, n in lengths if is_voiced]
    no = [n for i, (v, n) in enumerate(lengths) if not v and 0 < i < len(lengths) - 1]
    return {
        "voiced_share": voiced.mean(),
        "voiced_rate": len(yes) * FPS / len(voiced),
        "voiced_length": np.mean(yes) / FPS,
        "voiced_longest": max(yes) / FPS,
        "pause_length": np.mean(no or 0) / FPS,
        "pause_longest": max(no or [0]) / FPS,
    }


def movement(of: dict[str, np.ndarray], rows: np.ndarray, spectrum: list[str]) -> dict[str, float]:
    """Correlations, autocorrelations and modulation spectra."""
    mfcc = [f"mfcc_{i:02d}" for i in range(20)]
    names = [*mfcc, *spectrum, *(f"contrast_{i:02d}" for i in range(6)), "energy"]
    matrix, moving = np.corrcoef(rows), rows - rows.mean(axis=1, keepdims=True)
    found = {
        f"correlation_{names[i]}_{names[j]}": matrix[i, j]
        for i, j in combinations(range(len(names)), 2)
    }
    for lag in (2, 4, 8, 12, 16, 24):
        for name, v in zip(mfcc, moving, strict=False):
            found[f"autocorrelation_{name}_{lag:02d}"] = (
                v[lag:] @ v[: max(len(v) - lag, 0)] / (v @ v)
            )
    wide = of["wide"] - of["wide"].mean(axis=1, keepdims=True)
    wide = np.pad(wide, ((0, 0), (0, max(128 - wide.shape[1], 0))))
    hertz, power = scipy.signal.welch(wide, FPS, nperseg=128, noverlap=96, detrend=False)
    edges = [0.5, 1, 2, 3, 4, 6, 8, 12, 16, 20]
    for row, p in zip([*(f"mel_{i:02d}" for i in range(8)), "energy"], power, strict=True):
        total = p[(hertz >= 0.5) & (hertz < 20)].sum()
        for low, high in pairwise(edges):
            share = p[(hertz >= low) & (hertz < high)].sum() / total
            found[f"modulation_{row}_{low:g}hz"] = 10 * np.log10(share + 1e-3)
    return found


def compare(y: np.ndarray, device: str) -> None:
    """Within 2e-3 of each number or of its unit, which is 100 Hz where it is of hertz."""
    found, wanted = named(rows(y, device=device)[0]), expected(y)
    assert set(found) == set(wanted)
    names = list(wanted)
    ours, theirs = (np.array([each[name] for name in names]) for each in (found, wanted))
    hertz = [name.startswith(("centroid", "bandwidth", "rolloff")) for name in names]
    off = np.abs(ours - theirs) / np.maximum(np.abs(theirs), np.where(hertz, 100, 1))
    worst = np.argsort(off)[-5:]
    assert off.max() < 2e-3, [(names[i], ours[i], theirs[i]) for i in worst]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seconds", [3.3, 1.1])
def test_every_number_of_a_voice(seconds: float, device: str) -> None:
    """Voiced and not, longer and shorter than a modulation window."""
    compare(voice(seconds), device)


def test_every_number_of_real_speech(ravdess: Path) -> None:
    """From the file."""
    for path in sorted(ravdess.rglob("*.flac"))[100::700]:
        compare(load(path, AudioConfig(sample_rate=SR, trim_db=30)).y, "cpu")


@SHORT
def test_the_shortest_clip() -> None:
    """A tenth of a second has eleven frames; one sample less is excluded."""
    y = faults.speech(8, 0.2, SR)[1_600:]
    compare(y, "cpu")
    (why,) = FunctionalsLarge().extract([y[1:]], Sound(SR))
    assert isinstance(why, Excluded)
    assert why.reason == "too_short"


ODD = {
    "silence": np.zeros(SR, np.float32),
    "direct current": np.full(SR, 0.5, np.float32),
    "click": np.eye(1, SR, SR // 2, dtype=np.float32)[0],
    "noise": NOISE,
    "faint noise": NOISE * np.float32(1e-6),
    "tone": np.sin(np.arange(SR) * 2 * np.pi * 200 / SR).astype(np.float32),
    "tone in silence": np.pad(np.sin(np.arange(SR) / 13).astype(np.float32), SR),
}


@pytest.mark.parametrize("device", DEVICES)
def test_odd_clips_have_finite_numbers(device: str) -> None:
    """Where nothing is voiced, the share says so and pitch is 0; what stands still, does."""
    found = dict(zip(ODD, map(named, rows(*ODD.values(), device=device)), strict=True))
    for name, row in found.items():
        assert np.isfinite([*row.values()]).all(), name
    for name in ("silence", "noise", "faint noise"):
        pitched = [v for k, v in found[name].items() if k.startswith(("f0", "energy_voiced"))]
        assert found[name]["voiced_share"] == 0
        assert not np.any(pitched)
    still = [v for k, v in found["silence"].items() if "correlation" in k or k.endswith("_std")]
    assert np.abs(still).max() < 0.05
    modulation = [v for k, v in found["silence"].items() if k.startswith("modulation")]
    np.testing.assert_allclose(modulation, -30, atol=0.1)
    assert found["tone"]["voiced_share"] == 1
    assert found["tone"]["f0_p50"] == pytest.approx(12 * np.log2(200 / 55), abs=0.05)
    assert found["tone"]["energy_unvoiced_mean"] == 0


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_its_clips_one_by_one(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever lengths and levels, among them silence and a clip without voice."""
    clips = [(0.1 + i) * faults.speech(i, s, SR) for i, s in enumerate((2.1, 1.13, 1.9, 1.33))]
    clips += [ODD["silence"], NOISE]
    alone = np.concatenate([rows(clip, device=device) for clip in clips])
    monkeypatch.setattr(clip_batches(device), "batch_samples", 2**24)
    found = rows(*clips, device=device)
    np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-3)


def test_groups_and_refusals() -> None:
    """Every column has its group, and none a name of another set's; bounds are checked."""
    config = FunctionalsLarge()
    assert not set(config.columns) & set(Functionals().columns)
    groups = [config.group(column) for column in config.columns]
    assert [group.removeprefix("large_") for group in dict.fromkeys(groups)] == [
        *("mfcc", "mfcc_slope", "mel", "spectrum", "spectrum_slope", "contrast", "energy", "f0"),
        *("voicing", "correlation", "autocorrelation", "modulation"),
    ]
    assert config.group("large_f0_energy") == "large_f0"
    with pytest.raises(ConfigError, match=r"f0_min is 500 Hz, expected below f0_max \(400 Hz\)"):
        FunctionalsLarge(f0_min=500, f0_max=400).check(22_050)
