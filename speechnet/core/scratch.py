"""Temporary folders that don't remain for good when a process is killed.

A process has one folder in each place, with a lock in it that the system releases however the
process ends. Before a process makes a folder, it removes those of the same user whose lock is free.
Unlike a process id, a lock works across containers that share a place. Where files can't be locked,
as on some network disks, the folder is named ``tmp-speechnet-...``: it is removed when the process
ends, but not after a kill, because it might still be in use.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Final

import filelock

_NAME: Final = re.compile(r"speechnet-\d+-\w{8}")
_LOCK: Final = "lock"
_YOUNG: Final = 60.0
"""Seconds that a new folder may be without a lock."""
_SHARED: Final = Path("/dev/shm")  # noqa: S108 - memory that processes share
_ENOUGH: Final = 2 * 2**30
"""Bytes that must be free there, as in joblib."""


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A ``tempfile.TemporaryDirectory`` that a later process removes if this one is killed."""
    return tempfile.TemporaryDirectory(dir=own_folder(), ignore_cleanup_errors=True)


def own_folder() -> Path:
    """This process's folder among the system's temporary folders, removed when it ends."""
    return _make(Path(tempfile.gettempdir()), os.getpid())


def shared_folder() -> Path:
    """This process's folder for arrays that its workers map into memory."""
    chosen = os.environ.get("JOBLIB_TEMP_FOLDER")
    with contextlib.suppress(OSError):
        if chosen:
            Path(chosen).mkdir(parents=True, exist_ok=True)
            return _make(Path(chosen), os.getpid())
        if os.access(_SHARED, os.W_OK | os.X_OK) and shutil.disk_usage(_SHARED).free > _ENOUGH:
            return _make(_SHARED, os.getpid())
    return own_folder()


@cache
def _make(place: Path, process: int) -> Path:
    for each in {place, Path(tempfile.gettempdir()), _SHARED}:
        _remove_abandoned(each)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"speechnet-{process}-", dir=place))
        lock = filelock.FileLock(folder / _LOCK, thread_local=False)
        try:
            lock.acquire()
        except (OSError, NotImplementedError):  # as on some network disks
            unlocked = folder.rename(folder.with_name(f"tmp-{folder.name}"))
            atexit.register(_remove, unlocked, None, process)
            return unlocked
        if (folder / _LOCK).exists():  # else another process removed it before it was locked
            atexit.register(_remove, folder, lock, process)
            return folder


def _remove(folder: Path, lock: filelock.BaseFileLock | None, process: int) -> None:
    """Remove the folder at the end of the process that made it, but not of its forks."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            lock.release()


def _remove_abandoned(place: Path) -> None:
    found: list[Path] = []
    with contextlib.suppress(OSError):  # a writable place may not be readable
        found = [folder for folder in place.iterdir() if _NAME.fullmatch(folder.name)]
    for folder in found:
        with contextlib.suppress(OSError, NotImplementedError, filelock.Timeout):
            status = folder.lstat()
            own = status.st_uid == getattr(os, "getuid", lambda: 0)()
            settled = (folder / _LOCK).exists() or time.time() - status.st_mtime > _YOUNG
            if stat.S_ISDIR(status.st_mode) and own and settled:
                with filelock.FileLock(folder / _LOCK, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
