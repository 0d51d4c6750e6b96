"""Spectral gating in torch, one implementation for CPU and GPU, that gives noisereduce's samples.

noisereduce 3.0.3 puts 30,000 zeros on each side of a clip, or takes a long one in chunks of 600,000
samples with 30,000 of their neighbours' on each side, and applies scipy's STFT to that.
Here only the frames that reach into the clip are computed; what the zero frames around it add to
the floor, to the smoothed mask and to the maxima follows from formulas.

Precision: the gate compares each bin with itself, even at 1e-8 of the loudest one's level, so the
spectrum, its magnitudes and the floor are float64; from the mask on float32 is enough.

References:
    Sainburg, Thielk and Gentner (2020), PLOS Computational Biology 16(10), e1008228.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import torch
from torch import Tensor
from torch.nn.functional import hardshrink, pad

from speechnet.core.clip_batches import keep_freed_memory
from speechnet.denoise.config import FLOOR, DenoiseConfig
from speechnet.denoise.recursion import BLOCK, Extent, decay, noise_floor
from speechnet.denoise.smoothing import half_widths, smooth

N_FFT = 1024
HOP = 256
BINS = N_FFT // 2 + 1
CHUNK = 600_000
PAD = 30_000
SKIPPED = (PAD - N_FFT // 2) // HOP + 1  # frames of the grid that lie in the zeros before a clip
EPS = float(np.finfo(np.float64).eps)  # noisereduce adds it to a magnitude before the logarithm
TOP = 10 ** (-80 / 20)  # levels are raised to 80 dB below the bin's highest


def denoise(y: Tensor, lengths: Tensor, sr: int, config: DenoiseConfig) -> Tensor:
    """Take stationary or slowly varying noise out of clips, each as if it were alone.

    Args:
        y: float32 mono ``[b, n]`` on any device, zero beyond each clip's length.
        lengths: samples of each clip, int64 ``[b]``, none of which ``config.too_short`` refuses; if
            they lie on the CPU, nothing waits for a GPU.
        sr: rate in Hz.
        config: parameters, and a method that isn't none.

    Returns:
        float32 ``[b, n]`` on the device of ``y``, zero beyond each length and where it is below
        ``FLOOR`` of a clip's largest. The non-stationary gate turns a clip (of a long one, a chunk)
        of nothing but zeros into NaN, as noisereduce does.

    Raises:
        ValueError: the mask is to be smoothed over less than one bin or one frame.
    """
    keep_freed_memory()
    widths = half_widths(sr, config, n_fft=N_FFT, hop=HOP)
    out = torch.empty_like(y)
    with torch.inference_mode():  # out is made before it: callers may go on writing to it
        level = None
        peak = y.abs().amax(dim=1, keepdim=True)
        if config.method == "stationary":
            level = _noise_level(y, lengths.to(y.device), config.n_std_thresh)
        ragged = int(lengths.min()) < y.shape[1]
        lengths = lengths.to(y.device)
        q = decay(config.time_constant_s, sr, HOP)
        for piece in _pieces(y.shape[1], 1 if level is not None else BLOCK):
            wave = _gate(_stft(y, piece), piece.extent(lengths), level, q, widths, config)
            stop = min(piece.start + CHUNK, y.shape[1])
            skip = piece.lead + piece.start - piece.read
            out[:, piece.start : stop] = wave[:, skip : skip + stop - piece.start]
        if ragged:
            beyond = torch.arange(y.shape[1], device=y.device) >= lengths[:, None]
            out.masked_fill_(beyond, 0)
        return silence_inaudible(out, peak)


def silence_inaudible(gated: Tensor, peak: Tensor) -> Tensor:
    """Set samples that a gate has left below the floor to zero, in place; NaN stays.

    ``gated``, float32 ``[b, n]``, is returned; ``peak`` is the largest absolute sample of what the
    gate was given, float32 ``[b, 1]``.
    """
    for clip, loudest in zip(gated, peak[:, 0].tolist(), strict=True):
        clip.copy_(hardshrink(clip, FLOOR * loudest))  # a masked fill takes 30 times as long
    return gated


def _gate(
    spectrum: Tensor,
    extent: Extent,
    level: Tensor | None,
    q: float,
    widths: tuple[int, int] | None,
    config: DenoiseConfig,
) -> Tensor:
    """The gated samples of a piece, from its spectrum: float32 ``[b, (frames + 3) * 256]``."""
    if level is None:
        mask, rest = _nonstationary_mask(spectrum, extent, q, config)
    else:
        mask, rest = _stationary_mask(spectrum, level, config.prop_decrease)
    if widths is not None:
        # Only smoothing over more frames than these reaches from a clip to the ends of its grid.
        far = widths[1] > (PAD - N_FFT) // HOP
        mask = smooth(mask, rest, widths, extent if far else None)
    if level is None and config.prop_decrease != 1:
        mask = mask.mul_(config.prop_decrease).add_(1 - config.prop_decrease)
    return _istft(spectrum, mask)


@dataclass(frozen=True)
class _Piece:
    """One of noisereduce's chunks, in all clips of a batch: the samples and frames it needs."""

    start: int  # the first sample of its output
    read: int  # the first sample that it reads
    stop: int  # the end of the samples that it reads
    lead: int  # zeros before these in the first computed frame
    frames: int  # how many are computed: all that reach into the samples, perhaps a few more
    skipped: int  # frames of the chunk's grid before the first computed one, all zero
    grid: int  # the end of the longest clip's grid, counted from the first computed frame

    def extent(self, lengths: Tensor) -> Extent:
        """Where clips of these lengths, int64 ``[b]``, end in the frames."""
        reach = lengths.clamp(max=self.stop) - self.read + self.lead
        last = ((reach - 1) // HOP).clamp(0, min(self.frames, self.grid) - 1)
        end = (lengths.clamp(max=CHUNK) + 2 * PAD) // HOP + 1 - self.skipped
        return Extent(last, -self.skipped, end)


def _pieces(n: int, multiple: int) -> Iterator[_Piece]:
    """The pieces of ``n`` samples; the number of frames of each is a multiple of ``multiple``."""
    grid = (min(n, CHUNK) + 2 * PAD) // HOP + 1
    for start in range(0, n, CHUNK):
        skipped = 0 if start else SKIPPED
        read = max(0, start - PAD)
        stop = min(n, start + CHUNK + PAD)
        lead = N_FFT // 2 if start else PAD + N_FFT // 2 - SKIPPED * HOP
        frames = math.ceil((lead + stop - read) / (HOP * multiple)) * multiple
        yield _Piece(start, read, stop, lead, frames, skipped, grid - skipped)


@lru_cache(maxsize=8)
def _windows(device: torch.device) -> tuple[Tensor, Tensor]:
    """Hann for analysis, scaled as in scipy, float64 ``[1024]``; for synthesis, ``[4, 256]``.

    The second undoes the scale and divides by the sum of the overlapping squared windows.
    """
    hann = torch.hann_window(N_FFT, dtype=torch.float64)
    total = hann.view(-1, HOP).square().sum(0)
    synthesis = hann.view(-1, HOP) * hann.sum() / total
    return (hann / hann.sum()).to(device), synthesis.float().to(device)


def _stft(y: Tensor, piece: _Piece) -> Tensor:
    """The spectrum of a piece as scipy scales it, complex128 ``[b, frames, 513]``."""
    n = (piece.frames - 1) * HOP + N_FFT
    padded = torch.zeros(y.shape[0], n, dtype=torch.float64, device=y.device)
    padded[:, piece.lead : piece.lead + piece.stop - piece.read] = y[:, piece.read : piece.stop]
    spectrum: Tensor = torch.fft.rfft(padded.unfold(1, N_FFT, HOP) * _windows(y.device)[0])
    spectrum[:, piece.grid :] = 0  # a long clip may go on where its chunk's grid ends
    return spectrum


def _istft(spectrum: Tensor, mask: Tensor) -> Tensor:
    """Masked spectrum ``[b, frames, 513]`` to samples, float32 ``[b, (frames + 3) * 256]``."""
    b, frames, _ = spectrum.shape
    waves: Tensor = torch.fft.irfft(spectrum.to(torch.complex64).mul_(mask))
    waves = waves.view(b, frames, -1, HOP)
    window = _windows(spectrum.device)[1]
    overlap = N_FFT // HOP
    out = waves.new_zeros(b, frames + overlap - 1, HOP)
    for i in range(overlap):
        out[:, i : i + frames].addcmul_(waves[:, :, i], window[i])
    return out.flatten(1)


def _magnitude(spectrum: Tensor, out: Tensor | None = None) -> Tensor:
    if out is None:
        out = torch.empty(spectrum.shape, dtype=torch.float64, device=spectrum.device)
    if spectrum.device.type != "cpu":
        return torch.abs(spectrum, out=out)
    np.abs(spectrum.numpy(), out=out.numpy())  # torch's is not vectorised: six times as long
    return out


def _nonstationary_mask(
    spectrum: Tensor, extent: Extent, q: float, config: DenoiseConfig
) -> tuple[Tensor, Tensor]:
    """The mask, float32 ``[b, frames, 513]``, and its value in a frame of zeros, ``[1, 1, 1]``."""
    b, frames, _ = spectrum.shape
    blocks = torch.empty(
        b, frames // BLOCK, BLOCK + 2, BINS, dtype=torch.float64, device=spectrum.device
    )
    magnitude = blocks[:, :, :BLOCK]
    _magnitude(spectrum.view(magnitude.shape), magnitude)
    floor = noise_floor(blocks, extent, q)
    slope = config.sigmoid_slope
    shift = floor.new_tensor(-slope * (1 + config.thresh_n_mult))
    gate = torch.addcdiv(shift, magnitude, floor, value=slope).float().sigmoid_()
    return gate.view(b, frames, BINS), shift.sigmoid().float().view(1, 1, 1)


def _noise_level(y: Tensor, lengths: Tensor, n_std: float) -> Tensor:
    """Mean plus ``n_std`` deviations of the level in dB, as a magnitude: float64 ``[b, 1, 513]``.

    noisereduce takes it over the first chunk, in frames that begin half a window before the clip.
    """
    magnitude = _float32_magnitude(pad(y[:, :CHUNK], (N_FFT // 2, N_FFT // 2)))
    counts = (lengths.clamp(max=CHUNK) + HOP) // HOP
    valid = torch.arange(magnitude.shape[1], device=y.device) < counts[:, None]
    magnitude = magnitude.mul_(valid[:, :, None]).double().add_(EPS)
    floor = magnitude.amax(1, keepdim=True).mul_(TOP)
    bels = torch.maximum(magnitude, floor, out=magnitude).log10_()  # of magnitude: 20 dB each
    weights = (valid / counts[:, None].double())[:, None]  # [b, 1, frames]
    mean = weights @ bels
    deviation = (weights @ bels.sub_(mean).square_()).sqrt_()
    return torch.pow(10, mean + n_std * deviation)


def _float32_magnitude(y: Tensor) -> Tensor:
    """Magnitudes of all frames of ``[b, n]``: float32 ``[b, frames, 513]``."""
    frames = y.unfold(1, N_FFT, HOP) * _windows(y.device)[0].float()
    if y.device.type != "cpu":
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum.abs()
    # noisereduce takes these from scipy in float32: the threshold is a hard one, and only the same
    # transform, rounding included, never puts a bin on its other side.
    return torch.from_numpy(np.abs(scipy.fft.rfft(frames.numpy())))


def _stationary_mask(spectrum: Tensor, level: Tensor, keep: float) -> tuple[Tensor, Tensor]:
    """The mask ``[b, frames, 513]`` and its value in a frame of zeros, ``[b, 1, 513]``.

    Both are int16 if they are 0 and 1, which makes smoothing cheaper, else float32. Levels are
    compared as magnitudes: raising levels to 80 dB below the highest lets either every frame of a
    bin pass or no more frames than without it.
    """
    magnitude = _magnitude(spectrum)
    all_pass = (magnitude.amax(1, keepdim=True) + EPS) * TOP > level
    limit = torch.where(all_pass, -1, level - EPS)
    mask = torch.empty(spectrum.shape, dtype=torch.int16, device=spectrum.device)
    torch.gt(magnitude, limit, out=mask)
    rest = (limit < 0).short()
    if keep != 1:
        mask, rest = mask * keep + (1 - keep), rest * keep + (1 - keep)
    return mask, rest
