"""joblib's worker processes: they end when the process that started them does."""

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
    """As ``joblib.parallel_config``, for use in a ``with``.

    Processes of the backend ``loky`` end within seconds when their parent is killed, which loky
    itself notices only once they have been idle for minutes; what they share lies in a folder that
    the next start removes.

    Args:
        backend: a joblib backend.
        n_jobs: how many processes or threads at once; -1 for one a core.

    Raises:
        ValueError: joblib has no such backend.
        ImportError: the backend isn't installed.
    """
    import joblib  # where one recording is recognised, it is not needed

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

    A terminal sends Ctrl-C to all processes; the parent ends its own, which have nothing to say.

    Linux could send a signal instead, but sends it when the thread ends that started this process,
    which may be any of the parent's.

    Args:
        parent: the parent's process id, told by itself: it may have ended already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY)
    os._exit(1)
