"""``compare``: put runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.comparison.inputs import check_given
from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.console.progress import working


def parser() -> ArgumentParser:
    """The runs, and where the result goes."""
    made = verb_parser(
        "compare", "Put runs beside each other, and test their differences where they can be."
    )
    made.add_argument(
        "--out",
        type=str | None,
        default=None,
        help="a folder for all pairs as CSV, the figure and the page; else only the terminal",
    )
    made.add_argument("runs", nargs="+", help="the run folders, two or more")
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    schema = Schema({"out": str | None, "runs": list[str]})
    parsed = parse(parser(), arguments, schema)
    paths = [Path(path) for path in parsed.runs]
    out = None if parsed.out is None else Path(parsed.out)
    check_given(paths, out)
    with working("starting"):
        from speechnet.comparison.compare import compare

    compare(paths, out=out)
