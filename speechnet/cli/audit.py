"""``audit``: look a corpus over."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentParser

from speechnet.cli.checks import check_experiment
from speechnet.config.experiment import fit_parser, read_experiment
from speechnet.console.progress import working


def parser(arguments: Sequence[str] = ()) -> ArgumentParser:
    """Every key of an experiment."""
    what = "Look a corpus over: faults, copies, leaks, inflation."
    return fit_parser("audit", what, arguments=arguments)


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    with working("starting"):
        config, _ = read_experiment(arguments, parser(arguments))
        check_experiment(config)
        from speechnet.experiment.audit import audit

    audit(config)
