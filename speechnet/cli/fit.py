"""``fit``: run an experiment."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentParser

from speechnet.cli.checks import check_experiment
from speechnet.config.experiment import fit_parser, read_experiment
from speechnet.console.progress import working


def parser() -> ArgumentParser:
    """Every key of an experiment."""
    return fit_parser()


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    with working("starting"):
        experiment = read_experiment(arguments)
        check_experiment(experiment[0])
        from speechnet.experiment.fit import fit

    fit(*experiment)
