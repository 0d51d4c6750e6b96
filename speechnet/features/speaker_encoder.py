"""A pretrained speaker encoder: statistics over time of its three LSTM layers.

The network is the GE2E speaker encoder that ships inside the package ``resemblyzer`` 0.1.4 (Apache
License 2.0, https://github.com/resemble-ai/Resemblyzer): three LSTM layers of 256 units on 40 mels
at 16 kHz, 25 ms every 10 ms, trained to tell speakers apart on LibriSpeech, VoxCeleb 1 and VoxCeleb
2. Only its weights are read; the package is never imported, so its own dependencies aren't needed.

The level and the mels are those of the package's ``audio.py``. Its voice activity detection is left
out: ``data.audio.trim_db`` decides which silence is cut.

References:
    L. Wan, Q. Wang, A. Papir, I. Lopez Moreno, "Generalized End-to-End Loss for Speaker
    Verification", ICASSP 2018.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.reading import read_regular
from speechnet.features.extractor import EXTRACTORS, Extractor, Provenance, Sound

if TYPE_CHECKING:
    from torch import Tensor, nn

    from speechnet.core.types import Float32

_RATE: Final = 16_000
_LAYERS: Final = 3
_STATISTICS: Final = ("mean", "std", "last")
_UNITS: Final = 256
_MELS: Final = 40
_WINDOW, _HOP = 400, 160  # samples: 25 ms every 10 ms

# RMS of full scale. Quieter clips are raised to it, louder ones are left alone.
_LOWEST_RMS: Final = 10 ** (-30 / 20)
_SILENT: Final = 1e-10  # an RMS below which there is nothing to raise
# Frames of each clip that pass through the network at once: memory is bounded, and a block's
# outputs stay in a CPU's cache.
_BLOCK: Final = 1_024

WEIGHTS_SHA256: Final = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""The hash of the package's ``pretrained.pt``."""

_INSTALL: Final = (
    "install it with pip install --no-deps resemblyzer==0.1.4, or leave out "
    "data.features.speaker_encoder"
)


