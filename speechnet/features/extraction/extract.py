"""From files to features: what is cached is looked up, the rest computed in parallel."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Self

import pandas as pd

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load_at_rates, probe
from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.core.errors import Excluded
from speechnet.core.progress import Progress, silent
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import FeatureMatrix, Features, FeatureSet, Float32, Sequences
from speechnet.core.wording import counted
from speechnet.features.extraction.compute import choose_device, compute, rehearse
from speechnet.features.extraction.file_hashes import Content, FileHashes
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extraction.store import FeatureStore, Outcome, Rows
from speechnet.features.extraction.workers import run_in_workers

_LOG = logging.getLogger(__name__)

_PASSING: Final = frozenset({"missing", "unreadable", "failed", "worker_died"})
"""Reasons that may be gone the next time; the others follow from the content and the recipe."""

_CHANGED: Final = Excluded("failed", "the file changed while it was being read")

_FLUSH_S: Final = 0.5
"""Seconds from one shard to the next: what a killed run loses beside the files in flight."""

_AHEAD: Final = 2**26
"""Samples that are decoded before a GPU takes them on: clips of about one length find together."""

_PORTION: Final = 2**29
"""Bytes of files whose clips may be in memory at once."""

_UNKNOWN_SIZE: Final = 2**20
"""Bytes that a file is taken for which has just been written."""


@dataclass(frozen=True)
class Extraction:
    """Features of the usable recordings, and what was excluded.

    Attributes:
        features: in the order of the table.
        statistics: index ``file``, one row for each usable recording: duration (s), peak, ...
        excluded: columns file, reason, detail.
        computed: how many recordings were decoded; the others came from the cache.
    """

    features: FeatureSet
    statistics: pd.DataFrame
    excluded: pd.DataFrame
    computed: int

    @property
    def index(self) -> tuple[str, ...]:
        """The usable recordings."""
        return self.features.index


@dataclass(frozen=True)
class _Recording:
    """A recording of the table: where it lies and what it holds."""

    file: str
    path: Path
    start: float
    end: float
    channel: int | None
    content: Content

    @property
    def key(self) -> str:
        """The content's hash, and which part and channel of it."""
        whole = math.isnan(self.start) and math.isnan(self.end)
        parts = [] if whole else [f"t={self.start},{self.end}"]
        parts += [] if self.channel is None else [f"channel={self.channel}"]
        return "#".join([self.content.digest, *(["&".join(parts)] if parts else [])])


@dataclass(frozen=True)
class _Task:
    """A recording, and the extractors whose features of it the cache lacks."""

    recording: _Recording
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Decoded:
    """A recording's samples by rate in Hz, float32 mono, and its statistics.

    ``outcomes`` holds what came of extractors that a worker has applied already.
    """

    clips: dict[int, Float32]
    statistics: SignalStatistics
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """At all rates together; none where no extractor is left that needs them."""
        return sum(map(len, self.clips.values()))


def extract_features(
    root: Path,
    table: pd.DataFrame,
    recipe: Recipe,
    *,
    cache_dir: Path,
    device: str = "cpu",
    verify: bool = False,
    keep_duplicates: bool = False,
    progress: Progress = silent,
) -> Extraction:
    """Compute or look up the features of each recording of the table.

    Parallel as ``joblib.parallel_config`` says. A file that can't be used is excluded; a process
    that dies is replaced, its file tried once more alone, then excluded. With a GPU the processes
    decode ahead of it.

    Args:
        root: the folder that the table's ``path`` column is relative to.
        table: the corpus table.
        recipe: audio and denoise settings, and the extractors.
        cache_dir: where features are kept.
        device: cpu, cuda, cuda:0 and so on; auto takes a GPU that is there.
        verify: read and hash every file, however unchanged its size and times are.
        keep_duplicates: keep recordings whose samples another one has; by default all but the
            first are excluded, for they could stand on both sides of a split.
        progress: is told which files are done.

    Returns:
        Features, statistics and what was excluded; each file of the table in exactly one of them.

    Raises:
        ConfigError: a setting of the recipe is wrong, two don't go together, or the device is not
            there.
        StorageError: no space is left for the cache.
    """
    with CorpusExtractor(
        root, recipe, cache_dir=cache_dir, device=device, verify=verify, progress=progress
    ) as extractor:
        return extractor.extract(table, keep_duplicates=keep_duplicates)


