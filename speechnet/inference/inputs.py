"""What is to be recognised: files, folders, patterns and lists, each recording under one name.

Conventions:
    A recording's name is its path as it was given, made printable. A file found below a folder has
    the folder's name in front; a part of a recording has ``#t=start,end`` behind it (W3C Media
    Fragments URI 1.0, section 4.2.1), one of its channels ``#channel=0`` or
    ``#t=start,end&channel=0``. A name is in the list once, where it was first given.

    ``*``, ``?``, ``[...]`` and ``**`` make a pattern of a path that doesn't exist as it stands.
    What matches counts as if it had been given by itself; as in a shell nothing hidden matches
    unless the pattern says so, and ``**`` follows no links to folders.

    In a table (``.csv`` or ``.tsv``) the column ``file`` names a recording, and ``start`` and
    ``end`` optionally a part of it, in the time formats of ``csv_table``. A path of another
    machine, or with another ending than the recording has here, is found all the same. Any other
    list has a path on each line, and so has the standard input, named ``-``; zero bytes may
    separate the paths instead (``find -print0``).
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import numpy as np

from speechnet.audio.decode import header
from speechnet.core.errors import DataError, Excluded
from speechnet.core.reading import read_regular
from speechnet.core.safe_text import printable
from speechnet.core.wording import did_you_mean, listing
from speechnet.corpus.csv_table import LARGEST, MISSING, fragment, read_sheet
from speechnet.corpus.discovery import NO_AUDIO, discover, of_another_ending
from speechnet.corpus.relocation import OtherMachine

STDIN: Final = "-"
_TABLES: Final = frozenset({".csv", ".tsv"})
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording, or the part of it from ``start`` to ``end`` (s; NaN: from or to its end).

    Its name is unique and printable, its path absolute, as the operating system needs it.
    ``refused`` says why it can't be used, where that is known already. ``channel`` is the only one
    to recognise, from 0; None for all, mixed as the run does.
    """

    name: str
    path: str
    start: float = math.nan
    end: float = math.nan
    refused: Excluded | None = None
    channel: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is the whole file."""
        return math.isnan(self.start) and math.isnan(self.end)


def gather(
    given: Sequence[str | Path], manifest: Path | None = None
) -> tuple[list[Recording], list[str]]:
    """Find everything that was asked for, by names alone: no recording is opened.

    Args:
        given: files, folders and patterns; the text ``-`` reads a list from the standard input.
        manifest: a table or a list; its paths are relative to the folder it lies in.

    Returns:
        The recordings in the order they were given, those of a folder or a pattern sorted, and
        remarks for the user. A file that doesn't exist is among the recordings.

    Raises:
        DataError: a pattern without a match, a list that can't be read or names nothing, or no
            recording at all.
    """
    gathered = _Gathered()
    for each in given:
        if each == STDIN:
            gathered.add_list(sys.stdin.buffer.read(), Path(), "the standard input")
        else:
            gathered.add_given(Path(each))
    if manifest is not None:
        _add_manifest(gathered, manifest)
    if not gathered.recordings:
        where = listing((printable(str(path)) for path in given), 3)
        raise DataError(f"{NO_AUDIO} in {where}")
    return list(gathered.recordings.values()), gathered.notes


class _Gathered:
    """Recordings by name."""

    def __init__(self) -> None:
        self.recordings: dict[str, Recording] = {}
        self.notes: list[str] = []

    def add(self, recording: Recording) -> None:
        known = self.recordings.setdefault(recording.name, recording)
        if known.path != recording.path:  # a name that means another file in a manifest's folder
            whole = printable(recording.path) + fragment(recording.start, recording.end)
            self.recordings.setdefault(whole, replace(recording, name=whole))

    def add_given(self, path: Path) -> None:
        """A file, all below a folder, or whatever a pattern matches."""
        matches = [path]
        is_pattern = any(mark in str(path) for mark in "*?[")
        if is_pattern and not os.path.exists(path):  # noqa: PTH110 - too long a name raises
            matches = sorted(_matches(path))
            if not matches:
                raise DataError(f"nothing matches the pattern {printable(str(path))!r}")
        for match in matches:
            self.add_path(match, match)

    def add_path(self, shown: Path, path: Path) -> None:
        """A file or all below a folder, under the name to show."""
        name, whole = printable(str(shown)), str(path.absolute())
        if not os.path.isdir(path):  # noqa: PTH112 - a name that is too long isn't a folder
            self.add(Recording(name, whole))
            return
        found = discover(path.resolve())
        refused = {inner: Excluded(why, more) for inner, why, more in found.excluded}
        paths = found.files | {inner: inner for inner in refused}
        for inner in sorted(paths):
            full = f"{whole}/{paths[inner]}"
            self.add(Recording(f"{name}/{inner}", full, refused=refused.get(inner)))
        self.notes += [f"{name}: {note}" for note in found.notes]
        if not paths:
            self.notes.append(f"{name} holds {NO_AUDIO}")

    def add_list(self, text: bytes, folder: Path, where: str) -> None:
        """A path on each line, relative to a folder."""
        lines = text.split(b"\0") if b"\0" in text else text.removeprefix(_BOM).splitlines()
        names = [os.fsdecode(line) for line in lines if line.strip()]
        if not names:
            raise DataError(f"{where} names no recording; expected a path on each line")
        for name in names:
            self.add_path(Path(name), folder / name)


def by_channel(recordings: Sequence[Recording]) -> list[Recording]:
    """Each channel as a recording of its own, where a file's header says that it has several."""
    found: list[Recording] = []
    for recording in recordings:
        count = 1 if recording.refused else header(Path(recording.path)).channels
        mark = "#" if recording.whole else "&"
        found += [
            replace(recording, name=f"{recording.name}{mark}channel={n}", channel=n)
            for n in range(count)
        ] if count > 1 else [recording]  # fmt: skip
    return found


