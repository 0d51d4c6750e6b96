"""Features of one's own, computed elsewhere: a table with a row for each recording.

A ``.csv`` or ``.tsv`` has a column ``file`` with the recordings' names, optionally ``start`` and
``end`` of a part (in seconds, or as audformat and openSMILE write them), and a number in every
other column; ``.parquet`` is the same. A ``.npy`` holds floats ``[n, d]``, and a ``.txt`` of its
name beside it the ``n`` names, one a line.

A row belongs to a recording whose path ends in the row's whole name, or the other way round, the
endings of audio files apart: a name alone will do, as will a path relative to the corpus's root.
Where that isn't unique, the recording is excluded: no row is ever guessed.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from speechnet.core.columns import CORPUS_COLUMNS, feature_of
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.reading import read_regular
from speechnet.core.safe_text import printable
from speechnet.core.wording import counted, listing
from speechnet.corpus.discovery import without_ending
from speechnet.features.extractor import EXTRACTORS, Extractor, Named, Sound

if TYPE_CHECKING:
    import pyarrow as pa

    from speechnet.core.types import Float32, Float64

_LARGEST: Final = 2**32
"""Bytes of a table."""
_TEXT: Final = frozenset({".csv", ".tsv"})
_KINDS: Final = "a .csv, .tsv or .parquet with a column of names, or a .npy with a .txt of them"

_Times = tuple[int, int]
"""Start and end of a part in ms; -1 for the beginning and the end of the recording."""
_WHOLE: Final = (-1, -1)


@EXTRACTORS.register("table")
@dataclass
class Table(Extractor):
    """Numbers of your own for each recording, from a CSV, Parquet or NumPy file.

    Attributes:
        path: the file; see ``speechnet.features.table``.
        names: the column that names the recordings.
    """

    path: str | None = None
    names: str = "file"

    by_name: ClassVar[bool] = True
    paths: ClassVar[tuple[str, ...]] = ("path",)

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's own, each behind ``table_``."""
        return self._content.columns if self.path else ()

    def group(self, column: str) -> str:
        """See ``Extractor``: columns whose names differ by a number at most are a group."""
        return feature_of(column).rstrip("0123456789").rstrip("_")

    def check(self, sample_rate: int) -> None:  # noqa: ARG002 - it has none
        """See ``Extractor``: the whole table is read."""
        if not self.path:
            raise ConfigError(f"data.features.table.path isn't set: give {_KINDS}")
        _ = self._content

    def fingerprint(self, sample_rate: int) -> dict[str, Any]:
        """See ``Extractor``: the content counts, not where it lies."""
        content = {"content": self._content.digest}
        return super().fingerprint(sample_rate) | {"settings": content}

    def extract(self, _: Sequence[Float32], __: Sound) -> list[Float32 | Excluded]:
        """See ``Extractor``: no sound is in the table."""
        raise ConfigError("data.features.table goes by the names of recordings; this has none")

    def look_up(self, recordings: Sequence[Named]) -> list[Float32 | Excluded]:
        """See ``Extractor``."""
        content = self._content
        found = [content.find(one) for one in recordings]
        paths = {(row, one.path) for row, one in zip(found, recordings, strict=True)}
        takers = Counter(row for row, _ in paths)
        rows: list[Float32 | Excluded] = []
        for row in found:
            if isinstance(row, Excluded):
                rows.append(row)
            elif takers[row] > 1:
                rows.append(_lacks(f"its row fits {takers[row]} recordings; give whole paths"))
            else:
                rows.append(content.X[row])
        return rows

    @property
    def _content(self) -> _Content:
        path = Path(self.path or "")
        try:
            state = path.stat()
        except OSError as error:
            raise _wrong(path, f"can't be read: {error.strerror}") from error
        return _read(path, self.names, (state.st_mtime_ns, state.st_size))