class CorpusExtractor:
    """A recipe and the cache, opened once for as many tables as come; see ``extract_features``.

    What it learns of the files is kept when its ``with`` block ends, and now and then before.
    """

    def __init__(
        self,
        root: Path,
        recipe: Recipe,
        *,
        cache_dir: Path,
        device: str = "cpu",
        verify: bool = False,
        progress: Progress = silent,
    ) -> None:
        recipe.check()
        self._root, self._recipe, self._device = root, recipe, device
        self._progress = progress
        self._stores = {
            name: FeatureStore(cache_dir, recipe=recipe.describe(name), width=len(one.columns))
            for name, one in recipe.extractors.items()
        }
        self._hashes = FileHashes(root, cache_dir=cache_dir, verify=verify, progress=progress)

    def __enter__(self) -> Self:
        """Nothing more than the constructor does."""
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what was learnt of the files."""
        self._hashes.keep()

    def extract(
        self,
        table: pd.DataFrame,
        *,
        keep_duplicates: bool = False,
        channels: Sequence[int | None] | None = None,
    ) -> Extraction:
        """Compute or look up the features of a table's recordings; see ``extract_features``.

        Args:
            table: the corpus table.
            keep_duplicates: keep recordings whose samples another one has.
            channels: of each row the only channel to take, counted from 0, or None for all, mixed
                as the recipe says; by default all of all.
        """
        recordings, excluded = self._look_up(table, channels or [None] * len(table))
        keys = {one.key: one for one in recordings}
        rows = {name: store.read(keys) for name, store in self._stores.items()}
        tasks = {}
        for key, one in keys.items():
            if absent := tuple(name for name in rows if key not in rows[name].position):
                tasks[key] = _Task(one, absent)
        if tasks:
            device = choose_device(self._recipe, self._device)
            done, failed = _compute(tasks, self._recipe, self._stores, device, self._progress)
            rows = {name: rows[name].join(done[name]) for name in rows}
            excluded |= {one.file: failed[one.key] for one in recordings if one.key in failed}
        found = sum(one.key not in tasks for one in recordings)
        _LOG.info(
            "features: %d of %s from the cache, %d computed",
            found, counted(len(recordings), "recording"), len(tasks),
        )  # fmt: skip
        usable = [one for one in recordings if one.file not in excluded]
        return self._assemble(
            usable, rows, excluded, computed=len(tasks), keep_duplicates=keep_duplicates
        )

    def _look_up(
        self, table: pd.DataFrame, channels: Sequence[int | None]
    ) -> tuple[list[_Recording], dict[str, Excluded]]:
        """Every recording by its content, or why it can't be read."""
        whole = set(table["path"][table["start"].isna() & table["end"].isna()])
        audio = self._recipe.audio
        check = partial(_probe, root=self._root, config=audio, whole=whole)
        contents = self._hashes.of([*table["path"].unique()], probe=check)
        found: list[_Recording] = []
        excluded: dict[str, Excluded] = {}
        columns = (table[name].tolist() for name in ("path", "start", "end"))
        for file, path, start, end, channel in zip(table.index, *columns, channels, strict=True):
            content = contents[path]
            if isinstance(content, Excluded):
                excluded[file] = content
            else:
                where = self._root / path
                found.append(_Recording(file, where, float(start), float(end), channel, content))
        return found, excluded

    def _assemble(
        self,
        recordings: Sequence[_Recording],
        rows: Mapping[str, Rows],
        excluded: dict[str, Excluded],
        *,
        computed: int,
        keep_duplicates: bool,
    ) -> Extraction:
        """Features and statistics of the recordings that are left."""
        files = [one.file for one in recordings]
        keys = [one.key for one in recordings]
        refused: dict[str, Excluded] = {}
        for each in rows.values():
            whys = zip(files, each.refusals(keys), strict=True)
            refused |= {file: why for file, why in whys if why}
        kept = [one for one in recordings if one.file not in refused]
        digests = next(iter(rows.values())).statistics([one.key for one in kept])["digest"]
        if not keep_duplicates:
            duplicates = _duplicates(digests.set_axis([one.file for one in kept]))
            refused |= duplicates
            kept = [one for one in kept if one.file not in duplicates]
        index = tuple(one.file for one in kept)
        keys = [one.key for one in kept]
        statistics = next(iter(rows.values())).statistics(keys)
        return Extraction(
            features=FeatureSet(
                {name: self._features(name, each, keys, index) for name, each in rows.items()}
            ),
            statistics=statistics.set_axis(pd.Index(index, name="file", dtype=object)),
            excluded=_listed(excluded | refused),
            computed=computed,
        )  # fmt: skip

    def _features(
        self, name: str, rows: Rows, keys: Sequence[str], index: tuple[str, ...]
    ) -> Features:
        extractor = self._recipe.extractors[name]
        frames, starts = rows.frames(keys)
        if extractor.kind == "vector":
            return FeatureMatrix(frames, index, extractor.columns)
        return Sequences(frames, starts, index, extractor.columns, extractor.frame_rate)


