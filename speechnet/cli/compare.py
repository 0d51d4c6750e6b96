"""``compare``: compare runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.comparison.inputs import check_given
from speechnet.config.arguments import options_parser, read_options
from speechnet.console.progress import working


@dataclass
class Options:
    """The options of ``compare``.

    Attributes:
        runs: the run folders, two or more.
        out: a folder for all pairs as CSV, the figure and the page; by default only the terminal.
    """

    runs: list[str]
    out: str | None = None


def parser() -> ArgumentParser:
    """The parser of ``Options``."""
    what = "Compare runs, and test their differences where they can be tested."
    made = options_parser("compare", what, Options, without="runs")
    made.add_argument("runs", nargs="+", help="the run folders, two or more")
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    paths = [Path(path) for path in options.runs]
    out = None if options.out is None else Path(options.out)
    check_given(paths, out)
    with working("starting"):
        from speechnet.comparison.compare import compare

    compare(paths, out=out)
