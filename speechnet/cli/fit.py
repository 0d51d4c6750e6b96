"""``fit``: run an experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.config.experiment import ExperimentConfig, fit_parser, read_experiment
from speechnet.console.progress import working
from speechnet.corpus.known import check_corpora
from speechnet.experiment.run_location import check_writable

parser = fit_parser


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    with working("starting"):
        experiment = read_checked(arguments, parser)
        from speechnet.experiment.fit import fit

    fit(*experiment)


def read_checked(
    arguments: Sequence[str], parser: Callable[[], ArgumentParser]
) -> tuple[ExperimentConfig, str]:
    """Read an experiment, and check it before anything that computes is imported.

    Returns:
        The experiment, and its whole configuration as YAML text.

    Raises:
        SpeechnetError: a key or value, a corpus's name or folder, or ``out`` is wrong.
    """
    config, text = read_experiment(arguments, parser)
    check_corpora(config.data.corpus, config.data.corpora)
    check_writable(Path(config.out))
    return config, text
