"""The pretrained speaker encoder: three LSTM layers on a recording's mels.

The network is the GE2E speaker encoder that ships inside the package ``resemblyzer`` 0.1.4 (Apache
License 2.0, https://github.com/resemble-ai/Resemblyzer): three LSTM layers of 256 units on 40 mels
at 16 kHz, 25 ms every 10 ms, trained to tell speakers apart on LibriSpeech, VoxCeleb 1 and VoxCeleb
2. Only its weights are read.

The level and the mels are those of the package's ``audio.py``. Its voice activity detection is left
out: ``data.audio.trim_db`` decides which silence is cut.

References:
    L. Wan, Q. Wang, A. Papir, I. Lopez Moreno, "Generalized End-to-End Loss for Speaker
    Verification", ICASSP 2018.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torchaudio.functional import melscale_fbanks

from speechnet.core.types import Float32
from speechnet.features.speaker_encoder.weights import read_weights

_RATE: Final = 16_000
_LAYERS: Final = 3
_UNITS: Final = 256
_MELS: Final = 40
_WINDOW, _HOP = 400, 160  # samples: 25 ms every 10 ms

# RMS of full scale. Quieter clips are raised to it, louder ones are left alone.
_LOWEST_RMS: Final = 10 ** (-30 / 20)
_SILENT: Final = 1e-10  # an RMS below which there is nothing to raise
# Frames of each clip that pass through the network at once: memory is bounded, and a block's
# outputs stay in a CPU's cache.
_BLOCK: Final = 1_024


def statistics(y: Tensor, lengths: Tensor) -> list[Float32]:
    """Describe each clip of a batch as a whole.

    Args:
        y: float32 mono ``[b, n]`` at 16 kHz, zero after each clip's end.
        lengths: int64 ``[b]``, samples of each clip, 1 or more.

    Returns:
        For each clip float32 ``[2304]``, layer by layer: over its frames the mean, the population's
        standard deviation and the last value of each unit's output, between -1 and 1.

    Raises:
        ConfigError: the weights are missing, damaged, or another network's.
    """
    counts = _frames(lengths)
    sums = torch.zeros(2, _LAYERS, len(y), _UNITS, dtype=torch.float64, device=y.device)
    last = torch.zeros(_LAYERS, len(y), _UNITS, device=y.device)
    for start, outputs in _outputs(y, lengths, _BLOCK):
        left, n = counts - start, outputs[0].shape[1]
        own = torch.arange(n, device=y.device) < left[:, None]
        ends_here = ((left > 0) & (left <= n))[:, None]
        at = (left - 1).clamp(0, n - 1)[:, None, None].expand(-1, 1, _UNITS)
        for i, output in enumerate(outputs):
            kept = output.double() * own[..., None]
            sums[0, i] += kept.sum(dim=1)
            sums[1, i] += kept.square().sum(dim=1)
            last[i] = torch.where(ends_here, output.gather(1, at)[:, 0], last[i])
    mean, square = sums / counts[:, None]
    std = (square - mean.square()).clamp_(min=0).sqrt()
    rows = torch.stack((mean.float(), std.float(), last), dim=1)  # [layers, statistics, b, units]
    return [row.copy() for row in rows.permute(2, 0, 1, 3).flatten(1).cpu().numpy()]


def frames(y: Tensor, lengths: Tensor, *, pool: int) -> list[Float32]:
    """Describe each clip of a batch over time.

    Args:
        y: see ``statistics``.
        lengths: see ``statistics``.
        pool: frames of the network that are averaged; fewer at a clip's end.

    Returns:
        For each clip float32 ``[frames, 768]``, the units of one layer after those of another.

    Raises:
        ConfigError: the weights are missing, damaged, or another network's.
    """
    counts = _frames(lengths)
    blocks = []
    for start, outputs in _outputs(y, lengths, max(_BLOCK // pool, 1) * pool):
        joined = torch.cat(outputs, dim=-1)
        own = torch.arange(start, start + joined.shape[1], device=y.device) < counts[:, None]
        missing = -joined.shape[1] % pool
        kept = pad(joined * own[..., None], (0, 0, 0, missing))
        sums = kept.reshape(len(y), -1, pool, kept.shape[-1]).sum(dim=2)
        n = pad(own, (0, missing)).reshape(len(y), -1, pool).sum(dim=2)
        blocks.append((sums / n.clamp(min=1)[..., None]).cpu())
    found = torch.cat(blocks, dim=1).numpy()
    ends = (-(-counts // pool)).tolist()
    return [one[:end].copy() for one, end in zip(found, ends, strict=True)]


def _frames(lengths: Tensor) -> Tensor:
    """Frames of clips of so many samples, int64 ``[b]``."""
    return 1 + lengths // _HOP


def _outputs(y: Tensor, lengths: Tensor, block: int) -> Iterator[tuple[int, list[Tensor]]]:
    """The first frame of each block of frames, and each layer's output: ``[b, t, units]``.

    The layers look back only: frames after a clip's end don't change those before it.
    """
    layers = _layers(str(y.device))
    states: list[tuple[Tensor, Tensor] | None] = [None] * _LAYERS
    for start, mels in _mels(_raised(y, lengths), int(_frames(lengths).max()), block):
        outputs = [mels]
        for i, layer in enumerate(layers):
            output, states[i] = layer(outputs[-1], states[i])
            outputs.append(output)
        yield start, outputs[1:]


def _raised(y: Tensor, lengths: Tensor) -> Tensor:
    """Clips at -30 dB of full scale, where they are quieter: ``[b, n] -> [b, n]``."""
    rms = torch.linalg.vector_norm(y, dim=1, dtype=torch.float64) / lengths.sqrt()
    gain: Tensor = (_LOWEST_RMS / rms.clamp(min=_SILENT)).clamp(min=1).float()
    return y * gain[:, None]


def _mels(y: Tensor, n_frames: int, block: int) -> Iterator[tuple[int, Tensor]]:
    """The first frame of each block, and its power in mels: ``[b, t, mels]``.

    Frames are centred, with zeros beyond both ends, as librosa's are.
    """
    window = torch.hann_window(_WINDOW, device=y.device)
    bank = melscale_fbanks(
        _WINDOW // 2 + 1, 0.0, _RATE / 2, _MELS, _RATE, norm="slaney", mel_scale="slaney"
    ).to(y.device)  # [bins, mels]
    cut = pad(y, (_WINDOW // 2, _WINDOW // 2)).unfold(1, _WINDOW, _HOP)
    for start in range(0, n_frames, block):
        some = cut[:, start : min(start + block, n_frames)]
        yield start, torch.fft.rfft(some * window).abs().square() @ bank


@lru_cache(maxsize=2)
def _layers(device: str) -> list[nn.LSTM]:
    """The three layers apart, for the statistics need the output of each."""
    content = io.BytesIO(read_weights())
    state = torch.load(content, map_location="cpu", weights_only=True)["model_state"]
    layers = []
    for i in range(_LAYERS):
        layer = nn.LSTM(_UNITS if i else _MELS, _UNITS, batch_first=True)
        names = {name: f"lstm.{name.removesuffix('0')}{i}" for name in layer.state_dict()}
        layer.load_state_dict({name: state[theirs] for name, theirs in names.items()})
        layers.append(layer.to(device))
    return layers
