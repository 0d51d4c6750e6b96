"""A CSV that grows while recordings are recognised, and is taken up again after a crash.

While it grows, ``<out>.part`` holds whole rows and ``<out>.part.json`` says what they come from;
both become ``<out>`` at the end, which replaces a table that stands there whole or not at all.
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
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import filelock

from speechnet.core.columns import ANSWER_BEGINS, ANSWER_ENDS
from speechnet.core.errors import ConfigError, Excluded, StorageError
from speechnet.core.files import storage_errors, sync_folder, write_whole
from speechnet.core.reading import open_regular, parse_json, read_regular
from speechnet.core.safe_text import from_cell, printable, to_cell, visible
from speechnet.core.types import Targets
from speechnet.experiment.run_location import check_writable
from speechnet.inference.prediction import UNLIKE, UNSURE, Prediction, unlike_as_word

_BEGUN: Final = "begun"
"""When rows began to be read from recordings, in nanoseconds since 1970."""


def columns_of(targets: Targets) -> list[str]:
    """The header: what ``recognise`` has for columns."""
    columns = [*ANSWER_BEGINS]
    for target, classes in targets.items():
        columns += [target, *(f"{target}_{name}" for name in classes)]
    return [*columns, *ANSWER_ENDS]


def rows_of(
    name: str, answer: Mapping[str, Prediction] | Excluded, targets: Targets
) -> list[list[str]]:
    """A recording's rows: one for each model, or one that says why there are none."""
    if isinstance(answer, Excluded):
        detail = " ".join(answer.detail.split())  # a row is a line
        return [[name, *[""] * (len(columns_of(targets)) - 3), detail, answer.reason]]
    rows = []
    for model, said in answer.items():
        cells = [name, model]
        for target, label in said.labels.items():
            cells += [label or "", *(f"{p:.6f}" for p in said.probabilities[target].values())]
        rows.append([*cells, *_news(said), " ".join(said.notes), said.reason])
    return rows


def _news(said: Prediction) -> list[str]:
    """How unlike the training data a recording is; empty where that isn't known."""
    return [
        "" if math.isnan(said.novelty) else f"{said.novelty:.3f}",
        unlike_as_word(said.novelty),
        said.far,
        "" if math.isnan(said.bandwidth) else f"{said.bandwidth:.0f}",
    ]


class Results:
    """Where rows go.

    Attributes:
        done: how many of the first recordings have had their rows from an earlier call.
        changed: whether the rows of other recordings were found behind theirs, and dropped.
        usable: whether any recording could be recognised so far.
    """

    def __init__(self, *, done: int = 0, changed: bool = False, usable: bool = False) -> None:
        self.done, self.changed, self.usable = done, changed, usable

    def append(self, rows: Sequence[Sequence[str]]) -> None:
        """Add rows, so that they outlast this process.

        Args:
            rows: cells as in the header.

        Raises:
            StorageError: no space left.
        """
        self.usable = self.usable or any(_is_usable(cells) for cells in rows)
        self._write(_as_text(rows))

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class _Kept(Results):
    """Rows in a file."""

    def __init__(self, path: Path, found: _Found) -> None:
        super().__init__(done=found.recordings, changed=found.changed, usable=found.usable)
        self._path = path
        with storage_errors(path):
            self._file = path.open("r+b" if path.exists() else "x+b")
            self._file.truncate(found.length)
            self._file.seek(found.length)

    def _write(self, text: str) -> None:
        with storage_errors(self._path):
            self._file.write(text.encode())
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


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
    """Begin a table, or go on with one; it is finished when the block ends without an error.

    Args:
        out: the file; None for stdout.
        columns: the header; the first column names the recording, the second the model, the last
            one the reason.
        settings: everything that decides what the rows say, as plain types.
        names: the recordings, in the order of the rows.
        models: the models that have a row for each recording, in order; one that is excluded has a
            single row, without a model.
        paths: where the recordings lie; rows from one on that changed since are dropped.

    Raises:
        ConfigError: rows of other settings are there, or another process is writing them.
        StorageError: no space, no permission, or no file where ``out`` is.
    """
    if out is None:
        printed = Results()
        printed.append([columns])
        yield printed
        return
    _check_place(out)
    part, about, lock = (out.with_name(f"{out.name}.part{end}") for end in ("", ".json", ".lock"))
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(lock, out):
        found = _Found()
        if part.exists():
            begun = _check_same(part, about, settings)
            found = _find(part, columns, names, models, _unchanged(names, paths, begun))
        with storage_errors(about):
            # What is kept is as it was until now, and all that follows is read from now on.
            content = {**settings, _BEGUN: time.time_ns()}
            write_whole(about, json.dumps(content, indent=1).encode())
        rows = _Kept(part, found)
        try:
            if not found.length:
                rows.append([columns])
            yield rows
        finally:
            rows.close()
        with storage_errors(out):
            part.replace(out)
            sync_folder(out.parent)
            about.unlink()
    lock.unlink(missing_ok=True)


def _check_place(out: Path) -> None:
    check_writable(out.parent)
    if out.exists() and not out.is_file():  # a device would be replaced by the table
        what = "is a folder" if out.is_dir() else "is no file"
        raise StorageError(f"--out {printable(str(out))} {what}; name a file to write or replace")


@contextmanager
def _alone(lock: Path, out: Path) -> Iterator[None]:
    held = filelock.FileLock(lock)
    try:
        with storage_errors(lock):
            held.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ConfigError(
            f"another process is writing {printable(str(out))}; wait for it, or choose another "
            "--out"
        ) from error
    try:
        yield
    finally:
        held.release()


def _check_same(part: Path, about: Path, settings: Mapping[str, object]) -> int:
    """When the rows were begun; those that would have come out otherwise are refused."""
    shown = printable(str(part))
    try:
        then = parse_json(read_regular(about))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{shown} is there, but nothing says what its rows come from; delete it, or choose "
            "another --out"
        ) from error
    for key, now in json.loads(json.dumps(settings)).items():
        before = then.get(key) if isinstance(then, dict) else None
        if before != now:
            raise ConfigError(
                f"{shown} holds the rows of another command, which was stopped ({key}: {before!r}, "
                f"now {now!r}); give that command again, delete the file, or choose another --out"
            )
    begun = then.get(_BEGUN)
    return begun if isinstance(begun, int) else 0


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


@dataclass(frozen=True)
class _Found:
    """What of a table can be kept: its first rows and their length in bytes; see ``Results``."""

    recordings: int = 0
    usable: bool = False
    length: int = 0
    changed: bool = False


def _find(
    part: Path, columns: Sequence[str], names: Sequence[str], models: Sequence[str], unchanged: int
) -> _Found:
    """All rows up to the first that is torn or amiss, or of a recording that changed."""
    with open_regular(part) as file:
        if file.readline() != _as_text([columns]).encode():
            return _Found()
        recordings, usable, length, changed = 0, False, file.tell(), False
        for name, group in groupby(_rows(file, len(columns)), key=lambda row: row[0][0]):
            rows = list(group)
            changed = recordings == unchanged or name != names[recordings]
            if changed or [cells[1] for cells, _ in rows] not in (list(models), [""]):
                break
            recordings += 1
            usable = usable or _is_usable(rows[0][0])
            length += sum(size for _, size in rows)
    return _Found(recordings, usable, length, changed)


def _rows(file: io.BufferedReader, width: int) -> Iterator[tuple[list[str], int]]:
    """The cells of each row and its length in bytes, up to one that is torn."""
    for line in file:  # no cell holds a line's end: names are printable
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
