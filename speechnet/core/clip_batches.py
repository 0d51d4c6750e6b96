"""Clips through torch: one by one on a CPU, in batches of similar length on a GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final, TypeVar

import torch
from torch import Tensor

from speechnet.core.types import Float32

_LOG = logging.getLogger(__name__)

_GPU_SAMPLES: Final = 2**24
"""The most samples, padding included, in a batch on a GPU: about 4 GB of spectra."""

_LARGEST_KEPT: Final = 2**25 - 2**16
"""Bytes, just below the 32 MiB up to which glibc adapts."""

Result = TypeVar("Result")
Compute = Callable[[Tensor, Tensor], Sequence[Result]]


@cache
def keep_freed_memory() -> None:
    """Ask the C library, once in a process, to keep freed memory.

    glibc returns large blocks to the system as they are freed, and each new tensor pays for its
    pages again: a third of the time of a clip. One untouched block, freed once, raises its
    threshold for good (mallopt(3), M_MMAP_THRESHOLD); other allocators take no notice.
    """
    torch.empty(_LARGEST_KEPT, dtype=torch.uint8)


class ClipBatches:
    """Applies a function of batches to clips on one device.

    Args:
        device: cpu, cuda and so on.
        batch_samples: the most samples in a batch, padding included; by default what suits the
            device. A longer clip goes alone.
        padded_to: samples that every clip takes at least, once it is computed.
        mixed: whether clips of different lengths may share a batch.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        batch_samples: int | None = None,
        padded_to: int = 0,
        mixed: bool = True,
    ) -> None:
        self._device = device
        # On a CPU small arrays stay in its caches: clip by clip is faster than any batch.
        default = 0 if device == "cpu" else _GPU_SAMPLES
        self.batch_samples = default if batch_samples is None else batch_samples
        self._padded_to, self._mixed = padded_to, mixed

    def map(self, clips: Sequence[Float32], compute: Compute[Result]) -> list[Result]:
        """Apply a function to all clips, with one of torch's threads on a CPU.

        A batch that is too large for a GPU's memory is halved; a single clip goes to the CPU.

        Args:
            clips: float32 mono ``[n_samples]`` each, not empty.
            compute: takes ``y`` float32 ``[b, n]``, zero after each clip's end, and int64
                ``lengths [b]``, both on the device; returns a result for each of the ``b`` clips.

        Returns:
            The results, in the order of the clips.
        """
        found: dict[int, Result] = {}
        for batch in self._batches([len(clip) for clip in clips]):
            some = self._halved_if_needed([clips[i] for i in batch], compute)
            found.update(zip(batch, some, strict=True))
        return [found[i] for i in range(len(clips))]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Positions of clips of similar length, the longest first: they need the most memory."""
        batch: list[int] = []
        for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
            longest = max(lengths[batch[0]] if batch else 0, self._padded_to)
            full = (len(batch) + 1) * longest > self.batch_samples
            other = 2 * max(lengths[i], self._padded_to) < longest
            if batch and (full or other or not (self._mixed or lengths[i] == longest)):
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _halved_if_needed(self, clips: list[Float32], compute: Compute[Result]) -> Sequence[Result]:
        try:
            return _apply(clips, compute, self._device)
        except RuntimeError as error:
            message = str(error).lower()
            if "out of memory" not in message and "alloc_failed" not in message:
                raise
        # The exception has released what the failed attempt held.
        if self._device != "cpu":
            torch.cuda.empty_cache()
        if len(clips) == 1:
            _LOG.warning("a clip of %d samples is too long for the GPU: the CPU takes it",
                         len(clips[0]))  # fmt: skip
            return _apply(clips, compute, "cpu")
        self.batch_samples = len(clips) // 2 * max(self._padded_to, *map(len, clips))
        _LOG.warning("the GPU ran out of memory: from here on batches hold at most %d samples",
                     self.batch_samples)  # fmt: skip
        return self.map(clips, compute)


@cache
def clip_batches(device: str) -> ClipBatches:
    """The batches of a device, which remember the size that its memory is too small for."""
    return ClipBatches(device)


def _apply(clips: Sequence[Float32], compute: Compute[Result], device: str) -> Sequence[Result]:
    lengths = [len(clip) for clip in clips]
    # Torch's own memory: MKL rounds by how an array is aligned, and NumPy aligns less.
    y = torch.zeros(len(clips), max(lengths))
    for row, clip in zip(y.numpy(), clips, strict=True):
        row[: len(clip)] = clip
    with torch.inference_mode(), _one_thread(device):
        return compute(y.to(device), torch.tensor(lengths, device=device))


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    """One thread for torch on the CPU: more round otherwise, and cost more than they gain."""
    before = torch.get_num_threads()
    if device == "cpu":
        # Even where there is one already: MKL keeps a number of its own.
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