@EXTRACTORS.register("speaker_encoder")
@dataclass
class SpeakerEncoder(Extractor):
    """Mean, standard deviation and last value of each unit of a pretrained speaker encoder.

    It has no settings; its weights come with ``pip install --no-deps resemblyzer==0.1.4``.
    """

    sample_rate: ClassVar[int | None] = _RATE
    packages: ClassVar[tuple[str, ...]] = ("torch", "torchaudio")
    uses_gpu = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The 2,304 columns, such as ``speaker_encoder_1_mean_000``: layer, statistic, unit."""
        return tuple(
            f"speaker_encoder_{layer}_{statistic}_{unit:03d}"
            for layer in range(1, _LAYERS + 1)
            for statistic in _STATISTICS
            for unit in range(_UNITS)
        )

    @property
    def provenance(self) -> Provenance:
        """See ``Extractor``."""
        return Provenance(
            what="the GE2E speaker encoder in resemblyzer 0.1.4",
            licence="Apache-2.0",
            source="https://github.com/resemble-ai/Resemblyzer",
            seen=("LibriSpeech", "VoxCeleb1", "VoxCeleb2"),
        )

    def group(self, column: str) -> str:
        """See ``Extractor``: a layer is a group, such as ``speaker_encoder_1``."""
        return column.rsplit("_", 2)[0]

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - its own is fixed
        """See ``Extractor``: the weights must be installed."""
        weights_file()

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:
        """See ``Extractor``: the weights count too."""
        return super().fingerprint(sample_rate) | {"weights": WEIGHTS_SHA256}

    def extract(self, clips: Sequence[Float32], sound: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        from speechnet.core.clip_batches import clip_batches

        return [*clip_batches(sound.device).map(clips, describe)]


def weights_file() -> Path:
    """Where the package's weights lie; the package itself is not imported.

    Raises:
        ConfigError: the package is not installed, or has no weights.
    """
    package = find_spec("resemblyzer")
    if package is None or not package.submodule_search_locations:
        raise ConfigError(
            f"the speaker encoder's weights come with the package resemblyzer, which is not "
            f"installed: {_INSTALL}"
        )
    path = Path(package.submodule_search_locations[0]) / "pretrained.pt"
    if not path.is_file():
        raise ConfigError(f"the package resemblyzer is installed, but lacks {path}: {_INSTALL}")
    return path


def describe(y: Tensor, lengths: Tensor) -> list[Float32]:
    """Pass a batch of clips through the network.

    Args:
        y: float32 mono ``[b, n]`` at 16 kHz, zero after each clip's end.
        lengths: int64 ``[b]``, samples of each clip, 1 or more.

    Returns:
        For each clip float32 ``[2304]``, in the order of ``SpeakerEncoder.columns``: over its
        frames the mean, the population's standard deviation and the last value of each unit's
        output, between -1 and 1.

    Raises:
        ConfigError: the weights are missing, damaged, or another network's.
    """
    import torch

    layers = _layers(str(y.device))
    counts = 1 + lengths // _HOP
    sums = torch.zeros(2, _LAYERS, len(y), _UNITS, dtype=torch.float64, device=y.device)
    last = torch.zeros(_LAYERS, len(y), _UNITS, device=y.device)
    states: list[tuple[Tensor, Tensor] | None] = [None] * _LAYERS
    for start, mels in _mels(_raised(y, lengths), int(counts.max())):
        # The layers look back only: frames after a clip's end don't change those before it.
        left, n = counts - start, mels.shape[1]
        own = torch.arange(n, device=y.device) < left[:, None]
        ends_here = ((left > 0) & (left <= n))[:, None]
        at = (left - 1).clamp(0, n - 1)[:, None, None].expand(-1, 1, _UNITS)
        outputs = mels
        for i, layer in enumerate(layers):
            outputs, states[i] = layer(outputs, states[i])
            kept = outputs.double() * own[..., None]
            sums[0, i] += kept.sum(dim=1)
            sums[1, i] += kept.square().sum(dim=1)
            last[i] = torch.where(ends_here, outputs.gather(1, at)[:, 0], last[i])
    mean, square = sums / counts[:, None]
    std = (square - mean.square()).clamp_(min=0).sqrt()
    rows = torch.stack((mean.float(), std.float(), last), dim=1)  # [layers, statistics, b, units]
    return [row.copy() for row in rows.permute(2, 0, 1, 3).flatten(1).cpu().numpy()]


def _raised(y: Tensor, lengths: Tensor) -> Tensor:
    """Clips at -30 dB of full scale, where they are quieter: ``[b, n] -> [b, n]``."""
    import torch

    rms = torch.linalg.vector_norm(y, dim=1, dtype=torch.float64) / lengths.sqrt()
    gain: Tensor = (_LOWEST_RMS / rms.clamp(min=_SILENT)).clamp(min=1).float()
    return y * gain[:, None]


def _mels(y: Tensor, n_frames: int) -> Iterator[tuple[int, Tensor]]:
    """The first frame of each block, and its power in mels: ``[b, t, mels]``.

    Frames are centred, with zeros beyond both ends, as librosa's are.
    """
    import torch
    from torch.nn.functional import pad
    from torchaudio.functional import melscale_fbanks

    window = torch.hann_window(_WINDOW, device=y.device)
    bank = melscale_fbanks(
        _WINDOW // 2 + 1, 0.0, _RATE / 2, _MELS, _RATE, norm="slaney", mel_scale="slaney"
    ).to(y.device)  # [bins, mels]
    frames = pad(y, (_WINDOW // 2, _WINDOW // 2)).unfold(1, _WINDOW, _HOP)
    for start in range(0, n_frames, _BLOCK):
        block = frames[:, start : min(start + _BLOCK, n_frames)]
        yield start, torch.fft.rfft(block * window).abs().square() @ bank


@lru_cache(maxsize=2)
def _layers(device: str) -> list[nn.LSTM]:
    """The three layers apart, for the statistics need the output of each."""
    import torch
    from torch import nn

    path = weights_file()
    content = read_regular(path)
    found = hashlib.sha256(content).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ConfigError(
            f"{path} is damaged or of another version (SHA-256 {found[:8]}, expected "
            f"{WEIGHTS_SHA256[:8]}): {_INSTALL}"
        )
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["model_state"]
    layers = []
    for i in range(_LAYERS):
        layer = nn.LSTM(_UNITS if i else _MELS, _UNITS, batch_first=True)
        names = {name: f"lstm.{name.removesuffix('0')}{i}" for name in layer.state_dict()}
        layer.load_state_dict({name: state[theirs] for name, theirs in names.items()})
        layers.append(layer.to(device))
    return layers
