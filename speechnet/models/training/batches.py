"""What a network trains on, in batches: rows of a matrix, or sequences padded to the longest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    TensorDataset,
)

from speechnet.core.types import Features, Int64, Sequences, tallest
from speechnet.models.training.sequences import PADDED, by_length, pad

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

        Vectors come in one batch; sequences in batches of up to 256, fewer where they are long.
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
    order: Sampler[int] = SequentialSampler(chosen)
    if seed is not None:
        order = RandomSampler(chosen, generator=torch.Generator().manual_seed(seed))
    lengths = np.diff(sequences.starts)[rows]
    most = PADDED // tallest(sequences.stacks)
    return DataLoader(
        chosen,
        batch_sampler=SimilarLengths(order, batch_size, False, lengths, most),
        collate_fn=partial(padded, sequences, labels),
    )


class SimilarLengths(BatchSampler):
    """Batches of recordings of similar lengths, so that little of them is padding.

    Of each ``_POOL`` batches' recordings in a sampler's order, those of similar lengths make a
    batch; the batches come in the order in which the sampler drew the first of each. Recordings so
    long that a whole batch of them would hold more frames than allowed make smaller batches of
    their own, the same in every epoch, as an epoch's steps are counted before the first. Several
    devices must take as many steps as each other: there, no batch is smaller.

    Args:
        sampler: draws positions.
        batch_size: recordings in a batch.
        drop_last: see ``BatchSampler``; Lightning makes these three anew for several devices.
        lengths: of the recordings, int64 ``[n]``.
        frames: the most frames of a batch, padding included; a longer recording is alone.
    """

    def __init__(
        self,
        sampler: Sampler[int],
        batch_size: int,
        drop_last: bool,
        lengths: Int64,
        frames: int,
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.lengths = lengths
        self._own = lengths * batch_size > frames
        if len(sampler) < len(lengths):  # type: ignore[arg-type] # it has a length
            self._own[:] = False
        own = np.flatnonzero(self._own)
        cut = by_length(lengths[own], rows=batch_size, frames=frames)
        self._long = [own[batch].tolist() for batch in cut]

    def __len__(self) -> int:
        rest = len(self.sampler) - int(self._own.sum())  # type: ignore[arg-type] # it has a length
        return -(-rest // self.batch_size) + len(self._long)

    def __iter__(self) -> Iterator[list[int]]:
        size, drawn = self.batch_size, list(self.sampler)
        place = {position: number for number, position in enumerate(drawn)}
        rest = [position for position in drawn if not self._own[position]]
        batches = [*self._long]
        for first in range(0, len(rest), size * _POOL):
            pool = sorted(rest[first : first + size * _POOL], key=self.lengths.__getitem__)
            batches += [pool[start : start + size] for start in range(0, len(pool), size)]
        yield from sorted(batches, key=lambda batch: place[batch[0]])


def padded(
    sequences: Sequences, labels: Int64, rows: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Some recordings as ``pad`` gives them, and their labels, int64 ``[b, targets]``."""
    x, lengths = pad([sequences.of(row) for row in rows])
    return x, lengths, torch.tensor(labels[rows])
