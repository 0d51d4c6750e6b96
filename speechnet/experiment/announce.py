"""How every command that reads a corpus begins: what the corpus holds."""

from __future__ import annotations

from speechnet.console.messages import console, say
from speechnet.data.datamodule import SpeechDataModule
from speechnet.report.terminal import counts_table, dropped_table


def announce(data: SpeechDataModule) -> None:
    """Say what a corpus holds, and what of it is left out."""
    corpus = data.corpus
    console.print(counts_table(corpus.table, data.targets))
    for note in corpus.notes:
        say(note, style="yellow")
    if len(corpus.dropped):
        console.print(dropped_table(corpus.dropped))
