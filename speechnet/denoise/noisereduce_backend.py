"""Spectral gating by noisereduce, which is what defines it (Sainburg, Thielk and Gentner 2020)."""

from __future__ import annotations

import numpy as np
import torch

import speechnet.core.librosa_loader  # noqa: F401 - safely, before noisereduce loads librosa
from speechnet.core.types import Float32
from speechnet.denoise.config import DenoiseConfig
from speechnet.denoise.torch_backend import silence_inaudible


def denoise(y: Float32, sr: int, config: DenoiseConfig) -> Float32:
    """Take noise out of float32 mono ``[n_samples]`` at ``sr`` Hz; the method isn't none.

    Samples below ``FLOOR`` of the clip's largest are zero; a digitally silent clip becomes NaN.
    """
    from noisereduce import reduce_noise

    # A silent frame divides 0 by 0 inside the gate.
    with np.errstate(all="ignore"):
        out = reduce_noise(
            y=y,
            sr=sr,
            stationary=config.method == "stationary",
            prop_decrease=config.prop_decrease,
            freq_mask_smooth_hz=config.freq_mask_smooth_hz,
            time_mask_smooth_ms=config.time_mask_smooth_ms,
            time_constant_s=config.time_constant_s,
            thresh_n_mult_nonstationary=config.thresh_n_mult,
            sigmoid_slope_nonstationary=config.sigmoid_slope,
            n_std_thresh_stationary=config.n_std_thresh,
        )
    samples = torch.from_numpy(np.asarray(out, dtype=np.float32))[None]
    return np.asarray(silence_inaudible(samples, torch.tensor([[np.abs(y).max()]]))[0])
