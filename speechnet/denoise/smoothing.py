"""The smoothing of a gate's mask over frequency and time."""

from __future__ import annotations

import torch
from torch import Tensor

from speechnet.denoise.config import DenoiseConfig
from speechnet.denoise.recursion import Extent


def half_widths(sr: int, config: DenoiseConfig, *, n_fft: int, hop: int) -> tuple[int, int] | None:
    """Half-widths of the two triangles, in bins and in frames, by noisereduce's rounding.

    None where noisereduce leaves the mask as it is.

    Raises:
        ValueError: a width is less than one bin or one frame.
    """
    bins = int(config.freq_mask_smooth_hz / (sr / (n_fft / 2)))
    frames = int(config.time_mask_smooth_ms / ((hop / sr) * 1000))
    if bins < 1 or frames < 1:
        raise ValueError(
            f"at {sr} Hz the mask is smoothed over {config.freq_mask_smooth_hz:g} Hz and "
            f"{config.time_mask_smooth_ms:g} ms, expected at least {sr / (n_fft / 2):.4g} Hz and "
            f"{hop / sr * 1000:.4g} ms: raise freq_mask_smooth_hz or time_mask_smooth_ms"
        )
    return None if bins == frames == 1 else (bins + 1, frames + 1)


def smooth(mask: Tensor, rest: Tensor, widths: tuple[int, int], extent: Extent | None) -> Tensor:
    """Convolve with the outer product of two triangles; beyond the grid and its bins lie zeros.

    A triangle is a box convolved with itself, and a box a few sums of shifted copies. The result is
    float32 ``[b, frames, 513]``, with strides.

    Args:
        mask: float32, or int16 if it is 0 and 1, ``[b, frames, 513]``.
        rest: its value in the frames of zeros around, broadcasting with ``mask``.
        widths: half-widths of the triangles in bins and in frames.
        extent: where the grid ends; None if that is too far off to matter.
    """
    b, frames, bins = mask.shape
    f, t = widths[0] - 1, widths[1] - 1
    total = (widths[0] * widths[1]) ** 2
    if mask.dtype == torch.int16 and total > torch.iinfo(torch.int16).max:
        mask, rest = mask.float(), rest.float()
    padded = mask.new_zeros(b, frames + 2 * t, bins + 2 * f)
    inner = padded[:, :, f : f + bins]
    inner[:, :t], inner[:, t : t + frames], inner[:, t + frames :] = rest, mask, rest
    if extent is not None:
        frame = torch.arange(inner.shape[1], device=inner.device) - t
        outside = (frame < extent.begin) | (frame >= extent.end[:, None])
        inner.masked_fill_(outside[:, :, None], 0)
    row, flat = padded.shape[2], padded.view(-1)
    # On the flattened array a shift is one stride; what wraps round lands in the padding.
    for width, stride in ((widths[0], 1), (widths[1], row)):
        flat = _box(_box(flat, width, stride), width, stride)
    flat = flat * (1 / total)
    return flat.as_strided((b, frames, bins), (padded.stride(0), row, 1))


def _box(x: Tensor, width: int, stride: int) -> Tensor:
    """Sums of ``width`` values, ``stride`` apart, from each on: ``[n - (width - 1) * stride]``."""
    if width % 2:
        return x if width == 1 else x[: -(width - 1) * stride] + _box(x[stride:], width - 1, stride)
    return _box(x[:-stride] + x[stride:], width // 2, 2 * stride)
