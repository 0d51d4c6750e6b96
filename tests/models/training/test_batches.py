"""Batches of rows, and of sequences padded to the longest."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.tables import speech_data

from speechnet.core.errors import ConfigError
from speechnet.core.types import FeatureSet, Int64, Sequences
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.training import batches
from speechnet.models.training.batches import ChosenRows, padded, sequence_loader

LENGTHS = [4, 1, 3, 7, 2]


def sequences(lengths: list[int] = LENGTHS, width: int = 2) -> Sequences:
    """Frames that count on: no two are alike."""
    total = sum(lengths)
    frames = np.arange(1, total * width + 1, dtype=np.float32).reshape(total, width)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    names = tuple(f"band_{i}" for i in range(width))
    return Sequences(frames, starts, tuple(map(str, range(len(lengths)))), names, 100.0)


def test_padding_lies_behind_each_end() -> None:
    """The frames as they are, zeros up to the longest."""
    found, given = sequences(), np.arange(10).reshape(5, 2)
    x, lengths, labels = padded(found, given, range(5))
    assert (x.dtype, lengths.dtype, labels.dtype) == (torch.float32, torch.int64, torch.int64)
    assert x.shape == (5, 7, 2)
    np.testing.assert_array_equal(labels, given)
    assert lengths.tolist() == LENGTHS
    for row, n in enumerate(LENGTHS):
        np.testing.assert_array_equal(x[row, :n], found.of(row))
        assert not x[row, n:].any()


def test_every_row_once_an_epoch() -> None:
    """In an order that the seed decides, another one each epoch; rows with their own labels."""
    found, labels = sequences(), np.arange(10).reshape(5, 2)
    rows = np.array([4, 0, 3])

    def epochs(seed: int | None) -> list[list[int]]:
        loader = sequence_loader(found, labels, rows, batch_size=2, seed=seed)
        epochs = []
        for _ in range(6):
            seen = []
            for x, lengths, said in loader:
                for frames, n, label in zip(x, lengths, said, strict=True):
                    (row,) = np.flatnonzero(labels[:, 0] == int(label[0]))
                    np.testing.assert_array_equal(frames[:n], found.of(int(row)))
                    seen.append(int(row))
            epochs.append(seen)
        return epochs

    assert epochs(None) == [[4, 0, 3]] * 6
    shuffled = epochs(7)
    assert shuffled == epochs(7) != epochs(8)
    assert {tuple(sorted(one)) for one in shuffled} == {(0, 3, 4)}
    assert len({tuple(one) for one in shuffled}) > 1


def test_similar_lengths_share_a_batch() -> None:
    """Every row once, little padding, another order each epoch, long batches among short ones."""
    lengths = np.random.default_rng(0).permutation(np.arange(1, 1001)).tolist()
    found = sequences(lengths, 1)
    loader = sequence_loader(
        found, np.arange(1000)[:, None], np.arange(1000), batch_size=16, seed=0
    )
    epochs = []
    for _ in range(2):
        batches = [(x, sizes, rows[:, 0].tolist()) for x, sizes, rows in loader]
        assert sorted(row for *_, rows in batches for row in rows) == list(range(1000))
        padded_frames = sum(x.shape[0] * x.shape[1] for x, *_ in batches)
        assert sum(lengths) / padded_frames > 0.85  # shuffled alone it is 0.53
        longest = [int(sizes.max()) for _, sizes, _ in batches]
        assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.4
        epochs.append([rows for *_, rows in batches])
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("seed", [None, 0])
def test_long_recordings_make_small_batches(
    seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No batch beyond the bound but of one recording; as many batches as are announced."""
    monkeypatch.setattr(batches, "PADDED", 100)
    lengths = [3, 150, 60, 2, 90, 4, 30, 5, 31, 1, 29, 7]
    labels = np.arange(len(lengths))[:, None]
    loader = sequence_loader(
        sequences(lengths), labels, np.arange(len(lengths)), batch_size=4, seed=seed
    )
    orders = []
    for _ in range(3):
        served = [(x, rows[:, 0].tolist()) for x, _, rows in loader]
        assert sorted(row for _, rows in served for row in rows) == [*range(len(lengths))]
        assert all(len(x) == 1 or x.shape[0] * x.shape[1] <= 100 for x, _ in served)
        assert len(served) == len(loader) < len(lengths) - 3
        orders.append([rows for _, rows in served])
    assert (orders[0] == orders[1] == orders[2]) == (seed is None)


