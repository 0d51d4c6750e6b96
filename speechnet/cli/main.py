"""Run a command and turn its outcome into an exit code.

Exit codes: 0 done, 1 a fault of the program, 2 wrong use, 3 bad data, 4 no space or no permission,
130 interrupted (Ctrl-C), 141 the reader of the output has gone, 143 terminated.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final

from speechnet.console.messages import Volume, complain, say, volume
from speechnet.console.progress import working
from speechnet.core.errors import SpeechnetError, StorageError
from speechnet.core.files import is_full
from speechnet.core.registry import on_refusal
from speechnet.core.version import __version__

COMMANDS: Final[dict[str, str]] = {
    "audit": "examine a corpus: faults, copies, leaks, what a random split would have reported",
    "fit": "run an experiment: features, models, scores, clusters, figures, report",
    "test": "score a saved run again, on its own test part or on another corpus",
    "predict": "recognise recordings with a saved run, as CSV",
    "report": "write the report of a saved run again",
    "compare": "compare runs side by side",
    "export": "write a run's network as ONNX",
    "serve": "try a saved run in the browser",
    "synth": "write the synthetic corpus",
}
"""Each command, a module of ``speechnet.cli``, with its description."""
_USAGE: Final = f"""\
usage: python -m speechnet COMMAND [--config X.yaml] [--key value ...]

{"".join(f"  {command:<8} {what}" + chr(10) for command, what in COMMANDS.items())}
  COMMAND --help          all keys of a command
  COMMAND --print_config  its whole configuration as YAML
  --version               the version

after every command:
  --quiet                 results on stdout and errors, nothing else
  --verbose               more: seconds of each stage, what searches chose, scores as they come
"""
_KEPT: Final = {
    "predict": "; with --out the rows so far are kept, and the same command goes on",
    **dict.fromkeys(
        ("audit", "fit", "test"),
        "; computed features are kept, the same command starts the rest again",
    ),
}
"""What a stopped command leaves behind; the others leave nothing."""
_VOLUMES: Final[dict[str, Volume]] = {"--quiet": "quiet", "--verbose": "verbose"}
_WITHOUT_VALUE: Final = frozenset({"--help", "--print_config", *_VOLUMES})
_TERMINATED: Final = 128 + signal.SIGTERM
_NO_READER: Final = 128 + signal.SIGPIPE


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program's name.

    Returns:
        The exit code.

    Raises:
        SystemExit: with code 0, after ``--help`` or ``--print_config`` of a command.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(_USAGE, end="")  # noqa: T201 - this is what was asked for
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"speechnet {__version__}")  # noqa: T201 - this is what was asked for
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        return _fail(_unknown(command), 2)
    # These are for developers.
    warnings.filterwarnings("ignore", category=FutureWarning)
    # With psutil, loky replaces a worker that has grown by 300 MB; no job is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs")
    on_refusal[:] = [lambda plugin: say(f"left out: {plugin}", style="yellow")]
    rest, volumes = _take_volumes(rest)
    if len(volumes) > 1:
        return _fail(f"{' and '.join(sorted(volumes))} contradict each other; give one", 2)
    with volume(_VOLUMES[volumes.pop()] if volumes else "normal"):
        return _run(command, rest)


def _run(command: str, arguments: Sequence[str]) -> int:
    try:
        # Only this command's module, so that mistakes are answered at once.
        with working("starting"):
            module = import_module(f"speechnet.cli.{command}")
        module.run(arguments)
        sys.stdout.flush()
    except SpeechnetError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:  # as in: predict ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except OSError as error:
        if not (is_full(error) or isinstance(error, PermissionError)):
            raise
        where = "" if error.filename is None else f": {error.filename}"
        return _fail(f"{error.strerror}{where}", StorageError.exit_code)
    except KeyboardInterrupt:
        return _fail(f"interrupted{_KEPT.get(command, '')}", 128 + signal.SIGINT)
    except SystemExit as error:
        if error.code != _TERMINATED:
            raise
        return _fail(f"terminated{_KEPT.get(command, '')}", _TERMINATED)
    return 0


def _take_volumes(arguments: Sequence[str]) -> tuple[list[str], set[str]]:
    """Separate ``--quiet`` and ``--verbose`` from the other words.

    In the place of a value they stay, so that the command reports the missing value.
    """
    rest: list[str] = []
    found: set[str] = set()
    needs_value = False
    for word in arguments:
        if word in _VOLUMES and not needs_value and "--" not in rest:
            found.add(word)
            continue
        needs_value = word.startswith("--") and "=" not in word and word not in _WITHOUT_VALUE
        rest.append(word)
    return rest, found


def _unknown(command: str) -> str:
    if command.startswith("-"):
        known = ", ".join(COMMANDS)
        return f"{command} stands where the command is expected: one of {known}, then settings"
    near = get_close_matches(command, COMMANDS, n=1, cutoff=0.0)
    return f"unknown command {command!r}; the nearest of {', '.join(COMMANDS)} is {near[0]!r}"


def _fail(message: str, code: int) -> int:
    complain(f"error: {message}")
    return code
