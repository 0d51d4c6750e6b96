"""What a network trains on, in batches: rows of a matrix, or sequences padded to the longest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from speechnet.core.types import Float32, Int64, Sequences


class Batches:
    """Batches of ``(X [b, d], labels [b, targets])``, without a loader: the table stays in place.

    Args:
        X: features ``[n, d]``.
        labels: ``[n, targets]``, on the same device.
        batch_size: rows at once; the last batch takes what is left.
        seed: of the orders, which ``torch.randperm`` gives one after the other on the CPU; None
            leaves the rows as they stand.
    """

    def __init__(
        self, X: Tensor, labels: Tensor, *, batch_size: int, seed: int | None = None
    ) -> None:
        self.X = X
        self.labels = labels
        self.batch_size = batch_size
        self._orders = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return (len(self.X) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n = len(self.X)
        order = torch.arange(n)
        if self._orders is not None:
            order = torch.randperm(n, generator=self._orders)
        for rows in torch.split(order.to(self.X.device), self.batch_size):
            yield self.X[rows], self.labels[rows]


class SequenceDataset(Dataset[tuple[Float32, Int64]]):
    """Some recordings' frames, float32 ``[frames, d]``, and labels, int64 ``[targets]``.

    Nothing is copied: each item is a view of all frames.

    Args:
        sequences: of ``n`` recordings.
        labels: int64 ``[n, targets]``.
        rows: which of them, int64.
    """

    def __init__(self, sequences: Sequences, labels: Int64, rows: Int64) -> None:
        self._sequences, self._labels, self._rows = sequences, labels, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: int) -> tuple[Float32, Int64]:
        row = int(self._rows[item])
        return self._sequences.of(row), self._labels[row]


def pad(sequences: Sequence[Float32]) -> tuple[Tensor, Tensor]:
    """Sequences side by side, zeros behind each one's end.

    Args:
        sequences: float32 ``[frames, d]`` each.

    Returns:
        float32 ``[b, t, d]``, ``t`` the longest one's frames, and int64 ``lengths [b]``.
    """
    lengths = torch.tensor([len(one) for one in sequences])
    return pad_sequence([torch.tensor(one) for one in sequences], batch_first=True), lengths


def pad_collate(items: Sequence[tuple[Float32, Int64]]) -> tuple[Tensor, Tensor, Tensor]:
    """Items of a ``SequenceDataset`` as ``(x [b, t, d], lengths [b], labels [b, targets])``."""
    x, lengths = pad([frames for frames, _ in items])
    return x, lengths, torch.stack([torch.tensor(labels) for _, labels in items])


def sequence_loader(
    sequences: Sequences, labels: Int64, rows: Int64, *, batch_size: int, seed: int | None = None
) -> DataLoader[tuple[Float32, Int64]]:
    """Batches of ``pad_collate``; no more than one of them is in memory.

    Args:
        sequences: of ``n`` recordings.
        labels: int64 ``[n, targets]``.
        rows: which of them.
        batch_size: recordings at once; the last batch takes what is left.
        seed: of the shuffling, anew for each epoch; None leaves the rows as they stand.
    """
    return DataLoader(
        SequenceDataset(sequences, labels, rows),
        batch_size,
        shuffle=seed is not None,
        collate_fn=pad_collate,
        generator=None if seed is None else torch.Generator().manual_seed(seed),
    )
