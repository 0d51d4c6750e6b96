"""Which spectral gate takes noise out of a clip, and its parameters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal

from speechnet.core.bounds import Number
from speechnet.core.errors import Excluded

FLOOR: Final = 2.0**-24
"""What counts as nothing in a gated clip, as a share of its largest sample: that one's rounding in
float32, half a step of 24 bits, -144 dB.

A closed gate leaves samples of 1e-13 to 1e-22: the rounding of transforms, which differs between
backends. Features that ignore how loud a frame is (chroma, centroid, bandwidth, rolloff, pitch)
would describe it, and so would contrasts, which look at the weakest bins.
"""

_LEAST: Final = 1024  # samples: the stationary gate's statistics need a whole frame

_BOTH: Final = {"method", "backend", "prop_decrease", "freq_mask_smooth_hz", "time_mask_smooth_ms"}
_READ: Final = {
    "none": {"method"},
    "stationary": _BOTH | {"n_std_thresh"},
    "nonstationary": _BOTH | {"time_constant_s", "thresh_n_mult", "sigmoid_slope"},
}
"""The settings that each method reads."""


@dataclass
class DenoiseConfig:
    """Which spectral gate, and its parameters under noisereduce's meaning of them.

    Attributes:
        backend: what computes it: ``torch``, or ``reference``, which is noisereduce itself: the
            same samples, several times as slow.
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

    backend: Literal["torch", "reference"] = "torch"
    method: Literal["nonstationary", "stationary", "none"] = "nonstationary"
    prop_decrease: Annotated[float, Number(ge=0, le=1)] = 1.0
    freq_mask_smooth_hz: Annotated[float, Number(gt=0)] = 500.0
    time_mask_smooth_ms: Annotated[float, Number(gt=0)] = 50.0
    time_constant_s: Annotated[float, Number(gt=0)] = 2.0
    thresh_n_mult: float = 2.0
    sigmoid_slope: float = 10.0
    n_std_thresh: float = 1.5

    @property
    def floor(self) -> float:
        """``FLOOR`` after a gate, else 0."""
        return 0.0 if self.method == "none" else FLOOR

    @property
    def uses_gpu(self) -> bool:
        """Whether a GPU can compute it."""
        return self.method == "none" or self.backend == "torch"

    @property
    def packages(self) -> tuple[str, ...]:
        """The installed packages that decide the samples."""
        if self.method == "none":
            return ()
        return ("scipy", "torch") if self.backend == "torch" else ("librosa", "noisereduce")

    def deciding(self) -> dict[str, Any]:
        """The settings that the samples depend on, as plain types."""
        return {name: value for name, value in asdict(self).items() if name in _READ[self.method]}

    def too_short(self, n_samples: int) -> Excluded | None:
        """Why a clip is too short for the gate; None if it isn't."""
        if self.method != "stationary" or n_samples >= _LEAST:
            return None
        return Excluded("too_short", f"{n_samples} samples, the stationary gate needs {_LEAST}")