@dataclass(frozen=True)
class _Content:
    """A table: float32 ``X [n, d]``, its columns, and a name and times for each row."""

    X: Float32
    columns: tuple[str, ...]
    names: tuple[str, ...]
    times: tuple[_Times, ...]
    digest: str

    @cached_property
    def known(self) -> frozenset[str]:
        """The names of all rows."""
        return frozenset(self.names)

    @cached_property
    def rows(self) -> dict[tuple[str, _Times], int]:
        """The row of each name and its times."""
        return {key: row for row, key in enumerate(zip(self.names, self.times, strict=True))}

    @cached_property
    def whole(self) -> dict[str, int]:
        """The row of each name, if no row is of a later or a second part of a recording.

        Such tables give the end of each recording, as openSMILE's do.
        """
        parts = len(self.known) < len(self.names) or any(start > 0 for start, _ in self.times)
        return {} if parts else {name: row for row, name in enumerate(self.names)}

    @cached_property
    def longer(self) -> dict[str, list[str]]:
        """By every end of a name the names that end so."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.known):
            for end in _ends(name):
                found.setdefault(end, []).append(name)
        return found

    def find(self, one: Named) -> int | Excluded:
        """The row of a recording, or why there is none."""
        own = _times(one.start, one.end)
        for given, times in ((one.file, _WHOLE), (one.path, own)):
            names = self._named(_bare(given))
            if len(names) > 1:
                return _lacks(f"it may be any of {listing(names, 3)}; give whole paths")
            for name in names:
                row = self.rows.get((name, times))
                if row is None and own == _WHOLE:
                    row = self.whole.get(name)
                if row is not None:
                    return row
        return _lacks("no row has its name" if own == _WHOLE else "no row is of this part of it")

    def _named(self, name: str) -> list[str]:
        """The longest name that a recording's ends in; if there is none, those that end in it."""
        own = next((end for end in _ends(name) if end in self.known), None)
        return self.longer.get(name, []) if own is None else [own]


def _lacks(why: str) -> Excluded:
    return Excluded("not_in_table", f"data.features.table: {why}")


def _bare(name: str) -> str:
    """A name with slashes, without the ending of an audio file."""
    return without_ending(name.replace("\\", "/").removeprefix("./").strip("/"))


def _ends(name: str) -> Iterator[str]:
    """A name, and what is left of it without its first folder, without the first two..."""
    parts = name.split("/")
    return ("/".join(parts[i:]) for i in range(len(parts)))


def _times(start: float, end: float) -> _Times:
    """Seconds, NaN for the beginning and the end, in ms: other tools round differently."""
    first, last = (-1 if math.isnan(t) else round(1000 * t) for t in (start, end))
    return first, last


def _wrong(path: Path, why: str) -> DataError:
    return DataError(f"data.features.table.path: {printable(str(path))} {why}")


@lru_cache(maxsize=2)
def _read(path: Path, column: str, _: tuple[int, int]) -> _Content:
    """A table, checked; the modification time and the size say whether it is still the same.

    Raises:
        ConfigError: it is of no known kind.
        DataError: it can't be read, or something in it is wrong.
    """
    import numpy as np

    kind = path.suffix.lower()
    if kind not in {*_TEXT, ".parquet", ".npy"}:
        raise ConfigError(f"data.features.table.path: {printable(str(path))} is not {_KINDS}")
    found = _from_npy(path) if kind == ".npy" else _from_columns(path, column)
    X, columns, names, times, digest = found
    if not columns:
        raise _wrong(path, "has names alone, expected columns of numbers beside them")
    with np.errstate(over="ignore"):
        rows = X.astype(np.float32)
    content = _Content(rows, columns, tuple(map(_bare, names)), times, digest)
    if len(content.rows) < len(names):
        keys = zip(content.names, content.times, strict=True)
        twice = next(row for row, key in enumerate(keys) if content.rows[key] != row)
        raise _wrong(path, f"has several rows of {names[twice]!r}; keep one of them")
    for row, at in np.argwhere(~np.isfinite(rows))[:1]:
        what = f"{X[row, at]:g} as {columns[at].removeprefix('table_')!r} of {names[row]!r}"
        raise _wrong(path, f"has {what}, expected finite numbers of at most 3.4e38")
    return content


_Found = tuple["Float64", tuple[str, ...], list[str], tuple[_Times, ...], str]
"""Numbers, columns, names, times and the content's hash."""


def _from_npy(path: Path) -> _Found:
    import numpy as np

    beside = path.with_suffix(".txt")
    content, listed = _bytes(path), _bytes(beside)
    try:
        X = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # whatever a header that is wrong raises
        raise _wrong(path, "isn't a .npy of numbers, or is damaged; no objects are read") from error
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise _wrong(path, f"holds {X.dtype} {list(X.shape)}, expected floats [n, d]")
    try:
        names = listed.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _wrong(beside, f"isn't UTF-8 (byte {error.start})") from error
    if not len(X) or len(names) != len(X) or not all(name.strip() for name in names):
        there = counted(sum(bool(name.strip()) for name in names), "name")
        raise _wrong(beside, f"has {there} on {counted(len(names), 'line')}, expected {len(X)}")
    columns = tuple(f"table_{i:04d}" for i in range(X.shape[1]))
    return X, columns, names, (_WHOLE,) * len(names), _digest(content, listed)


