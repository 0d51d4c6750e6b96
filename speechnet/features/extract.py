"""From files to the feature matrix: cached rows are looked up, the others computed in parallel."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import pandas as pd

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import Clip, load, probe
from speechnet.console.messages import tell
from speechnet.console.progress import extraction_progress
from speechnet.core.errors import Excluded
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import FeatureMatrix
from speechnet.core.wording import counted
from speechnet.features.file_hashes import Content, Digests
from speechnet.features.functionals.backends import Backend, choose_device, make_backend, rehearse
from speechnet.features.recipe import Recipe
from speechnet.features.store import FeatureStore, Outcome, Rows
from speechnet.features.workers import work_off

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
    """What came of the files.

    Attributes:
        matrix: the rows of the usable recordings, in the order of the table.
        statistics: index ``file``, one row for each row of the matrix: duration (s), peak, ...
        excluded: columns file, reason, detail.
        computed: how many recordings were decoded; the others came from the cache.
    """

    matrix: FeatureMatrix
    statistics: pd.DataFrame
    excluded: pd.DataFrame
    computed: int


@dataclass(frozen=True)
class _Job:
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


def extract_features(
    root: Path,
    table: pd.DataFrame,
    recipe: Recipe,
    *,
    cache_dir: Path,
    device: str = "cpu",
    verify: bool = False,
    keep_duplicates: bool = False,
) -> Extraction:
    """Compute or look up a row for each recording of the table.

    Parallel as ``joblib.parallel_config`` says. A file that can't be used is excluded; a process
    that dies is replaced, its file tried once more alone, then excluded. With a GPU the processes
    decode ahead of it.

    Args:
        root: the folder that the table's ``path`` column is relative to.
        table: the corpus table.
        recipe: audio, denoise and feature settings.
        cache_dir: where rows are kept.
        device: cpu, cuda, cuda:0 and so on; auto takes a GPU that is there.
        verify: read and hash every file, however unchanged its size and times are.
        keep_duplicates: keep recordings whose samples another one has; by default all but the
            first are excluded, for they could stand on both sides of a split.

    Returns:
        Rows, statistics and what was excluded; each file of the table in exactly one of them.

    Raises:
        ConfigError: a setting of the recipe is wrong, two don't go together, or the device is not
            there.
        StorageError: no space is left for the cache.
    """
    with Extractor(root, recipe, cache_dir=cache_dir, device=device, verify=verify) as extractor:
        return extractor.extract(table, keep_duplicates=keep_duplicates)


class Extractor:
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
    ) -> None:
        recipe.check()
        self._root, self._recipe, self._device = root, recipe, device
        self._names = recipe.features.names()
        self._store = FeatureStore(cache_dir, recipe=recipe.describe(), width=len(self._names))
        self._digests = Digests(root, cache_dir=cache_dir, verify=verify)

    def __enter__(self) -> Self:
        """Nothing more than the constructor does."""
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what was learnt of the files."""
        self._digests.keep()

    def extract(
        self,
        table: pd.DataFrame,
        *,
        keep_duplicates: bool = False,
        channels: Sequence[int | None] | None = None,
    ) -> Extraction:
        """Compute or look up a row for each recording of a table; see ``extract_features``.

        Args:
            table: the corpus table.
            keep_duplicates: keep recordings whose samples another one has.
            channels: of each row the only channel to take, counted from 0, or None for all, mixed
                as the recipe says; by default all of all.
        """
        whole = set(table["path"][table["start"].isna() & table["end"].isna()])
        check = partial(_probe, root=self._root, config=self._recipe.audio, whole=whole)
        held = self._digests.of([*table["path"].unique()], probe=check)
        jobs, excluded = _address(self._root, table, held, channels or [None] * len(table))
        rows = self._store.read(job.key for job in jobs)
        missing: dict[str, _Job] = {}
        for job in jobs:
            if job.key not in rows.position:
                missing.setdefault(job.key, job)
        if missing:
            device = choose_device(self._recipe.backend, self._device)
            done, failed = _compute(missing, self._recipe, self._store, device)
            rows = rows.join(done)
            excluded |= {job.file: failed[job.key] for job in jobs if job.key in failed}
        found = sum(job.key not in missing for job in jobs)
        tell(
            f"features: {found} of {counted(len(jobs), 'recording')} from the cache, "
            f"{len(missing)} computed"
        )
        usable = [job for job in jobs if job.file not in excluded]
        return _assemble(
            usable,
            rows.take(job.key for job in usable),
            excluded,
            self._names,
            computed=len(missing),
            keep_duplicates=keep_duplicates,
        )