def _probe(path: str, *, root: Path, config: AudioConfig, whole: Collection[str]) -> None:
    probe(root / path, config, whole=path in whole)


def _compute(
    tasks: Mapping[str, _Task],
    recipe: Recipe,
    stores: Mapping[str, FeatureStore],
    device: str,
    progress: Progress,
) -> tuple[dict[str, list[Rows]], dict[str, Excluded]]:
    """Rows that the cache now holds, and by key what came of files that may do better next time."""
    rows: dict[str, list[Rows]] = {name: [] for name in stores}
    failed: dict[str, Excluded] = {}
    pending: dict[str, dict[str, Outcome]] = {name: {} for name in stores}

    def write() -> None:
        for name, store in stores.items():
            outcomes, pending[name] = pending[name], {}
            rows[name].append(store.write(outcomes))

    written = time.monotonic()
    try:
        with progress("extracting", len(tasks)) as advance:
            for done in _outcomes(tasks, recipe, device):
                for key, outcomes in done.items():
                    for name, outcome in outcomes.items():
                        if isinstance(outcome, Excluded) and outcome.reason in _PASSING:
                            failed[key] = outcome
                        else:
                            pending[name][key] = outcome
                advance(len(done), sum(map(_seconds, done.values())))
                if time.monotonic() - written >= _FLUSH_S:
                    write()
                    written = time.monotonic()
    finally:  # of an interrupted run, too, nothing that was computed is lost
        write()
    for store in stores.values():
        store.compact()
    return rows, failed


def _seconds(outcomes: Mapping[str, Outcome]) -> float:
    """Seconds of a recording; 0 where it is excluded."""
    return next((o[1].duration for o in outcomes.values() if not isinstance(o, Excluded)), 0.0)


