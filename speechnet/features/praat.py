"""Praat's measures of the voice and of speaking: pitch, jitter, shimmer, formants, pauses, tempo.

Praat itself computes them, in the package ``praat-parselmouth``. That is under the GPL, version 3
or later, so speechnet never depends on it; it comes with the extra ``speechnet[praat]``, and every
run says that it was used.

Conventions:
    Where nothing is voiced, what only voices have is 0; ``praat_voiced_share`` tells it apart.
    Frames are 10 ms apart. Speech is what lies within 25 dB of the 99th percentile of the
    intensity. A pause is 0.1 s or more without, between two stretches of speech: the silence before
    and after says how a recording was cut. Syllable nuclei are voiced peaks of the intensity during
    speech that stand out by 2 dB, as de Jong and Wempe have them.

References:
    P. Boersma, D. Weenink, "Praat: doing phonetics by computer", https://www.praat.org.
    Y. Jadoul, B. Thompson, B. de Boer, "Introducing Parselmouth: A Python interface to Praat",
    Journal of Phonetics 71, 2018.
    N. H. de Jong, T. Wempe, "Praat script to detect syllable nuclei and measure speech rate
    automatically", Behavior Research Methods 41(2), 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Provenance, Sound, version

if TYPE_CHECKING:
    import parselmouth

    from speechnet.core.types import Float32, Float64

_RATE: Final = 16_000
_STEP: Final = 0.01
_PERIODS: Final = 7
"""Periods of the lowest pitch in the shortest clip: Praat's intensity needs 6.4."""
_LOWEST_NOTE: Final = 27.5  # Hz, from which semitones are counted, as in GeMAPS
_SOUNDING_DB: Final = 25.0
_SHORTEST_PAUSE: Final = 0.1
_NUCLEUS_DB: Final = 2.0
_UNVOICED_DB: Final = -200.0  # Praat's harmonicity of what isn't voiced
_FORMANTS: Final = 4
_JITTER: Final = ("local", "rap", "ppq5")
_SHIMMER: Final = ("local", "apq3", "apq5", "apq11")
_PERIOD_FACTOR, _AMPLITUDE_FACTOR = 1.3, 1.6
"""Neighbouring periods that differ by more don't count: Praat's own settings."""
_FORMANT: Final = ("mean", "std", "bandwidth_mean", "bandwidth_std")
_LEVEL: Final = ("mean", "std", "p20", "p50", "p80", "slope")


