"""``python -m speechnet``."""

import sys

from speechnet.cli import main


def run() -> None:
    """The console script's entry point."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
