"""``audit``: look a corpus over."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentParser

from speechnet.config.arguments import check_config_files
from speechnet.progress import working


def parser() -> ArgumentParser:
    """Every key of an experiment."""
    from speechnet.config.experiment import fit_parser

    return fit_parser("audit", "Look a corpus over: faults, copies, leaks, inflation.")


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    check_config_files(arguments)
    with working("starting"):
        from speechnet.config.experiment import read_experiment
        from speechnet.runs.auditing import audit

    audit(read_experiment(arguments, parser())[0])
