"""``serve``: try a saved run in the browser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from speechnet.config.arguments import options_parser, read_options
from speechnet.core.bounds import Number

_Positive = Annotated[float, Number(ge=0.001)]


@dataclass
class Options:
    """The options of ``serve``.

    Attributes:
        run: the run folder.
        host: the address to listen on; any but this machine's own lets others in, without a
            password.
        port: the TCP port; 0 for any free one.
        max_mb: the largest upload, in megabytes.
        max_minutes: the longest recording, in minutes.
        parallel: recordings processed at once.
    """

    run: str
    host: str = "127.0.0.1"
    port: Annotated[int, Number(ge=0, le=65_535)] = 7860
    max_mb: _Positive = 60.0
    max_minutes: _Positive = 10.0
    parallel: Annotated[int, Number(ge=1)] = 2


parser = partial(options_parser, "serve", "Try a saved run in the browser.", Options)


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    from speechnet.serve.limits import Limits
    from speechnet.serve.server import serve

    limits = Limits(options.max_mb, options.max_minutes, options.parallel)
    try:
        serve(Path(options.run), limits=limits, host=options.host, port=options.port)
    except KeyboardInterrupt:  # the normal way to end it
        sys.exit(130)
