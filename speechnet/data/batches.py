"""A table's rows in batches, without a loader: the table stays where it is."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class Batches:
    """Batches of ``(X [b, d], labels [b, targets])``, one index operation each.

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
