"""Copies of recordings: which there are, what they are, and where they stand."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.preprocessing import StandardScaler

from speechnet.audio.decode import load_at_rates
from speechnet.augment import chain
from speechnet.augment.chain import changed
from speechnet.augment.config import AugmentConfig, Copy
from speechnet.config.data import DataConfig
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureMatrix, FeatureSet, Float32
from speechnet.data.augmented import Copies, hashed_noises, noise_files
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.parallel import parallel
from speechnet.features.extraction.compute import compute
from speechnet.features.extraction.file_hashes import FileHashes
from speechnet.features.extraction.store import fingerprint
from speechnet.splits.config import SplitConfig

AUGMENT = AugmentConfig(copies=2)


@pytest.fixture(scope="module")
def config(tiny_config: Path) -> DataConfig:
    """Half of the speakers are trained on."""
    asked = ["--config", str(tiny_config), "--data.features.log_mel.n_mels", "20"]
    data = read_experiment(asked)[0].data
    data.split = SplitConfig(protocol="speaker", test=0.25, dev=0.25)
    return replace(data, augment=AUGMENT)


def made(config: DataConfig) -> SpeechDataModule:
    """Its recordings and copies."""
    data = SpeechDataModule(config, seed=0)
    with parallel(read_experiment(["--parallel.n_jobs", "1"])[0].parallel):
        data.prepare_data()
        data.setup()
        assert data.copies is not None
    return data


@pytest.fixture(scope="module")
def data(config: DataConfig) -> SpeechDataModule:
    return made(config)


def test_every_training_row_has_its_copies_and_no_other(data: SpeechDataModule) -> None:
    train = np.sort(data.folds[0].train)
    assert data.copies is not None
    assert np.array_equal(np.sort(data.copies.origin), np.repeat(train, 2))
    assert data.copies.features.index == tuple(data.table.index[data.copies.origin])
    n, source = len(data.table), data.training
    assert np.array_equal(source.labels[:n], data.labels)
    assert np.array_equal(source.labels[n:], data.labels[data.copies.origin])
    assert np.array_equal(source.feature_set.matrix.X[:n], data.X)
    some = train[[3, 1]]
    rows = source.with_copies(some)
    assert rows[:2].tolist() == some.tolist()
    assert sorted(source.origin[rows[2:]]) == sorted([*some, *some])
    frames = source.feature_set.of("log_mel")
    assert len(frames.index) == len(source.origin)


def test_a_copy_is_the_changed_sound_described_like_any(
    data: SpeechDataModule, config: DataConfig
) -> None:
    """Read, trimmed, changed, described: by hand, for one recording."""
    copies = data.copies
    assert copies is not None
    row = int(copies.origin[0])
    one = data.table.iloc[row]
    path = data.corpus.root / one["path"]
    content = FileHashes(data.corpus.root, cache_dir=config.cache).of([one["path"]])[one["path"]]
    clips, _ = load_at_rates(path, config.audio, [*config.recipe.rates.values()])
    assert len(clips) == 2
    for number in range(2):
        copy = Copy(AUGMENT, number)
        sounds = {sr: [changed(y, sr, content.digest, copy)] for sr, y in clips.items()}
        expected = compute(config.recipe, sounds, ["functionals", "log_mel"])
        at = int(np.flatnonzero(copies.origin == row)[number])
        found = copies.features
        np.testing.assert_allclose(found.matrix.X[at], expected["functionals"][0], rtol=1e-5)
        np.testing.assert_allclose(found.of("log_mel").of(at), expected["log_mel"][0], atol=1e-3)


def test_copies_are_found_again_and_recordings_keep_their_names(config: DataConfig) -> None:
    """A third copy computes that one alone; the features of recordings don't know of copies."""
    assert made(config).copies.computed == 0
    more = made(replace(config, augment=replace(AUGMENT, copies=3))).copies
    assert more.computed == len(more.origin) / 3
    plain, recipe = replace(config, augment=AugmentConfig()).recipe, config.recipe
    assert recipe.describe("log_mel") == plain.describe("log_mel")
    changed = replace(recipe, copy=Copy(AUGMENT, 1)).describe("log_mel")
    assert fingerprint(changed) != fingerprint(plain.describe("log_mel"))
    assert {key: value for key, value in changed.items() if key != "augment"} == plain.describe(
        "log_mel"
    )


