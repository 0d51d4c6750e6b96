"""``report``: write the report of a saved run anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.console.progress import working
from speechnet.experiment.run_location import read_info


def parser() -> ArgumentParser:
    """The run."""
    made = verb_parser("report", "Draw a saved run's figures and write its report anew.")
    made.add_argument("--run", type=str, required=True, help="the run folder")
    made.add_argument(
        "--figures", type=bool, default=True, help="draw them anew; else those there are shown"
    )
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    parsed = parse(parser(), arguments, Schema({"run": str, "figures": bool}))
    read_info(Path(parsed.run))
    with working("starting"):
        from speechnet.experiment.report import rebuild

    rebuild(Path(parsed.run), figures=parsed.figures)
