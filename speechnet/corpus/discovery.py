"""Find the audio files below a corpus's root, and nothing outside it.

Conventions:
    The *path* of a file, relative to the root, is what the operating system opens; it may hold
    bytes that aren't UTF-8 (as Python's surrogate escapes). Its *id* is the path made printable:
    valid UTF-8 on one line, unique, and equal to the path for ordinary names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.reading import kind_of_no_file
from speechnet.core.safe_text import printable
from speechnet.core.wording import counted, listing, plural

AUDIO_ENDINGS: Final = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".aifc", ".au", ".snd"),
    *(".caf", ".sph", ".nist", ".w64", ".rf64", ".wave", ".bwf", ".voc", ".mp2", ".avr", ".ircam"),
    *(".paf", ".pvf", ".wve"),
)
"""Endings of files that the decoder opens, without those that usually mean something else (raw
samples, MATLAB, HTK, the Amiga, samplers)."""

FOREIGN_ENDINGS: Final = (
    *(".m4a", ".mp4", ".aac", ".webm", ".amr", ".wma", ".3gp", ".3gpp", ".3g2", ".3ga", ".m4b"),
    *(".awb", ".mka", ".mkv", ".mov", ".m4v", ".avi", ".flv", ".wmv", ".weba", ".spx", ".ape"),
    *(".wv", ".ac3", ".dss", ".ra"),
)
"""Endings of sound that the decoder can't open."""

_SOUND: Final = frozenset([*AUDIO_ENDINGS, *FOREIGN_ENDINGS])

NO_AUDIO: Final = f"no audio files ({listing(AUDIO_ENDINGS, 6)})"

ExcludedRow = tuple[str, str, str]
"""A row of ``Corpus.excluded``: file id, reason code, detail."""


@dataclass(frozen=True)
class Found:
    """What lies below a corpus's root.

    Attributes:
        files: id -> path of every file that looks like sound, sorted.
        excluded: links that can't be followed, and things that aren't files.
        notes: what a user should know, in words.
    """

    files: dict[str, str]
    excluded: tuple[ExcludedRow, ...]
    notes: tuple[str, ...]


def without_ending(path: str) -> str:
    """The path without the ending of a sound file, if it has one."""
    stem, ending = os.path.splitext(path)  # noqa: PTH122 - ids and surrogate escapes are plain text
    return stem if ending.lower() in _SOUND else path


def is_foreign(path: str) -> bool:
    """Whether a path's ending says that the decoder can't open it."""
    return path.lower().endswith(FOREIGN_ENDINGS)


def of_another_ending(path: str) -> str | None:
    """The recording beside a path that differs in nothing but its ending; None if there is none."""
    stem = without_ending(path)
    others = (f"{stem}{ending}" for ending in AUDIO_ENDINGS)
    return next((other for other in others if os.path.isfile(other)), None)  # noqa: PTH113


def inside(root: Path, path: str) -> bool:
    """Whether a path, its links resolved, is a resolved root or lies below it."""
    return Path(os.path.realpath(root / path)).is_relative_to(root)


def resolve_root(root: str | None) -> Path:
    """The corpus's folder with all links resolved.

    Raises:
        ConfigError: no root is given.
        DataError: there is no such folder.
    """
    if root is None:
        raise ConfigError(
            "data.corpus.root isn't set; give the folder the corpus lies in with --data.corpus.root"
        )
    path = Path(root).expanduser()
    if not path.is_dir():
        what = "is a file" if path.exists() else "doesn't exist"
        raise DataError(
            f"the corpus's folder {printable(str(path))!r} {what} (looked for it from "
            f"{printable(str(Path.cwd()))!r}); give the right folder with --data.corpus.root"
        )
    return path.resolve()


def discover(root: Path) -> Found:
    """Find every file below a resolved root that looks like sound.

    A file that the decoder can't open is left out beside one of the same name that it can open.
    Hidden files and folders (a name that begins with a dot) are left out. A link to a file counts
    as that file while it stays below the root. Links to folders are never followed, so that loops
    can't arise: their content lies elsewhere below the root, or outside it.

    Args:
        root: the folder, resolved.
    """
    paths: list[str] = []
    folders: list[str] = []
    excluded: list[ExcludedRow] = []
    closed: list[str] = []
    for path, is_folder in _walk(root, closed):
        if refused := _refused(root, path):
            excluded.append(refused)
        elif not is_folder:
            paths.append(path)
        elif without_ending(path) != path:
            folders.append(printable(path))
    paths, left_out = _apart(paths)
    files = {printable(path): path for path in paths}
    excluded += _without_recordings(folders, files)
    notes = []
    if left_out:
        notes.append(
            f"left out {counted(len(left_out), 'file')} that can't be read, such as "
            f"{printable(left_out[0])}: beside {plural(len(left_out), 'it', 'each')} lies one of "
            "the same name that can"
        )
    if closed:
        notes.append(f"no permission to look into {listing(sorted(closed), 3)}")
    return Found(dict(sorted(files.items())), tuple(sorted(excluded)), tuple(notes))


def _walk(root: Path, closed: list[str]) -> Iterator[tuple[str, bool]]:
    """Folders and files that look like sound, and which it is; ``closed`` gets closed folders."""

    def note(error: OSError) -> None:
        closed.append(printable(os.path.relpath(error.filename, root)))

    for folder, folders, names in os.walk(root, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = os.path.relpath(folder, root)
        sounds = [name for name in names if name[0] != "." and without_ending(name) != name]
        yield from ((os.path.normpath(f"{here}/{name}"), True) for name in folders)
        yield from ((os.path.normpath(f"{here}/{name}"), False) for name in sounds)


def _refused(root: Path, path: str) -> ExcludedRow | None:
    """Why a file or folder below the root can't be used, if so."""
    if not inside(root, path):
        target = printable(os.path.realpath(root / path))
        return (
            printable(path),
            "outside_root",
            f"a link to {target}; copy it here, or move the root",
        )
    try:
        kind = kind_of_no_file(os.stat(root / path).st_mode)  # noqa: PTH116 - too long a name
    except (OSError, ValueError):  # reported when it is opened, unless it is a link
        nowhere = printable(path), "missing", "a link that leads nowhere"
        return nowhere if (root / path).is_symlink() else None
    return (printable(path), "unreadable", f"{kind}, not a recording") if kind else None


def _without_recordings(folders: Iterable[str], files: Iterable[str]) -> list[ExcludedRow]:
    """Folders that are named like recordings and hold none."""
    holding = {""}
    for file in files:
        folder = file.rpartition("/")[0]
        while folder not in holding:
            holding.add(folder)
            folder = folder.rpartition("/")[0]
    what = "a folder, not a recording"
    return [(each, "unreadable", what) for each in folders if each not in holding]


def _apart(paths: list[str]) -> tuple[list[str], list[str]]:
    """The paths to read; and, sorted, those that can't be read beside one that can."""
    readable = {without_ending(path) for path in paths if not is_foreign(path)}
    twins = {path for path in paths if is_foreign(path) and without_ending(path) in readable}
    return [path for path in paths if path not in twins], sorted(twins)
