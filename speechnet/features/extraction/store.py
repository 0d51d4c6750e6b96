"""The feature cache: content-addressed, shared, sharded, checked, crash-safe.

``<cache>/features/<recipe>/<digest>.parquet``: ``recipe`` names everything that decides the numbers
of one extractor; ``digest`` is the hash of the shard's own bytes and is compared on every read, so
that a flipped bit anywhere is noticed. Shards are never changed: each is written under a temporary
name, synced and renamed. Any number of processes may read and write one folder; one that dies
leaves at most a temporary file. Nothing is unpickled.

A recording's row holds its frames one after the other: one frame of a vector, any number of a
sequence.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.core.errors import Excluded, StorageError
from speechnet.core.files import is_full, remove_abandoned, sync_folder, write_whole
from speechnet.core.reading import read_regular
from speechnet.core.types import Float32, Int64

# What is kept of a recording: its features, float32 ``[d]`` or ``[frames, d]``, and the statistics
# of its samples; or why there are none: what can't be used need not be looked at again either.
Row = tuple[Float32, SignalStatistics]
Outcome = Row | Excluded

_LOG = logging.getLogger(__name__)

_COMPACT_ABOVE: Final = 16  # shards in a recipe's folder before small ones are merged
_SMALL_BYTES: Final = 2**22  # shards below this are merged
_MERGED_BYTES: Final = 2**27  # about the largest that a shard grows by merging
# Bytes of rows that a store keeps in memory: later reads mostly need the same shards.
_HELD_BYTES: Final = 2**27

_KINDS: Final = {"float": pa.float64(), "int": pa.int64(), "str": pa.string()}
_STATISTICS: Final = {field.name: _KINDS[str(field.type)] for field in fields(SignalStatistics)}
_DESCRIBING: Final = pa.schema(
    {
        "key": pa.string(),
        **_STATISTICS,
        "reason": pa.string(),
        "detail": pa.string(),
    }
)
# Large: all frames of a corpus are more than 32 bits can count.
_SCHEMAS: Final = {
    name: _DESCRIBING.append(pa.field("row", pa.large_list(number)))
    for name, number in {"float32": pa.float32(), "float16": pa.float16()}.items()
}


def fingerprint(recipe: Mapping[str, Any]) -> str:
    """A 128-bit name (hexadecimal) for everything that decides what a row is."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Rows:
    """Rows of the cache, one for each key; the features have ``width`` columns, ``d``.

    ``reason`` and ``detail`` are empty where there are features, ``row`` where there are none.
    """

    table: pa.Table
    width: int

    @cached_property
    def position(self) -> dict[str, int]:
        """Where the row of each key stands."""
        return {key: i for i, key in enumerate(self.table["key"].to_pylist())}

    def join(self, others: Iterable[Rows]) -> Rows:
        """These and others; a row that stands in two of them counts once."""
        return Rows(pa.concat_tables([self.table, *(other.table for other in others)]), self.width)

    def frames(self, keys: Iterable[str]) -> tuple[Float32, Int64]:
        """Frames of some keys, in their order, twice where a key comes twice.

        ``[total, d]`` as stored, one recording after the other; and int64 ``starts [n + 1]``:
        recording ``i`` has the frames from ``starts[i]`` up to the next.
        """
        rows = self._take(keys, ["row"])["row"].combine_chunks()
        flat = rows.flatten().to_numpy(zero_copy_only=False)
        offsets = rows.offsets.to_numpy()
        return flat.reshape(-1, self.width), (offsets - offsets[0]) // self.width

    def statistics(self, keys: Iterable[str]) -> pd.DataFrame:
        """Columns as ``SignalStatistics`` has them, a row for each key in their order."""
        frame: pd.DataFrame = self._take(keys, [*_STATISTICS]).to_pandas()
        return frame

    def refusals(self, keys: Iterable[str]) -> list[Excluded | None]:
        """Why a key has no features, None where it has some, in the keys' order."""
        table = self._take(keys, ["reason", "detail"])
        whys = zip(table["reason"].to_pylist(), table["detail"].to_pylist(), strict=True)
        return [Excluded(reason, detail) if reason else None for reason, detail in whys]

    def _take(self, keys: Iterable[str], columns: list[str]) -> pa.Table:
        positions = pa.array([self.position[key] for key in keys], pa.int64())
        return self.table.select(columns).take(positions)


