"""Paths, and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

from speechnet.core.errors import StorageError

_LOG = logging.getLogger(__name__)

_ENDING: Final = ".tmp"
_ABANDONED_AFTER: Final = 3_600.0
"""Seconds after which a temporary file counts as abandoned."""


def absolute(path: str | Path) -> Path:
    """Make a path absolute: ``~`` resolved, links kept.

    Paths are stored, passed to libraries and compared in this form; ``shortened`` is for printing.
    """
    return Path(path).expanduser().absolute()


def shortened(text: str) -> str:
    """The text with paths below the current folder relative to it."""
    try:
        here = str(Path.cwd())
    except OSError:  # it was removed
        return text
    begins = rf"(?<![\w./-]){re.escape(here)}{re.escape(os.sep)}"
    return re.sub(begins, "", text) if here != os.sep else text


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, surviving a crash of the machine.

    The temporary name beside it is unique, so that several processes may write the same file.

    Raises:
        OSError: there is no space, permission or folder.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{_ENDING}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, before the files that they replace are removed."""
    with contextlib.suppress(PermissionError):  # Windows opens no folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove temporary files of dead processes, that is, those older than an hour."""
    for path in folder.rglob(f".*{_ENDING}"):
        with contextlib.suppress(FileNotFoundError, PermissionError):  # gone, or someone else's
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                path.unlink()


def is_full(error: OSError) -> bool:
    """Whether the disk, or the user's share of it, is full."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission or a file in the way into a ``StorageError``."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageError(f"no space left to write {path}; free some") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StorageError(f"no permission to write {path}") from error
        if error.errno in {errno.EEXIST, errno.ENOTDIR}:
            raise StorageError(f"{path} can't be made: a file stands in its way") from error
        raise
