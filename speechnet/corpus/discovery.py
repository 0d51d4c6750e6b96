"""Find the audio files below a corpus's root, and nothing outside it.

Conventions:
    The *path* of a file, relative to the root, is for the operating system; it may hold bytes that
    aren't UTF-8 (as Python's surrogate escapes). Its *id* is the path made printable: valid UTF-8
    on one line, unique, and equal to the path for ordinary names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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
"""Endings of files that the decoder can open, except those that usually mean something else (raw
samples, MATLAB, HTK, the Amiga, samplers)."""

FOREIGN_ENDINGS: Final = (
    *(".m4a", ".mp4", ".aac", ".webm", ".amr", ".wma", ".3gp", ".3gpp", ".3g2", ".3ga", ".m4b"),
    *(".awb", ".mka", ".mkv", ".mov", ".m4v", ".avi", ".flv", ".wmv", ".weba", ".spx", ".ape"),
    *(".wv", ".ac3", ".dss", ".ra"),
)
"""Endings of audio files that the decoder can't open."""

_SOUND: Final = frozenset([*AUDIO_ENDINGS, *FOREIGN_ENDINGS])

NO_AUDIO: Final = f"no audio files ({listing(AUDIO_ENDINGS, 6)})"

ExcludedRow = tuple[str, str, str]
"""A row of ``Corpus.excluded``: file id, reason code, detail."""


@dataclass(frozen=True)
class Found:
    """The content of a corpus's folder.

    Attributes:
        files: id -> path of every file with the ending of an audio file, sorted.
        excluded: links that can't be followed, and things that aren't files.
        notes: sentences for the user.
    """

    files: dict[str, str]
    excluded: tuple[ExcludedRow, ...]
    notes: tuple[str, ...]


def without_ending(path: str) -> str:
    """The path without the ending of an audio file, if it has one."""
    stem, ending = os.path.splitext(path)  # noqa: PTH122 - ids and surrogate escapes are plain text
    return stem if ending.lower() in _SOUND else path


def is_foreign(path: str) -> bool:
    """Whether a path has the ending of an audio file that the decoder can't open."""
    return path.lower().endswith(FOREIGN_ENDINGS)


def of_another_ending(path: str) -> str | None:
    """An existing recording whose path differs only by its ending; None if there is none."""
    stem = without_ending(path)
    others = (f"{stem}{ending}" for ending in AUDIO_ENDINGS)
    return next((other for other in others if os.path.isfile(other)), None)  # noqa: PTH113


def inside(root: Path, path: str) -> bool:
    """Whether a path, with links resolved, is a resolved root or lies below it."""
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
    """Find every file below a resolved root that has the ending of an audio file.

    A file that the decoder can't open is left out if one of the same name beside it can be opened.
    Hidden files and folders (a name that begins with a dot) are left out. A link to a file below
    the root counts as that file. Links to folders are never followed, so that there are no loops:
    their content is elsewhere below the root, or outside it.
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
    readable = {without_ending(path) for path in paths if not is_foreign(path)}
    left_out = sorted(p for p in paths if is_foreign(p) and without_ending(p) in readable)
    paths = sorted(set(paths).difference(left_out))
    files = {printable(path): path for path in paths}
    empty = [each for each in folders if not any(file.startswith(f"{each}/") for file in files)]
    excluded += [(each, "unreadable", "a folder, not a recording") for each in empty]
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
    """Folders (True) and audio files (False); ``closed`` collects folders without permission."""

    def note(error: OSError) -> None:
        closed.append(printable(os.path.relpath(error.filename, root)))

    for folder, folders, names in os.walk(root, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = os.path.relpath(folder, root)
        sounds = [name for name in names if name[0] != "." and without_ending(name) != name]
        yield from ((os.path.normpath(f"{here}/{name}"), True) for name in folders)
        yield from ((os.path.normpath(f"{here}/{name}"), False) for name in sounds)


def _refused(root: Path, path: str) -> ExcludedRow | None:
    """The row of a file or folder that can't be used."""
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
        broken = printable(path), "missing", "a link that leads nowhere"
        return broken if (root / path).is_symlink() else None
    return (printable(path), "unreadable", f"{kind}, not a recording") if kind else None
