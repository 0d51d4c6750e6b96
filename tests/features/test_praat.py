"""Praat's measures, of voices whose pitch, jitter, formants and pauses are known."""

import re

import numpy as np
import pytest
from helpers.faults import speech
from scipy.signal import lfilter

from speechnet.core.errors import ConfigError, Excluded
from speechnet.features import praat as module
from speechnet.features.extractor import EXTRACTORS, Sound
from speechnet.features.praat import Praat

SR = 16_000
FORMANTS = {1: (500, 60), 2: (1500, 90), 3: (2500, 120), 4: (3500, 150), 5: (4500, 200)}


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    if request.node.name != "test_missing_package":
        pytest.importorskip("parselmouth", reason="praat-parselmouth is not installed")


def row(y: np.ndarray, **settings: float) -> dict[str, float]:
    one = Praat(**settings)
    one.check(SR)
    (found,) = one.extract([y.astype(np.float32)], Sound(SR))
    assert isinstance(found, np.ndarray)
    assert np.isfinite(found).all()
    names = [column.removeprefix("praat_") for column in one.columns]
    return dict(zip(names, found.tolist(), strict=True))


def pulses(times: np.ndarray, heights: np.ndarray, seconds: float) -> np.ndarray:
    """Short bells at exact times, between samples too."""
    at = np.arange(int(seconds * SR)) / SR
    y = np.zeros_like(at)
    for time, height in zip(times, heights, strict=True):
        near = slice(max(0, int((time - 0.002) * SR)), int((time + 0.002) * SR))
        y[near] += height * np.exp(-0.5 * ((at[near] - time) / 0.0003) ** 2)
    return 0.3 * (y - y.mean())


def vowel(hertz: float, seconds: float) -> np.ndarray:
    """Pulses that fall by 6 dB an octave through resonators at ``FORMANTS``: Klatt's cascade."""
    y = np.zeros(int(seconds * SR))
    y[:: round(SR / hertz)] = 1
    y = lfilter([1], [1, -0.97], y)
    for centre, width in FORMANTS.values():
        r = np.exp(-np.pi * width / SR)
        y = lfilter([1], [1, -2 * r * np.cos(2 * np.pi * centre / SR), r * r], y)
    return 0.5 * y / np.abs(y).max()


def test_jitter_and_shimmer() -> None:
    """Periods of 1 ± d and heights of 1 ± a by turns, written out for each measure."""
    d, a, f0 = 0.005, 0.04, 160.0
    turns = np.where(np.arange(160) % 2, 1, -1)
    y = pulses(np.cumsum((1 + d * turns) / f0), 1 + a * turns, 1.02)
    found = row(y)
    assert found["jitter_local"] == pytest.approx(2 * d, rel=0.05)
    assert found["jitter_rap"] == pytest.approx(4 / 3 * d, rel=0.05)
    assert found["jitter_ppq5"] == pytest.approx(4 / 5 * d, rel=0.05)
    # Praat weighs the samples of a period, so that shapes count, too; the measures' ratios don't.
    assert found["shimmer_local"] == pytest.approx(2 * a, rel=0.2)
    for name, ratio in {"apq3": 2 / 3, "apq5": 2 / 5, "apq11": 6 / 11}.items():
        assert found[f"shimmer_{name}"] == pytest.approx(ratio * found["shimmer_local"], rel=0.01)
    assert found["pitch_mean"] == pytest.approx(12 * np.log2(f0 / 27.5), abs=0.05)


def test_praats_own_report() -> None:
    """Of a voice that isn't regular, with other bounds of its pitch."""
    import parselmouth
    from parselmouth.praat import call

    y = speech(3, 1.5, SR)
    heard = parselmouth.Sound(y.astype(np.float64), SR)
    pitch = heard.to_pitch_ac(0.01, 90, pitch_ceiling=500)
    marks = call([heard, pitch], "To PointProcess (cc)")
    report = call([heard, pitch, marks], "Voice report", 0, 0, 90, 500, 1.3, 1.6, 0.03, 0.45)
    found = row(y, f0_min=90.0, f0_max=500.0)
    for name in ("jitter_local", "jitter_rap", "jitter_ppq5", "shimmer_local", "shimmer_apq11"):
        kind, _, measure = name.partition("_")
        shown = re.search(rf"{kind.title()} \({measure}\): ([\d.]+)%", report)
        assert shown, report
        assert 100 * found[name] == pytest.approx(float(shown[1]), abs=1e-3), name


