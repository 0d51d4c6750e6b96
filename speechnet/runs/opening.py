"""How every verb that reads a corpus begins: processes, and what the corpus holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from speechnet.config.experiment import ParallelConfig
from speechnet.datamodule import SpeechDataModule
from speechnet.errors import ConfigError
from speechnet.processes import processes
from speechnet.progress import console, say
from speechnet.report.summary import counts_table, dropped_table


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
    with chosen:
        yield


def announce(data: SpeechDataModule) -> None:
    """Say what a corpus holds, and what of it is left out."""
    corpus = data.corpus
    console.print(counts_table(corpus.table, data.targets))
    for note in corpus.notes:
        say(note, style="yellow")
    if len(corpus.dropped):
        console.print(dropped_table(corpus.dropped))
