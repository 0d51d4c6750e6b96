"""The extractor ``functionals_large``: contours of a recording, and how they move.

Beside statistics as ``functionals`` has them, of frames every 10 ms, these are numbers that tell
how a recording moves: slopes, correlations between contours, modulation spectra, and a pitch that
is looked at only where there is one. librosa defines the contours; torch computes them with the
parts of ``functionals``, on a CPU or a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Sound
from speechnet.features.functionals_large.layout import GROUPS, RATE

if TYPE_CHECKING:
    from torch import Tensor

    from speechnet.core.types import Float32

_KEY: Final = "data.features.functionals_large"
_FMAX: Final = 7_000.0  # Hz. What recordings at 16 kHz hold whatever resampled them.
_SHORTEST: Final = 0.1  # seconds
_LOWEST: Final = 40.0  # Hz. A frame of 64 ms holds two and a half periods of it.


@EXTRACTORS.register("functionals_large")
@dataclass
class FunctionalsLarge(Extractor):
    """1,432 statistics of spectrum, energy and pitch over time, and of how they move.

    At 16 kHz, of frames of 64 ms every 10 ms, up to 7 kHz. A frame is voiced if its periodicity is
    above 0.7 and its energy no more than 40 dB below the loudest frame's. What needs voiced frames
    (or unvoiced ones, or two in a row) is 0 where there are none: ``large_voiced_share`` says so.

    Attributes:
        f0_min: lowest fundamental frequency that is looked for, in Hz.
        f0_max: highest fundamental frequency that is looked for, in Hz.
    """

    sample_rate: ClassVar[int | None] = RATE
    packages: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "torch")
    uses_gpu = True

    f0_min: Annotated[float, Number(ge=_LOWEST)] = 65.0
    f0_max: Annotated[float, Number(le=2_000)] = 500.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``large_mfcc_07_mean`` or ``large_modulation_energy_4hz``."""
        return tuple(_group_of())

    def group(self, column: str) -> str:
        """See ``Extractor``: a group of ``layout.GROUPS``, such as ``large_mfcc``."""
        return _group_of()[column]

    def highest_frequency(self, sample_rate: int) -> float:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``."""
        return _FMAX

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``."""
        if self.f0_min >= self.f0_max:
            raise ConfigError(
                f"{_KEY}.f0_min is {self.f0_min:g} Hz, expected below f0_max ({self.f0_max:g} Hz)"
            )

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        from speechnet.core.clip_batches import clip_batches
        from speechnet.features.functionals_large.rows import extract

        def rows(y: Tensor, lengths: Tensor) -> list[Float32]:
            found = extract(y, lengths, (self.f0_min, self.f0_max), _FMAX, floor=sound.floor)
            return [row.copy() for row in found.cpu().numpy()]

        whys = [_too_short(len(clip)) for clip in clips]
        usable = [clip for clip, why in zip(clips, whys, strict=True) if why is None]
        found = iter(clip_batches(sound.device).map(usable, rows))
        return [why or next(found) for why in whys]


@cache
def _group_of() -> dict[str, str]:
    """Each column, in order, with its group. ``functionals`` has columns of the bare names."""
    return {
        f"large_{column}": f"large_{group}" for group, many in GROUPS.items() for column in many
    }


def _too_short(n_samples: int) -> Excluded | None:
    if n_samples >= _SHORTEST * RATE:
        return None
    return Excluded("too_short", f"{n_samples / RATE:.3f} s, {_KEY} needs {_SHORTEST:g} s")
