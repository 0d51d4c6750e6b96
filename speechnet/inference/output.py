"""A CSV that grows while recordings are recognised, and is continued after a crash.

While it grows, ``<out>.part`` holds whole rows and ``<out>.part.json`` says what they come from.
At the end ``<out>.part`` becomes ``<out>``, which replaces an older table whole or not at all.
``<out>.part.lock`` keeps a second process away.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import filelock

from speechnet.core.columns import ANSWER_BEGINS, ANSWER_ENDS
from speechnet.core.errors import ConfigError, Excluded, StorageError
from speechnet.core.files import storage_errors, sync_folder, write_whole
from speechnet.core.reading import open_regular, parse_json, read_regular
from speechnet.core.safe_text import from_cell, printable, to_cell, visible
from speechnet.core.types import Targets
from speechnet.experiment.run_location import check_writable
from speechnet.inference.prediction import UNLIKE, UNSURE, Prediction, answer_columns

_BEGUN: Final = "begun"
"""When recordings began to be read for the rows, in nanoseconds since 1970."""


def columns_of(targets: Targets) -> list[str]:
    """The header: the columns of ``recognise``."""
    return [*ANSWER_BEGINS, *answer_columns(targets), *ANSWER_ENDS]


def rows_of(
    name: str, answer: Mapping[str, Prediction] | Excluded, targets: Targets
) -> list[list[str]]:
    """A recording's rows: one for each model, or one that says why there are none."""
    if isinstance(answer, Excluded):
        detail = " ".join(answer.detail.split())  # a row is a line
        return [[name, *[""] * (len(columns_of(targets)) - 3), detail, answer.reason]]
    return [
        [
            name,
            model,
            *(cell if isinstance(cell, str) else f"{cell:.6f}" for cell in prediction.answers),
            _number(prediction.novelty, ".3f"),
            prediction.unlike_as_word,
            prediction.far,
            _number(prediction.bandwidth, ".0f"),
            " ".join(prediction.notes),
            prediction.reason,
        ]
        for model, prediction in answer.items()
    ]


def _number(value: float, digits: str) -> str:
    return "" if math.isnan(value) else format(value, digits)


class _Kept(NamedTuple):
    """What can be kept of a table: its first recordings and bytes; see ``Results``."""

    recordings: int = 0
    length: int = 0
    usable: bool = False
    changed: bool = False


class Results:
    """A table that grows.

    Attributes:
        done: how many of the first recordings have rows from an earlier call.
        changed: whether rows of other recordings followed theirs, and were dropped.
        usable: whether any recording could be recognised so far.
    """

    def __init__(self, file: TextIO, path: Path | None, kept: _Kept) -> None:
        self.done, self.changed, self.usable = kept.recordings, kept.changed, kept.usable
        self._file, self._path = file, path

    def append(self, rows: Sequence[Sequence[str]]) -> None:
        """Add rows; in a file they survive a crash of the machine.

        Args:
            rows: cells as in the header.

        Raises:
            StorageError: no space left.
        """
        self.usable = self.usable or any(_is_usable(cells) for cells in rows)
        with storage_errors(self._path) if self._path else nullcontext():
            self._file.write(_as_text(rows))
            self._file.flush()
            if self._path:
                os.fsync(self._file.fileno())


