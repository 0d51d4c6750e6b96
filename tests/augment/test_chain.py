"""What a copy is follows from the recording, its number and the seed, and from nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechnet.augment import effects
from speechnet.augment.chain import changed, rehearse_effects
from speechnet.augment.config import (
    AugmentConfig,
    Copy,
    GainConfig,
    Noise,
    NoiseConfig,
    SpeedConfig,
    TelephoneConfig,
)
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.types import Float32

SR = 8_000
OFF = {"reverb": AugmentConfig().telephone, "speed": SpeedConfig(p=0), "noise": NoiseConfig(p=0)}
"""With gain alone left."""


def noise(seconds: float = 0.5, rate: int = SR) -> Float32:
    random = np.random.default_rng(1)
    return 0.05 * random.standard_normal(round(rate * seconds), dtype=np.float32)


def db(y: Float32, found: Float32) -> float:
    """How much louder a copy is, in dB, to five digits."""
    return round(float(20 * np.log10(np.linalg.norm(found) / np.linalg.norm(y))), 4)


def test_the_same_key_number_and_seed_give_the_same_samples() -> None:
    y = noise()
    every = AugmentConfig(
        copies=1, **{name: replace(one, p=1.0) for name, one in AugmentConfig().effects.items()}
    )
    found = changed(y, SR, "key", Copy(every, 0))
    assert np.array_equal(changed(y, SR, "key", Copy(every, 0)), found)
    others = [
        changed(y, SR, "other", Copy(every, 0)),
        changed(y, SR, "key", Copy(every, 1)),
        changed(y, SR, "key", Copy(replace(every, seed=1), 0)),
    ]
    for other in others:
        assert not np.array_equal(other[:1000], found[:1000])


def test_each_effect_has_its_chance_and_draws_evenly() -> None:
    y = noise(0.05)
    copy = Copy(AugmentConfig(copies=1, gain=GainConfig(p=0.3, db=[-20.0, -10.0]), **OFF), 0)
    levels = np.array([db(y, changed(y, SR, str(key), copy)) for key in range(2_000)])
    applied = levels[levels != 0]
    assert len(applied) / len(levels) == pytest.approx(0.3, abs=0.04)
    assert applied.min() >= -20
    assert applied.max() <= -10
    assert np.percentile(applied, [25, 50, 75]) == pytest.approx([-17.5, -15, -12.5], abs=0.6)


def test_an_effect_draws_the_same_whatever_the_others_are_set_to_and_at_every_rate() -> None:
    gain = GainConfig(p=0.5, db=[-20.0, 0.0])
    alone = Copy(AugmentConfig(copies=1, gain=gain, **OFF), 0)
    slower = Copy(AugmentConfig(copies=5, gain=gain, **OFF | {"speed": SpeedConfig(p=1)}), 0)
    for key in map(str, range(20)):
        y, wide = noise(), noise(rate=48_000)
        expected = db(y, changed(y, SR, key, alone))
        assert db(wide, changed(wide, 48_000, key, alone)) == expected
        sped = changed(y, SR, key, Copy(replace(slower.augment, gain=GainConfig(p=0)), 0))
        assert db(sped, changed(y, SR, key, slower)) == expected


def test_what_decides_a_copy_is_described_and_nothing_else() -> None:
    """So that rows are found again when there are more copies, or an effect that is off changes."""
    copy = Copy(AugmentConfig(copies=1), 0)
    same = AugmentConfig(copies=3, codec=replace(AugmentConfig().codec, level=[0.1, 0.2]))
    assert Copy(same, 0).describe() == copy.describe()
    others = [
        Copy(copy.augment, 1),
        Copy(replace(copy.augment, seed=1), 0),
        Copy(replace(copy.augment, noise=NoiseConfig(snr=[6.0, 30.0])), 0),
    ]
    assert all(other.describe() != copy.describe() for other in others)


def test_an_effect_that_fails_is_refused_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each codec is tried, whichever would be drawn."""
    config = AugmentConfig(copies=1, codec=replace(AugmentConfig().codec, p=0.1))
    rehearse_effects(config, [4_000, 22_050, 96_000])
    monkeypatch.setitem(effects._FORMATS, "vorbis", ("OGG", "NO_SUCH"))
    with pytest.raises(ConfigError, match=r"data\.augment\.codec: .* at 22050 Hz, it failed"):
        rehearse_effects(config, [22_050])


def test_ranges_are_ranges() -> None:
    for wrong in ([30.0, 5.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ConfigError, match=r"data\.augment\.noise\.snr is \["):
            AugmentConfig(noise=NoiseConfig(snr=wrong))
    with pytest.raises(ConfigError, match=r"telephone\.low is \[300, 3600\], .* less than 3400"):
        AugmentConfig(telephone=TelephoneConfig(low=[300, 3600]))
    with pytest.raises(ConfigError, match="every effect's p is 0"):
        AugmentConfig(copies=1, gain=GainConfig(p=0), **OFF)


class TestRecordings:
    """Noise that is a part of one of the user's recordings."""

    def copy(self, folder: Path, snr: float = 0.0) -> Copy:
        noises = tuple(Noise(path.name, str(path)) for path in sorted(folder.iterdir()))
        loud = NoiseConfig(p=1.0, snr=[snr, snr], folder=str(folder))
        config = AugmentConfig(copies=1, gain=GainConfig(p=0), **OFF | {"noise": loud})
        return Copy(config, 0, noises)

    def test_a_part_of_one_is_added_at_the_ratio(self, tmp_path: Path) -> None:
        """At the clip's rate; where it is too short, again and again."""
        t = np.arange(10 * SR) / SR
        for name, hz, seconds in (("long", 440, 10.0), ("short", 880, 0.25)):
            tone = 0.3 * np.sin(2 * np.pi * hz * t[: round(seconds * SR)])
            soundfile.write(tmp_path / f"{name}.wav", tone, SR, subtype="FLOAT")
        y, copy, found = noise(2.0), self.copy(tmp_path), set()
        for key in map(str, range(12)):
            added = changed(y, SR, key, copy) - y
            assert np.linalg.norm(added) == pytest.approx(np.linalg.norm(y), rel=1e-3)
            peak = int(np.abs(np.fft.rfft(added)).argmax()) / 2
            found.add(round(peak))
            twice = changed(y, SR, key, copy)
            assert np.array_equal(twice - y, added)
        assert found == {440, 880}

    def test_silence_adds_nothing_and_a_fault_is_said(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "silent.wav", np.zeros(SR), SR)
        y = noise(0.5)
        assert np.array_equal(changed(y, SR, "key", self.copy(tmp_path)), y)
        (tmp_path / "silent.wav").write_bytes(b"no sound at all")
        with pytest.raises(Excluded):
            changed(y, SR, "key", self.copy(tmp_path))

    def test_what_they_hold_decides_and_not_where_they_lie(self, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "one.wav", noise(), SR)
        copy = self.copy(tmp_path)
        moved = Copy(self.copy(tmp_path).augment, 0, (copy.noises[0]._replace(path="elsewhere"),))
        other = Copy(copy.augment, 0, (copy.noises[0]._replace(digest="other"),))
        assert moved.describe() == copy.describe() != other.describe()
