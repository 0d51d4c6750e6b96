"""``serve``: try a saved run in the browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema


def parser() -> ArgumentParser:
    """The run, where to listen, and how much is taken on."""
    made = verb_parser("serve", "Try a saved run in the browser.")
    made.add_argument("--run", type=str, required=True, help="the run folder")
    made.add_argument(
        "--host",
        type=str,
        default="127.0.0.1",
        help="the address to listen on; any but this machine's own lets others in, unasked",
    )
    made.add_argument("--port", type=int, default=7860, help="of TCP; 0 for any that is free")
    made.add_argument("--max_mb", type=float, default=60.0, help="most megabytes of an upload")
    made.add_argument("--max_minutes", type=float, default=10.0, help="most minutes of a recording")
    made.add_argument(
        "--parallel", type=int, default=2, help="recordings that are worked on at once"
    )
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    schema = Schema(
        {
            "run": str,
            "host": str,
            "port": int,
            "max_mb": float,
            "max_minutes": float,
            "parallel": int,
        }
    )
    parsed = parse(parser(), arguments, schema)
    from speechnet.serve.limits import Limits
    from speechnet.serve.server import serve

    limits = Limits(parsed.max_mb, parsed.max_minutes, parsed.parallel)
    try:
        serve(Path(parsed.run), limits=limits, host=parsed.host, port=parsed.port)
    except KeyboardInterrupt:  # the way to end it, and no work is lost
        sys.exit(130)