@contextmanager
def open_results(
    out: Path | None,
    columns: Sequence[str],
    settings: Mapping[str, object],
    *,
    names: Sequence[str],
    models: Sequence[str],
    paths: Sequence[str] | None = None,
) -> Iterator[Results]:
    """Begin a table, or continue one; it is finished when the block ends without an error.

    Args:
        out: the file; None for stdout.
        columns: the header; the recording comes first, the model second, the reason last.
        settings: everything that decides what the rows say, as plain types.
        names: the recordings, in the order of the rows.
        models: in the order of each recording's rows. One that is excluded has a single row,
            without a model.
        paths: of the recordings' files; rows from the first one on that changed since are dropped.

    Raises:
        ConfigError: rows of other settings are there, or another process is writing them.
        StorageError: no space, no permission, or something other than a file at ``out``.
    """
    if out is None:
        printed = Results(sys.stdout, None, _Kept())
        printed.append([columns])
        yield printed
        return
    check_writable(out.parent)
    if out.exists() and not out.is_file():  # a device would be replaced by the table
        what = "is a folder" if out.is_dir() else "isn't a file"
        raise StorageError(f"--out {printable(str(out))} {what}; name a file to write or replace")
    part, about, lock = (out.with_name(f"{out.name}.part{end}") for end in ("", ".json", ".lock"))
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(lock, out):
        kept = _Kept()
        if part.exists():
            begun = _check_same(part, about, settings)
            kept = _find(part, columns, names, models, _unchanged(names, paths, begun))
        with storage_errors(part):
            # What is kept is as it was until now, and all that follows is read from now on.
            content = {**settings, _BEGUN: time.time_ns()}
            write_whole(about, json.dumps(content, indent=1).encode())
            file = part.open("a", encoding="utf-8", newline="")
            file.truncate(kept.length)
        try:
            rows = Results(file, part, kept)
            if not kept.length:
                rows.append([columns])
            yield rows
        finally:
            with storage_errors(part):
                file.close()
        with storage_errors(out):
            part.replace(out)
            sync_folder(out.parent)
            about.unlink()
            # Before it is released: another process might hold it by then.
            lock.unlink(missing_ok=True)


def _alone(lock: Path, out: Path) -> AbstractContextManager[object]:
    """The lock, held until the ``with`` block ends."""
    try:
        with storage_errors(lock):
            return filelock.FileLock(lock).acquire(timeout=0)
    except filelock.Timeout as error:
        raise ConfigError(
            f"another process is writing {printable(str(out))}; wait for it, or choose another "
            "--out"
        ) from error


def _check_same(part: Path, about: Path, settings: Mapping[str, object]) -> int:
    """When the rows were begun; rows of other settings are refused."""
    shown = printable(str(part))
    try:
        then = parse_json(read_regular(about))
        if not isinstance(then, dict):
            raise ValueError
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{shown} is there, but nothing says what its rows come from; delete it, or choose "
            "another --out"
        ) from error
    for key, now in json.loads(json.dumps(settings)).items():
        if then.get(key) != now:
            raise ConfigError(
                f"{shown} holds the rows of another command, which was stopped ({key}: "
                f"{then.get(key)!r}, now {now!r}); give that command again, delete the file, or "
                "choose another --out"
            )
    return int(then.get(_BEGUN, 0))


def _unchanged(names: Sequence[str], paths: Sequence[str] | None, begun: int) -> int:
    """How many of the first recordings were not written to since, by their files' times."""
    for place, path in enumerate(paths or ()):
        try:
            status = os.stat(path)  # noqa: PTH116 - too long a name is an OSError, not a ValueError
        except (OSError, ValueError):  # what isn't there can't have changed
            continue
        if max(status.st_mtime_ns, status.st_ctime_ns) > begun:
            return place
    return len(names)


def _find(
    part: Path, columns: Sequence[str], names: Sequence[str], models: Sequence[str], unchanged: int
) -> _Kept:
    """All rows up to the first that is torn or wrong, or of a recording that changed."""
    with open_regular(part) as file:
        if file.readline() != _as_text([columns]).encode():
            return _Kept()
        recordings, length, usable, changed = 0, file.tell(), False, False
        for name, group in groupby(_rows(file, len(columns)), key=lambda row: row[0][0]):
            rows = list(group)
            changed = recordings == unchanged or name != names[recordings]
            if changed or [cells[1] for cells, _ in rows] not in (list(models), [""]):
                break
            recordings += 1
            usable = usable or _is_usable(rows[0][0])
            length += sum(size for _, size in rows)
    return _Kept(recordings, length, usable, changed)


def _rows(file: io.BufferedReader, width: int) -> Iterator[tuple[list[str], int]]:
    """The cells of each row and its length in bytes, up to one that is torn."""
    for line in file:  # no cell holds a line end: names are printable
        cells = [*map(from_cell, next(csv.reader([line.decode(errors="replace")]), []))]
        if not line.endswith(b"\n") or len(cells) != width:
            return
        yield cells, len(line)


def _is_usable(cells: Sequence[str]) -> bool:
    return cells[-1] in {"", UNSURE, UNLIKE}


def _as_text(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [to_cell(visible(cell)) for cell in cells] for cells in rows
    )
    return text.getvalue()
