"""Which numbers ``functionals_large`` computes: the columns of each group, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

RATE: Final = 16_000
"""Hz. Whatever recordings are sampled at, their columns mean the same."""

FRAME_RATE: Final = 100
"""Frames a second."""

SLOPE_FRAMES: Final = 25
"""A slope is that of a straight line over so many frames, a quarter of a second: on RAVDESS it
tells more of an emotion than one over librosa's nine frames."""

STATISTICS: Final = ("mean", "std", "p5", "p25", "p50", "p75", "p95")
STEP_STATISTICS: Final = ("mean", "std", "p50", "p95")

LAGS: Final = (2, 4, 8, 12, 16, 24)
"""Frames between a coefficient and itself."""

MODULATION_WINDOW: Final = 128
"""Frames of a window that a contour's spectrum is taken of, 1.28 s."""

MODULATION_EDGES: Final = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0)
"""Hz. Syllables come at 3 to 6 a second, stresses at 1 to 2."""

ROLLOFFS: Final = (0.25, 0.5, 0.85)
"""Shares of the magnitude."""

MEL_BANDS: Final = 40
"""Bands below the MFCC. Averages of 2 are the columns ``mel``, of 5 the rows of ``modulation``."""

MFCC: Final = tuple(f"mfcc_{i:02d}" for i in range(20))
MEL: Final = tuple(f"mel_{i:02d}" for i in range(20))
CONTRAST: Final = tuple(f"contrast_{i:02d}" for i in range(6))
SPECTRUM: Final = (
    *("centroid", "bandwidth", "rolloff_25", "rolloff_50", "rolloff_85"),
    *("flatness", "zero_crossing_rate", "flux"),
)
CORRELATED: Final = (*MFCC, *SPECTRUM, *CONTRAST, "energy")
MODULATED: Final = (*(f"mel_{i:02d}" for i in range(8)), "energy")


def _under(rows: Sequence[str], statistics: Sequence[str] = STATISTICS) -> tuple[str, ...]:
    """Statistic by statistic a column for each row."""
    return tuple(f"{row}_{statistic}" for statistic in statistics for row in rows)


GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "mfcc": _under(MFCC),
    "mfcc_slope": _under([f"{row}_slope" for row in MFCC]),
    "mel": _under(MEL),
    "spectrum": _under(SPECTRUM),
    "spectrum_slope": _under([f"{row}_slope" for row in SPECTRUM]),
    "contrast": _under(CONTRAST),
    "energy": (
        *_under(["energy", "energy_slope"]),
        *_under(["energy_voiced"]),
        *_under(["energy_unvoiced"]),
    ),
    "f0": (
        *_under(["f0"]),
        *_under(["f0_step"], STEP_STATISTICS),
        *("f0_range", "f0_trend", "f0_energy"),
    ),
    "voicing": (
        *_under(["periodicity"]),
        *_under(["periodicity_voiced"]),
        *("voiced_share", "voiced_rate", "voiced_length", "voiced_longest"),
        *("pause_length", "pause_longest"),
    ),
    "correlation": tuple(f"correlation_{a}_{b}" for a, b in combinations(CORRELATED, 2)),
    "autocorrelation": tuple(f"autocorrelation_{row}_{lag:02d}" for lag in LAGS for row in MFCC),
    "modulation": tuple(
        f"modulation_{row}_{low:g}hz" for low in MODULATION_EDGES[:-1] for row in MODULATED
    ),
}
"""The columns of each group, group by group."""
