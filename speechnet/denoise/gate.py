"""Clips freed of their noise, by whichever implementation the configuration names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speechnet.core.errors import Excluded
from speechnet.core.types import Float32
from speechnet.denoise.config import DenoiseConfig


def denoise_clips(
    clips: Sequence[Float32], sr: int, config: DenoiseConfig, *, device: str = "cpu"
) -> list[Float32 | Excluded]:
    """Take noise out of some clips; none changes another's samples.

    Args:
        clips: float32 mono ``[n_samples]`` each, finite, not empty.
        sr: their rate in Hz.
        config: method, parameters and implementation.
        device: where torch computes; noisereduce has the CPU only.

    Returns:
        For each clip float32 ``[n_samples]``, finite, or why there is none.
    """
    if config.method == "none":
        return [*clips]
    outcomes: list[Float32 | Excluded] = [*clips]
    for i, clip in enumerate(clips):
        try:
            config.check_length(len(clip))
        except Excluded as why:
            outcomes[i] = why
    usable = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, Excluded)]
    gate = _by_noisereduce if config.backend == "reference" else _by_torch
    for i, y in zip(usable, gate([clips[i] for i in usable], sr, config, device), strict=True):
        # A silent frame divides 0 by 0 inside the gate.
        outcomes[i] = y if np.isfinite(y).all() else Excluded(
            "not_finite_denoised", f"{config.method} gating gave NaN or infinite samples"
        )  # fmt: skip
    return outcomes


def _by_torch(
    clips: Sequence[Float32], sr: int, config: DenoiseConfig, device: str
) -> list[Float32]:
    from torch import Tensor

    from speechnet.core.clip_batches import clip_batches
    from speechnet.denoise.torch_backend import denoise

    def gated(y: Tensor, lengths: Tensor) -> list[Float32]:
        rows = denoise(y, lengths, sr, config).cpu().numpy()
        return [row[:n] for row, n in zip(rows, lengths.tolist(), strict=True)]

    return clip_batches(device).map(clips, gated)


def _by_noisereduce(
    clips: Sequence[Float32], sr: int, config: DenoiseConfig, _device: str
) -> list[Float32]:
    from speechnet.denoise.noisereduce_backend import denoise

    return [denoise(clip, sr, config) for clip in clips]
