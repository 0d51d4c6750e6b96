"""On how many processes or threads a command works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from speechnet.config.experiment import ParallelConfig
from speechnet.core.errors import ConfigError
from speechnet.core.processes import processes
from speechnet.core.thread_warnings import collected_warnings


@contextmanager
def parallel(config: ParallelConfig) -> Iterator[None]:
    """Everything inside runs as ``parallel:`` says, extraction and searches alike.

    Raises:
        ConfigError: the backend isn't there.
    """
    try:
        chosen = processes(config.backend, config.n_jobs)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"parallel.backend {config.backend}: {error}") from error
    # A thread's catch_warnings that began before any other listened would deafen it when it ends.
    with chosen, collected_warnings(lambda _: False):
        yield