def _probe(path: str, *, root: Path, config: AudioConfig, whole: Collection[str]) -> None:
    probe(root / path, config, whole=path in whole)


def _address(
    root: Path,
    table: pd.DataFrame,
    held: Mapping[str, Content | Excluded],
    channels: Sequence[int | None],
) -> tuple[list[_Job], dict[str, Excluded]]:
    """Every recording by its content, or why it can't be read."""
    jobs: list[_Job] = []
    excluded: dict[str, Excluded] = {}
    columns = (table[name].tolist() for name in ("path", "start", "end"))
    for file, path, start, end, channel in zip(table.index, *columns, channels, strict=True):
        content = held[path]
        if isinstance(content, Excluded):
            excluded[file] = content
        else:
            jobs.append(_Job(file, root / path, float(start), float(end), channel, content))
    return jobs, excluded


def _compute(
    missing: Mapping[str, _Job], recipe: Recipe, store: FeatureStore, device: str
) -> tuple[list[Rows], dict[str, Excluded]]:
    """Rows that the cache now holds, and by key what came of files that may do better next time."""
    rows: list[Rows] = []
    failed: dict[str, Excluded] = {}
    pending: dict[str, Outcome] = {}
    written = time.monotonic()
    run = _on_cpu if device == "cpu" else partial(_on_gpu, device=device)
    try:
        with extraction_progress(len(missing)) as advance:
            for outcomes in run(missing, recipe):
                for key, outcome in outcomes.items():
                    if isinstance(outcome, Excluded) and outcome.reason in _PASSING:
                        failed[key] = outcome
                    else:
                        pending[key] = outcome
                advance(len(outcomes), _seconds(outcomes))
                if time.monotonic() - written >= _FLUSH_S:
                    kept, pending = pending, {}
                    rows.append(store.write(kept))
                    written = time.monotonic()
    finally:  # of an interrupted run, too, nothing that was computed is lost
        rows.append(store.write(pending))
    store.compact()
    return rows, failed


def _seconds(outcomes: Mapping[str, Outcome]) -> float:
    return sum(o[1].duration for o in outcomes.values() if not isinstance(o, Excluded))


def _on_cpu(missing: Mapping[str, _Job], recipe: Recipe) -> Iterator[dict[str, Outcome]]:
    """Each process goes all the way from file to row."""
    yield from work_off(missing, partial(_row, recipe=recipe))
    if torch := sys.modules.get("torch"):
        # With one job the work was done here, on one thread, and MKL would stay at one.
        torch.set_num_threads(torch.get_num_threads())


def _on_gpu(
    missing: Mapping[str, _Job], recipe: Recipe, *, device: str
) -> Iterator[dict[str, Outcome]]:
    """The processes decode, ahead of the GPU that this one feeds."""
    backend = make_backend(recipe.backend, recipe.denoise, recipe.features, device)
    for some in _portions(missing):
        pool: dict[str, Clip] = {}
        for decoded in work_off(some, partial(_clip, recipe=recipe)):
            if refused := {key: o for key, o in decoded.items() if isinstance(o, Excluded)}:
                yield {**refused}
            pool |= {key: o for key, o in decoded.items() if not isinstance(o, Excluded)}
            if sum(len(clip.y) for clip in pool.values()) >= _AHEAD:
                yield _rows(pool, backend, recipe)
                pool = {}
        if pool:
            yield _rows(pool, backend, recipe)


