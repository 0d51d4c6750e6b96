"""The extractors ``pretrained`` and ``pretrained_frames``: what a speech encoder makes of sounds.

Any encoder of speech that transformers loads: wav2vec 2.0, HuBERT, WavLM, data2vec, the encoder of
Whisper and others. A layer is a hidden state of the network: 0 is what the first of its own layers
gets, the last is what the last one gives.

References:
    S. Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021:
    frozen encoders whose layers a task weighs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from speechnet.core.bounds import Values
from speechnet.core.errors import ConfigError, Excluded
from speechnet.features.extractor import EXTRACTORS, Extractor, Provenance, Sound, version
from speechnet.features.pretrained.config import EncoderConfig
from speechnet.features.pretrained.folder import Encoder, read_encoder
from speechnet.features.pretrained.hub import is_id, snapshot
from speechnet.features.pretrained.known import provenance

if TYPE_CHECKING:
    from speechnet.core.types import Float32

_POOLS: Final = ("mean", "std")  # in the order in which they are stored
_NEEDED: Final = ("transformers", "safetensors")

Layers = Literal["last", "mean", "all"] | Annotated[list[int], Values(once=True)]
OfFrames = Literal["last", "mean"] | int | Annotated[list[int], Values(once=True)]


class _OfEncoder(EncoderConfig, Extractor):
    """What both extractors share; the network itself is read when the first clip comes."""

    stored_type: ClassVar[Literal["float32", "float16"]] = "float16"
    packages: ClassVar[tuple[str, ...]] = ("torch", *_NEEDED)
    uses_gpu = True
    name: ClassVar[str]
    _layers_key: ClassVar[str]

    @property
    def encoder(self) -> Encoder:
        """The folder of the encoder.

        Raises:
            ConfigError: none is named, a package is missing, or the folder isn't a speech
                encoder's.
        """
        if self.model is None:
            raise ConfigError(
                f"data.features.{self.name}.model is null, expected the folder of a speech encoder "
                f"with {' and '.join(('config.json', 'model.safetensors'))}, or an id of the "
                "Hugging Face hub"
            )
        if absent := [one for one in _NEEDED if find_spec(one) is None]:
            raise ConfigError(
                f"data.features.{self.name} needs {' and '.join(absent)}: install "
                "speechnet[pretrained]"
            )
        with self._named():
            path = Path(self.model).expanduser()
            return read_encoder(snapshot(self.model, self.revision) if is_id(self.model) else path)

    @property
    def sample_rate(self) -> int:  # type: ignore[override] # the encoder's own
        """See ``Extractor``."""
        return self.encoder.rate

    @property
    def provenance(self) -> Provenance:
        """See ``Extractor``."""
        return provenance(self.encoder, str(self.model))

    @property
    def chosen(self) -> list[int]:
        """Positions of the layers that the columns hold; none of them stands for the mean of all.

        Raises:
            ConfigError: there is no such layer.
        """
        n, asked = self.encoder.layers, self._asked()
        if asked == "mean":
            return []
        named = {"last": [n - 1], "all": [*range(n)]}
        listed = asked if isinstance(asked, list) else [asked]
        layers = named[asked] if isinstance(asked, str) else listed
        key = f"data.features.{self.name}.{self._layers_key}"
        for layer in layers:
            if not -n <= layer < n:
                raise ConfigError(
                    f"{key} has {layer}, expected 0 to {n - 1} for this encoder, or -{n} to -1 "
                    "from its last"
                )
        found = [layer % n for layer in layers]
        if len({*found}) < len(found):
            raise ConfigError(f"{key} is {found}, expected each layer once")
        return found

    @property
    def n_layers(self) -> int:
        """See ``Extractor``."""
        return max(len(self.chosen), 1)

    def group(self, column: str) -> str:  # noqa: ARG002 - all columns go together
        """See ``Extractor``: the encoder as a whole, whose layers say much the same."""
        return self.name

    @property
    def paths(self) -> tuple[str, ...]:  # type: ignore[override] # an id of the hub is none
        """See ``Extractor``."""
        return () if self.model is None or is_id(self.model) else ("model",)

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``: the folder is read, its weights are not."""
        self.chosen  # noqa: B018 - raises if something is wrong

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``: what the folder holds counts, not where it lies."""
        return {
            "code": self.code_version,
            "settings": {"dtype": self.dtype, "longest": self.longest, **self._deciding()},
            "files": self.encoder.digests(),
            "versions": {name: version(name) for name in self.packages},
        }

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``. Long clips go in windows of about equal length."""
        import numpy as np

        from speechnet.features.pretrained.network import batches, describe

        encoder = self.encoder
        most = round(self.longest * encoder.rate)
        most = min(most, encoder.longest or most)
        whys = [_too_short(clip, encoder) for clip in clips]
        windows = [
            [] if why else np.array_split(clip, -(-len(clip) // most))
            for clip, why in zip(clips, whys, strict=True)
        ]
        together = batches(encoder, sound.device, self.batch)
        with self._named():
            every = [window for some in windows for window in some]
            found = iter(describe(every, encoder, self.dtype, together, self._reduce))
        return [
            why or self._join([next(found) for _ in some])
            for why, some in zip(whys, windows, strict=True)
        ]

    def release(self) -> None:
        """See ``Extractor``."""
        from speechnet.features.pretrained.network import network

        network.cache_clear()

    def _named_layers(self) -> list[str]:
        return [str(layer) for layer in self.chosen] or ["average"]

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Begin errors with the key of this extractor."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"data.features.{self.name}: {error}") from error

    @abstractmethod
    def _asked(self) -> Any:
        """The setting that says which layers."""

    @abstractmethod
    def _deciding(self) -> dict[str, Any]:
        """The settings that decide what is stored."""

    @abstractmethod
    def _reduce(self, layers: Any, own: Any) -> Any:
        """What is kept of a batch; see ``speechnet.features.pretrained.network.Reduce``."""

    @abstractmethod
    def _join(self, windows: list[Float32]) -> Float32:
        """A recording's features from those of its windows."""


@EXTRACTORS.register("pretrained")
@dataclass
class Pretrained(_OfEncoder):
    """Mean and standard deviation over time of a pretrained speech encoder's layers.

    Attributes:
        layers: which layers a row holds: ``last``, ``mean`` for the mean of all, ``all`` of them,
            of which networks learn the weights, or a list of their numbers from 0.
        pooling: the statistics over time. All are computed and kept of every layer, so another
            choice of layers or statistics costs nothing.
    """

    name: ClassVar[str] = "pretrained"
    _layers_key: ClassVar[str] = "layers"

    layers: Layers = "mean"
    pooling: Annotated[list[Literal["mean", "std"]], Values(once=True)] = field(
        default_factory=lambda: [*_POOLS]
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``pretrained_12_mean_0007``: layer, statistic, unit."""
        return tuple(
            f"pretrained_{layer}_{statistic}_{unit:04d}"
            for layer in self._named_layers()
            for statistic in self.pooling
            for unit in range(self.encoder.width)
        )

    @property
    def stored(self) -> int:
        """See ``Extractor``: every layer, both statistics."""
        return self.encoder.layers * len(_POOLS) * self.encoder.width

    def choose(self, rows: Float32) -> Float32:
        """See ``Extractor``."""
        whole = rows.reshape(len(rows), self.encoder.layers, len(_POOLS), self.encoder.width)
        kept = whole[:, self.chosen] if self.chosen else whole.mean(axis=1, keepdims=True)
        pools = [_POOLS.index(one) for one in self.pooling]
        return kept[:, :, pools].reshape(len(rows), -1)

    def _asked(self) -> Any:
        return self.layers

    def _deciding(self) -> dict[str, Any]:
        return {}

    def _reduce(self, layers: Any, own: Any) -> Any:
        from speechnet.features.pretrained.reductions import statistics

        return statistics(layers, own)

    def _join(self, windows: list[Float32]) -> Float32:
        from speechnet.features.pretrained.reductions import joined

        return joined(windows).ravel()


@EXTRACTORS.register("pretrained_frames")
@dataclass
class PretrainedFrames(_OfEncoder):
    """The frames of a pretrained speech encoder's layers, for networks over time.

    Attributes:
        layer: which layer: ``last``, ``mean`` for the mean of all, its number from 0, or a list of
            them side by side, of which networks learn the weights. Every frame of every layer
            listed is kept: of 768 units 276 MB an hour, and twice that in memory.
    """

    kind: ClassVar[Literal["vector", "sequence"]] = "sequence"
    name: ClassVar[str] = "pretrained_frames"
    _layers_key: ClassVar[str] = "layer"

    layer: OfFrames = "last"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, such as ``pretrained_frames_12_0007``: layer, unit."""
        return tuple(
            f"pretrained_frames_{layer}_{unit:04d}"
            for layer in self._named_layers()
            for unit in range(self.encoder.width)
        )

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        encoder = self.encoder
        if encoder.hop is not None:
            return encoder.rate / encoder.hop
        from speechnet.features.pretrained.network import network

        return network(encoder, self.dtype, "cpu").rate

    def _asked(self) -> Any:
        return self.layer

    def _deciding(self) -> dict[str, Any]:
        return {"layers": self.chosen}

    def _reduce(self, layers: Any, own: Any) -> Any:
        from speechnet.features.pretrained.reductions import stacked

        return stacked(layers, own, self.chosen)

    def _join(self, windows: list[Float32]) -> Float32:
        import numpy as np

        return np.concatenate(windows)


def _too_short(clip: Float32, encoder: Encoder) -> Excluded | None:
    if len(clip) >= encoder.shortest:
        return None
    return Excluded(
        "too_short",
        f"{len(clip):,} samples at {encoder.rate:,} Hz, expected {encoder.shortest:,} or more: "
        "the pretrained encoder makes no frame of less",
    )
