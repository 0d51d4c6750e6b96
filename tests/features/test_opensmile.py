"""openSMILE's sets, against the package itself and against what their names mean."""

import numpy as np
import pytest
from helpers.faults import speech

from speechnet.core.errors import ConfigError, Excluded
from speechnet.features import opensmile as module
from speechnet.features.extractor import EXTRACTORS, Sound
from speechnet.features.opensmile import OpenSmile

SR = 16_000


def row(y: np.ndarray, **settings: str) -> dict[str, float]:
    one = OpenSmile(**settings)
    (found,) = one.extract([y], Sound(SR))
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    return dict(zip(one.columns, found.tolist(), strict=True))


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    if request.node.name != "test_missing_package":
        pytest.importorskip("opensmile", reason="openSMILE's package is not installed")


def test_the_package_itself() -> None:
    """The same numbers under the same names as its table."""
    import opensmile

    y = speech(0, 1.0, SR)
    theirs = opensmile.Smile(opensmile.FeatureSet.GeMAPSv01b).process_signal(y, SR)
    expected = {f"opensmile_{name}": theirs[name].iloc[0] for name in theirs}
    assert row(y, feature_set="GeMAPSv01b") == pytest.approx(expected)


def test_numbers_mean_what_they_are_called() -> None:
    """A tone of 220 Hz lies 36 semitones above 27.5 Hz; half the amplitude is 6 dB less."""
    tone = sum(np.sin(2 * np.pi * 220 * k * np.arange(SR) / SR) / k for k in range(1, 8))
    y = (0.2 * tone).astype(np.float32)
    loud, soft = row(y), row(y / 2)
    assert loud["opensmile_F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(36, abs=0.1)
    name = "opensmile_equivalentSoundLevel_dBp"
    assert loud[name] - soft[name] == pytest.approx(6.02, abs=0.1)


def test_clips_do_not_change_each_other() -> None:
    """Nor does openSMILE remember the one before."""
    clips = [speech(0, 0.7, SR), speech(1, 1.1, SR), speech(0, 0.7, SR), np.zeros(800, np.float32)]
    first, _, third, short = OpenSmile("emobase").extract(clips, Sound(SR))
    np.testing.assert_array_equal(first, third)
    assert isinstance(short, Excluded)
    assert short.reason == "too_short"


def test_groups_and_licence() -> None:
    """Statistics and differences of a descriptor go together; the licence is said."""
    one = EXTRACTORS["opensmile"]()
    groups = {one.group(column) for column in one.columns}
    assert {"opensmile_loudness", "opensmile_mfcc1", "opensmile_VoicedSegmentsPerSec"} <= groups
    assert "research" in one.provenance.licence


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is computed, with the licence."""
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"speechnet\[opensmile\]'.*research"):
        OpenSmile().check(SR)
