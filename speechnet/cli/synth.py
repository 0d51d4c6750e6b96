"""``synth``: write the synthetic corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.config.arguments import options_parser, parse
from speechnet.console.progress import progress
from speechnet.core.schema import Schema, hints_of
from speechnet.corpus.config import SynthConfig


def parser() -> ArgumentParser:
    """The parser of a folder and ``SynthConfig``."""
    what = "Write the synthetic corpus: WAV files and a table of labels."
    made = options_parser("synth", what, SynthConfig)
    made.add_argument("--out", type=str, required=True, help="a new or empty folder")
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    from speechnet.core.files import storage_errors
    from speechnet.core.processes import processes
    from speechnet.corpus.synthetic.corpus import write_corpus
    from speechnet.experiment.run_location import check_writable

    keys = hints_of(SynthConfig)
    parsed = parse(parser(), arguments, Schema({"out": str, **keys}))
    config = SynthConfig(**{name: parsed[name] for name in keys})
    out = Path(parsed["out"])
    check_writable(out)
    total = config.speakers * config.sentences * 4
    with (
        storage_errors(out),
        progress("synthesising speech", total) as advance,
        processes("loky", -1),
    ):
        labels = write_corpus(out, config, on_file=lambda: advance(1))
    print(labels)  # noqa: T201 - the result
