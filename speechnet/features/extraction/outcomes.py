"""What becomes of recordings: decoded by worker processes, and described there or on a GPU."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from speechnet.audio.decode import load_at_rates
from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.augment.chain import changed
from speechnet.core.errors import Excluded, in_words
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import Float32
from speechnet.features.extraction.compute import compute, rehearse
from speechnet.features.extraction.file_hashes import Content
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extraction.store import Outcome
from speechnet.features.extraction.workers import run_in_workers

_CHANGED: Final = Excluded("failed", "the file changed while it was being read")

# Samples that are decoded before a GPU starts: enough for batches of about one length.
_AHEAD: Final = 2**26
_PORTION: Final = 2**29  # bytes of files whose clips may be in memory at once
_UNKNOWN_SIZE: Final = 2**20  # bytes assumed for a file that has just been written

_sound: Final[list[Recipe]] = []
"""The recipe that this process has rehearsed last, after a file had failed."""


class Part(NamedTuple):
    """The part of a recording to read; see ``load_at_rates``."""

    start: float
    end: float
    channel: int | None


@dataclass(frozen=True)
class Recording:
    """A recording of the table: where it lies, what it holds, and the part of it to read."""

    file: str
    path: Path
    content: Content
    part: Part

    @property
    def key(self) -> str:
        """The content's hash, and which part and channel of it."""
        start, end, channel = self.part
        parts = [] if math.isnan(start) and math.isnan(end) else [f"t={start},{end}"]
        parts += [] if channel is None else [f"channel={channel}"]
        return "#".join([self.content.digest, *(["&".join(parts)] if parts else [])])


class Task(NamedTuple):
    """A recording, and the extractors whose features of it the cache lacks."""

    recording: Recording
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Decoded:
    """A recording's samples by rate in Hz, float32 mono, and its statistics.

    ``clips`` holds what a GPU's extractors need, ``outcomes`` what the others gave.
    """

    clips: dict[int, Float32]
    statistics: SignalStatistics
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def outcomes(
    tasks: Mapping[str, Task], recipe: Recipe, device: str
) -> Iterator[dict[str, dict[str, Outcome]]]:
    """Outcomes by key and extractor, as results arrive.

    Worker processes go all the way from file to features, except for extractors that compute on a
    GPU: for these they decode, and this process computes.
    """
    on_device = recipe.on_device(device)
    work = partial(_work, recipe=recipe, on_device=on_device)
    for some in _portions(tasks) if on_device else [tasks]:
        pool: dict[str, _Decoded] = {}
        for batch in run_in_workers(some, work):
            done: dict[str, dict[str, Outcome]] = {}
            for key, one in batch.items():
                if isinstance(one, Excluded):
                    done[key] = dict.fromkeys(some[key].names, one)
                elif one.clips:
                    pool[key] = one
                else:
                    done[key] = one.outcomes
            if done:
                yield done
            if sum(len(y) for one in pool.values() for y in one.clips.values()) >= _AHEAD:
                yield _on_device(pool, some, recipe, device)
                pool = {}
        if pool:
            yield _on_device(pool, some, recipe, device)
    if torch := sys.modules.get("torch"):
        # With one job the work was done here, on one thread, and MKL would stay at one.
        torch.set_num_threads(torch.get_num_threads())


def _portions(tasks: Mapping[str, Task]) -> Iterator[dict[str, Task]]:
    """Tasks in portions that fit into memory decoded, should the GPU lag behind."""
    portion: dict[str, Task] = {}
    size = 0
    for key, task in tasks.items():
        portion[key] = task
        state = task.recording.content.state
        size += state[0] if state else _UNKNOWN_SIZE
        if size >= _PORTION:
            yield portion
            portion, size = {}, 0
    if portion:
        yield portion


def _work(task: Task, recipe: Recipe, on_device: Collection[str]) -> _Decoded | Excluded:
    """Read a recording, and describe it by the extractors that compute on the CPU."""
    rates = {name: recipe.rates[name] for name in task.names}
    decoded = _decode(task.recording, recipe, sorted(set(rates.values())))
    if isinstance(decoded, Excluded):
        return decoded
    here = [name for name in task.names if name not in on_device]
    described = _describe([decoded], here, recipe, "cpu")[0] if here else {}
    needed = {rates[name] for name in task.names if name in on_device}
    return _Decoded({r: decoded.clips[r] for r in needed}, decoded.statistics, described)


def _decode(recording: Recording, recipe: Recipe, rates: Sequence[int]) -> _Decoded | Excluded:
    outcome: _Decoded | Excluded
    try:
        with collected_warnings():  # about faults that are measured and named in excluded.csv
            part = recording.part._asdict()
            clips, statistics = load_at_rates(recording.path, recipe.audio, rates, **part)
            if (copy := recipe.copy) is not None:
                clips = {sr: changed(y, sr, recording.key, copy) for sr, y in clips.items()}
            outcome = _Decoded(clips, statistics)
    except Excluded as why:
        outcome = why
    except Exception as error:  # one file never stops a run
        return _failed(error, recipe)
    # The outcome would be stored under the hash of the content.
    try:
        return outcome if recording.content.still_in(recording.path) else _CHANGED
    except OSError:
        return _CHANGED


def _on_device(
    pool: Mapping[str, _Decoded], tasks: Mapping[str, Task], recipe: Recipe, device: str
) -> dict[str, dict[str, Outcome]]:
    """All outcomes of some recordings, those of a GPU's extractors computed here."""
    found = {key: dict(one.outcomes) for key, one in pool.items()}
    for name in recipe.on_device(device):
        keys = [key for key in pool if name in tasks[key].names]
        described = _describe([pool[key] for key in keys], [name], recipe, device)
        for key, each in zip(keys, described, strict=True):
            found[key] |= each
    return found


def _describe(
    decoded: Sequence[_Decoded], names: Sequence[str], recipe: Recipe, device: str
) -> list[dict[str, Outcome]]:
    """The outcomes of each recording, by extractor."""
    rates = {recipe.rates[name] for name in names}
    clips = {rate: [one.clips[rate] for one in decoded] for rate in sorted(rates)}
    try:
        with collected_warnings():
            found = compute(recipe, clips, names, device=device)
    except Exception as error:
        if len(decoded) > 1:  # computed one by one, the faulty one shows
            return [_describe([one], names, recipe, device)[0] for one in decoded]
        why = _failed(error, recipe)
        found = {name: [why] for name in names}
    return [
        {
            name: row if isinstance(row := found[name][i], Excluded) else (row, one.statistics)
            for name in names
        }
        for i, one in enumerate(decoded)
    ]


def _failed(error: Exception, recipe: Recipe) -> Excluded:
    if recipe not in _sound:
        rehearse(recipe)  # raises if the recipe is at fault, not the file
        _sound[:] = [recipe]
    return Excluded("failed", in_words(error))