def _add_manifest(gathered: _Gathered, manifest: Path) -> None:
    where = printable(str(manifest))
    if manifest.suffix.lower() not in _TABLES:
        try:
            text = read_regular(manifest, largest=LARGEST)
        except OSError as error:
            raise DataError(f"can't read the list {where}: {error.strerror}") from error
        if b"\0" in text:
            raise DataError(f"{where} isn't text; expected a path on each line")
        gathered.add_list(text, manifest.parent, where)
        return
    sheet = read_sheet(manifest)
    if "file" not in sheet.columns:
        raise DataError(
            f"{where} has no column 'file'{did_you_mean('file', sheet.columns)}; it has "
            f"{listing(sheet.columns, 20)}"
        )
    names = [row["file"] or "" for row in sheet.rows]
    sheet.refuse([n.casefold() in MISSING for n in names], "file is empty; name the recording")
    folder = manifest.parent
    machine = OtherMachine(names, lambda name: _there(folder / name) is not None)
    if machine.folder:
        shown = printable(machine.folder)
        gathered.notes.append(f"the table's paths begin with {shown}; read as its folder")
    for name, start, end in zip(names, *sheet.parts("start", "end"), strict=True):
        found = (_there(folder / spelling) for spelling in (name, *machine.spellings(name)))
        path = next(filter(None, found), folder / name)
        if np.isnan(start) and np.isnan(end):
            gathered.add_path(Path(name), path)
        else:
            shown = printable(str(Path(name))) + fragment(start, end)
            gathered.add(Recording(shown, str(path.absolute()), start, end))


def _there(path: Path) -> Path | None:
    """The path, or the recording beside it that has another ending; None if neither exists."""
    if os.path.exists(path):  # noqa: PTH110 - too long a name is none
        return path
    other = of_another_ending(str(path))
    return Path(other) if other else None


def _matches(pattern: Path) -> Iterator[Path]:
    root = Path(pattern.anchor)
    asked = [*pattern.relative_to(root).parts]
    if asked[-1] == "**":  # some versions of Python match files, others don't
        asked.append("*")
    try:
        # Unlike glob.glob, it doesn't go round in circles of links.
        found = list(root.glob("/".join(asked)))
    except ValueError as error:  # such as a**b
        raise DataError(f"{printable(str(pattern))!r} isn't a pattern: {error}") from error
    hidden = [part for part in asked if part.startswith(".")]
    for path in found:
        dotted = [part for part in path.relative_to(root).parts if part.startswith(".")]
        if all(any(fnmatchcase(part, each) for each in hidden) for part in dotted):
            yield path
