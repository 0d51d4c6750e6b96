"""``python -m speechnet``."""

import atexit
import contextlib
import os
import sys
import threading

from speechnet.cli.main import main


def run() -> None:
    """The console script's entry point."""
    code = main(sys.argv[1:])
    # As Python ends, but for taking down what is loaded: torch's libraries alone are read in once
    # more for that, which is 150 MB and a second.
    threading._shutdown()  # type: ignore[attr-defined] # as the interpreter itself does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
