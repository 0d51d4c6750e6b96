"""The processes or threads of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from speechnet.config.experiment import ParallelConfig
from speechnet.core.errors import ConfigError
from speechnet.core.processes import processes
from speechnet.core.thread_warnings import collected_warnings


@contextmanager
def parallel(config: ParallelConfig) -> Iterator[None]:
    """Run extraction and searches inside the block as ``parallel:`` is configured.

    Raises:
        ConfigError: the backend isn't installed.
    """
    try:
        chosen = processes(config.backend, config.n_jobs)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"parallel.backend {config.backend}: {error}") from error
    # A catch_warnings of a thread that began earlier would switch off later ones when it ends.
    with chosen, collected_warnings(lambda _: False):
        yield
