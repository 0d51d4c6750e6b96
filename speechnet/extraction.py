"""From files to the feature matrix: cached rows are looked up, the others computed in parallel."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import soundfile
from joblib.externals.loky.process_executor import TerminatedWorkerError

from speechnet.audio import AudioConfig, Facts, load
from speechnet.denoise import DenoiseConfig, denoise
from speechnet.errors import SetAside
from speechnet.features import FeaturesConfig, extract
from speechnet.progress import progress
from speechnet.store import FeatureStore, file_digest
from speechnet.types import FeatureMatrix, Float32

_CODE_VERSION = 1
"""Raised whenever the same settings give other numbers than before."""

_BATCH = 16
"""Files a task. What a killed run loses is at most this many for each process."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a row is."""

    audio: AudioConfig
    denoise: DenoiseConfig
    features: FeaturesConfig

    def describe(self) -> dict[str, Any]:
        """The recipe and the versions of the libraries that matter, as plain types."""
        features = asdict(self.features) | {
            "columns": list(self.features.names()),
            "n_mfcc": self.features.mfcc_count(),
        }
        for chosen_elsewhere in ("preset", "include", "scaling"):
            del features[chosen_elsewhere]
        active = self.denoise.method != "none"
        packages = ["librosa", "numpy", "scipy", "soundfile", "soxr"]
        return {
            "code": _CODE_VERSION,
            "audio": asdict(self.audio),
            "denoise": asdict(self.denoise) if active else {"method": "none"},
            "features": features,
            "versions": {name: version(name) for name in packages + ["noisereduce"] * active}
            | {"libsndfile": soundfile.__libsndfile_version__},
        }


@dataclass(frozen=True)
class Extraction:
    """What came of the files.

    Attributes:
        matrix: the rows of the usable recordings, in the order of the table.
        facts: index ``file``, one row for each row of the matrix: duration (s), peak, ...
        set_aside: columns file, reason, detail.
        computed: how many rows were computed; the others came from the cache.
    """

    matrix: FeatureMatrix
    facts: pd.DataFrame
    set_aside: pd.DataFrame
    computed: int


@dataclass(frozen=True)
class _Job:
    file: str
    path: Path
    start: float
    end: float
    digest: str

    @property
    def key(self) -> str:
        """The content's hash, and which part of it."""
        whole = math.isnan(self.start) and math.isnan(self.end)
        return self.digest if whole else f"{self.digest}#t={self.start},{self.end}"


_Outcome = tuple[_Job, Float32, Facts] | tuple[_Job, SetAside]


def extract_features(
    root: Path,
    table: pd.DataFrame,
    recipe: Recipe,
    *,
    cache_dir: Path,
    keep_duplicates: bool = False,
) -> Extraction:
    """Compute or look up a row for each recording of the table.

    Parallel as ``joblib.parallel_config`` says. A file that can't be used is set aside; a process
    that dies is replaced, its file tried once more alone, then set aside.

    Args:
        root: the folder that the table's ``path`` column is relative to.
        table: the corpus table.
        recipe: audio, denoise and feature settings.
        cache_dir: where rows are kept.
        keep_duplicates: keep recordings whose samples another one has; by default all but the
            first are set aside, for they could stand on both sides of a split.

    Returns:
        Rows, facts and what was set aside; each file of the table in exactly one of them.

    Raises:
        StorageError: no space is left for the cache.
    """
    names = recipe.features.names()
    store = FeatureStore(cache_dir, recipe=recipe.describe(), width=len(names))
    jobs, set_aside = _hash_files(root, table)
    X, cached = store.read([job.key for job in jobs])
    rows = {key: (X[i], Facts(**fact)) for i, (key, fact) in enumerate(_records(cached))}
    missing = list({job.key: job for job in jobs if job.key not in rows}.values())
    for outcomes in _compute(missing, recipe):
        done = [outcome for outcome in outcomes if len(outcome) == 3]
        if done:
            store.write(
                [job.key for job, _, _ in done],
                np.stack([row for _, row, _ in done]),
                [facts for _, _, facts in done],
            )
        rows.update({job.key: (row, facts) for job, row, facts in done})
        failed = {o[0].key: o[1] for o in outcomes if len(o) == 2}
        set_aside.update({job.file: failed[job.key] for job in jobs if job.key in failed})
    store.compact()
    if not keep_duplicates:
        _set_duplicates_aside(jobs, rows, set_aside)
    return _assemble(jobs, rows, set_aside, names, computed=len(missing))


