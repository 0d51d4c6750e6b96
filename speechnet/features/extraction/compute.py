"""Clips described by a recipe's extractors, on a CPU or a GPU."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from speechnet.core.errors import ConfigError, Excluded, SpeechnetError, in_words
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import FeatureMatrix, Features, Float32, Int64, Sequences, Stack
from speechnet.core.wording import counted
from speechnet.denoise.gate import denoise_clips
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import Extractor, Sound

_LOG: Final = logging.getLogger(__name__)
_NOT_FINITE: Final = "not_finite_features"
_BLOCK: Final = 512  # rows, of which an encoder may store 51,200 numbers each


class ExtractorError(SpeechnetError):
    """An extractor failed, or broke its contract."""


@dataclass
class _Unheard(Extractor):
    """No numbers, so that all that is kept of a recording is its signal statistics."""

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def extract(self, clips: Sequence[Float32], _: Sound) -> list[Float32 | Excluded]:
        return [np.empty(0, np.float32) for _ in clips]


def heard(recipe: Recipe) -> Recipe:
    """The recipe of the extractors that hear recordings.

    If all go by name, it has one without columns: recordings are decoded and checked all the same,
    once for any table.
    """
    hearing = {name: one for name, one in recipe.extractors.items() if not one.by_name}
    return replace(recipe, extractors=hearing or {"": _Unheard()})


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

    Raises:
        ExtractorError: an extractor failed, or gave something else than rows.
        SpeechnetError: whatever else an extractor raises on purpose.
    """
    found = {}
    for rate, some in clips.items():
        denoised = denoise_clips(some, rate, recipe.denoise, device=device)
        sound = Sound(rate, recipe.denoise.floor, device)
        usable = [y for y in denoised if not isinstance(y, Excluded)]
        for name in (name for name in names if recipe.rates[name] == rate):
            extractor = recipe.extractors[name]
            described = iter(_described(name, extractor, usable, sound) if usable else [])
            found[name] = [y if isinstance(y, Excluded) else next(described) for y in denoised]
    return found


def _described(
    name: str, extractor: Extractor, clips: Sequence[Float32], sound: Sound
) -> list[Float32 | Excluded]:
    """What an extractor gives for some clips, checked."""
    try:
        rows = list(extractor.extract(clips, sound))
    except SpeechnetError:
        raise
    except Exception as error:  # whatever a plugin raises
        raise ExtractorError(
            f"the extractor {name} failed: {in_words(error)}{_place(error)}"
        ) from error
    if len(rows) != len(clips):
        raise ExtractorError(
            f"the extractor {name} gave {counted(len(rows), 'row')} for "
            f"{counted(len(clips), 'clip')}, expected one for each, in their order"
        )
    return [_checked(name, extractor, row) for row in rows]


def _place(error: Exception) -> str:
    """The line of an extractor's own file in which it failed, such as `` (loudness.py:13)``."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def _checked(name: str, extractor: Extractor, found: object) -> Float32 | Excluded:
    """A row or frames as they are stored, if they have the right columns and are finite."""
    if isinstance(found, Excluded):
        return found
    d = extractor.stored
    expected, axes = ("[d]", 1) if extractor.kind == "vector" else ("[frames, d]", 2)
    rest = f"expected a NumPy array of float32 {expected} with d = {d}, its columns"
    if not isinstance(found, np.ndarray):
        raise ExtractorError(f"the extractor {name} gave a {type(found).__name__}, {rest}")
    if found.dtype != np.float32 or found.ndim != axes or found.shape[-1] != d:
        gave = f"{found.dtype} {list(found.shape)}"
        raise ExtractorError(f"the extractor {name} gave {gave}, {rest}")
    with np.errstate(over="ignore"):  # what float16 can't hold becomes infinite, and is refused
        kept = found.astype(extractor.stored_type, copy=False)
    if d == 0:
        return kept
    wrong = ~np.isfinite(kept).reshape(-1, d)
    if wrong.any():
        bad = np.flatnonzero(wrong.any(axis=0))[:5].tolist()
        named = (
            extractor.columns if len(extractor.columns) == d else [f"number {i}" for i in range(d)]
        )
        return Excluded(_NOT_FINITE, f"not finite: {', '.join(named[i] for i in bad)}")
    if kept.size == 0:
        return Excluded("too_short", f"{name} found no frames")
    return kept


def gather(extractor: Extractor, rows: Sequence[Float32], index: Sequence[str]) -> Features:
    """Join what an extractor gave for recordings, ``[stored]`` or ``[frames, stored]`` each.

    ``index`` holds the row ids.
    """
    frames = [np.atleast_2d(row) for row in rows]
    starts = np.cumsum([0, *map(len, frames)])
    nothing = np.zeros((0, extractor.stored), np.float32)
    return as_features(extractor, np.concatenate([nothing, *frames]), starts, index)


def as_features(
    extractor: Extractor, frames: Float32, starts: Int64, index: Sequence[str]
) -> Features:
    """Frames of several recordings as stored, ``[total, stored]``, as a matrix or as sequences.

    Recording ``i`` of ``index`` has the frames from ``starts[i]`` up to ``starts[i + 1]``.
    """
    chosen = _chosen(extractor, frames)
    columns, layers = extractor.columns, extractor.n_layers
    stacks = (Stack(0, layers, len(columns) // layers),) if layers > 1 else ()
    if extractor.kind == "vector":
        return FeatureMatrix(chosen, tuple(index), columns, stacks)
    return Sequences(chosen, starts, tuple(index), columns, extractor.frame_rate, stacks)


def _chosen(extractor: Extractor, frames: Float32) -> Float32:
    """The columns of all frames, which are never all of float32 before they are chosen among."""
    if frames.dtype == np.float32:
        return extractor.choose(frames)
    chosen = np.empty((len(frames), len(extractor.columns)), np.float32)
    for i in range(0, len(frames), _BLOCK):
        chosen[i : i + _BLOCK] = extractor.choose(frames[i : i + _BLOCK].astype(np.float32))
    return chosen


def rehearse(recipe: Recipe) -> None:
    """Denoise and describe two seconds of noise and a little more, as recordings would be.

    Raises:
        ConfigError: an extractor fails or breaks its contract, or the settings don't go together,
            such as an octave band above half the sample rate.
    """
    random = np.random.default_rng(0)
    recipe = heard(recipe)
    for name, rate in recipe.rates.items():
        lengths = (2 * rate, 2 * rate + rate // 10)
        noise = [0.1 * random.standard_normal(n, dtype=np.float32) for n in lengths]
        try:
            with collected_warnings():
                for found in compute(recipe, {rate: noise}, [name])[name]:
                    if isinstance(found, Excluded):
                        raise found
        except Exception as error:
            _LOG.info("%s", "".join(traceback.format_exception(error)))
            raise ConfigError(_after_rehearsal(error, name, rate)) from error


def _after_rehearsal(error: Exception, name: str, rate: int) -> str:
    """What it means that a rehearsal failed."""
    tried = "tried on two seconds of noise, "
    if isinstance(error, ExtractorError):
        return f"{tried}{error}"
    if isinstance(error, ConfigError) and str(error).startswith(f"data.features.{name}"):
        return str(error)
    if isinstance(error, Excluded) and error.reason == _NOT_FINITE:
        return f"{tried}the extractor {name} gave numbers that are {error.detail}"
    return (
        f"data.audio.sample_rate ({rate} Hz), data.denoise and data.features.{name} don't go "
        f"together: {error}"
    )


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
