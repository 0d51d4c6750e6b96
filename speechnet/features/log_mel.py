"""The extractor ``log_mel``: a mel spectrogram in dB, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Sound

if TYPE_CHECKING:
    from torch import Tensor

    from speechnet.core.types import Float32


@EXTRACTORS.register("log_mel")
@dataclass
class LogMel(Extractor):
    """The power in mel bands in dB, frame by frame: what networks over time take.

    Slaney's mel scale and filters of one area each, a periodic Hann window, frames centred with
    zeros beyond both ends: ``librosa.feature.melspectrogram`` with ``pad_mode="constant"``.

    Attributes:
        n_mels: bands.
        window: seconds of a frame.
        hop: seconds from one frame to the next.
        fmin: where the lowest band begins, in Hz.
        fmax: where the highest band ends, in Hz.
        floor_db: no band is lower, in dB of a power of 1.
    """

    kind: ClassVar[Literal["vector", "sequence"]] = "sequence"
    sample_rate: ClassVar[int | None] = 16_000
    packages: ClassVar[tuple[str, ...]] = ("torch", "torchaudio")
    uses_gpu = True

    n_mels: Annotated[int, Number(ge=1)] = 64
    window: Annotated[float, Number(gt=0)] = 0.025
    hop: Annotated[float, Number(gt=0)] = 0.01
    fmin: Annotated[float, Number(ge=0)] = 50.0
    fmax: Annotated[float, Number(gt=0, le=8_000)] = 8_000.0
    floor_db: float = -80.0

    @property
    def columns(self) -> tuple[str, ...]:
        """A column for each band, the lowest first."""
        return tuple(f"log_mel_{band:02d}" for band in range(self.n_mels))

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return 16_000 / self._hop_length

    @property
    def _hop_length(self) -> int:
        return max(round(self.hop * 16_000), 1)

    def group(self, column: str) -> str:  # noqa: ARG002 - all bands go together
        """See ``Extractor``."""
        return "log_mel"

    def highest_frequency(self, sample_rate: int) -> float:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``."""
        return self.fmax

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``."""
        if self.fmin >= self.fmax:
            raise ConfigError(
                f"data.features.log_mel.fmin is {self.fmin:g} Hz, expected below fmax "
                f"({self.fmax:g} Hz)"
            )

    def transform(self, device: str = "cpu") -> Any:
        """The ``MelSpectrogram`` of torchaudio that gives the power, before it becomes dB."""
        length = max(round(self.window * 16_000), 2)
        return _transform(length, self._hop_length, self.n_mels, self.fmin, self.fmax, device)

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        from speechnet.core.clip_batches import clip_batches

        transform = self.transform(sound.device)

        def frames(y: Tensor, lengths: Tensor) -> list[Float32]:
            power = transform(y).clamp_(min=10 ** (self.floor_db / 10))
            levels = power.log10_().mul_(10).transpose(1, 2).cpu().numpy()
            counts = (1 + lengths // self._hop_length).tolist()
            return [level[:n].copy() for level, n in zip(levels, counts, strict=True)]

        return [*clip_batches(sound.device).map(clips, frames)]


@lru_cache(maxsize=4)
def _transform(length: int, hop: int, n_mels: int, fmin: float, fmax: float, device: str) -> Any:
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(
        sample_rate=16_000,
        n_fft=length,
        hop_length=hop,
        n_mels=n_mels,
        f_min=fmin,
        f_max=fmax,
        pad_mode="constant",
        norm="slaney",
        mel_scale="slaney",
    ).to(device)
