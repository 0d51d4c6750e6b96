"""From contours to rows of the feature matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from speechnet.core.clip_batches import keep_freed_memory
from speechnet.features.functionals.config import FunctionalsConfig
from speechnet.features.functionals.torch_backend import kernels, levels
from speechnet.features.functionals.torch_backend.frames import Chosen, Clips
from speechnet.features.functionals.torch_backend.statistics import centred, summarise
from speechnet.features.functionals_large import dynamics
from speechnet.features.functionals_large.contours import Contours, contours
from speechnet.features.functionals_large.layout import (
    FRAME_RATE,
    GROUPS,
    MEL_BANDS,
    MFCC,
    RATE,
    SLOPE_FRAMES,
    STATISTICS,
    STEP_STATISTICS,
)


def extract(
    y: Tensor, lengths: Tensor, f0_range: tuple[float, float], fmax: float, *, floor: float = 0.0
) -> Tensor:
    """Compute a row of the feature matrix for each clip of a batch, as each would have it alone.

    Args:
        y: float32 mono ``[b, n]`` at 16 kHz, on any device, zero beyond each clip's length.
        lengths: int64 ``[b]``, samples of each clip.
        f0_range: the lowest and the highest fundamental frequency in Hz.
        fmax: the highest frequency in Hz that the spectra look at.
        floor: see ``functionals.torch_backend.rows.extract``.

    Returns:
        float32 ``[b, d]`` on the same device, in the order of ``layout.GROUPS``.
    """
    config = FunctionalsConfig(
        preset=None,
        n_mfcc=len(MFCC),
        n_mels=MEL_BANDS,
        fmax=fmax,
        n_fft=1_024,
        hop_length=RATE // FRAME_RATE,
        f0_min=f0_range[0],
        f0_max=f0_range[1],
    )
    keep_freed_memory()
    with torch.inference_mode():
        own = lengths.tolist()
        y = y[:, : max(own)]
        equal = min(own) == y.shape[1]
        clips = Clips(y, lengths.to(y.device), RATE, config, equal, precise=True, floor=floor)
        found = _groups(contours(clips))
        return torch.cat([found[name] for name in GROUPS], dim=-1)


def _groups(of: Contours) -> dict[str, Tensor]:
    """The columns of each group: float32 ``[b, columns]``."""
    clips = of.clips
    three = (of.mfcc, of.spectrum, of.energy)
    slopes = levels.slopes(torch.cat(three, dim=-1), clips, SLOPE_FRAMES).mul_(FRAME_RATE)
    mfcc, spectrum, energy = slopes.split_with_sizes([one.shape[-1] for one in three], dim=-1)
    every = {
        "mfcc": of.mfcc,
        "mfcc_slope": mfcc,
        "mel": avg_pool1d(of.mel, 2),
        "spectrum": of.spectrum,
        "spectrum_slope": spectrum,
        "contrast": of.contrast,
        "energy": torch.cat((of.energy, energy), dim=-1),
        "periodicity": of.periodicity,
    }
    found = _over(every, clips)
    voiced = _over({"f0": of.f0, "energy": of.energy, "periodicity": of.periodicity}, of.voiced)
    unvoiced = _over({"energy": of.energy}, of.unvoiced)
    found["energy"] = torch.cat((found["energy"], voiced["energy"], unvoiced["energy"]), dim=-1)
    found["f0"] = torch.cat((voiced["f0"], _pitch(of, voiced["f0"])), dim=-1)
    runs = dynamics.runs(of.voiced.mask, clips.counts)
    found["voicing"] = torch.cat((found.pop("periodicity"), voiced["periodicity"], runs), dim=-1)
    return found | _movement(of)


def _over(
    values: Mapping[str, Tensor],
    frames: Clips | Chosen,
    statistics: Sequence[str] = STATISTICS,
) -> dict[str, Tensor]:
    """Statistics of each contour, ``[b, statistics * rows]``; zeros over no frames at all."""
    found = summarise(values, dict.fromkeys(values, statistics), frames)
    found = found.masked_fill_((frames.counts == 0)[:, None], 0)
    sizes = [len(statistics) * value.shape[-1] for value in values.values()]
    return dict(zip(values, found.split_with_sizes(sizes, dim=-1), strict=True))


def _pitch(of: Contours, statistics: Tensor) -> Tensor:
    """Steps between voiced neighbours, range, trend, and how pitch goes with energy."""
    mask = of.voiced.mask
    pairs = Chosen(mask[:, 1:] & mask[:, :-1])
    steps = _over({"step": of.f0.diff(dim=1).abs_()}, pairs, STEP_STATISTICS)["step"]
    span = statistics[:, -1:] - statistics[:, STATISTICS.index("p5"), None]
    time = torch.arange(mask.shape[1], device=mask.device, dtype=torch.float32) / FRAME_RATE
    three = torch.cat((of.f0, of.energy, time.expand(len(mask), -1)[..., None]), dim=-1)
    # Without voiced frames the mean is NaN, and none of its frames counts.
    f0, energy, time = centred(three, of.voiced).unbind(dim=-1)
    trend = (f0 * time).sum(dim=1) / time.square().sum(dim=1).clamp(min=kernels.TINY)
    together = dynamics.correlation(torch.stack((f0, energy), dim=-1), of.voiced.counts)
    return torch.cat((steps, span, trend[:, None], together), dim=-1)


def _movement(of: Contours) -> dict[str, Tensor]:
    """What the centred contours say of how they move."""
    clips = of.clips
    rows = torch.cat((of.mfcc, of.spectrum, of.contrast, of.energy), dim=-1)
    moving = centred(rows, clips)
    wide = centred(torch.cat((avg_pool1d(of.mel, 5), of.energy), dim=-1), clips)
    return {
        "correlation": dynamics.correlation(moving, clips.counts),
        "autocorrelation": dynamics.autocorrelation(moving[..., : len(MFCC)], clips.counts),
        "modulation": dynamics.modulation(wide, clips.counts),
    }
