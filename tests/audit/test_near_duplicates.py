"""Copies among features: planted ones are found, what is merely alike is not."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from speechnet.audio.config import AudioConfig
from speechnet.audit.config import AuditConfig
from speechnet.audit.near_duplicates import find
from speechnet.core.types import FeatureMatrix
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction.extract import extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.functionals import Functionals

pytestmark = pytest.mark.slow

COLUMNS = ["first", "second", "distance", "threshold"]


def matrix_of(X: np.ndarray, names: tuple[str, ...] | None = None) -> FeatureMatrix:
    index = tuple(f"{row:04d}.wav" for row in range(len(X)))
    names = names or tuple(f"feature_{column}" for column in range(X.shape[1]))
    return FeatureMatrix(X.astype(np.float32), index, names)


def alike(n: int, width: int = 40, *, seed: int = 0) -> np.ndarray:
    """Groups of four rows that resemble one another, in columns that depend on one another."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(rng.normal(size=(n // 4 + 1, width)), 4, axis=0)[:n]
    return (groups + rng.normal(size=(n, width))) @ rng.normal(size=(width, width))


def pairs_of(matrix: FeatureMatrix, config: AuditConfig | None = None) -> set[tuple[str, str]]:
    found = find(matrix, config or AuditConfig())
    assert found.columns.tolist() == COLUMNS
    assert (found["distance"] <= found["threshold"]).all()
    return set(zip(found["first"], found["second"], strict=True))


@pytest.mark.parametrize("n", [12, 60, 400])
def test_planted_copies_are_found(n: int) -> None:
    """With little noise on all columns and much on one; in small corpora and larger ones."""
    X = alike(n)
    rng = np.random.default_rng(1)
    for row, copy in [(2, n - 1), (5, n - 2)]:
        X[copy] = X[row] + 0.1 * rng.normal(size=X.shape[1])
        X[copy, 3] += 15
    expected = {("0002.wav", f"{n - 1:04d}.wav"), ("0005.wav", f"{n - 2:04d}.wav")}
    assert pairs_of(matrix_of(X)) == expected


@pytest.mark.parametrize("width", [3, 10, 40])
def test_what_is_alike_is_no_copy(width: int) -> None:
    """Four recordings of a speaker are nearer to each other than to the rest, but no copies.

    In few columns two come near each other by chance: of one in 1,000, as documented.
    """
    found = [len(pairs_of(matrix_of(alike(200, width, seed=seed)))) for seed in range(5)]
    assert sum(found) <= 3


def test_several_copies_of_one_recording_dont_hide_each_other() -> None:
    """Each pair of them is found, once."""
    X = alike(200)
    X[[50, 100, 150]] = X[7] + 0.05 * np.random.default_rng(1).normal(size=(3, X.shape[1]))
    names = ["0007.wav", "0050.wav", "0100.wav", "0150.wav"]
    expected = {(a, b) for i, a in enumerate(names) for b in names[i + 1 :]}
    assert pairs_of(matrix_of(X)) == expected


def test_columns_of_the_level_dont_count() -> None:
    """Nor do constant ones; ``mfcc_00_std`` isn't moved by a gain, and counts."""
    names = ("mfcc_00_mean", "energy_p50", "zero_crossings_count", "mfcc_00_std", "chroma_00_mean")
    names += tuple(f"delta_{column:02d}_mean" for column in range(35))
    X = alike(100)
    X[60] = X[3]
    X[60, :3] += 40
    X[:, 10] = 7.0
    assert pairs_of(matrix_of(X, names)) == {("0003.wav", "0060.wav")}
    assert pairs_of(matrix_of(X[:, :3], names[:3])) == set()


def test_the_order_and_the_scale_of_columns_dont_matter() -> None:
    """Nearest pairs come first."""
    X = alike(100)
    X[60], X[70] = X[3] + 0.02, X[4] + 0.002
    found = find(matrix_of(X), AuditConfig())
    assert found["first"].tolist() == ["0004.wav", "0003.wav"]
    other = find(matrix_of(X[:, ::-1] * np.geomspace(1, 1e4, X.shape[1])), AuditConfig())
    np.testing.assert_allclose(other["distance"], found["distance"], rtol=1e-3)


def test_exact_copies_and_the_ratio() -> None:
    """A corpus of one recording is all copies; a stricter ratio names fewer pairs."""
    X = alike(100)
    X[50] = X[0] + 0.1
    assert pairs_of(matrix_of(X)) > pairs_of(matrix_of(X), AuditConfig(near_duplicate_ratio=0.01))
    X = np.vstack([alike(20), np.tile(alike(1), (20, 1))])
    assert len(pairs_of(matrix_of(X))) >= 20


def test_of_many_recordings_only_neighbours_are_compared() -> None:
    """What is found is what comparing all pairs finds, at most one of a hundred pairs missing."""
    X = alike(3_000)
    rng = np.random.default_rng(1)
    X[-200:] = X[:200] + 0.1 * rng.normal(size=(200, X.shape[1]))
    X[300:303] = X[250]
    every = find(matrix_of(X), AuditConfig())
    assert len(every) >= 206
    some = find(matrix_of(X), AuditConfig(near_duplicate_exact=1_000))
    assert len(some) >= 0.99 * len(every)
    merged = some.merge(every, on=["first", "second"], suffixes=("", "_exact"))
    assert len(merged) == len(some)
    np.testing.assert_allclose(merged["distance"], merged["distance_exact"], atol=1e-3)
    np.testing.assert_allclose(merged["threshold"], merged["threshold_exact"], rtol=0.02)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_too_few_recordings_have_no_neighbours(n: int) -> None:
    """An empty table, with its columns."""
    found = find(matrix_of(alike(4)[:n]), AuditConfig())
    assert found.columns.tolist() == COLUMNS
    assert found.empty


def _write_copies(source: Path, folder: Path) -> set[tuple[str, str]]:
    """What becomes of recordings that are passed on; returns the pairs."""
    endings = [".mp3", ".ogg", "_half.wav", "_trimmed.wav"]
    originals = sorted(path.name for path in source.iterdir())[5::13][: len(endings)]
    pairs = {
        (name, f"{Path(name).stem}{end}") for name, end in zip(originals, endings, strict=True)
    }
    for name, copy in pairs:
        y, rate = soundfile.read(source / name, dtype="float32")
        if copy.endswith("_half.wav"):
            y = 0.5 * y
        elif copy.endswith("_trimmed.wav"):
            y = y[rate // 10 :]
        mp3 = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
        soundfile.write(folder / copy, y, rate, **(mp3 if copy.endswith(".mp3") else {}))
    return pairs


def test_copies_of_real_speech(ravdess: Path, tmp_path: Path) -> None:
    """Among an actor's 60 recordings, each sentence said twice in each way, copies are found."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    source = ravdess / "Actor_05"
    for path in source.iterdir():
        (corpus / path.name).symlink_to(path)
    expected = _write_copies(source, corpus)
    files = sorted(path.name for path in corpus.iterdir())
    table = pd.DataFrame(
        {"path": files, "start": np.nan, "end": np.nan}, index=pd.Index(files, name="file")
    )
    extractors = {"functionals": Functionals()}
    recipe = Recipe(AudioConfig(trim_db=30), DenoiseConfig(method="none"), extractors)
    with joblib.parallel_config(backend="threading", n_jobs=1):
        found = extract_features(corpus, table, recipe, cache_dir=tmp_path / "cache")
    matrix = found.features.matrix
    assert {frozenset(pair) for pair in pairs_of(matrix)} == set(map(frozenset, expected))
