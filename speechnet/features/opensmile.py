"""openSMILE's feature sets: statistics over a recording of its low-level descriptors.

The package ``opensmile`` is under audEERING's research licence: private use, research and education
are free, anything commercial needs a licence of audEERING. So speechnet never depends on it; it
comes with the extra ``speechnet[opensmile]``, and every run says that it was used.

References:
    F. Eyben, M. Wöllmer, B. Schuller, "openSMILE: the Munich versatile and fast open-source audio
    feature extractor", ACM Multimedia 2010.
    F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research
    and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.
    B. Schuller et al., "The INTERSPEECH 2016 Computational Paralinguistics Challenge", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Provenance, Sound, version

if TYPE_CHECKING:
    from speechnet.core.types import Float32

_RATE: Final = 16_000
_SHORTEST: Final = 960
"""Samples of the longest window, 60 ms; of a shorter clip openSMILE gives NaN."""
_BEGIN: Final = "opensmile_"


@EXTRACTORS.register("opensmile")
@dataclass
class OpenSmile(Extractor):
    """A feature set of openSMILE, which is licensed for research alone; ``speechnet[opensmile]``.

    Attributes:
        feature_set: eGeMAPSv02 (88 columns), GeMAPSv01b (62), emobase (988) or ComParE_2016
            (6,373).
    """

    feature_set: Literal["eGeMAPSv02", "GeMAPSv01b", "ComParE_2016", "emobase"] = "eGeMAPSv02"

    sample_rate: ClassVar[int | None] = _RATE
    packages: ClassVar[tuple[str, ...]] = ("opensmile",)

    @property
    def columns(self) -> tuple[str, ...]:
        """OpenSMILE's own names, each behind ``opensmile_``."""
        return tuple(f"{_BEGIN}{name}" for name in _smile(self.feature_set).feature_names)

    @property
    def provenance(self) -> Provenance:
        """See ``Extractor``."""
        return Provenance(
            what=f"openSMILE in the package opensmile {version('opensmile')}",
            licence="audEERING research licence: no commercial use without a licence of audEERING",
            source="https://github.com/audeering/opensmile-python",
        )

    def group(self, column: str) -> str:
        """See ``Extractor``: a low-level descriptor is a group, as is a number without one."""
        return column.partition("_sma")[0]

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``: the package must be installed."""
        if find_spec("opensmile") is None:
            raise ConfigError(
                "data.features.opensmile needs the package opensmile, which is not installed: pip "
                "install 'speechnet[opensmile]' (its licence is for research alone), or leave it "
                "out"
            )

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        smile = _smile(self.feature_set)
        return [
            smile(y, sound.sample_rate)[0, :, 0]
            if len(y) >= _SHORTEST
            else Excluded("too_short", f"{len(y)} samples, openSMILE needs {_SHORTEST} at 16 kHz")
            for y in clips
        ]


@lru_cache(maxsize=1)
def _smile(feature_set: str) -> Any:
    """openSMILE, ready for one set, in this very process."""
    import opensmile

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
