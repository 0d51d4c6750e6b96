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
    whys = [config.too_short(len(clip)) for clip in clips]
    usable = [clip for clip, why in zip(clips, whys, strict=True) if why is None]
    if config.backend == "torch":
        gated = iter(_by_torch(usable, sr, config, device))
    else:
        from speechnet.denoise.noisereduce_backend import denoise

        gated = (denoise(clip, sr, config) for clip in usable)
    # A silent frame divides 0 by 0 inside the gate.
    failed = Excluded("not_finite_denoised", f"{config.method} gating gave NaN or infinite samples")
    return [why or (y if np.isfinite(y := next(gated)).all() else failed) for why in whys]


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
