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
    # Ends as Python does, but doesn't unload libraries: for that 150 MB of torch would be read from
    # the disk again, which takes a second.
    threading._shutdown()  # type: ignore[attr-defined] # as the interpreter does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
