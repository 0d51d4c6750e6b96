"""Novelty on made-up features, whose speakers are told: against scikit-learn and by coverage."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from speechnet.core.errors import DataError
from speechnet.features.speaker_encoder import SpeakerEncoder
from speechnet.models.novelty import NAME, Novelty, novelties

NAMES = [f"mfcc_{i:02d}_mean" for i in range(10)] + ["f0_p90", "zero_crossing_rate_std"]
GROUPS = ["mfcc"] * 10 + ["f0", "zero_crossing_rate"]
D = len(NAMES)


def features(
    speakers: int, each: int, *, seed: int, heavy: bool = False
) -> tuple[np.ndarray, list[str]]:
    """Correlated columns; half of the variance is the speaker's, so that recordings depend."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).standard_normal((D, D))
    draw = (lambda n: rng.standard_t(3, (n, D))) if heavy else (lambda n: rng.normal(size=(n, D)))
    own = np.repeat(draw(speakers), each, axis=0)
    X = (own + draw(speakers * each)) @ mixing * 10 + 5
    return np.float32(X), [f"s{i:03d}" for i in range(speakers) for _ in range(each)]


def distance(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Mahalanobis's by scikit-learn, of standardised columns, over the root of their number."""
    mean, sd = train.mean(axis=0, dtype=float), train.std(axis=0, dtype=float)
    shrunk = LedoitWolf(assume_centered=True).fit((train - mean) / sd)
    return np.sqrt(shrunk.mahalanobis((X - mean) / sd) / X.shape[1])


def test_it_is_the_distance_over_what_others_speakers_reach() -> None:
    """Every fifth speaker is measured by the rest; 1 % of them, all alike, may lie beyond."""
    X, speakers = features(12, 9, seed=1)
    group = np.array([int(name[1:]) % 5 for name in speakers])
    held = np.concatenate([distance(X[group == k], X[group != k]) for k in range(5)])
    new, _ = features(3, 4, seed=2)
    # Of 108 recordings of equally many each, one is 0.9 %: the limit is the second largest.
    expected = distance(new, X) / np.sort(held)[-2]
    np.testing.assert_allclose(Novelty.fit(X, speakers).of(new), expected, rtol=1e-5)


@pytest.mark.parametrize("heavy", [False, True])
def test_few_recordings_of_new_speakers_are_unlike(heavy: bool) -> None:
    """On average over corpora at most 2 %, though a speaker's recordings go together."""
    flagged = []
    for seed in range(20):
        X, speakers = features(60, 10, seed=seed, heavy=heavy)
        new, _ = features(200, 5, seed=1_000 + seed, heavy=heavy)
        flagged.append((Novelty.fit(X, speakers).of(new) > 1).mean())
    assert 0.002 < np.mean(flagged) < 0.02


def test_a_speaker_of_many_recordings_counts_once() -> None:
    """One strange voice of 900 recordings is one of 21 speakers; alone it would set the limit."""
    X, speakers = features(20, 10, seed=3)
    strange = np.float32(X[:1] + 60 * np.random.default_rng(0).normal(size=(900, D)))
    found = Novelty.fit(np.vstack([X, strange]), [*speakers, *["strange"] * 900])
    assert (found.of(X) < 1).all()


def test_what_is_unlike_is_said_by_its_columns() -> None:
    """The farthest of each group, three at most; of what is alike nothing."""
    X, speakers = features(20, 10, seed=4)
    fitted = [Novelty.fit(X[:150], speakers[:150]), Novelty.fit(X[50:], speakers[50:])]
    new = np.tile(X.mean(axis=0), (2, 1))
    sd = X.std(axis=0)
    new[1, [3, 7, 10]] += np.float32([40, 50, -30]) * sd[[3, 7, 10]]
    found = novelties(fitted, new, NAMES, GROUPS)
    np.testing.assert_allclose(found.novelty, np.mean([f.of(new) for f in fitted], axis=0))
    assert found.novelty[0] < 1 < found.novelty[1]
    assert found.far[0] == ""
    first, second = found.far[1].split(", ")
    assert first.startswith("mfcc_07_mean +")
    assert second.startswith("f0_p90 -")
    assert 45 < float(first.split()[1]) < 55


def test_units_of_a_layer_count_once() -> None:
    """The speaker encoder's groups are its layers, whatever its columns are called."""
    encoder = SpeakerEncoder()
    names = encoder.columns[:3] + encoder.columns[-3:]
    groups = [encoder.group(name) for name in names]
    X, speakers = features(20, 10, seed=4)
    X = X[:, :6]
    far = np.float32(X.mean(axis=0) + [40, 50, 45, 30, 20, 10] * X.std(axis=0))
    found = novelties([Novelty.fit(X, speakers)], far[None], names, groups)
    assert re.fullmatch(rf"{names[1]} \+\d+ sd, {names[3]} \+\d+ sd", found.far[0])


def test_without_knowledge_nothing_is_claimed() -> None:
    """NaN is neither like nor unlike."""
    found = novelties([], np.zeros((2, D), np.float32), NAMES, GROUPS)
    assert np.isnan(found.novelty).all()
    assert found.far == ["", ""]


@pytest.mark.parametrize(
    "speakers", [["a"] * 6, [None] * 6, ["a", "a", "a", "b", "b", None]], ids=["one", "none", "few"]
)
def test_few_or_unknown_speakers(speakers: list[str | None]) -> None:
    """Recordings stand for speakers; fewer rows than columns and a constant one have distances."""
    X = features(2, 3, seed=5)[0]
    X[:, 4] = 0
    found = Novelty.fit(X, speakers).of(X)
    assert np.isfinite(found).all()
    assert (found > 0).all()


def test_it_comes_back_from_its_folder(tmp_path: Path) -> None:
    """To float32's digits."""
    X, speakers = features(20, 10, seed=6)
    fitted = Novelty.fit(X, speakers)
    with pytest.raises(DataError, match=f"{NAME} can't be read"):
        Novelty.load(tmp_path, D)
    fitted.save(tmp_path)
    np.testing.assert_allclose(Novelty.load(tmp_path, D).of(X), fitted.of(X), rtol=1e-4)


def _header(shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    said = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, said)
    return content.getvalue()


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Its reading would never end."""
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(DataError, match="it is a named pipe"):
        Novelty.load(tmp_path, D)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (np.zeros((D + 2, D), np.float32), "scale is not above 0"),
        (np.full((D + 2, D), np.nan, np.float32), "NaN or infinite"),
        (np.ones((D + 2, D)), "found float64"),
        (np.ones((D + 1, D), np.float32), "expected float32"),
        (np.array([{}], dtype=object), "can't be read"),
        (b"", "can't be read"),
        (b"PK\x03\x04" + bytes(60), "can't be read"),
        (_header((10**14,)) + bytes(4 * D), "can't be read"),
        (_header((D + 2, D)) + bytes(4 * D), "can't be read"),
        (_header((D + 2, D)).replace(b"}", b"\n      ("), "can't be read"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, ", "can't be read"),
    ],
)
def test_a_file_of_anything_else_is_refused(
    tmp_path: Path, content: np.ndarray | bytes, match: str
) -> None:
    """Pickles, other shapes and numbers that no fit gives."""
    if isinstance(content, bytes):
        (tmp_path / NAME).write_bytes(content)
    else:
        np.save(tmp_path / NAME, content)
    with pytest.raises(DataError, match=match):
        Novelty.load(tmp_path, D)
