"""Spectral gating, as noisereduce defines it (Sainburg, Thielk and Gentner 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from speechnet.errors import ConfigError, SetAside
from speechnet.types import Float32


@dataclass
class DenoiseConfig:
    """Which spectral gate, and its parameters under noisereduce's meaning of them.

    Attributes:
        method: nonstationary (the noise floor follows the signal), stationary (one floor for the
            whole clip), or none.
        prop_decrease: how much of the noise is taken away, 0 to 1.
        freq_mask_smooth_hz: width over which the mask is smoothed in frequency, in Hz.
        time_mask_smooth_ms: width over which the mask is smoothed in time, in ms.
        time_constant_s: non-stationary: time constant of the floor, in seconds.
        thresh_n_mult: non-stationary: how far above the floor the threshold lies.
        sigmoid_slope: non-stationary: steepness of the gate.
        n_std_thresh: stationary: standard deviations above the mean, in dB, that pass.
    """

    method: Literal["nonstationary", "stationary", "none"] = "nonstationary"
    prop_decrease: float = 1.0
    freq_mask_smooth_hz: float = 500.0
    time_mask_smooth_ms: float = 50.0
    time_constant_s: float = 2.0
    thresh_n_mult: float = 2.0
    sigmoid_slope: float = 10.0
    n_std_thresh: float = 1.5

    def check(self) -> None:
        """Refuse parameters that mean nothing.

        Raises:
            ConfigError: a parameter is out of its range.
        """
        if not 0 <= self.prop_decrease <= 1:
            raise ConfigError(
                f"data.denoise.prop_decrease is {self.prop_decrease:g}, expected 0 to 1"
            )
        for name in ("freq_mask_smooth_hz", "time_mask_smooth_ms", "time_constant_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(
                    f"data.denoise.{name} is {getattr(self, name):g}, expected above 0"
                )


def denoise(y: Float32, sr: int, config: DenoiseConfig) -> Float32:
    """Take stationary or slowly varying noise out of a clip.

    Args:
        y: float32 mono ``[n_samples]``.
        sr: rate in Hz.
        config: method and parameters.

    Returns:
        float32 ``[n_samples]``, finite.

    Raises:
        SetAside: the gate gave NaN or infinite samples (it does for a digitally silent clip).
    """
    if config.method == "none":
        return y
    # Imported here: noisereduce imports torch, two seconds that a cached run need not spend.
    from noisereduce import reduce_noise

    # A silent frame divides 0 by 0 inside the gate; what comes of it is checked below.
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
    if not np.isfinite(out).all():
        raise SetAside(
            "not_finite_denoised", f"{config.method} gating gave NaN or infinite samples"
        )
    return np.asarray(out, dtype=np.float32)
