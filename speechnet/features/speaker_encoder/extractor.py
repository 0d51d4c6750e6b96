"""What a pretrained speaker encoder makes of a recording: statistics of its layers, or frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from speechnet.core.bounds import Number, Values
from speechnet.core.errors import Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Provenance, Sound
from speechnet.features.speaker_encoder.weights import SHA256, weights_file

if TYPE_CHECKING:
    from speechnet.core.types import Float32

Layer = Annotated[int, Number(ge=1, le=3)]
Layers = Literal["joined", "all", "mean"] | Annotated[list[Layer], Values(1, once=True)]
Statistic = Literal["mean", "std", "last"]

_LAYERS: Final = 3
_UNITS: Final = 256
_STATISTICS: Final[tuple[Statistic, ...]] = ("mean", "std", "last")
_FRAME: Final = 0.01  # seconds from one frame of the network to the next


class _Encoder(Extractor):
    """What both extractors share. All layers are computed and kept; settings choose among them."""

    sample_rate: ClassVar[int | None] = 16_000
    packages: ClassVar[tuple[str, ...]] = ("torch", "torchaudio")
    uses_gpu = True

    layers: Layers

    @property
    def n_layers(self) -> int:
        """See ``Extractor``; layers side by side are one."""
        return _LAYERS if self.layers == "all" else 1

    @property
    def _named(self) -> list[str]:
        """What the names of columns call each of the layers that they come from."""
        if isinstance(self.layers, list):
            return [str(layer) for layer in self.layers]
        return ["mean"] if self.layers == "mean" else [str(i + 1) for i in range(_LAYERS)]

    def _of_layers(self, rows: Float32) -> Float32:
        """The layers asked for: float32 ``[m, layers, ...]``."""
        if isinstance(self.layers, list):
            return rows[:, [layer - 1 for layer in self.layers]]
        return rows.mean(axis=1, keepdims=True) if self.layers == "mean" else rows

    @property
    def provenance(self) -> Provenance:
        """See ``Extractor``."""
        return Provenance(
            what="the GE2E speaker encoder in resemblyzer 0.1.4",
            licence="Apache-2.0",
            source="https://github.com/resemble-ai/Resemblyzer",
            seen=("LibriSpeech", "VoxCeleb1", "VoxCeleb2"),
        )

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``: the weights must be installed."""
        weights_file()

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:
        """See ``Extractor``: the weights count, what is chosen of the stored numbers doesn't."""
        stored = {"settings": {}, "columns": self.stored, "weights": SHA256}
        return super().fingerprint(sample_rate) | stored


@EXTRACTORS.register("speaker_encoder")
@dataclass
class SpeakerEncoder(_Encoder):
    """Statistics over time of each unit of a pretrained speaker encoder.

    Its weights come with ``pip install --no-deps resemblyzer==0.1.4``. All statistics of all three
    layers are in the cache: another choice computes nothing again.

    Attributes:
        layers: a list such as ``[2, 3]`` puts the columns of some of the layers 1 to 3 side by
            side, ``joined`` those of all three; ``mean`` takes the mean over the layers. With
            ``all`` a network learns the weight of each, and other models take the mean.
        statistics: of each unit's output over the frames: the mean, the population's standard
            deviation, the last value.
    """

    layers: Layers = field(default_factory=lambda: [2, 3])
    statistics: Annotated[list[Statistic], Values(1, once=True)] = field(
        default_factory=lambda: [*_STATISTICS]
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``speaker_encoder_2_mean_000``: layer, statistic, unit."""
        return tuple(
            f"speaker_encoder_{layer}_{statistic}_{unit:03d}"
            for layer in self._named
            for statistic in self.statistics
            for unit in range(_UNITS)
        )

    @property
    def stored(self) -> int:
        """See ``Extractor``: 2,304 numbers."""
        return _LAYERS * len(_STATISTICS) * _UNITS

    def choose(self, rows: Float32) -> Float32:
        """See ``Extractor``."""
        at = [_STATISTICS.index(name) for name in self.statistics]
        cube = rows.reshape(-1, _LAYERS, len(_STATISTICS), _UNITS)
        return self._of_layers(cube[:, :, at]).reshape(len(rows), -1)

    def group(self, column: str) -> str:
        """See ``Extractor``: a layer is a group, such as ``speaker_encoder_2``."""
        return column.rsplit("_", 2)[0]

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        from speechnet.core.clip_batches import clip_batches
        from speechnet.features.speaker_encoder.network import statistics

        return [*clip_batches(sound.device).map(clips, statistics)]


@EXTRACTORS.register("speaker_encoder_frames")
@dataclass
class SpeakerEncoderFrames(_Encoder):
    """The outputs over time of a pretrained speaker encoder: 256 numbers a frame of each layer.

    Its weights are those of ``speaker_encoder``. The cache keeps all layers, in half precision.

    Attributes:
        layers: as of ``speaker_encoder``; by default a network learns the weight of each.
        hop: seconds that the network's outputs, one every 10 ms, are averaged over.
    """

    kind: ClassVar[Literal["vector", "sequence"]] = "sequence"
    stored_type: ClassVar[Literal["float32", "float16"]] = "float16"

    layers: Layers = "all"
    hop: Annotated[float, Number(ge=_FRAME)] = 0.04

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``speaker_encoder_frames_1_000``: layer, unit."""
        return tuple(
            f"speaker_encoder_frames_{layer}_{unit:03d}"
            for layer in self._named
            for unit in range(_UNITS)
        )

    @property
    def stored(self) -> int:
        """See ``Extractor``: 768 numbers."""
        return _LAYERS * _UNITS

    def choose(self, rows: Float32) -> Float32:
        """See ``Extractor``."""
        return self._of_layers(rows.reshape(-1, _LAYERS, _UNITS)).reshape(len(rows), -1)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return 1 / (_FRAME * self._pool)

    @property
    def _pool(self) -> int:
        """The network's frames that make one."""
        return round(self.hop / _FRAME)

    def group(self, column: str) -> str:
        """See ``Extractor``: a layer is a group, such as ``speaker_encoder_frames_1``."""
        return column.rsplit("_", 1)[0]

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:
        """See ``Extractor``."""
        return super().fingerprint(sample_rate) | {"settings": {"pool": self._pool}}

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        from functools import partial

        from speechnet.core.clip_batches import clip_batches
        from speechnet.features.speaker_encoder.network import frames

        return [*clip_batches(sound.device).map(clips, partial(frames, pool=self._pool))]
