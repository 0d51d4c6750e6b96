"""``audit``: examine a corpus."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentParser

from speechnet.cli.fit import read_checked
from speechnet.config.experiment import fit_parser
from speechnet.console.progress import working


def parser() -> ArgumentParser:
    """The parser of every key of an experiment."""
    what = "Examine a corpus: faults, copies, leaks, inflation."
    return fit_parser("audit", what)


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    with working("starting"):
        config, _ = read_checked(arguments, parser)
        from speechnet.experiment.audit import audit

    audit(config)
