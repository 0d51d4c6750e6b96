"""What is kept of an encoder's frames: statistics over time of every layer, or some layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from speechnet.core.types import Float32


def statistics(layers: Sequence[Tensor], own: Tensor) -> Sequence[Tensor]:
    """Mean and population's standard deviation over each clip's own frames.

    Args:
        layers: frames ``[b, t, d]`` each.
        own: int64 ``[b]``, how many frames, from the first, are of the clip.

    Returns:
        For each clip float32 ``[layers, 2, d]``.
    """
    n_frames = layers[0].shape[1]
    mask = (torch.arange(n_frames, device=own.device) < own[:, None])[..., None]  # [b, t, 1]
    count = own[:, None]
    rows = []
    for layer in layers:
        frames = layer.float()
        mean = (frames * mask).sum(dim=1) / count
        square = ((frames - mean[:, None]) * mask).square_().sum(dim=1) / count
        rows.append(torch.stack((mean, square.sqrt_()), dim=1))
    return torch.stack(rows, dim=1).unbind()


def joined(windows: Sequence[Float32]) -> Float32:
    """The statistics of a recording from those of its windows, which are of one length.

    Args:
        windows: float32 ``[layers, 2, d]`` each: mean and standard deviation.

    Returns:
        float32 ``[layers, 2, d]``, as if all frames had been counted at once.
    """
    if len(windows) == 1:
        return windows[0]
    mean, std = np.moveaxis(np.stack(windows).astype(np.float64), 2, 0)  # [windows, layers, d]
    overall = mean.mean(axis=0)
    square = (std**2 + (mean - overall) ** 2).mean(axis=0)  # around a mean that no window need have
    return np.stack([overall, np.sqrt(square)], axis=1).astype(np.float32)


def stacked(layers: Sequence[Tensor], own: Tensor, chosen: Sequence[int]) -> Sequence[Tensor]:
    """The frames of some layers side by side.

    Args:
        layers: frames ``[b, t, d]`` each.
        own: int64 ``[b]``, how many frames, from the first, are of the clip.
        chosen: positions of layers; none of them stands for the mean of all.

    Returns:
        For each clip float32 ``[frames, len(chosen) * d]``, or ``[frames, d]``.
    """
    if chosen:
        frames = torch.cat([layers[i] for i in chosen], dim=2).float()
    else:
        frames = torch.stack([*layers]).float().mean(dim=0)
    return [rows[:n] for rows, n in zip(frames, own.tolist(), strict=True)]
