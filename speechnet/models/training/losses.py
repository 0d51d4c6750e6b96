"""The loss of one head."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def head_loss(scores: Tensor, truth: Tensor, weights: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy, the mean over labelled rows, each weighted by its class.

    ``sum_i w[y_i] ce_i / sum_i w[y_i]``, as ``torch.nn.CrossEntropyLoss`` has it; 0 where no row
    has a label, with a gradient of 0.

    Args:
        scores: logits, float ``[n, k]``, or ``[m, n, k]`` of several networks.
        truth: int64 ``[n]``, -1 where there is no label.
        weights: of the classes, float32 ``[k]``.
        smoothing: of the labels, from 0 to 1.

    Returns:
        float32 scalar, or ``[m]``.
    """
    several = scores.dim() == 3
    summed = nn.functional.cross_entropy(
        scores.float().permute(1, 2, 0) if several else scores.float(),
        truth[:, None].expand(-1, len(scores)) if several else truth,
        weight=weights,
        ignore_index=-1,
        reduction="none" if several else "sum",
        label_smoothing=smoothing,
    ).sum(dim=0)
    # -1 takes the last one, which is 0.
    rows = nn.functional.pad(weights, (0, 1))[truth].sum()
    return summed / rows.clamp_min(torch.finfo(torch.float32).tiny)