def _from_columns(path: Path, column: str) -> _Found:
    import numpy as np

    content = _bytes(path)
    table = _parsed(path, content, column)
    columns = table.column_names
    if column not in columns:
        raise _wrong(
            path,
            f"has no column {column!r}, it has {listing(columns)}; data.features.table.names says "
            "which one names the recordings",
        )
    if twice := [name for name, n in Counter(columns).items() if n > 1]:
        raise _wrong(path, f"has several columns {listing(twice)}")
    names = _names(path, table, column)
    if not names:
        raise _wrong(path, "has no rows, expected one for each recording")
    if not all(names):
        row = next(row for row, name in enumerate(names) if not name)
        raise _wrong(path, f"has no {column} in row {row + 1}")
    given = [name for name in columns if name not in {column, "start", "end"}]
    _check_columns(path, table, given)
    X = np.empty((len(names), len(given)))
    for i, name in enumerate(given):
        X[:, i] = table[name].to_numpy()
    times = zip(*(_seconds(path, table, name) for name in ("start", "end")), strict=True)
    made = tuple(f"table_{printable(name)}" for name in given)
    return X, made, names, tuple(_times(*each) for each in times), _digest(content)


def _parsed(path: Path, content: bytes, column: str) -> pa.Table:
    """The table of a CSV or Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        if path.suffix.lower() == ".parquet":
            table = parquet.read_table(io.BytesIO(content))
        else:
            table = _parsed_text(content, column)
        _ = table.column_names  # decodes them
    except UnicodeDecodeError as error:
        raise _wrong(path, "isn't UTF-8 in the names of its columns; save it as UTF-8") from error
    except (pa.ArrowException, OSError) as error:
        raise _wrong(path, f"can't be read: {error}") from error
    return table


def _parsed_text(content: bytes, column: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    header = content.partition(b"\n")[0].decode("utf-8-sig")
    return csv.read_csv(
        io.BytesIO(content),
        # In one block: a column's type follows from all of its rows.
        read_options=csv.ReadOptions(block_size=min(len(content) + 1, 2**31 - 1)),
        parse_options=csv.ParseOptions(delimiter=max(",;\t|", key=header.count)),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys((column, "start", "end"), pa.string())
        ),
    )


def _names(path: Path, table: pa.Table, column: str) -> list[Any]:
    """The recordings' names, None where one is missing."""
    import pyarrow as pa

    try:
        return list(table[column].cast(pa.string()).to_pylist())
    except pa.ArrowException as error:
        kind = table.schema.field(column).type
        raise _wrong(path, f"has {kind} in the column {column}, expected names") from error


def _check_columns(path: Path, table: pa.Table, names: Sequence[str]) -> None:
    """Refuse columns that hold no numbers, or answers, which a model would only copy."""
    if bare := [name for name in names if not name or name.startswith("__index_level_")]:
        nameless = counted(len(bare), "column")
        raise _wrong(path, f"has {nameless} without a name; pandas writes none with index=False")
    if answers := [name for name in names if name.casefold() in CORPUS_COLUMNS]:
        raise _wrong(path, f"has the columns {listing(answers)}, answers that no feature may hold")
    kinds = {name: table.schema.field(name).type for name in names}
    if words := [f"{name} ({kind})" for name, kind in kinds.items() if not _is_number(kind)]:
        first = table[words[0].rpartition(" (")[0]].drop_null()
        shown = f", such as {str(first[0])!r:.40}" if len(first) else ""
        raise _wrong(path, f"has columns that hold no numbers: {listing(words)}{shown}")


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _seconds(path: Path, table: pa.Table, name: str) -> list[float]:
    """A column of times, NaN where there is none."""
    from speechnet.corpus.csv_table import MISSING, seconds

    if name not in table.column_names:
        return [math.nan] * len(table)
    found = []
    for value in table[name].to_pylist():
        text = "" if value is None else str(value)
        known = value.total_seconds() if isinstance(value, timedelta) else seconds(text)
        if math.isnan(known) and text.casefold() not in MISSING:
            raise _wrong(path, f"has {text!r:.40} as {name}, expected seconds, such as 1.25")
        found.append(known)
    return found


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path, largest=_LARGEST)
    except OSError as error:
        raise _wrong(path, f"can't be read: {error.strerror}") from error


def _digest(*contents: bytes) -> str:
    made = hashlib.blake2b(digest_size=16)
    for each in contents:
        made.update(hashlib.blake2b(each).digest())
    return made.hexdigest()