def _portions(missing: Mapping[str, _Job]) -> Iterator[dict[str, _Job]]:
    """As much at once as may be decoded before the GPU has taken any of it."""
    portion: dict[str, _Job] = {}
    size = 0
    for key, job in missing.items():
        portion[key] = job
        size += job.content.state[0] if job.content.state else _UNKNOWN_SIZE
        if size >= _PORTION:
            yield portion
            portion, size = {}, 0
    if portion:
        yield portion


def _row(job: _Job, recipe: Recipe) -> Outcome:
    clip = _clip(job, recipe)
    if isinstance(clip, Excluded):
        return clip
    backend = make_backend(recipe.backend, recipe.denoise, recipe.features)
    return _rows({job.key: clip}, backend, recipe)[job.key]


def _clip(job: _Job, recipe: Recipe) -> Clip | Excluded:
    outcome: Clip | Excluded
    try:
        with collected_warnings():  # of what is measured, and named in excluded.csv
            outcome = load(
                job.path, recipe.audio, start=job.start, end=job.end, channel=job.channel
            )
    except Excluded as why:
        outcome = why
    except Exception as error:  # one file never stops a run
        return _failed(error, recipe)
    # Whatever came of it would be kept under the content's name.
    try:
        return outcome if job.content.still_in(job.path) else _CHANGED
    except OSError:
        return _CHANGED


def _rows(clips: Mapping[str, Clip], backend: Backend, recipe: Recipe) -> dict[str, Outcome]:
    try:
        with collected_warnings():
            found = backend.rows([c.y for c in clips.values()], recipe.audio.sample_rate)
    except Exception as error:
        if len(clips) > 1:  # which of them it is shows when each goes alone
            alone = (_rows({key: clip}, backend, recipe) for key, clip in clips.items())
            return {key: outcome for one in alone for key, outcome in one.items()}
        found = [_failed(error, recipe)]
    return {
        key: outcome if isinstance(outcome, Excluded) else (outcome, clip.statistics)
        for (key, clip), outcome in zip(clips.items(), found, strict=True)
    }


def _failed(error: Exception, recipe: Recipe) -> Excluded:
    rehearse(recipe)  # it may be the recipe's fault, which no file can be blamed for
    return Excluded("failed", f"{type(error).__name__}: {error}")


def _assemble(
    jobs: Sequence[_Job],
    rows: Rows,
    excluded: dict[str, Excluded],
    names: tuple[str, ...],
    *,
    computed: int,
    keep_duplicates: bool,
) -> Extraction:
    """Matrix and statistics of the rows that are left; ``rows`` are those of ``jobs``, in order."""
    statistics = rows.statistics.set_axis(
        pd.Index([job.file for job in jobs], name="file", dtype=object)
    )
    refused = {job.file: why for job, why in zip(jobs, rows.refusals, strict=True) if why}
    if not keep_duplicates:
        refused |= _duplicates(statistics["digest"].drop(list(refused)))
    kept = ~statistics.index.isin(list(refused))
    listed = pd.DataFrame(
        [(file, why.reason, why.detail) for file, why in sorted((excluded | refused).items())],
        columns=["file", "reason", "detail"],
    )
    statistics = statistics[kept]
    matrix = FeatureMatrix(X=rows.X[kept], index=tuple(statistics.index), names=names)
    return Extraction(matrix=matrix, statistics=statistics, excluded=listed, computed=computed)


def _duplicates(digests: pd.Series) -> dict[str, Excluded]:
    """Of recordings with the same samples the first stays."""
    first = digests.drop_duplicates()
    known = dict(zip(first, first.index, strict=True))
    return {
        str(file): Excluded("duplicate", f"the same samples as {known[digest]}")
        for file, digest in digests.drop(first.index).items()
    }
