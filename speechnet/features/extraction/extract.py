"""From files to features: what is cached is looked up, the rest computed in parallel."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import pandas as pd

from speechnet.audio.decode import probe
from speechnet.core.errors import Excluded
from speechnet.core.progress import Progress, silent
from speechnet.core.types import Features, FeatureSet, Float32
from speechnet.core.wording import counted
from speechnet.features.extraction.compute import as_features, choose_device, gather, heard
from speechnet.features.extraction.file_hashes import FileHashes
from speechnet.features.extraction.outcomes import Part, Recording, Task, outcomes
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extraction.store import FeatureStore, Outcome, Rows
from speechnet.features.extractor import Named

_LOG = logging.getLogger(__name__)

# Reasons that may be gone the next time; the others follow from the content and the recipe.
_PASSING: Final = frozenset({"missing", "unreadable", "failed", "worker_died"})
# Seconds between two shards: a killed run loses this much, and the files in flight.
_FLUSH_S: Final = 0.5


@dataclass(frozen=True)
class Extraction:
    """Features of the usable recordings, in the order of the table, and what was excluded."""

    features: FeatureSet
    statistics: pd.DataFrame  # index file, one row for each usable recording: duration (s), ...
    excluded: pd.DataFrame  # columns file, reason, detail
    computed: int  # how many recordings were decoded; the others came from the cache

    @property
    def index(self) -> tuple[str, ...]:
        """The usable recordings."""
        return self.features.index


def extract_features(
    root: Path,
    table: pd.DataFrame,
    recipe: Recipe,
    *,
    cache_dir: Path,
    device: str = "cpu",
    verify: bool = False,
    keep_duplicates: bool = False,
    give_up: Callable[[Mapping[str, Excluded]], bool] | None = None,
    progress: Progress = silent,
) -> Extraction:
    """Compute or look up the features of each recording of a table; see ``CorpusExtractor``."""
    with CorpusExtractor(
        root, recipe, cache_dir=cache_dir, device=device, verify=verify, progress=progress
    ) as extractor:
        return extractor.extract(table, keep_duplicates=keep_duplicates, give_up=give_up)


class CorpusExtractor:
    """A recipe and the cache, opened once for as many tables as come.

    Parallel as ``joblib.parallel_config`` says. A file that can't be used is excluded; a process
    that dies is replaced, its file tried once more alone, then excluded. With a GPU the processes
    decode ahead of it. The hashes of files are written when its ``with`` block ends, and now and
    then before.

    Args:
        root: the folder that a table's ``path`` column is relative to.
        recipe: audio and denoise settings, and the extractors.
        cache_dir: where features are kept.
        device: cpu, cuda, cuda:0 and so on; auto takes a GPU that is there.
        verify: read and hash every file, however unchanged its size and times are.
        progress: called with each file that is done.

    Raises:
        ConfigError: a setting of the recipe is wrong.
        StorageError: no space is left for the cache.
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
        hearing = heard(recipe)
        self._root, self._recipe, self._device = root, hearing, device
        self._extractors = recipe.extractors
        self._progress = progress
        self._stores = {
            name: FeatureStore(
                cache_dir, recipe=hearing.describe(name), width=one.stored, type_=one.stored_type
            )
            for name, one in hearing.extractors.items()
        }
        self._hashes = FileHashes(root, cache_dir=cache_dir, verify=verify, progress=progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hashes.keep()

    def extract(
        self,
        table: pd.DataFrame,
        *,
        keep_duplicates: bool = False,
        channels: Sequence[int | None] | None = None,
        give_up: Callable[[Mapping[str, Excluded]], bool] | None = None,
    ) -> Extraction:
        """Compute or look up the features of a corpus table's recordings, or exclude them.

        Args:
            table: the corpus table.
            keep_duplicates: keep recordings whose samples another one has; by default all but the
                first are excluded, since they could be on both sides of a split.
            channels: the only channel to read of each row, from 0, or None for all, mixed as the
                recipe says; by default None for each.
            give_up: whether to leave it at what is excluded before anything is computed, by file;
                the features are then those of no recording.

        Raises:
            ConfigError: two settings of the recipe don't go together, or the device is not there.
            StorageError: no space is left for the cache.
        """
        recordings, excluded = self._look_up(table, channels or [None] * len(table))
        named, lacking = self._by_name(recordings)
        excluded |= lacking
        given_up = give_up is not None and give_up(excluded)
        recordings = [one for one in recordings if one.file not in lacking and not given_up]
        keys = {one.key: one for one in recordings}
        rows = {name: store.read(keys) for name, store in self._stores.items()}
        tasks = {}
        for key, one in keys.items():
            if absent := tuple(name for name in rows if key not in rows[name].position):
                tasks[key] = Task(one, absent)
        if tasks:
            done, failed = self._compute(tasks)
            rows = {name: rows[name].join(done[name]) for name in rows}
            excluded |= {one.file: failed[one.key] for one in recordings if one.key in failed}
        found = sum(one.key not in tasks for one in recordings)
        _LOG.info(
            "features: %d of %s from the cache, %d computed",
            found, counted(len(recordings), "recording"), len(tasks),
        )  # fmt: skip
        return self._assemble(
            recordings, rows, named, excluded, computed=len(tasks), keep_duplicates=keep_duplicates
        )

    def _look_up(
        self, table: pd.DataFrame, channels: Sequence[int | None]
    ) -> tuple[list[Recording], dict[str, Excluded]]:
        """Every recording by its content, or why it can't be read."""
        whole = set(table["path"][table["start"].isna() & table["end"].isna()])

        def check(path: str) -> None:
            probe(self._root / path, self._recipe.audio, whole=path in whole)

        contents = self._hashes.of([*table["path"].unique()], probe=check)
        found: list[Recording] = []
        excluded: dict[str, Excluded] = {}
        columns = (table[name].tolist() for name in ("path", "start", "end"))
        for file, path, start, end, channel in zip(table.index, *columns, channels, strict=True):
            content = contents[path]
            if isinstance(content, Excluded):
                excluded[file] = content
            else:
                part = Part(float(start), float(end), channel)
                found.append(Recording(file, self._root / path, content, part))
        return found, excluded

    def _by_name(
        self, recordings: Sequence[Recording]
    ) -> tuple[dict[str, dict[str, Float32]], dict[str, Excluded]]:
        """What extractors know by name, by extractor and file; and the files that one lacks."""
        root = str(self._root)
        names = [
            Named(one.file, os.path.relpath(one.path, root), one.part.start, one.part.end)
            for one in recordings
        ]
        found: dict[str, dict[str, Float32]] = {}
        lacking: dict[str, Excluded] = {}
        for name, extractor in self._extractors.items():
            if extractor.by_name:
                found[name] = {}
                for one, row in zip(names, extractor.look_up(names), strict=True):
                    if isinstance(row, Excluded):
                        lacking[one.file] = row
                    else:
                        found[name][one.file] = row
        return found, lacking

    def _compute(
        self, tasks: Mapping[str, Task]
    ) -> tuple[dict[str, list[Rows]], dict[str, Excluded]]:
        """Rows that the cache now holds, and by key what may do better next time."""
        device = choose_device(self._recipe, self._device)
        rows: dict[str, list[Rows]] = {name: [] for name in self._stores}
        failed: dict[str, Excluded] = {}
        pending: dict[str, dict[str, Outcome]] = {name: {} for name in self._stores}

        def write() -> None:
            for name, store in self._stores.items():
                some, pending[name] = pending[name], {}
                rows[name].append(store.write(some))

        written = time.monotonic()
        try:
            with self._progress("extracting", len(tasks)) as advance:
                for done in outcomes(tasks, self._recipe, device):
                    for key, by_name in done.items():
                        for name, outcome in by_name.items():
                            if isinstance(outcome, Excluded) and outcome.reason in _PASSING:
                                failed[key] = outcome
                            else:
                                pending[name][key] = outcome
                    one_each = (next(iter(each.values())) for each in done.values())
                    seconds = [o[1].duration for o in one_each if not isinstance(o, Excluded)]
                    advance(len(done), sum(seconds))
                    if time.monotonic() - written >= _FLUSH_S:
                        write()
                        written = time.monotonic()
        finally:  # an interrupted run keeps what it has computed
            write()
        for store in self._stores.values():
            store.compact()
        return rows, failed

    def _assemble(
        self,
        recordings: Sequence[Recording],
        rows: Mapping[str, Rows],
        named: Mapping[str, Mapping[str, Float32]],
        excluded: dict[str, Excluded],
        *,
        computed: int,
        keep_duplicates: bool,
    ) -> Extraction:
        """Features and statistics of the recordings that are left."""
        kept = [one for one in recordings if one.file not in excluded]
        for each in rows.values():
            refused = each.refusals([one.key for one in kept])
            excluded |= {o.file: why for o, why in zip(kept, refused, strict=True) if why}
            kept = [one for one in kept if one.file not in excluded]
        any_rows = next(iter(rows.values()))
        if not keep_duplicates:
            digests = any_rows.statistics([one.key for one in kept])["digest"]
            first: dict[str, str] = {}  # file of each digest
            for one, digest in zip(kept, digests, strict=True):
                if (other := first.setdefault(digest, one.file)) != one.file:
                    excluded[one.file] = Excluded("duplicate", f"the same samples as {other}")
            kept = [one for one in kept if one.file not in excluded]
        index, keys = tuple(one.file for one in kept), [one.key for one in kept]
        features: dict[str, Features] = {
            name: gather(extractor, [named[name][file] for file in index], index)
            if extractor.by_name
            else as_features(extractor, *rows[name].frames(keys), index)
            for name, extractor in self._extractors.items()
        }
        statistics = any_rows.statistics(keys)
        whys = [(file, why.reason, why.detail) for file, why in sorted(excluded.items())]
        return Extraction(
            features=FeatureSet(features),
            statistics=statistics.set_axis(pd.Index(index, name="file", dtype=object)),
            excluded=pd.DataFrame(whys, columns=["file", "reason", "detail"]),
            computed=computed,
        )
