"""``predict``: recognise recordings with a saved run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.progress import working

_Speakers = Literal["one", "folder"] | None


def parser() -> ArgumentParser:
    """The run, the recordings, and where the result goes."""
    made = verb_parser("predict", "Recognise recordings with a saved run, as CSV.")
    made.add_argument("--run", type=str, required=True, help="the run folder")
    made.add_argument("--out", type=str | None, default=None, help="a CSV; else stdout")
    made.add_argument(
        "--model", type=str, default="best", help="a model's name, best (on the dev part), or all"
    )
    made.add_argument(
        "--speakers",
        type=_Speakers,
        default=None,
        help="who speaks, for a run with features by speaker: one person, or one in each folder",
    )
    made.add_argument("paths", nargs="+", help="files or folders")
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    schema = Schema(
        {"run": str, "out": str | None, "model": str, "speakers": _Speakers, "paths": list[str]}
    )
    parsed = parse(parser(), arguments, schema)
    with working("starting"):
        from speechnet.runs.recognise import recognise

    recognise(
        Path(parsed.run),
        [Path(path) for path in parsed.paths],
        model=parsed.model,
        out=None if parsed.out is None else Path(parsed.out),
        speakers=parsed.speakers,
    )