@pytest.fixture
def data() -> SpeechDataModule:
    """Vectors and sequences of the same recordings."""
    made = speech_data()
    lengths = [1 + row % 9 for row in range(len(made.table))]
    both = FeatureSet(
        {
            **made.extraction.features.by_extractor,
            "frames": replace(sequences(lengths, 3), index=made.extraction.index),
        }
    )
    made.extraction = replace(made.extraction, features=both)
    return made


def served(
    data: SpeechDataModule, *, train: Int64, dev: Int64, seed: int = 0, features: str | None = None
) -> ChosenRows:
    """Batches of at most four rows."""
    found = data.feature_set.of(features)
    return ChosenRows(found, data.labels, train=train, dev=dev, batch_size=4, seed=seed)


def test_vectors(data: SpeechDataModule) -> None:
    """Rows to train on are shuffled and keep their labels; dev rows come whole."""
    train, dev = data.folds[0].train, data.folds[0].dev
    serving = served(data, train=train, dev=dev)
    code = {tuple(x): tuple(row) for x, row in zip(data.X, data.labels, strict=True)}
    for X, labels in serving.train_dataloader():
        assert (X.shape, labels.shape) == ((4, 6), (4, 2))
        assert [code[tuple(x)] for x in X.numpy()] == list(map(tuple, labels.numpy()))
    X, labels = next(iter(serving.val_dataloader()[0]))
    np.testing.assert_array_equal(X.numpy(), data.X[dev])
    np.testing.assert_array_equal(labels.numpy(), data.labels[dev])


def test_every_row_is_served_once(data: SpeechDataModule) -> None:
    """Shuffling loses nothing and repeats nothing, and another epoch is another order."""
    train = np.arange(41)  # the last batch is of one row
    orders = []
    for seed in (0, 0, 1):
        chosen = served(data, train=train, dev=train[:0], seed=seed)
        assert chosen.val_dataloader() == []
        loader = chosen.train_dataloader()
        orders.append([torch.cat([X for X, _ in loader]).numpy() for _ in range(2)])
    (first, second), again, other = orders
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(data.X[train], axis=0))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(again, (first, second))
    assert not np.array_equal(other[0], first)


def test_sequences(data: SpeechDataModule) -> None:
    """The extractor that is named; every batch no longer than it must be."""
    rows = data.folds[0]
    serving = served(data, train=rows.train, dev=rows.dev, features="frames")
    for x, lengths, _ in serving.train_dataloader():
        assert x.shape == (len(lengths), int(lengths.max()), 3)
    (dev,) = serving.val_dataloader()
    assert sum(len(lengths) for _, lengths, _ in dev) == len(rows.dev)
    with pytest.raises(ConfigError, match=r"data\.features has no 'mel', only functionals, frames"):
        served(data, train=rows.train, dev=rows.dev, features="mel")


def test_sequences_are_standardised_by_speaker(data: SpeechDataModule) -> None:
    """Over all frames of all of a speaker's recordings, by the formula written out."""
    raw = data.feature_set.of("frames")
    assert isinstance(raw, Sequences)
    by_speaker = SpeechDataModule(replace(data.config, per_speaker=True), seed=0)
    by_speaker.corpus, by_speaker.extraction = data.corpus, data.extraction
    found = by_speaker.feature_set.of("frames")
    assert isinstance(found, Sequences)
    someone = data.table["speaker"].iloc[0]
    rows = np.flatnonzero(data.table["speaker"] == someone)
    own = np.concatenate([raw.of(int(row)) for row in rows]).astype(np.float64)
    expected = (own - own.mean(axis=0)) / own.std(axis=0)
    np.testing.assert_allclose(
        np.concatenate([found.of(int(row)) for row in rows]), expected, rtol=1e-5, atol=1e-6
    )
