"""Small operations: mostly loops that numpy has vectorised for CPUs and torch has not.

Measured on a 3 s clip (130 frames of 1,025 bins, AVX-512, one thread), torch against numpy in
microseconds: absolute value of complex numbers 810 and 70, sort of each row 6,800 and 270,
comparison of 66,150 samples with a number 85 and 5, position of each row's minimum 100 and 11,
positions of true entries 110 and 40. The results are the same; a tensor on a CPU is shared with
numpy, not copied.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny


def or_one(total: Tensor) -> Tensor:
    """What librosa divides by: a total too small to divide by becomes 1."""
    return torch.where(total < TINY, 1.0, total)


def magnitude(spectrum: Tensor) -> Tensor:
    """``|z|``: complex64 of any shape to float32."""
    return torch.from_numpy(np.abs(spectrum.numpy())) if _on_cpu(spectrum) else spectrum.abs()


def sort_last(values: Tensor) -> Tensor:
    """Each row in ascending order along the last axis, NaN at the end."""
    if _on_cpu(values):
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    return values.sort(dim=-1).values


def argmin_last(values: Tensor) -> Tensor:
    """The position of each row's lowest value, the first of equals: int64, last axis of one."""
    if _on_cpu(values):
        return torch.from_numpy(values.numpy().argmin(axis=-1, keepdims=True))
    return values.argmin(dim=-1, keepdim=True)


def less(left: Tensor, right: Tensor | float) -> Tensor:
    """``left < right``, as bool."""
    if _on_cpu(left):
        bound = right.numpy() if isinstance(right, Tensor) else right
        return torch.from_numpy(np.less(left.numpy(), bound))
    return left < right


def positions(mask: Tensor) -> Tensor:
    """Where a boolean tensor is true, as int64 positions in the flattened tensor."""
    if _on_cpu(mask):
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.flatten().nonzero()[:, 0]


def _on_cpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"
