"""From samples to rows of the feature matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import torch
from torch import Tensor

from speechnet.core.clip_batches import keep_freed_memory
from speechnet.features.functionals.config import FunctionalsConfig
from speechnet.features.functionals.torch_backend import banks, levels, spectral, waveform
from speechnet.features.functionals.torch_backend.chroma import Peaks, chroma, peaks, tunings
from speechnet.features.functionals.torch_backend.frames import Block, Clips, blocks
from speechnet.features.functionals.torch_backend.statistics import summarise

_PER_FRAME: Final[dict[str, Callable[[Block], Tensor]]] = {
    "mel": spectral.mel,
    "contrast": spectral.contrast,
    "centroid": spectral.centroid,
    "bandwidth": spectral.bandwidth,
    "rolloff": spectral.rolloff,
    "flatness": spectral.flatness,
    "zero_crossing_rate": waveform.crossing_rate,
    "energy": spectral.energy,
    "f0": waveform.fundamental,
}
"""Features that need one frame only: ``[b, t, rows]`` of a block."""

_OF_MEL: Final = ("mfcc", "delta", "tempogram")

_PRECISE: Final = frozenset({"contrast", "bandwidth", "flatness"})
"""Features that see the weakest bins, next to half the rate, where a resampler leaves less than
float32's rounding of the strongest: their spectra are computed in float64, as librosa's are."""

# Values of the power that are kept until the tuning is known: 32 MiB and 1 GiB.
_KEPT_CPU, _KEPT_GPU = 2**23, 2**28


def extract(
    y: Tensor, lengths: Tensor, sr: int, config: FunctionalsConfig, *, floor: float = 0.0
) -> Tensor:
    """Compute a row of the feature matrix for each clip of a batch.

    Every clip comes out as it would alone. Matrix products must be float32's own, which is torch's
    default (``torch.set_float32_matmul_precision("highest")``).

    Args:
        y: float32 mono ``[b, n]``, on any device, zero beyond each clip's length.
        lengths: int64 ``[b]``, samples of each clip, which ``config.too_short`` does not refuse.
        sr: rate in Hz, which ``config.check`` does not refuse.
        config: features and statistics.
        floor: contrasts are those of magnitudes no lower than a sine's whose amplitude is this
            share of a clip's largest sample.

    Returns:
        float32 ``[b, d]`` on the same device, in the order of ``config.columns``. A value that
        came out NaN or infinite is left in.

    Raises:
        ConfigError: a feature can't be computed at this rate.
    """
    groups = config.groups()
    keep_freed_memory()
    with torch.inference_mode():
        own = lengths.tolist()
        y = y[:, : max(own)]
        clips = Clips(
            y,
            lengths.to(y.device),
            sr,
            config,
            equal=min(own) == y.shape[1],
            precise=not _PRECISE.isdisjoint(groups),
            floor=floor,
        )
        return summarise(over_frames(clips, set(groups)), groups, clips)


def over_frames(clips: Clips, features: set[str]) -> dict[str, Tensor]:
    """Each feature frame by frame: float32 ``[b, frames, rows]``."""
    values, found, powers = _one_pass(clips, features)
    if "chroma" in features:
        values["chroma"] = chroma(powers, tunings(found, len(clips.y)), clips)
    if "contrast" in features:
        values["contrast"] = levels.contrast_in_db(values["contrast"], clips.mask)
    if "mel" in values:
        mel_db = levels.in_db(values.pop("mel"), clips.mask)
        if "tempogram" in features:
            values["tempogram"] = levels.tempogram(mel_db, clips)
        n_mfcc, n_mels = clips.config.mfcc_count(), clips.config.n_mels
        values["mfcc"] = mel_db @ banks.dct(n_mfcc, n_mels, mel_db.device)
    if "delta" in features:
        values["delta"] = levels.delta(values["mfcc"], clips)
    if "zero_crossings" in features:
        values["zero_crossings"] = waveform.crossings(clips)
    return values


def _one_pass(
    clips: Clips, features: set[str]
) -> tuple[dict[str, Tensor], list[Peaks], Iterator[Tensor]]:
    """All features that need a block of frames only, the peaks, and the power for the chroma."""
    needs_mel = not features.isdisjoint(_OF_MEL)
    wanted = [name for name in _PER_FRAME if name in features or (name == "mel" and needs_mel)]
    parts: dict[str, list[Tensor]] = {name: [] for name in wanted}
    found: list[Peaks] = []
    kept: list[Tensor] = []
    limit = _KEPT_CPU if clips.y.device.type == "cpu" else _KEPT_GPU
    keeps = len(clips.y) * clips.n_frames * (1 + clips.config.n_fft // 2) <= limit
    for block in blocks(clips):
        for name in wanted:
            parts[name].append(_PER_FRAME[name](block))
        if "chroma" in features:
            found.append(peaks(block))
            if keeps:
                kept.append(block.power)
    powers = iter(kept) if keeps else (block.power for block in blocks(clips))
    return {name: torch.cat(pieces, dim=1) for name, pieces in parts.items()}, found, powers