def test_a_copy_that_fails_is_left_out_and_counted(
    config: DataConfig, data: SpeechDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And tried again the next time."""
    assert data.copies is not None
    loud = {"gain": lambda y, *_: y * np.float32(np.nan) if len(y) % 2 else y}
    monkeypatch.setattr(chain, "_APPLY", chain._APPLY | loud)
    other = replace(AUGMENT, copies=1, seed=5, gain=replace(AUGMENT.gain, p=1.0))
    found = made(replace(config, augment=other)).copies
    assert found.failed > 0
    assert re.fullmatch(r"\S+\.wav: not finite: .*", found.why)
    assert found.failed + len(found.origin) == len(data.copies.origin) / 2
    assert np.isfinite(found.features.matrix.X).all()


def test_a_copy_is_standardised_by_its_speakers_recordings(
    config: DataConfig, data: SpeechDataModule
) -> None:
    by_speaker = made(replace(config, per_speaker=True))
    assert data.copies is not None
    n, raw = len(data.table), data.training.feature_set
    found, origin = by_speaker.training.feature_set, data.training.origin
    assert np.array_equal(found.matrix.X[:n], by_speaker.X)
    speakers = data.table["speaker"].to_numpy()
    for name in set(speakers[origin[n:]]):
        own = StandardScaler().fit(data.X[speakers == name].astype(np.float64))
        rows = n + np.flatnonzero(speakers[origin[n:]] == name)
        expected = own.transform(raw.matrix.X[rows].astype(np.float64))
        np.testing.assert_allclose(found.matrix.X[rows], expected, rtol=1e-4, atol=1e-4)
    frames, before = found.of("log_mel"), raw.of("log_mel")
    who = np.flatnonzero(speakers == speakers[origin[n]])
    own = StandardScaler().fit(np.concatenate([before.of(int(row)) for row in who]))
    varies = own.var_ > 0.01  # nothing is above half the rate of these recordings
    assert 10 < varies.sum() < 20
    expected = own.transform(before.of(n))[:, varies]
    np.testing.assert_allclose(frames.of(n)[:, varies], expected, rtol=1e-3, atol=1e-3)


def test_copies_of_some_recordings_in_another_table() -> None:
    X: Float32 = np.arange(12, dtype=np.float32).reshape(4, 3)
    matrix = FeatureMatrix(X, ("b", "d", "b", "a"), ("x", "y", "z"))
    copies = Copies(FeatureSet({"functionals": matrix}), np.array([1, 3, 1, 0]))
    found = copies.only(np.array([3, 1]), np.array([0, 2]))
    assert found.origin.tolist() == [1, 0, 1]
    assert found.features.matrix.X.tolist() == [[0, 2], [3, 5], [6, 8]]
    assert found.features.matrix.names == ("x", "z")


def test_a_folder_of_noises(config: DataConfig, tmp_path: Path) -> None:
    """Files are known by what they hold; a folder that isn't there or is empty is refused."""
    for folder, said in ((tmp_path / "none", "no such folder"), (tmp_path, "no audio files")):
        noise = replace(AUGMENT.noise, folder=str(folder))
        with pytest.raises(ConfigError, match=rf"data\.augment\.noise\.folder .*{said}"):
            noise_files(replace(config, augment=replace(AUGMENT, noise=noise)))
    for name in ("a.wav", "same.wav"):
        soundfile.write(tmp_path / name, 0.1 * np.sin(np.arange(8_000)), 8_000)
    noise = replace(AUGMENT.noise, folder=str(tmp_path), p=1.0)
    data = made(replace(config, augment=replace(AUGMENT, copies=1, noise=noise)))
    assert data.copies.computed == len(data.copies.origin) > 0
    [one] = hashed_noises(data.config, data.corpus.root, [])
    assert Path(one.path).parent == tmp_path.resolve()
    (tmp_path / "a.wav").unlink()
    assert made(data.config).copies.computed == 0
    none = replace(data.config.augment, copies=0)
    assert noise_files(replace(data.config, augment=none)) == (Path(), [])
    (tmp_path / "b.wav").write_text("no sound")
    with pytest.raises(ConfigError, match=r"b\.wav can't be used as noise, .*: unreadable"):
        noise_files(data.config)


def test_what_is_tested_is_no_noise(
    config: DataConfig, data: SpeechDataModule, tmp_path: Path
) -> None:
    """Recordings of the corpus, where they lie and copied elsewhere, would be heard in training."""
    root, tested = data.corpus.root, data.table.iloc[data.folds[0].test[0]]
    beside = replace(config, corpus=replace(config.corpus, name="ravdess", root=str(root)))
    for one, folder in ((beside, root), (config, tmp_path)):
        shutil.copy(root / tested["path"], tmp_path / "rain.wav")
        noise = replace(AUGMENT.noise, folder=str(folder))
        other = SpeechDataModule(replace(one, augment=replace(AUGMENT, noise=noise)), seed=0)
        other.corpus, other.extraction, other.folds = data.corpus, data.extraction, data.folds
        said = "lies in a corpus's folder" if folder == root else f"rain.wav .* {tested['path']}"
        with pytest.raises(ConfigError, match=rf"noise\.folder: .*{said}"):
            _ = other.copies


def test_no_copy_at_all(
    config: DataConfig, data: SpeechDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training as if copies had not been asked for would be another experiment."""
    monkeypatch.setattr(chain, "_APPLY", chain._APPLY | {"gain": lambda y, *_: y * np.nan})
    every = replace(AUGMENT, copies=1, seed=6, gain=replace(AUGMENT.gain, p=1.0))
    other = SpeechDataModule(replace(config, augment=every), seed=0)
    other.corpus, other.extraction, other.folds = data.corpus, data.extraction, data.folds
    with pytest.raises(DataError, match=r"no changed copy can be used .*not finite"):
        _ = other.copies
