"""``report``: write the report of a saved run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.config.arguments import options_parser, read_options
from speechnet.console.progress import working
from speechnet.experiment.run_location import read_info


@dataclass
class Options:
    """The run.

    Attributes:
        run: the run folder.
        figures: draw the figures again; false shows those that are there.
    """

    run: str
    figures: bool = True


def parser() -> ArgumentParser:
    """The parser of ``Options``."""
    what = "Draw a saved run's figures and write its report again."
    return options_parser("report", what, Options)


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    read_info(Path(options.run))
    with working("starting"):
        from speechnet.experiment.report import rebuild

    rebuild(Path(options.run), figures=options.figures)
