"""The feature cache: content-addressed, shared, sharded, checked, crash-safe.

``<cache>/features/<recipe>/<digest>.parquet``: ``recipe`` names everything that decides what a row
is; ``digest`` is the hash of the shard's own bytes and is compared on every read, so that a flipped
bit anywhere is noticed. Shards are never changed: each is written under a temporary name, synced
and renamed. Any number of processes may read and write one folder; whoever dies leaves at most a
temporary file behind. Nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from speechnet.audio.decode import Facts
from speechnet.errors import StorageError
from speechnet.files import is_full, remove_abandoned, sync_folder, write_whole
from speechnet.types import Float32

Row = tuple[Float32, Facts]
"""What is kept of a recording: its features, float32 ``[d]``, and the facts of its samples."""

_LOG = logging.getLogger(__name__)

_FACTS: Final = [field.name for field in fields(Facts)]

_COMPACT_ABOVE: Final = 16
"""Shards in a recipe's folder before small ones are merged."""

_SMALL_ROWS: Final = 4_096
"""Shards with fewer rows than this are merged."""

_MERGED_BYTES: Final = 2**27
"""About the largest that a shard grows by merging."""


def fingerprint(recipe: Mapping[str, Any]) -> str:
    """A 128-bit name (hexadecimal) for everything that decides what a row is."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """128-bit hash (hexadecimal) of a file's bytes.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        # Processors have instructions for SHA-256: here it is three times as fast as BLAKE2.
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


class FeatureStore:
    """Rows of one recipe, by key.

    Args:
        folder: the cache folder; made if need be.
        recipe: everything that decides what a row is, as plain types.
        width: the number of columns, ``d``.

    Attributes:
        writable: False when the folder can't be written: rows are then computed and not kept.
    """

    def __init__(self, folder: Path, *, recipe: Mapping[str, Any], width: int) -> None:
        self.folder = folder / "features" / fingerprint(recipe)
        self.width = width
        self.writable = True
        with self._refusals():
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned(self.folder)
            if not (self.folder / "recipe.json").exists():
                text = json.dumps(recipe, indent=1, sort_keys=True).encode()
                write_whole(self.folder / "recipe.json", text)

    def read(self, keys: Iterable[str]) -> dict[str, Row]:
        """Look rows up.

        Args:
            keys: of the rows that are wanted.

        Returns:
            Those of them that the cache holds, by key.
        """
        wanted = set(keys)
        rows: dict[str, Row] = {}
        for table in self._tables():
            held = [(i, key) for i, key in enumerate(table["key"].to_pylist()) if key in wanted]
            if not held:
                continue
            found = table.take([i for i, _ in held])
            X = found["row"].combine_chunks().flatten().to_numpy().reshape(-1, self.width)
            facts = found.select(_FACTS).to_pylist()
            rows.update(
                (key, (X[i], Facts(**fact)))
                for i, ((_, key), fact) in enumerate(zip(held, facts, strict=True))
            )
        return rows

    def write(self, rows: Mapping[str, Row]) -> None:
        """Keep rows as one new shard.

        Args:
            rows: by key.

        Raises:
            StorageError: there is no space left.
        """
        if not self.writable or not rows:
            return
        X = np.stack([row for row, _ in rows.values()])
        columns = {name: [getattr(facts, name) for _, facts in rows.values()] for name in _FACTS}
        arrow_rows = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), self.width)
        with self._refusals():
            self._write_shard(pa.table({"key": list(rows)} | columns | {"row": arrow_rows}))

    def compact(self) -> None:
        """Merge small shards once there are many. Rows can be read all the while.

        Raises:
            StorageError: there is no space left.
        """
        if not self.writable:
            return
        with self._refusals():
            sizes = {path: _size(path) for path in self._shards()}
            small = [p for p, size in sizes.items() if size < _SMALL_ROWS * self.width * 4]
            if len(small) <= _COMPACT_ABOVE:
                return
            ends = np.cumsum([sizes[path] for path in small])
            group = dict(zip(small, (ends // _MERGED_BYTES).tolist(), strict=True))
            for _, paths in groupby(small, key=group.__getitem__):
                self._merge(list(paths))

    def _merge(self, paths: list[Path]) -> None:
        tables = {path: table for path in paths if (table := self._load(path)) is not None}
        if len(tables) < 2:
            return
        whole = pa.concat_tables(tables.values())
        # Two processes that worked on the same files at once have left rows twice.
        position = {key: i for i, key in enumerate(whole["key"].to_pylist())}
        merged = self._write_shard(whole.take(sorted(position.values())))
        sync_folder(self.folder)
        for path in tables.keys() - {merged}:
            path.unlink(missing_ok=True)

    def _shards(self) -> list[Path]:
        try:
            return sorted(p for p in self.folder.iterdir() if p.suffix == ".parquet")
        except OSError:
            return []

    def _tables(self) -> Iterator[pa.Table]:
        """All sound shards. One that was merged away meanwhile lives on in another: look again."""
        seen: set[Path] = set()
        before: list[Path] | None = None
        # A single listing may miss both the old and the new, where they change under its hands.
        while (now := self._shards()) != before:
            for path in now:
                if path not in seen and (table := self._load(path)) is not None:
                    yield table
            seen.update(now)
            before = now

    def _load(self, path: Path) -> pa.Table | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # merged into another
            return None
        except OSError as error:
            _LOG.warning("cache shard %s can't be read: %s", path, error)
            return None
        if _digest(data) != path.stem:
            _LOG.warning("damaged cache shard %s: its rows are computed anew", path)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return pq.read_table(io.BytesIO(data))

    def _write_shard(self, table: pa.Table) -> Path:
        buffer = io.BytesIO()
        # Features hardly repeat: a dictionary of their values would only take time.
        pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
        data = buffer.getvalue()
        path = self.folder / f"{_digest(data)}.parquet"
        write_whole(path, data)
        return path

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """No space ends the run; no permission only means that nothing is kept."""
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise StorageError(
                    f"no space left for the feature cache at {self.folder}; free some or set "
                    f"data.cache_dir to another place. Rows already written are kept."
                ) from error
            self.writable = False
            _LOG.warning("the cache %s can't be written (%s): nothing is kept", self.folder, error)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # merged by another process
        return 0


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
