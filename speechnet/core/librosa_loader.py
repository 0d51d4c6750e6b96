"""librosa, loaded so that many processes can share the code that numba compiles for it.

numba caches compiled code in a folder, and processes that fill it at the same time corrupt it: the
number in a data file's name comes from an index that the others are writing, and a ufunc's loop is
stored apart from the kernel that it calls, under a name that only the compiling process knows.
Every process that loads such a mixture crashes until the folder is emptied. So one process at a
time compiles what librosa needs at its import, and later code goes into files of unique names.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final
from uuid import uuid4

import filelock
import numba
from numba.core.caching import IndexDataCacheFile

from speechnet.core.scratch import own_folder

__all__ = ["librosa", "usable_caches"]

_LOG = logging.getLogger(__name__)

_LOADED: Final = "SPEECHNET_LIBROSA_LOADED"
"""An environment variable for processes started later: they find everything compiled."""


def usable_caches() -> None:
    """Give numba a folder for compiled code if it has none; processes started later inherit it.

    numba uses a folder beside librosa or the user's cache folder, and fails if neither can be
    written.
    """
    if _cache_folder() is not None:
        return
    # Private to this process: numba unpickles what it finds there.
    folder = str(own_folder() / "numba")  # made by numba
    os.environ["NUMBA_CACHE_DIR"] = folder  # for processes started later
    # For this one: numba has read the variable already.
    setattr(numba.config, "CACHE_DIR", folder)  # noqa: B010 - mypy does not know the attribute
    _LOG.warning("neither librosa's folder nor the user's can be written: code is compiled again")


def _cache_folder() -> Path | None:
    """The folder of what numba compiles for librosa; None if there is none."""
    chosen, spec = os.environ.get("NUMBA_CACHE_DIR"), find_spec("librosa")
    user = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "numba"
    if chosen:
        return Path(chosen)
    if spec is None or spec.origin is None:
        return user
    beside = Path(spec.origin).parent
    return next((folder for folder in (beside / "__pycache__", user) if _can_write(folder)), None)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait while another process compiles into the same folder."""
    folder = _cache_folder()
    if folder is None or os.environ.get(_LOADED) == str(folder):
        yield
        return
    with contextlib.ExitStack() as stack:
        # Where files can't be locked (some network disks), loading goes on without a lock.
        with contextlib.suppress(OSError, NotImplementedError):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(filelock.FileLock(folder / "speechnet.lock"))
        yield
        os.environ[_LOADED] = str(folder)


def _load() -> ModuleType:
    usable_caches()
    _unshare_names()
    with _one_at_a_time():
        # Imports core.audio and util.utils: of what is used here, all that compiles on import.
        importlib.import_module("librosa.core.pitch")
    return importlib.import_module("librosa")


def _unshare_names() -> None:
    """Make numba give its data files unique names."""
    plain = getattr(IndexDataCacheFile, "_data_name", None)
    if plain is None or hasattr(plain, "unshared"):
        return

    def unshared_name(cache: IndexDataCacheFile, number: int) -> str:
        name = Path(plain(cache, number))
        return f"{name.stem}.{uuid4().hex}{name.suffix}"

    unshared_name.unshared = True  # type: ignore[attr-defined]
    setattr(IndexDataCacheFile, "_data_name", unshared_name)  # noqa: B010 - mypy forbids assigning


def _can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself be made."""
    with contextlib.suppress(OSError, RuntimeError):
        while not folder.exists():
            folder = folder.parent
        return os.access(folder, os.W_OK | os.X_OK)
    return False


librosa = _load()
