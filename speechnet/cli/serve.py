"""``serve``: try a saved run in the browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jsonargparse import ArgumentParser

from speechnet.config.arguments import options_parser, read_options
from speechnet.core.bounds import Number

_Positive = Annotated[float, Number(ge=0.001)]


@dataclass
class Options:
    """The run, where to listen, and how much to take on.

    Attributes:
        run: the run folder.
        host: the address to listen on; any but this machine's own lets others in, without a
            password.
        port: of TCP; 0 for any that is free.
        max_mb: most megabytes of an upload.
        max_minutes: most minutes of a recording.
        parallel: recordings that are worked on at once.
    """

    run: str
    host: str = "127.0.0.1"
    port: Annotated[int, Number(ge=0, le=65_535)] = 7860
    max_mb: _Positive = 60.0
    max_minutes: _Positive = 10.0
    parallel: Annotated[int, Number(ge=1)] = 2


def parser() -> ArgumentParser:
    """The parser of ``Options``."""
    return options_parser("serve", "Try a saved run in the browser.", Options)


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    from speechnet.serve.limits import Limits
    from speechnet.serve.server import serve

    limits = Limits(options.max_mb, options.max_minutes, options.parallel)
    try:
        serve(Path(options.run), limits=limits, host=options.host, port=options.port)
    except KeyboardInterrupt:  # the way to end it, and no work is lost
        sys.exit(130)
