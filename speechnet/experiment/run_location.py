"""Find a finished run, and make the folder of a new one.

Imports nothing that computes, so that a wrong path is answered at once.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from speechnet.core.errors import DataError, StorageError
from speechnet.core.files import absolute, storage_errors
from speechnet.core.reading import PlainError, parse_json, read_regular

INCOMPLETE: Final = "INCOMPLETE"
"""A file in the run folder until the run has finished."""
_LARGEST_INFO: Final = 2**26  # bytes: each column of the features is named


def read_info(path: Path) -> Any:
    """Read the ``run.json`` of a finished run, unchecked.

    Raises:
        DataError: there is no such run, or it is incomplete or damaged.
    """
    path = absolute(path)
    if not path.is_dir():
        raise DataError(f"there is no run folder {path}")
    if (path / INCOMPLETE).exists():
        raise DataError(f"{path} is incomplete: its run was killed, failed or still goes on")
    try:
        return parse_json(read_regular(path / "run.json", largest=_LARGEST_INFO))
    except OSError as error:
        said = f"{path} isn't a run folder: run.json can't be read ({error.strerror})"
        raise DataError(said) from error
    except PlainError as error:
        raise DataError(f"{path}/run.json is damaged: {error}") from error


def next_version(base: Path) -> Path:
    """Make the folder ``version_<N>`` with the next number; no two processes get the same one.

    Raises:
        StorageError: no space, no permission, or a file where a folder should be.
    """
    try:
        with storage_errors(base):
            base.mkdir(parents=True, exist_ok=True)
            taken = [re.fullmatch(r"version_(\d+)", path.name) for path in base.iterdir()]
            number = max((int(found[1]) + 1 for found in taken if found), default=0)
            while True:
                try:
                    (base / f"version_{number}").mkdir()
                    return base / f"version_{number}"
                except FileExistsError:  # another process was faster
                    number += 1
    except OSError as error:  # as in /proc
        raise StorageError(f"{base} can't be made: {error.strerror}") from error


def check_writable(path: Path) -> None:
    """Check, without leaving a trace, that a folder can be made and written to.

    Raises:
        StorageError: no permission, or a file where a folder should be.
    """
    whole = absolute(path)
    there = next(folder for folder in (whole, *whole.parents) if folder.exists())
    if not there.is_dir():
        raise StorageError(f"{path} can't be made: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(f"no permission to write {path}")
    if whole == there:
        return
    try:  # even root can't make a folder in /proc
        with storage_errors(path):
            Path(mkdtemp(dir=there)).rmdir()
    except OSError as error:
        said = f"{path} can't be made: {there} takes no folder ({error.strerror})"
        raise StorageError(said) from error
