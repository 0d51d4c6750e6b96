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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from speechnet.audio import Facts
from speechnet.errors import StorageError
from speechnet.files import is_full, remove_abandoned, write_whole
from speechnet.types import Float32

_LOG = logging.getLogger(__name__)

_FACTS: Final = tuple(field.name for field in fields(Facts))
_COMPACT_ABOVE: Final = 16
"""Shards in a recipe's folder before small ones are merged."""

_SMALL_ROWS: Final = 4_096
"""Shards with fewer rows than this are merged."""


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
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


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
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "recipe.json").exists():
                text = json.dumps(recipe, indent=1, sort_keys=True).encode()
                write_whole(self.folder / "recipe.json", text)
            remove_abandoned(self.folder)
        except OSError as error:
            self._refuse(error)

    def read(self, wanted: Sequence[str]) -> tuple[Float32, pd.DataFrame]:
        """Look rows up.

        Args:
            wanted: keys.

        Returns:
            ``X`` float32 ``[m, d]`` and a table of the facts, indexed by key, ``[m]``: those of
            the wanted rows that the cache holds, each once.
        """
        keys = pa.array(sorted(set(wanted)), type=pa.string())
        tables = [
            table.filter(pa.compute.is_in(table["key"], value_set=keys)) for table in self._tables()
        ]
        if not tables:
            return np.empty((0, self.width), np.float32), _facts_table([], [])
        table = pa.concat_tables(tables)
        flat = table["row"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        facts = table.drop_columns(["row"]).to_pandas().set_index("key")
        first = ~facts.index.duplicated()
        return flat.reshape(-1, self.width)[first], facts[first]

    def write(self, keys: Sequence[str], X: Float32, facts: Sequence[Facts]) -> None:
        """Keep rows as one new shard.

        Args:
            keys: ``[n]``.
            X: float32 ``[n, d]``.
            facts: ``[n]``.

        Raises:
            StorageError: there is no space left.
        """
        if not self.writable or len(keys) == 0:
            return
        table = pa.Table.from_pandas(_facts_table(keys, facts).reset_index(), preserve_index=False)
        rows = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), self.width)
        try:
            self._write_shard(table.append_column("row", rows))
        except OSError as error:
            self._refuse(error)

    def compact(self) -> None:
        """Merge small shards into one, once there are many. Readers of the old ones start anew."""
        small = [
            path for path in self._shards() if path.stat().st_size < _SMALL_ROWS * self.width * 4
        ]
        if not self.writable or len(small) <= _COMPACT_ABOVE:
            return
        tables = [table for path in small if (table := self._load(path)) is not None]
        try:
            merged = self._write_shard(pa.concat_tables(tables))
            for path in small:
                if path != merged:
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._refuse(error)

    def _shards(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet")) if self.folder.is_dir() else []

    def _tables(self) -> list[pa.Table]:
        """All sound shards. A shard that vanished was merged into another: look again."""
        for _ in range(5):
            with contextlib.suppress(FileNotFoundError):
                loaded = [self._load(path) for path in self._shards()]
                return [table for table in loaded if table is not None]
        return []

    def _load(self, path: Path) -> pa.Table | None:
        data = path.read_bytes()
        if _digest(data) != path.stem:
            _LOG.warning("damaged cache shard %s: its rows are computed anew", path)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return pq.read_table(io.BytesIO(data))

    def _write_shard(self, table: pa.Table) -> Path:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        path = self.folder / f"{_digest(data)}.parquet"
        write_whole(path, data)
        return path

    def _refuse(self, error: OSError) -> None:
        """No space ends the run; no permission only means that nothing is kept."""
        if is_full(error):
            raise StorageError(
                f"no space left for the feature cache at {self.folder}; free some or set "
                f"data.cache_dir to another place. Rows already written are kept."
            ) from error
        self.writable = False
        _LOG.warning("the cache %s can't be written (%s): nothing is kept", self.folder, error)


def _facts_table(keys: Sequence[str], facts: Sequence[Facts]) -> pd.DataFrame:
    table = pd.DataFrame([asdict(fact) for fact in facts], columns=list(_FACTS))
    return table.set_index(pd.Index(list(keys), name="key", dtype=object))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
