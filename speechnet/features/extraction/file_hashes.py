"""The content of files by hash, without reading a file again that has not changed.

As git does: a file whose size, times and inode are those of the last look is assumed to have the
same content. A file that changed less than two seconds before it was looked at may change again
within the resolution of its times; nothing is remembered of it.

One Parquet file per corpus folder, ``<cache>/digests/<hash of the folder's path>.parquet``, its
pages checked by checksums. It only saves time: whatever is missing or damaged is read again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechnet.core.errors import Excluded
from speechnet.core.files import write_whole
from speechnet.core.progress import Progress, silent
from speechnet.core.reading import kind_of_no_file, open_regular, read_regular

_LOG = logging.getLogger(__name__)

_SETTLED_NS: Final = 2_000_000_000  # file systems keep times to two seconds or better
# New hashes are written once they are this part of the known ones: each time all are written.
_SHARE: Final = 8
_LARGE: Final = 2**26  # bytes: hashing a file of this size takes longer than reading its header

_SCHEMA: Final = pa.schema(
    [("path", pa.binary())]
    + [(name, pa.int64()) for name in ("size", "mtime_ns", "ctime_ns", "inode")]
    + [("digest", pa.string())]
)

State = tuple[int, int, int, int]
"""Size in bytes, times of modification and change in ns, inode."""


def file_digest(path: Path) -> str:
    """128-bit hash (hexadecimal) of a file's bytes.

    Raises:
        OSError: the file can't be read.
    """
    with open_regular(path) as file:
        # Processors have instructions for SHA-256: here it is three times as fast as BLAKE2.
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


class Content(NamedTuple):
    """What a file holds: the digest of its bytes.

    ``state`` shows whether the file has changed since; None where it can't.
    """

    digest: str
    state: State | None

    def still_in(self, path: Path) -> bool:
        """Whether the file holds it now.

        Raises:
            OSError: the file can't be read any more.
        """
        now = _state(path.parent, path.name)
        return now == self.state or file_digest(path) == self.digest


def _state(root: Path, path: str) -> State | Excluded:
    try:
        # os.path: a pathlib.Path for each of a million files takes longer than the look at it.
        seen = os.stat(os.path.join(root, path))  # noqa: PTH116, PTH118
    except (OSError, ValueError) as error:
        return _unreadable(error)
    # A pipe or a device would never come to an end.
    if not S_ISREG(seen.st_mode):
        kind = kind_of_no_file(seen.st_mode) or "a folder"
        return Excluded("unreadable", f"{kind}, not a recording")
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


def _unreadable(error: OSError | ValueError) -> Excluded:
    if isinstance(error, FileNotFoundError):
        return Excluded("missing", "there is no such file")
    return Excluded("unreadable", getattr(error, "strerror", None) or str(error))


class FileHashes:
    """What the files of a folder hold, remembered from call to call and from run to run.

    With ``verify`` every file is read, however unchanged it looks.
    """

    def __init__(
        self,
        root: Path,
        *,
        cache_dir: Path,
        verify: bool = False,
        progress: Progress = silent,
    ) -> None:
        self._root, self._verify, self._progress = root, verify, progress
        name = hashlib.blake2b(os.fsencode(root.absolute()), digest_size=16).hexdigest()
        self._path = cache_dir / "digests" / f"{name}.parquet"
        self._known = self._read_known()
        self._learnt: dict[str, tuple[State, str]] = {}

    def of(
        self, paths: Sequence[str], *, probe: Callable[[str], None] | None = None
    ) -> dict[str, Content | Excluded]:
        """The content of each file, or why it has none, by path and in the order of ``paths``.

        Args:
            paths: each once, relative to the folder.
            probe: raises ``Excluded`` for a path that isn't worth hashing; called only for large
                files, before they are read.
        """
        now = time.time_ns()
        known = self._remembered(paths)
        found: dict[str, Content | Excluded] = {}
        unknown: dict[str, State] = {}
        for path in paths:
            state = _state(self._root, path)
            before, digest = known.get(path, (None, ""))
            if isinstance(state, Excluded):
                found[path] = state
            elif state == before and not self._verify:
                found[path] = Content(digest, state)
            else:
                unknown[path] = state
        for path, read in self._read(unknown, probe):
            state = unknown[path]
            if isinstance(read, Excluded):
                found[path] = read
            elif max(state[1:3]) < now - _SETTLED_NS:
                found[path] = Content(read, state)
                self._learnt[path] = (state, read)
            else:
                found[path] = Content(read, None)
        if len(self._learnt) * _SHARE >= len(self._known):
            self.keep()
        return {path: found[path] for path in paths}

    def _read(
        self, files: Mapping[str, State], probe: Callable[[str], None] | None
    ) -> Iterator[tuple[str, str | Excluded]]:
        """Each file's digest, or why there is none."""

        def digest(path: str) -> str | Excluded:
            try:
                if probe is not None and files[path][0] > _LARGE:
                    probe(path)
                return file_digest(self._root / path)
            except Excluded as why:
                return why
            except OSError as error:
                return _unreadable(error)

        if not files:
            return
        # Threads: hashing and reading leave the interpreter to others.
        with self._progress("reading files", len(files)) as advance, ThreadPoolExecutor() as pool:
            for path, read in zip(files, pool.map(digest, files), strict=True):
                yield path, read
                advance(1, 0.0)

    def keep(self) -> None:
        """Write new hashes; of two processes that do so at once the last one wins."""
        if not self._learnt:
            return
        # As bytes: names need not be UTF-8.
        rows = [
            (os.fsencode(path), *state, digest) for path, (state, digest) in self._learnt.items()
        ]
        buffer = io.BytesIO()
        try:
            columns = dict(zip(_SCHEMA.names, zip(*rows, strict=True), strict=True))
            learnt = pa.table(columns, schema=_SCHEMA)
            others = self._read_known()  # another process may have added some
            known = pc.is_in(others["path"], value_set=learnt["path"].combine_chunks())
            table = pa.concat_tables([others.filter(pc.invert(known)), learnt])
            pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, buffer.getvalue())
            self._known, self._learnt = table, {}
        except (OSError, pa.ArrowException, OverflowError) as error:
            _LOG.info("the hashes of %d files are not kept: %s", len(rows), error)

    def _remembered(self, paths: Sequence[str]) -> dict[str, tuple[State, str]]:
        """State and digest of those of some files that are known, by path."""
        asked = pa.array(map(os.fsencode, paths), pa.binary())
        table = self._known.filter(pc.is_in(self._known["path"], value_set=asked))
        columns = (table[name].to_pylist() for name in _SCHEMA.names)
        found: dict[str, tuple[State, str]] = {
            os.fsdecode(path): ((size, mtime, ctime, inode), digest)
            for path, size, mtime, ctime, inode, digest in zip(*columns, strict=True)
        }
        return found | {path: self._learnt[path] for path in paths if path in self._learnt}

    def _read_known(self) -> pa.Table:
        try:
            data = read_regular(self._path)
            return pq.read_table(io.BytesIO(data), page_checksum_verification=True).cast(_SCHEMA)
        except FileNotFoundError:
            pass
        except (OSError, pa.ArrowException, ValueError) as error:
            _LOG.warning("%s is damaged and made again: %s", self._path, error)
        return _SCHEMA.empty_table()
