"""Find the audio files below a corpus's root, and nothing outside it.

Conventions:
    The *path* of a file is what the operating system needs to open it, relative to the root; it may
    hold bytes that are no UTF-8 (as Python's surrogate escapes). Its *id* is the same text made
    printable: always valid UTF-8 on one line, unique, and equal to the path for ordinary names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from speechnet.errors import ConfigError, DataError
from speechnet.wording import listing

AUDIO_ENDINGS = (".wav", ".flac", ".mp3", ".ogg")

SetAsideRow = tuple[str, str, str]
"""A row of ``Corpus.set_aside``: file id, reason code, detail."""


@dataclass(frozen=True)
class Found:
    """What lies below a corpus's root.

    Attributes:
        files: id -> path of every audio file, in the order of the ids.
        set_aside: links that can't be followed, as ``(file, reason, detail)``.
        notes: what a user should know, in words.
    """

    files: dict[str, str]
    set_aside: tuple[SetAsideRow, ...]
    notes: tuple[str, ...]


def printable(path: str) -> str:
    r"""Make a path printable, so that no two paths become the same text.

    Bytes that are no UTF-8 become ``\xNN``, unprintable characters ``\xNN`` or ``\uNNNN``, a
    backslash two backslashes.
    """
    return "".join(c if c.isprintable() and c != "\\" else _escape(c) for c in path)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that os.fsdecode could not decode
        return f"\\x{code - 0xDC00:02x}"
    if character == "\\":
        return "\\\\"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def without_ending(path: str) -> str:
    """The path without its audio ending; whole if it has none."""
    stem, ending = os.path.splitext(path)  # noqa: PTH122 - ids and surrogate escapes are plain text
    return stem if ending.lower() in AUDIO_ENDINGS else path


def inside(root: Path, path: str) -> bool:
    """Whether a path, all symbolic links resolved, is a resolved root or lies below it."""
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
    """Find every audio file below a resolved root.

    Hidden files and folders (a name that begins with a dot) are left out. A link to a file counts
    as that file while it stays below the root. Links to folders are never followed: what they show
    is either found where it lies, or outside the root; so loops can't arise.

    Args:
        root: the folder, resolved.

    Returns:
        The files, what was set aside, and notes.
    """
    paths: list[str] = []
    set_aside: list[SetAsideRow] = []
    unreadable: list[str] = []

    def note_unreadable(error: OSError) -> None:
        unreadable.append(printable(os.path.relpath(error.filename, root)))

    for folder, folders, names in os.walk(root, onerror=note_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            path = os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - surrogates
            if refused := _refused(root, path):
                set_aside.append(refused)
        for name in names:
            if name.startswith(".") or without_ending(name) == name:
                continue
            path = os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - surrogates
            if refused := _refused(root, path):
                set_aside.append(refused)
            elif (root / path).is_file():
                paths.append(path)
    files = {printable(path): path for path in paths}
    notes = []
    if unreadable:
        notes.append(f"no permission to look into {listing(sorted(unreadable), 3)}")
    return Found(dict(sorted(files.items())), tuple(sorted(set_aside)), tuple(notes))


def _refused(root: Path, path: str) -> SetAsideRow | None:
    """Why a file or folder below the root can't be used, if it is a link that leads astray."""
    if not inside(root, path):
        target = printable(os.path.realpath(root / path))
        return (
            printable(path),
            "outside_root",
            f"a link to {target}; copy it here, or move the root",
        )
    if (root / path).is_symlink() and not os.path.exists(root / path):  # noqa: PTH110 - link loops
        return printable(path), "missing", "a link that leads nowhere"
    return None
