"""A batch of clips of unequal lengths, cut into frames and spectra a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.config import FunctionalsConfig
from speechnet.features.functionals.torch_backend import banks, kernels

# Samples of the frames of a block on a CPU. With fewer, calls cost more than what they compute (a
# block takes some 150); with more, its arrays don't fit into a cache of 2 MiB.
_BLOCK_CPU = 192 * 2_048
_BLOCK_GPU = 2**26  # over all clips: about 1 GiB with all that is made of them


@dataclass(frozen=True)
class Clips:
    """Clips on one device."""

    y: Tensor  # float32 [b, n], zero beyond each clip's end, n the longest clip's length
    lengths: Tensor  # int64 [b], samples of each clip
    sr: int
    config: FunctionalsConfig
    equal: bool  # all clips are n samples long
    precise: bool  # compute spectra in float64 and round them to float32, as librosa does
    floor: float = 0.0  # see rows.extract

    @cached_property
    def n_frames(self) -> int:
        """Frames of the longest clip."""
        return self.config.frame_count(self.y.shape[1])

    @cached_property
    def counts(self) -> Tensor:
        """Frames of each clip: int64 ``[b]``."""
        shorter = self.lengths - self.config.n_fft % 2
        return 1 + shorter.div(self.config.hop_length, rounding_mode="floor")

    @cached_property
    def lowest(self) -> Tensor:
        """The magnitude of a sine at each clip's floor: float32 ``[b, 1, 1]``."""
        peak = self.y.abs().amax(dim=1)[:, None, None]
        return peak.mul_(self.floor * self.config.n_fft / 4)

    @cached_property
    def mask(self) -> Tensor | None:
        """Which frames are a clip's own: bool ``[b, frames]``, None where all are."""
        if self.equal:
            return None
        return torch.arange(self.n_frames, device=self.y.device) < self.counts[:, None]

    @cached_property
    def last(self) -> Tensor:
        """The position of each clip's last frame, shaped for ``gather``: int64 ``[b, 1]``."""
        return self.counts[:, None] - 1

    def frames(self, start: int, stop: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Centred frames, zeros beyond both ends: a view ``[b, stop - start, n_fft]``."""
        n_fft, hop, n = self.config.n_fft, self.config.hop_length, self.y.shape[1]
        first = start * hop - n_fft // 2
        end = (stop - 1) * hop - n_fft // 2 + n_fft
        y = self.y[:, max(first, 0) : min(end, n)].to(dtype)
        if first < 0 or end > n:
            y = pad(y, (max(-first, 0), max(end - n, 0)))
        return y.unfold(1, n_fft, hop)


@dataclass(frozen=True)
class Chosen:
    """Some frames of each clip, such as the voiced ones, in the place of all its own."""

    mask: Tensor  # bool [b, frames]
    equal: ClassVar[bool] = False

    @cached_property
    def counts(self) -> Tensor:
        """Chosen frames of each clip: int64 ``[b]``."""
        return self.mask.sum(dim=1)

    @cached_property
    def last(self) -> Tensor:
        """See ``Clips``; 0 where no frame is chosen."""
        return (self.counts[:, None] - 1).clamp(min=0)


class Block:
    """Neighbouring frames of all clips; each representation is computed at most once.

    Shapes are ``[b, t, 1 + n_fft // 2]`` with ``t = stop - start``; the first ``bins`` bins lie up
    to ``data.features.functionals.fmax``.
    """

    def __init__(self, clips: Clips, start: int, stop: int) -> None:
        self.clips = clips
        self.sr = clips.sr
        self.config = clips.config
        self.device = clips.y.device
        self.start = start
        self.stop = stop
        self.bins = clips.config.bins(clips.sr)

    @cached_property
    def magnitude(self) -> Tensor:
        """``|STFT|``, periodic Hann, centred, zero-padded, as ``librosa.stft``."""
        dtype = torch.float64 if self.clips.precise else torch.float32
        return self._magnitude(self.clips.frames(self.start, self.stop, dtype))

    @property
    def band(self) -> Tensor:
        """The magnitude of the first ``bins`` bins."""
        return self.magnitude[..., : self.bins]

    def _magnitude(self, frames: Tensor) -> Tensor:
        window = banks.hann(self.config.n_fft, frames.dtype, self.device)
        return kernels.magnitude(torch.fft.rfft(frames * window).to(torch.complex64))

    def compute_precisely(self, rows: Tensor) -> None:
        """Compute the power of some frames again, in float64 rounded to float32, in place.

        ``rows`` counts frames through all clips of the block, int64 ``[k]``.
        """
        frames = self.clips.frames(self.start, self.stop)
        clip = rows.div(frames.shape[1], rounding_mode="floor")
        again = self._magnitude(frames[clip, rows - clip * frames.shape[1]].double())
        self.power.flatten(0, 1)[rows] = again.square_()

    @cached_property
    def power(self) -> Tensor:
        """The squared magnitude."""
        return self.magnitude.square()

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Each frame's sum of magnitudes, and of frequency times magnitude: ``[b, t, 1]`` both."""
        weights = banks.moment_weights(self.sr, self.config.n_fft, self.device)
        both: Tensor = self.band @ weights[: self.bins]
        return both[..., :1], both[..., 1:]


def blocks(clips: Clips) -> Iterator[Block]:
    """All frames of all clips, in order, as many at a time as the device works best with."""
    samples = (_BLOCK_CPU if clips.y.device.type == "cpu" else _BLOCK_GPU) // len(clips.y)
    size = max(samples // clips.config.n_fft, 1)
    # Blocks of one size: a last one of a few frames would cost as many calls as a whole one.
    n_blocks = -(-clips.n_frames // size)
    edges = [clips.n_frames * i // n_blocks for i in range(n_blocks + 1)]
    return (Block(clips, start, stop) for start, stop in pairwise(edges))