class FeatureStore:
    """Rows of one extractor's recipe, by key.

    However large the cache is, a read costs only what is new: a shard is read once for its keys,
    which stay in memory, and again only for rows that have left memory.

    Args:
        folder: the cache folder; made if need be.
        recipe: everything that decides what a row is, as plain types.
        width: the number of columns of the features, ``d``.
        type_: of their numbers, ``float32`` or ``float16``.

    Attributes:
        writable: False when the folder can't be written: rows are then computed and not kept.
    """

    def __init__(
        self, folder: Path, *, recipe: Mapping[str, Any], width: int, type_: str = "float32"
    ) -> None:
        self.folder = folder / "features" / fingerprint(recipe)
        self.width = width
        self._schema = _SCHEMAS[type_]
        self.writable = True
        self._keys: dict[Path, pa.ChunkedArray] = {}
        self._held: dict[Path, pa.Table] = {}
        with self._storage_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned(self.folder)
            if not (self.folder / "recipe.json").exists():
                text = json.dumps(recipe, indent=1, sort_keys=True).encode()
                write_whole(self.folder / "recipe.json", text)

    def read(self, keys: Iterable[str]) -> Rows:
        """The rows of some keys, as far as the cache holds them.

        A key that two processes have written at once comes twice; ``Rows`` counts it once.
        """
        wanted = pa.array(set(keys), pa.string())
        return Rows(
            pa.concat_tables([*self._found(wanted), self._schema.empty_table()]), self.width
        )

    def write(self, outcomes: Mapping[str, Outcome]) -> Rows:
        """Keep outcomes by key as one new shard; they are returned as ``read`` would.

        Raises:
            StorageError: there is no space left.
        """
        rows = [
            {"key": key, "reason": o.reason, "detail": o.detail, "row": []}
            if isinstance(o, Excluded)
            else {"key": key, "reason": "", "detail": "", "row": o[0].ravel(), **vars(o[1])}
            for key, o in outcomes.items()
        ]
        table = pa.Table.from_pylist(rows, schema=self._schema)
        if self.writable and outcomes:
            with self._storage_errors():
                self._write_shard(table)
        return Rows(table, self.width)

    def compact(self) -> None:
        """Merge small shards once there are many. Rows can be read all the while.

        Raises:
            StorageError: there is no space left.
        """
        if not self.writable:
            return
        with self._storage_errors():
            sizes = {path: _size(path) for path in self._shards()}
            small = [p for p, size in sizes.items() if size < _SMALL_BYTES]
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
        # Two processes that worked on the same files at once have written rows twice.
        position = {key: i for i, key in enumerate(whole["key"].to_pylist())}
        merged = self._write_shard(whole.take(sorted(position.values())))
        sync_folder(self.folder)
        for path in tables.keys() - {merged}:
            path.unlink(missing_ok=True)

    def _shards(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return sorted(p for p in self.folder.iterdir() if p.suffix == ".parquet")
        return []

    def _found(self, wanted: pa.Array) -> Iterator[pa.Table]:
        """Rows of some keys. A shard merged away meanwhile lives on in another: look again."""
        seen: set[Path] = set()
        before: list[Path] | None = None
        # A single listing may miss both the old and the new shard if they change meanwhile.
        while (now := self._shards()) != before:
            for path in (path for path in now if path not in seen):
                if path not in self._keys and self._open(path) is None:
                    continue
                asked = pc.is_in(self._keys[path], value_set=wanted)
                if pc.any(asked).as_py() and (table := self._open(path)) is not None:
                    yield table.filter(asked)
            seen.update(now)
            before = now
        for gone in self._keys.keys() - seen:
            del self._keys[gone]
            self._held.pop(gone, None)

    def _open(self, path: Path) -> pa.Table | None:
        """The rows of an intact shard, from memory if they are there."""
        table = self._held.pop(path, None)
        if table is None:
            table = self._load(path)
        if table is None:
            self._keys.pop(path, None)
            return None
        self._keys[path] = table["key"]
        self._held[path] = table  # at the end: the first is the least recently used
        while len(self._held) > 1 and sum(t.nbytes for t in self._held.values()) > _HELD_BYTES:
            del self._held[next(iter(self._held))]
        return table

    def _load(self, path: Path) -> pa.Table | None:
        try:
            data = read_regular(path)
        except FileNotFoundError:  # merged into another
            return None
        except OSError as error:
            _LOG.warning("cache shard %s can't be read: %s", path, error)
            return None
        if _digest(data) == path.stem:
            with contextlib.suppress(pa.ArrowException):
                table = pq.read_table(io.BytesIO(data))
                if table.schema == self._schema:
                    return table
        _LOG.warning("damaged cache shard %s: its rows are computed again", path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None

    def _write_shard(self, table: pa.Table) -> Path:
        buffer = io.BytesIO()
        # Features hardly repeat: a dictionary of their values would only take time.
        pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
        data = buffer.getvalue()
        path = self.folder / f"{_digest(data)}.parquet"
        write_whole(path, data)
        self._keys[path] = table["key"]
        return path

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
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
    with contextlib.suppress(FileNotFoundError):  # merged by another process
        return path.stat().st_size
    return 0


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
