"""Clips described by a recipe's extractors, on a CPU or a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import FeatureMatrix, Features, Float32, Int64, Sequences
from speechnet.denoise.gate import denoise_clips
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import Extractor, Sound


def compute(
    recipe: Recipe,
    clips: Mapping[int, Sequence[Float32]],
    names: Sequence[str],
    *,
    device: str = "cpu",
) -> dict[str, list[Float32 | Excluded]]:
    """Denoise clips once for each sample rate, and apply some of the extractors to them.

    Args:
        recipe: the settings and extractors.
        clips: the same clips at each rate in Hz that the extractors want: float32 mono
            ``[n_samples]`` each, finite, not empty.
        names: the extractors.
        device: for the extractors that can use one.

    Returns:
        By extractor for each clip float32 ``[d]`` or ``[frames, d]``, or why there is none.
    """
    found = {}
    for rate, some in clips.items():
        denoised = denoise_clips(some, rate, recipe.denoise, device=device)
        sound = Sound(rate, recipe.denoise.floor, device)
        usable = [y for y in denoised if not isinstance(y, Excluded)]
        for name in (name for name in names if recipe.rates[name] == rate):
            extractor = recipe.extractors[name]
            rows = extractor.extract(usable, sound) if usable else []
            described = iter([_checked(name, extractor, row) for row in rows])
            found[name] = [y if isinstance(y, Excluded) else next(described) for y in denoised]
    return found


def _checked(name: str, extractor: Extractor, found: Float32 | Excluded) -> Float32 | Excluded:
    """What an extractor gave, if it has the right columns and is finite."""
    if isinstance(found, Excluded):
        return found
    columns = extractor.columns
    expected = "[d]" if extractor.kind == "vector" else "[frames, d]"
    axes = 1 if extractor.kind == "vector" else 2
    if found.dtype != np.float32 or found.ndim != axes or found.shape[-1] != len(columns):
        raise ConfigError(
            f"the extractor {name} gave {found.dtype} {list(found.shape)}, expected float32 "
            f"{expected} with d = {len(columns)}, its columns"
        )
    wrong = ~np.isfinite(found).reshape(-1, len(columns))
    if wrong.any():
        bad = [columns[i] for i in np.flatnonzero(wrong.any(axis=0))]
        return Excluded("not_finite_features", f"not finite: {', '.join(bad[:5])}")
    if found.size == 0:
        return Excluded("too_short", f"{name} found no frames")
    return found


def gather(extractor: Extractor, rows: Sequence[Float32], index: Sequence[str]) -> Features:
    """Join what an extractor gave for at least one recording, float32 ``[d]`` or ``[frames, d]``.

    ``index`` holds the row ids.
    """
    frames = [np.atleast_2d(row) for row in rows]
    starts = np.cumsum([0, *map(len, frames)])
    return as_features(extractor, np.concatenate(frames), starts, index)


def as_features(
    extractor: Extractor, frames: Float32, starts: Int64, index: Sequence[str]
) -> Features:
    """Frames of several recordings, float32 ``[total, d]``, as a matrix or as sequences.

    Recording ``i`` of ``index`` has the frames from ``starts[i]`` up to ``starts[i + 1]``.
    """
    if extractor.kind == "vector":
        return FeatureMatrix(frames, tuple(index), extractor.columns)
    return Sequences(frames, starts, tuple(index), extractor.columns, extractor.frame_rate)


def rehearse(recipe: Recipe) -> None:
    """Denoise and describe two seconds of noise, as a recording would be.

    Raises:
        ConfigError: the settings don't go together, such as an octave band above half the
            sample rate.
    """
    random = np.random.default_rng(0)
    for name, rate in recipe.rates.items():
        noise = 0.1 * random.standard_normal(2 * rate, dtype=np.float32)
        try:
            with collected_warnings():
                (found,) = compute(recipe, {rate: [noise]}, [name])[name]
                if isinstance(found, Excluded):
                    raise found
        except Exception as error:
            raise ConfigError(
                f"data.audio.sample_rate ({rate} Hz), data.denoise and data.features.{name} "
                f"don't go together: {error}"
            ) from error


def choose_device(recipe: Recipe, device: str) -> str:
    """The device that features are computed on, for auto a GPU that is there and of use.

    Raises:
        ConfigError: there is no such device, or nothing that would compute on it.
    """
    if device == "cpu" or (device == "auto" and not recipe.on_device("cuda")):
        return "cpu"
    # Imported here: it takes two seconds, which a run on the CPU with all rows cached can spare.
    import torch

    count = torch.cuda.device_count()
    if device == "auto":
        return "cuda" if count else "cpu"
    known = ["cuda", *(f"cuda:{i}" for i in range(count))] if count else []
    if device not in known:
        there = f"there is {', '.join(known)}" if known else "there is no GPU that torch can use"
        raise ConfigError(f"data.device is {device!r}, but {there}; set it to auto or cpu")
    if not recipe.on_device(device):
        raise ConfigError(
            f"data.device is {device!r}, but data.denoise and data.features compute on the CPU "
            "only; set it to auto or cpu"
        )
    return device
