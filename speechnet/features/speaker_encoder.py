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
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speechnet.core.errors import ConfigError
from speechnet.core.reading import read_regular

if TYPE_CHECKING:
    from torch import Tensor, nn

    from speechnet.core.types import Float32

SAMPLE_RATE: Final = 16_000
LAYERS: Final = 3
STATISTICS: Final = ("mean", "std", "last")
UNITS: Final = 256

WEIGHTS_SHA256: Final = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of the package's ``pretrained.pt``: only this network's numbers are known to mean something."""

_MELS: Final = 40
_WINDOW, _HOP = 400, 160
"""Samples: 25 ms every 10 ms."""

_LOWEST_RMS: Final = 10 ** (-30 / 20)
"""Of full scale. Clips below are raised to it, louder ones are left alone."""

_BLOCK: Final = 1_024
"""Frames of each clip that pass through the network at once: memory is bounded, and what a block
gives stays in a CPU's cache."""

_INSTALL: Final = (
    "install it with pip install --no-deps resemblyzer==0.1.4, or leave out "
    "data.features.speaker_encoder"
)


def column_names() -> list[str]:
    """The names of the columns, such as ``speaker_encoder_1_mean_000``: 2,304.

    A layer's columns begin with ``speaker_encoder_<layer>``, which is their group.
    """
    return [
        f"speaker_encoder_{layer}_{statistic}_{unit:03d}"
        for layer in range(1, LAYERS + 1)
        for statistic in STATISTICS
        for unit in range(UNITS)
    ]


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


class SpeakerEncoder:
    """The network on one device.

    Args:
        weights: the package's ``pretrained.pt``.
        device: cpu or cuda.

    Raises:
        ConfigError: the file is damaged, or holds another network.
    """

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        import torch

        from speechnet.features.functionals.torch_backend.filters import hann_window, mel_bank

        self._device = device
        self._layers = [layer.to(device) for layer in _layers(weights)]
        self._window = torch.from_numpy(hann_window(_WINDOW)).float().to(device)
        bank = mel_bank(SAMPLE_RATE, _WINDOW, _MELS, fmax=SAMPLE_RATE / 2)
        self._bank = torch.from_numpy(bank.T.copy()).to(device)  # [bins, mels]

    def rows(self, clips: Sequence[Float32]) -> Float32:
        """Describe some clips; none changes another's row by more than rounding.

        Args:
            clips: float32 mono ``[n_samples]`` each, not empty, at ``SAMPLE_RATE``.

        Returns:
            float32 ``[clips, 2304]``, in the order of ``column_names``: over the frames of each
            clip the mean, the population's standard deviation and the last value of each unit's
            output, between -1 and 1.
        """
        import torch

        lengths = [len(clip) for clip in clips]
        half = _WINDOW // 2
        y = torch.zeros(len(clips), max(lengths) + _WINDOW)
        for row, clip in zip(y.numpy(), clips, strict=True):
            row[half : half + len(clip)] = _raised(clip)
        counts = 1 + torch.tensor(lengths) // _HOP
        with torch.inference_mode():
            return self._statistics(y.to(self._device), counts.to(self._device)).cpu().numpy()

    def _statistics(self, y: Tensor, counts: Tensor) -> Tensor:
        """``[b, n]`` padded by half a window on either side, frames ``[b]`` -> ``[b, 2304]``."""
        import torch

        sums = torch.zeros(2, LAYERS, len(y), UNITS, dtype=torch.float64, device=y.device)
        last = torch.zeros(LAYERS, len(y), UNITS, device=y.device)
        states: list[tuple[Tensor, Tensor] | None] = [None] * LAYERS
        for start, mels in self._mels(y, int(counts.max())):
            # The layers look back only: frames behind a clip's end don't change those before it.
            left, n = counts - start, mels.shape[1]
            own = torch.arange(n, device=y.device) < left[:, None]
            ends_here = ((left > 0) & (left <= n))[:, None]
            at = (left - 1).clamp(0, n - 1)[:, None, None].expand(-1, 1, UNITS)
            outputs = mels
            for i, layer in enumerate(self._layers):
                outputs, states[i] = layer(outputs, states[i])
                kept = outputs.double() * own[..., None]
                sums[0, i] += kept.sum(dim=1)
                sums[1, i] += kept.square().sum(dim=1)
                last[i] = torch.where(ends_here, outputs.gather(1, at)[:, 0], last[i])
        mean, square = sums / counts[:, None]
        std = (square - mean.square()).clamp_(min=0).sqrt()
        rows = torch.stack((mean.float(), std.float(), last), dim=1)  # [layers, 3, b, units]
        return rows.permute(2, 0, 1, 3).flatten(1)

    def _mels(self, y: Tensor, n_frames: int) -> Iterator[tuple[int, Tensor]]:
        """The first frame of each block, and its power in mels: ``[b, t, mels]``."""
        import torch

        frames = y.unfold(1, _WINDOW, _HOP)
        for start in range(0, n_frames, _BLOCK):
            block = frames[:, start : min(start + _BLOCK, n_frames)]
            power = torch.fft.rfft(block * self._window).abs().square()
            yield start, power @ self._bank


def _raised(y: Float32) -> Float32:
    """The clip at -30 dB of full scale, if it is quieter: ``[n] -> [n]``."""
    import numpy as np

    rms = float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))
    return y * np.float32(_LOWEST_RMS / rms) if 0 < rms < _LOWEST_RMS else y


def _layers(path: Path) -> list[nn.LSTM]:
    """The three layers apart, for the statistics need the output of each."""
    import torch
    from torch import nn

    content = read_regular(path)
    found = hashlib.sha256(content).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ConfigError(
            f"{path} is damaged or of another version (SHA-256 {found[:8]}, expected "
            f"{WEIGHTS_SHA256[:8]}): {_INSTALL}"
        )
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["model_state"]
    layers = []
    for i in range(LAYERS):
        layer = nn.LSTM(UNITS if i else _MELS, UNITS, batch_first=True)
        names = {name: f"lstm.{name.removesuffix('0')}{i}" for name in layer.state_dict()}
        layer.load_state_dict({name: state[theirs] for name, theirs in names.items()})
        layers.append(layer)
    return layers