def test_formants() -> None:
    """Of a vowel made of five resonances; its pitch stays, and it is voiced throughout."""
    found = row(vowel(100, 1.0))
    for i, (centre, width) in [*FORMANTS.items()][:4]:
        assert found[f"formant_{i}_mean"] == pytest.approx(centre, rel=0.03)
        if i < 3:  # linear prediction is rough on bandwidths, higher up more so
            assert found[f"formant_{i}_bandwidth_mean"] == pytest.approx(width, rel=0.5)
        assert found[f"formant_{i}_std"] < 30
    assert found["voiced_share"] > 0.9
    assert found["harmonicity_mean"] > 20
    assert found["pitch_slope"] == pytest.approx(0, abs=0.05)


def test_a_glide() -> None:
    """Of an octave a second, whose middle is half an octave up."""
    phase = 2 * np.pi * 150 * (2 ** (np.arange(SR) / SR) - 1) / np.log(2)
    found = row(0.3 * sum(np.sin(k * phase) / k for k in range(1, 6)))
    assert found["pitch_slope"] == pytest.approx(12, rel=0.02)
    assert found["pitch_p50"] == pytest.approx(12 * np.log2(150 / 27.5) + 6, abs=0.1)


def test_pauses_and_tempo() -> None:
    """Twelve swells of a vowel, four a second, with a silence of half a second in the middle."""
    swell = np.sin(np.pi * np.arange(SR // 4) / (SR // 4))
    spoken = vowel(125, 1.5) * np.tile(0.1 + 0.9 * swell, 6)
    silence = 1e-5 * np.random.default_rng(0).standard_normal(SR // 2)
    found = row(np.concatenate([silence, spoken, silence, spoken, silence]))
    assert found["pauses_mean"] == pytest.approx(0.5, abs=0.05)
    assert found["pauses_rate"] == pytest.approx(1 / 3.5, rel=0.05)
    assert found["pauses_share"] == pytest.approx(0.5 / 3.5, rel=0.1)
    assert found["tempo_nuclei"] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("level", [0.0, 1e-6, 0.1])
def test_nothing_voiced(level: float) -> None:
    """Digital silence and noise have numbers, too, and say that no voice was heard."""
    found = row(level * np.random.default_rng(0).standard_normal(SR))
    assert found["voiced_share"] < 0.1
    if found["voiced_share"] == 0:
        assert found["pitch_mean"] == found["jitter_local"] == found["formant_1_mean"] == 0


def test_too_short() -> None:
    """Seven periods of the lowest pitch are needed, which is told."""
    shortest = int(np.ceil(7 / 75 * SR))
    brief, enough = Praat().extract([np.ones(n, np.float32) for n in (1400, shortest)], Sound(SR))
    assert isinstance(brief, Excluded)
    assert (brief.reason, "0.093 s for a pitch of 75 Hz" in brief.detail) == ("too_short", True)
    assert not isinstance(enough, Excluded)


def test_settings_and_licence() -> None:
    """Bounds that exclude each other are refused; the GPL is said."""
    with pytest.raises(ConfigError, match=r"f0_max is 100, expected more than f0_min \(200\)"):
        Praat(f0_min=200.0, f0_max=100.0).check(SR)
    one = EXTRACTORS["praat"]()
    assert one.provenance.licence.startswith("GPL")
    assert {one.group(column) for column in one.columns} >= {"praat_formant", "praat_pitch"}


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is computed."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'speechnet\[praat\]'"):
        Praat().check(SR)