def _records(facts: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    return zip(facts.index, facts.to_dict(orient="records"), strict=True)  # type: ignore[arg-type]


def _hash_files(root: Path, table: pd.DataFrame) -> tuple[list[_Job], dict[str, SetAside]]:
    """Address every recording by its content; each file is read once however many parts it has."""
    paths = {path: root / path for path in table["path"].unique()}
    with progress("reading files", len(paths)) as advance:
        digests: dict[str, str | SetAside] = {}
        for path, full in paths.items():
            digests[path] = _try_digest(full)
            advance(1)
    jobs: list[_Job] = []
    set_aside: dict[str, SetAside] = {}
    for row in table.itertuples():
        digest = digests[str(row.path)]
        if isinstance(digest, SetAside):
            set_aside[str(row.Index)] = digest
        else:
            start, end = float(row.start), float(row.end)  # type: ignore[arg-type]
            jobs.append(_Job(str(row.Index), paths[str(row.path)], start, end, digest))
    return jobs, set_aside


def _try_digest(path: Path) -> str | SetAside:
    try:
        return file_digest(path)
    except FileNotFoundError:
        return SetAside("missing", "there is no such file")
    except OSError as error:
        return SetAside("unreadable", error.strerror or str(error))


def _compute(jobs: Sequence[_Job], recipe: Recipe) -> Iterator[list[_Outcome]]:
    """Work the files off, batch by batch, whatever happens to the processes."""
    with (
        progress("extracting features", len(jobs)) as advance,
        tempfile.TemporaryDirectory() as desk,
    ):
        left = {job.file: job for job in jobs}
        while left:
            try:
                for outcomes in _run(list(left.values()), recipe, Path(desk)):
                    for outcome in outcomes:
                        del left[outcome[0].file]
                    advance(len(outcomes))
                    yield outcomes
            except TerminatedWorkerError:
                # Which of the dead processes' files is to blame shows when each runs alone.
                suspects = [left.pop(file) for file in _on_desk(Path(desk)) if file in left]
                yield [_retry(job, recipe, Path(desk)) for job in suspects]
                advance(len(suspects))


def _run(jobs: Sequence[_Job], recipe: Recipe, desk: Path) -> Iterator[list[_Outcome]]:
    batches = [jobs[i : i + _BATCH] for i in range(0, len(jobs), _BATCH)]
    results: Iterator[list[_Outcome]] = joblib.Parallel(return_as="generator_unordered")(
        joblib.delayed(_work)(batch, recipe, desk) for batch in batches
    )
    return results


def _on_desk(desk: Path) -> list[str]:
    """The files that processes were working on when they died."""
    notes = list(desk.iterdir())
    files = [note.read_text(encoding="utf-8") for note in notes]
    for note in notes:
        note.unlink()
    return [file for file in files if file]


def _retry(job: _Job, recipe: Recipe, desk: Path) -> _Outcome:
    # Two processes for one file: with one, joblib would work in this very process.
    parallel = joblib.Parallel(n_jobs=2, backend="loky")
    try:
        outcome: _Outcome = parallel([joblib.delayed(_work)([job], recipe, desk)])[0][0]
    except TerminatedWorkerError:
        _on_desk(desk)
        return job, SetAside("worker_died", "the process working on it died, twice")
    return outcome


def _work(jobs: Sequence[_Job], recipe: Recipe, desk: Path) -> list[_Outcome]:
    """Runs in a worker process; its note on the desk says which file it is busy with."""
    note = desk / joblib.hash(jobs[0].file)
    outcomes: list[_Outcome] = []
    for job in jobs:
        note.write_text(job.file, encoding="utf-8")
        outcomes.append(_one(job, recipe))
    note.unlink()
    return outcomes


def _one(job: _Job, recipe: Recipe) -> _Outcome:
    try:
        with warnings.catch_warnings():
            # What these warn of is measured, and named in the quarantine.
            warnings.simplefilter("ignore")
            clip = load(job.path, recipe.audio, start=job.start, end=job.end)
            y = denoise(clip.y, clip.sr, recipe.denoise)
            row = extract(y, clip.sr, recipe.features)
        if file_digest(job.path) != job.digest:
            raise SetAside("failed", "the file changed while it was being read")
    except SetAside as outcome:
        return job, outcome
    except Exception as error:  # one file never stops a run
        return job, SetAside("failed", f"{type(error).__name__}: {error}")
    return job, row, clip.facts


def _set_duplicates_aside(
    jobs: Sequence[_Job],
    rows: dict[str, tuple[Float32, Facts]],
    set_aside: dict[str, SetAside],
) -> None:
    """Of recordings with the same samples the first stays."""
    first: dict[str, str] = {}
    for job in jobs:
        if job.key in rows:
            digest = rows[job.key][1].digest
            if first.setdefault(digest, job.file) != job.file:
                set_aside[job.file] = SetAside("duplicate", f"the same samples as {first[digest]}")


def _assemble(
    jobs: Sequence[_Job],
    rows: dict[str, tuple[Float32, Facts]],
    set_aside: dict[str, SetAside],
    names: tuple[str, ...],
    *,
    computed: int,
) -> Extraction:
    kept = {job.file: rows[job.key] for job in jobs if job.file not in set_aside}
    X = np.stack([row for row, _ in kept.values()]) if kept else np.empty((0, len(names)))
    facts = pd.DataFrame(
        [asdict(fact) for _, fact in kept.values()],
        index=pd.Index(list(kept), name="file", dtype=object),
        columns=[fact.name for fact in fields(Facts)],
    )
    quarantine = pd.DataFrame(
        [(file, why.reason, why.detail) for file, why in sorted(set_aside.items())],
        columns=["file", "reason", "detail"],
    )
    matrix = FeatureMatrix(X=np.asarray(X, dtype=np.float32), index=tuple(kept), names=names)
    return Extraction(matrix=matrix, facts=facts, set_aside=quarantine, computed=computed)
