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
"""Seconds between checks of the parent."""


def processes(backend: str, n_jobs: int) -> joblib.parallel_config:
    """``joblib.parallel_config`` for a ``with`` block, with workers that end with their parent.

    When the parent is killed, workers of the backend ``loky`` end within seconds, not minutes.
    The next start removes the folder that they shared.

    Raises:
        ValueError: joblib has no such backend.
        ImportError: the backend isn't installed.
    """
    import joblib  # not needed to recognise one recording

    settings: dict[str, Any] = {}
    if backend == "loky" and joblib.cpu_count() > 1 and n_jobs != 1:
        settings = {
            "initializer": end_with_parent,
            "initargs": (os.getpid(),),
            "temp_folder": str(shared_folder()),
        }
    return joblib.parallel_config(backend=backend, n_jobs=n_jobs, **settings)


def end_with_parent(parent: int) -> None:
    """End this process soon after its parent, given by its process id, and ignore Ctrl-C.

    A terminal sends Ctrl-C to all processes; the parent alone reacts, and ends its workers. Linux
    could signal the parent's end, but does so as soon as the thread that started this process ends.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
