"""``report``: write the report of a saved run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from speechnet.config.arguments import options_parser, read_options
from speechnet.console.progress import working
from speechnet.experiment.run_location import read_info


@dataclass
class Options:
    """The options of ``report``.

    Attributes:
        run: the run folder.
        figures: draw the figures again; false shows those that are there.
    """

    run: str
    figures: bool = True


parser = partial(
    options_parser, "report", "Draw a saved run's figures and write its report again.", Options
)


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    read_info(Path(options.run))
    with working("starting"):
        from speechnet.experiment.report import rebuild

    rebuild(Path(options.run), figures=options.figures)
