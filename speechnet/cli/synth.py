"""``synth``: write the synthetic corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_type_hints

from jsonargparse import ArgumentParser

from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.console.progress import progress
from speechnet.corpus.config import SynthConfig


def parser() -> ArgumentParser:
    """Where to, and what."""
    made = verb_parser("synth", "Write the synthetic corpus: WAV files and a table of labels.")
    made.add_argument("--out", type=str, required=True, help="a new or empty folder")
    made.add_class_arguments(SynthConfig)
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    from speechnet.core.files import storage_errors
    from speechnet.core.processes import processes
    from speechnet.corpus.synthetic.corpus import write_corpus
    from speechnet.experiment.run_location import check_writable

    keys = get_type_hints(SynthConfig)
    parsed = parse(parser(), arguments, Schema({"out": str, **keys}))
    config = SynthConfig(**{name: parsed[name] for name in keys})
    out = Path(parsed.out)
    check_writable(out)
    total = config.speakers * config.sentences * 4
    with (
        storage_errors(out),
        progress("synthesising speech", total) as advance,
        processes("loky", -1),
    ):
        labels = write_corpus(out, config, on_file=lambda: advance(1))
    print(labels)  # noqa: T201 - the result
