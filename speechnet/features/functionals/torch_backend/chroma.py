"""Chroma, over filters tuned to each clip (``librosa.estimate_tuning`` and ``piptrack``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from speechnet.features.functionals.torch_backend import banks, kernels
from speechnet.features.functionals.torch_backend.frames import Block, Clips

_THRESHOLD = 0.1
_A440_OCTAVE_0 = 440.0 / 16
_FLAT = 1e-4  # a flatter peak lies where float32's rounding of the spectrum puts it
_N_TUNINGS = len(banks.TUNINGS) - 1
_UNTUNED = _N_TUNINGS // 2


class Peaks(NamedTuple):
    """Spectral peaks."""

    clip: Tensor  # which clip of the batch, int64 [peaks]
    tuning: Tensor  # the bin of the tuning histogram its pitch falls into, int64 [peaks]
    height: Tensor  # interpolated power, float32 [peaks]


class _Maxima(NamedTuple):
    """Local maxima: the row of the block's spectra, the bin, the power there and at either side."""

    row: Tensor
    column: Tensor
    before: Tensor
    middle: Tensor
    after: Tensor

    @property
    def curvature(self) -> Tensor:  # float64
        return 2 * self.middle.double() - (self.before + self.after)


def peaks(block: Block) -> Peaks:
    """Local maxima of the power between 150 and 4,000 Hz, above a tenth of the frame's maximum.

    Position and height are those of a parabola through the peak and its neighbours.
    """
    found = _maxima(block)
    curvature = found.curvature
    if not block.clips.precise:
        flat = kernels.positions(curvature < _FLAT * found.middle)
        if len(flat):
            block.compute_precisely(torch.unique(found.row.index_select(0, flat)))
            found = _maxima(block)
            curvature = found.curvature
    # float32 and float64 as in librosa, so that a pitch falls into the same bin of the histogram.
    slope = (found.after - found.before) / 2
    shift = (slope.double() / curvature).float()
    # Not among three numbers that differ by their last digits.
    shift.masked_fill_(slope.abs() >= curvature.abs(), 0)
    n_bins = block.power.shape[-1]
    pitch = (found.column + shift.double()) * (block.sr / (2 * n_bins - 2))
    # How far each lies from the nearest semitone, as a bin of the histogram.
    semitones = (pitch.float() / _A440_OCTAVE_0).log2_().mul_(12)
    tuning = semitones.double().add_(0.5).frac_().mul_(_N_TUNINGS).long()
    clip = found.row.div(block.stop - block.start, rounding_mode="floor")
    return Peaks(clip, tuning, found.middle + 0.5 * slope * shift)


def _maxima(block: Block) -> _Maxima:
    n_bins = block.power.shape[-1]
    low, high = banks.pitch_bins(block.sr, n_bins)
    threshold = block.power.amax(dim=-1, keepdim=True) * _THRESHOLD
    above = kernels.less(threshold, block.power[..., low:high])
    if block.clips.mask is not None:
        above &= block.clips.mask[:, block.start : block.stop, None]
    # Few cells pass; only these are compared with their neighbours.
    found = kernels.positions(above)
    row = found.div(high - low, rounding_mode="floor")
    cell = found + (row * (n_bins - high + low) + low)
    flat = block.power.flatten()
    before, middle, after = (flat.index_select(0, cell + k) for k in (-1, 0, 1))
    peak = kernels.positions((middle > before) & (middle >= after))
    every = (row, cell - row * n_bins, before, middle, after)
    return _Maxima(*(of.index_select(0, peak) for of in every))


def tunings(found: Sequence[Peaks], n_clips: int) -> Tensor:
    """Each clip's tuning, from the higher half of its peaks: positions in ``banks.TUNINGS``.

    int64 ``[n_clips]``; a clip without peaks has no deviation.
    """
    clip, tuning, height = found[0] if len(found) == 1 else map(torch.cat, zip(*found, strict=True))
    counts = torch.bincount(clip, minlength=n_clips)
    kept = height >= _medians(clip, height, counts).index_select(0, clip)
    votes = torch.bincount(clip * _N_TUNINGS + tuning, weights=kept, minlength=n_clips * _N_TUNINGS)
    highest = votes.view(n_clips, _N_TUNINGS).argmax(dim=1)
    return torch.where(counts > 0, highest, _UNTUNED)


def _medians(clip: Tensor, height: Tensor, counts: Tensor) -> Tensor:
    """The median of each clip's heights, all positive: float32 ``[b]``; any value without peaks."""
    if len(counts) == 1 and len(height):
        ordered = kernels.sort_last(height)
        return (ordered[(len(height) - 1) // 2] + ordered[len(height) // 2])[None] / 2
    # One sort for all clips: positive floats are ordered as their bits are.
    ordered = kernels.sort_last((clip << 32) | height.view(torch.int32)).int().view(torch.float32)
    if not len(ordered):
        return torch.zeros(len(counts), device=height.device)
    first = counts.cumsum(0) - counts
    middle = first + torch.stack([(counts - 1).clamp_(min=0) // 2, counts // 2])
    return ordered[middle.clamp_(max=len(ordered) - 1)].mean(dim=0)


def chroma(powers: Iterable[Tensor], tuning: Tensor, clips: Clips) -> Tensor:
    """Energy of the twelve pitch classes, each frame's largest 1 (``librosa.feature.chroma_stft``).

    ``powers`` are ``[b, t, bins]`` of each block, ``tuning`` comes from ``tunings``; float32
    ``[b, frames, 12]``.
    """
    filters = torch.stack(
        [banks.chroma(clips.sr, clips.config.n_fft, i, clips.y.device) for i in tuning.tolist()]
    )
    raw = torch.cat([power @ filters for power in powers], dim=1)
    return raw / kernels.or_one(raw.amax(dim=-1, keepdim=True))
