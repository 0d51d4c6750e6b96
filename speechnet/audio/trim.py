"""Where sound begins and ends, as in ``librosa.effects.trim``, without numba."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from speechnet.core.types import Float32

_FRAME: Final = 2048
_HOP: Final = 512
_LEAST: Final = 1e-10  # the lowest power that counts, of a frame and of the loudest one


def sounding(y: Float32, top_db: float) -> tuple[int, int]:
    """The first sample and the one after the last of the part between loud frames; else 0 and 0.

    A frame of float32 mono ``[n_samples]`` is silent so many dB below the loudest frame's RMS.
    """
    padded = np.pad(y, _FRAME // 2)
    frames = sliding_window_view(padded, _FRAME)[::_HOP].T  # [n_samples] -> [2048, n_frames]
    # In librosa's order and in float32: rounding must not put a frame on the other side.
    rms = np.sqrt(np.mean(np.square(frames), axis=0))
    loudest = np.square(rms.max())
    level = 10.0 * np.log10(np.maximum(_LEAST, np.square(rms)))
    level -= 10.0 * np.log10(np.maximum(_LEAST, loudest))
    loud = np.flatnonzero(level > -top_db)
    if not loud.size:
        return 0, 0
    return int(loud[0]) * _HOP, min(len(y), (int(loud[-1]) + 1) * _HOP)