def _outcomes(
    tasks: Mapping[str, _Task], recipe: Recipe, device: str
) -> Iterator[dict[str, dict[str, Outcome]]]:
    """By key what came of each extractor, as results come.

    Worker processes go all the way from file to features, but for extractors that compute on a
    GPU: this process feeds that one from what they decode.
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
            if sum(one.samples for one in pool.values()) >= _AHEAD:
                yield _on_device(pool, some, recipe, device)
                pool = {}
        if pool:
            yield _on_device(pool, some, recipe, device)
    if torch := sys.modules.get("torch"):
        # With one job the work was done here, on one thread, and MKL would stay at one.
        torch.set_num_threads(torch.get_num_threads())


def _portions(tasks: Mapping[str, _Task]) -> Iterator[dict[str, _Task]]:
    """As much at once as may be decoded before the GPU has taken any of it."""
    portion: dict[str, _Task] = {}
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


def _work(task: _Task, recipe: Recipe, on_device: Collection[str]) -> _Decoded | Excluded:
    """Read a recording, and describe it by the extractors that compute on the CPU."""
    rates = {name: recipe.rates[name] for name in task.names}
    decoded = _decode(task.recording, recipe, sorted(set(rates.values())))
    if isinstance(decoded, Excluded):
        return decoded
    here = [name for name in task.names if name not in on_device]
    outcomes = _describe([decoded], here, recipe, "cpu")[0] if here else {}
    needed = {rates[name] for name in task.names if name in on_device}
    return _Decoded({r: decoded.clips[r] for r in needed}, decoded.statistics, outcomes)


def _on_device(
    pool: Mapping[str, _Decoded], tasks: Mapping[str, _Task], recipe: Recipe, device: str
) -> dict[str, dict[str, Outcome]]:
    """All outcomes of some recordings, those of a GPU's extractors computed here."""
    found = {key: dict(one.outcomes) for key, one in pool.items()}
    for name in recipe.on_device(device):
        keys = [key for key in pool if name in tasks[key].names]
        described = _describe([pool[key] for key in keys], [name], recipe, device)
        for key, outcomes in zip(keys, described, strict=True):
            found[key] |= outcomes
    return found


def _decode(recording: _Recording, recipe: Recipe, rates: Sequence[int]) -> _Decoded | Excluded:
    outcome: _Decoded | Excluded
    try:
        with collected_warnings():  # of what is measured, and named in excluded.csv
            outcome = _Decoded(
                *load_at_rates(
                    recording.path,
                    recipe.audio,
                    rates,
                    start=recording.start,
                    end=recording.end,
                    channel=recording.channel,
                )
            )
    except Excluded as why:
        outcome = why
    except Exception as error:  # one file never stops a run
        return _failed(error, recipe)
    # Whatever came of it would be kept under the content's name.
    try:
        return outcome if recording.content.still_in(recording.path) else _CHANGED
    except OSError:
        return _CHANGED


def _describe(
    decoded: Sequence[_Decoded], names: Sequence[str], recipe: Recipe, device: str
) -> list[dict[str, Outcome]]:
    """By extractor what came of each recording."""
    rates = {recipe.rates[name] for name in names}
    clips = {rate: [one.clips[rate] for one in decoded] for rate in sorted(rates)}
    try:
        with collected_warnings():
            found = compute(recipe, clips, names, device=device)
    except Exception as error:
        if len(decoded) > 1:  # which of them it is shows when each goes alone
            return [_describe([one], names, recipe, device)[0] for one in decoded]
        why = _failed(error, recipe)
        found = {name: [why] for name in names}
    return [
        {
            name: o if isinstance(o := found[name][i], Excluded) else (o, one.statistics)
            for name in names
        }
        for i, one in enumerate(decoded)
    ]


def _failed(error: Exception, recipe: Recipe) -> Excluded:
    rehearse(recipe)  # it may be the recipe's fault, which no file can be blamed for
    return Excluded("failed", f"{type(error).__name__}: {error}")


def _listed(excluded: Mapping[str, Excluded]) -> pd.DataFrame:
    rows = [(file, why.reason, why.detail) for file, why in sorted(excluded.items())]
    return pd.DataFrame(rows, columns=["file", "reason", "detail"])


def _duplicates(digests: pd.Series) -> dict[str, Excluded]:
    """Of recordings with the same samples the first stays."""
    first = digests.drop_duplicates()
    known = dict(zip(first, first.index, strict=True))
    return {
        str(file): Excluded("duplicate", f"the same samples as {known[digest]}")
        for file, digest in digests.items()
        if known[digest] != file
    }
