"""What a network trains on, in batches: rows of a matrix, or sequences padded to the longest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from speechnet.core.types import Features, Int64, Sequences, tallest
from speechnet.models.training.sequences import pad

_DEV_SEQUENCES: Final = 256
"""Sequences of a dev part that are padded at once."""

_POOL: Final = 8
"""Batches whose recordings are put together by length."""


class ChosenRows(LightningDataModule):
    """Serves some rows to train on and some to stop by.

    Args:
        features: of ``n`` recordings.
        labels: int64 ``[n, targets]``.
        train: rows that are shuffled again for each epoch, int64.
        dev: rows that are served as they stand, int64.
        batch_size: training rows at once.
        seed: of the shuffling.
    """

    def __init__(
        self,
        features: Features,
        labels: Int64,
        *,
        train: Int64,
        dev: Int64,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._features, self._labels = features, labels
        self._train, self._dev = train, dev
        self._batch_size, self._seed = batch_size, seed

    def train_dataloader(self) -> Iterable[tuple[Tensor, ...]]:
        """Shuffled batches of the training rows.

        Of vectors ``(X float32 [b, d], labels int64 [b, targets])``; of sequences
        ``(x float32 [b, t, d], lengths int64 [b], labels int64 [b, targets])``, with zeros behind
        the end of each.
        """
        return self._serve(self._train, self._batch_size, self._seed)

    def val_dataloader(self) -> list[Iterable[tuple[Tensor, ...]]]:
        """The dev rows; nothing where there are none.

        Vectors come in one batch; sequences in batches of up to 256, as padding makes them large.
        Where there are several layers of each column, batches are as many times smaller.
        """
        n = len(self._dev)
        most = _DEV_SEQUENCES if isinstance(self._features, Sequences) else n
        size = -(-most // tallest(self._features.stacks))
        return [self._serve(self._dev, size, None)] if n else []

    def _serve(self, rows: Int64, size: int, seed: int | None) -> Iterable[tuple[Tensor, ...]]:
        """Batches of some rows, shuffled where there is a seed."""
        if isinstance(self._features, Sequences):
            return sequence_loader(self._features, self._labels, rows, batch_size=size, seed=seed)
        X, labels = self._features.X[rows], self._labels[rows]
        if self.trainer is not None and self.trainer.world_size > 1:
            # Lightning divides the rows of a DataLoader between processes, and of nothing else.
            table = TensorDataset(torch.tensor(X), torch.tensor(labels))
            return DataLoader(table, size, shuffle=seed is not None)
        device = None if self.trainer is None else self.trainer.strategy.root_device
        tensors = torch.tensor(X, device=device), torch.tensor(labels, device=device)
        return Batches(*tensors, batch_size=size, seed=seed)


class Batches:
    """Batches of ``(X [b, d], labels [b, targets])``, without a loader: the table stays in place.

    ``torch.randperm`` gives an order for each epoch, on the CPU; without a seed rows stay in order.
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


def sequence_loader(
    sequences: Sequences, labels: Int64, rows: Int64, *, batch_size: int, seed: int | None = None
) -> DataLoader[int]:
    """Batches of ``padded``, one in memory at a time, shuffled for each epoch by the seed."""
    chosen: Any = rows.tolist()  # as good as a Dataset
    collate = partial(padded, sequences, labels)
    if seed is None:
        return DataLoader(chosen, batch_size, collate_fn=collate)
    order = RandomSampler(chosen, generator=torch.Generator().manual_seed(seed))
    lengths = np.diff(sequences.starts)[rows]
    return DataLoader(
        chosen, batch_sampler=SimilarLengths(order, batch_size, False, lengths), collate_fn=collate
    )


class SimilarLengths(BatchSampler):
    """Batches of recordings of similar lengths, so that little of them is padding.

    Of each ``_POOL`` batches' recordings in a sampler's order, those of similar lengths make a
    batch; the batches come in the order in which the sampler drew the first of each.

    Args:
        sampler: draws positions.
        batch_size: recordings in a batch.
        drop_last: see ``BatchSampler``; Lightning makes these three anew for several devices.
        lengths: of the recordings, int64 ``[n]``.
    """

    def __init__(
        self, sampler: Iterable[int], batch_size: int, drop_last: bool, lengths: Int64
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.lengths = lengths

    def __iter__(self) -> Iterator[list[int]]:
        size = self.batch_size
        positions = iter(self.sampler)
        while pool := list(islice(positions, size * _POOL)):
            by_length = sorted(range(len(pool)), key=lambda place: self.lengths[pool[place]])
            batches = [by_length[start : start + size] for start in range(0, len(pool), size)]
            for batch in sorted(batches):
                yield [pool[place] for place in batch]


def padded(
    sequences: Sequences, labels: Int64, rows: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Some recordings as ``pad`` gives them, and their labels, int64 ``[b, targets]``."""
    x, lengths = pad([sequences.of(row) for row in rows])
    return x, lengths, torch.tensor(labels[rows])