@EXTRACTORS.register("praat")
@dataclass
class Praat(Extractor):
    """Praat's pitch, voice quality, formants, intensity, pauses and tempo; ``speechnet[praat]``.

    Attributes:
        f0_min: the lowest pitch that is looked for, in Hz.
        f0_max: the highest.
        formant_max: the highest frequency of five formants, in Hz: 5000 suits most men, 5500 women,
            8000 children.
    """

    f0_min: Annotated[float, Number(ge=30, le=1000)] = 75.0
    f0_max: Annotated[float, Number(ge=60, le=2000)] = 600.0
    formant_max: Annotated[float, Number(ge=3000, le=8000)] = 5500.0

    sample_rate: ClassVar[int | None] = _RATE
    packages: ClassVar[tuple[str, ...]] = ("numpy", "scipy", "praat-parselmouth")

    @property
    def columns(self) -> tuple[str, ...]:
        """The 43 columns; semitones above 27.5 Hz, dB, Hz, seconds and shares."""
        formants = (f"formant_{i}_{name}" for i in range(1, _FORMANTS + 1) for name in _FORMANT)
        names = (
            *(f"pitch_{name}" for name in _LEVEL),
            "voiced_share",
            *(f"jitter_{name}" for name in _JITTER),
            *(f"shimmer_{name}" for name in _SHIMMER),
            *("harmonicity_mean", "harmonicity_std"),
            *formants,
            *(f"intensity_{name}" for name in _LEVEL),
            *("pauses_rate", "pauses_share", "pauses_mean"),
            "tempo_nuclei",
            "tilt_1000",
        )
        return tuple(f"praat_{name}" for name in names)

    @property
    def provenance(self) -> Provenance:
        """See ``Extractor``."""
        return Provenance(
            what=f"Praat in the package praat-parselmouth {version('praat-parselmouth')}",
            licence="GPL-3.0-or-later",
            source="https://github.com/YannickJadoul/Parselmouth",
        )

    def group(self, column: str) -> str:
        """See ``Extractor``: such as ``praat_formant``, all of them."""
        return "_".join(column.split("_")[:2])

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``: the package must be installed."""
        if self.f0_min >= self.f0_max:
            raise ConfigError(
                f"data.features.praat.f0_max is {self.f0_max:g}, expected more than f0_min "
                f"({self.f0_min:g})"
            )
        if find_spec("parselmouth") is None:
            raise ConfigError(
                "data.features.praat needs the package praat-parselmouth, which is not installed: "
                "pip install 'speechnet[praat]' (its licence is the GPL), or leave it out"
            )

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        shortest = _PERIODS / self.f0_min
        return [
            self._row(y, sound.sample_rate)
            if len(y) >= shortest * sound.sample_rate
            else Excluded(
                "too_short",
                f"{len(y) / sound.sample_rate:.3f} s, Praat needs {shortest:.3f} s for a pitch of "
                f"{self.f0_min:g} Hz (data.features.praat.f0_min)",
            )
            for y in clips
        ]

    def _row(self, y: Float32, rate: int) -> Float32:
        """What Praat measures of a clip; what it leaves undefined is 0."""
        import numpy as np
        import parselmouth

        heard = parselmouth.Sound(y.astype(np.float64), rate)
        pitch = heard.to_pitch_ac(_STEP, self.f0_min, pitch_ceiling=self.f0_max)
        hertz, times = pitch.selected_array["frequency"], pitch.xs()
        voiced = hertz > 0
        semitones = 12 * np.log2(hertz[voiced] / _LOWEST_NOTE)
        numbers = [
            *_level(semitones, times[voiced]),
            voiced.mean(),
            *self._perturbations(heard, pitch),
            *self._harmonicity(heard),
            *self._formants(heard, times[voiced]),
            *self._speaking(heard, times, voiced),
            _tilt(heard),
        ]
        return np.nan_to_num(np.array(numbers, np.float32), nan=0.0, posinf=0.0, neginf=0.0)

    def _perturbations(self, heard: parselmouth.Sound, pitch: parselmouth.Pitch) -> list[float]:
        """Jitter and shimmer from period to period, as Praat's voice report has them."""
        from parselmouth.praat import call

        pulses = call([heard, pitch], "To PointProcess (cc)")
        bounds = (0, 0, 0.8 / self.f0_max, 1.25 / self.f0_min, _PERIOD_FACTOR)
        jitter = [call(pulses, f"Get jitter ({name})", *bounds) for name in _JITTER]
        both, more = [heard, pulses], (*bounds, _AMPLITUDE_FACTOR)
        return jitter + [call(both, f"Get shimmer ({name})", *more) for name in _SHIMMER]

    def _harmonicity(self, heard: parselmouth.Sound) -> list[float]:
        """Harmonics to noise in dB: mean and standard deviation over voiced frames."""
        decibels = heard.to_harmonicity_cc(_STEP, self.f0_min).values[0]
        decibels = decibels[decibels > _UNVOICED_DB]
        return [decibels.mean(), decibels.std()] if len(decibels) else [0.0, 0.0]

    def _formants(self, heard: parselmouth.Sound, times: Float64) -> list[float]:
        """For each formant mean and standard deviation, then those of its bandwidth; in Hz."""
        import numpy as np

        found = heard.to_formant_burg(_STEP, maximum_formant=self.formant_max)
        numbers: list[float] = []
        for i in range(1, _FORMANTS + 1):
            for measure in (found.get_value_at_time, found.get_bandwidth_at_time):
                hertz = np.array([measure(i, time) for time in times])
                hertz = hertz[np.isfinite(hertz)]
                numbers += [hertz.mean(), hertz.std()] if len(hertz) else [0.0, 0.0]
        return numbers

    def _speaking(self, heard: parselmouth.Sound, times: Float64, voiced: Any) -> list[float]:
        """Intensity during speech; pauses a second, their share and mean; nuclei a second."""
        import numpy as np
        from scipy.signal import find_peaks

        found = heard.to_intensity(self.f0_min, _STEP)
        decibels, at = found.values[0], found.xs()
        lowest = np.percentile(decibels, 99) - _SOUNDING_DB
        speech = np.flatnonzero(decibels >= lowest)
        gaps = np.diff(speech) * _STEP - _STEP
        pauses = gaps[gaps >= _SHORTEST_PAUSE - _STEP / 2]
        span = (speech[-1] - speech[0] + 1) * _STEP
        peaks, _ = find_peaks(decibels, height=lowest, prominence=_NUCLEUS_DB)
        frames = np.abs(times[:, None] - at[peaks]).argmin(axis=0)
        return [
            *_level(decibels[speech], at[speech]),
            len(pauses) / span,
            pauses.sum() / span,
            pauses.mean() if len(pauses) else 0.0,
            voiced[frames].sum() / (span - pauses.sum()),
        ]


def _level(values: Float64, times: Float64) -> list[float]:
    """Mean, standard deviation, percentiles, and the slope a second, ``[n], [n] -> 6``."""
    import numpy as np

    if not len(values):
        return [0.0] * len(_LEVEL)
    slope = np.polyfit(times - times.mean(), values, 1)[0] if len(values) > 1 else 0.0
    return [values.mean(), values.std(), *np.percentile(values, [20, 50, 80]), slope]


def _tilt(heard: parselmouth.Sound) -> float:
    """How many dB there are from 1 to 4 kHz beyond those below, in the long-term spectrum."""
    from parselmouth.praat import call

    slope: float = call(call(heard, "To Ltas", 100), "Get slope", 0, 1000, 1000, 4000, "energy")
    return slope
