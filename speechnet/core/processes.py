"""Worker processes of joblib that end when the process that started them does."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from speechnet.core.scratch import shared_folder

if TYPE_CHECKING:
    import joblib

_EVERY: Final = 1.0
"""Seconds between two looks at the parent."""


def processes(backend: str, n_jobs: int) -> joblib.parallel_config:
    """Configure joblib, as ``joblib.parallel_config`` does, while a ``with`` block runs.

    When the parent is killed, workers of the backend ``loky`` end within seconds and not only after
    minutes without work. The next start removes the folder of what they shared.

    Args:
        backend: a joblib backend.
        n_jobs: how many processes or threads at once; -1 for one a core.

    Raises:
        ValueError: joblib has no such backend.
        ImportError: the backend isn't installed.
    """
    import joblib  # recognising one recording does without it

    settings: dict[str, Any] = {}
    if backend == "loky" and joblib.cpu_count() > 1 and n_jobs != 1:
        settings = {
            "initializer": end_with_parent,
            "initargs": (os.getpid(),),
            "temp_folder": str(shared_folder()),
        }
    return joblib.parallel_config(backend=backend, n_jobs=n_jobs, **settings)


def end_with_parent(parent: int) -> None:
    """End this process soon after its parent has ended, and leave Ctrl-C to the parent.

    A terminal sends Ctrl-C to all processes; the parent alone reacts, and ends its workers.

    Linux could signal the parent's end instead, but does so as soon as the thread ends that started
    this process.

    Args:
        parent: its process id, given by the parent, which may have ended already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY)
    os._exit(1)
