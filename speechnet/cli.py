"""The verbs and their arguments, nothing else.

Exit codes: 0 done, 1 a fault of the program, 2 wrong use, 3 bad data, 4 no space or no permission,
130 interrupted (Ctrl-C), 143 terminated.
"""

from __future__ import annotations

import signal
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from speechnet import __version__
from speechnet.errors import SpeechnetError, StorageError
from speechnet.progress import console, progress

_USAGE: Final = """\
usage: python -m speechnet VERB [--config X.yaml] [--key value ...]

  fit      run an experiment: features, models, scores, clusters, figures
  test     score a saved run again, on its own test part or on another corpus
  predict  recognise recordings with a saved run, as CSV
  synth    write the synthetic corpus

  VERB --help          all keys of a verb
  VERB --print_config  its whole configuration as YAML
  --version            the version
"""


def main(arguments: Sequence[str]) -> int:
    """Run one verb.

    Args:
        arguments: the command line without the program's name.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(_USAGE, end="")  # noqa: T201 - this is what was asked for
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"speechnet {__version__}")  # noqa: T201 - this is what was asked for
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        return _fail(f"unknown verb {verb!r}; expected one of {', '.join(VERBS)}", 2)
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        VERBS[verb](rest)
    except SpeechnetError as error:
        return _fail(str(error), error.exit_code)
    except PermissionError as error:
        return _fail(f"no permission: {error}", StorageError.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; features computed so far are kept", 130)
    return 0


def _fit(arguments: Sequence[str]) -> None:
    from speechnet.config import read_experiment
    from speechnet.experiment import fit

    fit(*read_experiment(arguments))


def _test(arguments: Sequence[str]) -> None:
    from speechnet.inference import test

    test(arguments)


def _predict(arguments: Sequence[str]) -> None:
    from speechnet.inference import predict

    predict(arguments)


def _synth(arguments: Sequence[str]) -> None:
    import joblib

    from speechnet.config import parse, verb_parser
    from speechnet.corpus.synthetic import SynthConfig, write_corpus
    from speechnet.files import storage_errors

    parser = verb_parser("synth", "Write the synthetic corpus: WAV files and a table of labels.")
    parser.add_argument("--out", type=str, required=True, help="a new or empty folder")
    parser.add_class_arguments(SynthConfig)
    parsed = parse(parser, arguments)
    config = SynthConfig(**{name: parsed[name] for name in SynthConfig.__dataclass_fields__})
    out = Path(parsed.out)
    total = config.speakers * config.sentences * 4
    with (
        storage_errors(out),
        progress("synthesising speech", total) as advance,
        joblib.parallel_config(backend="loky", n_jobs=-1),
    ):
        labels = write_corpus(out, config, on_file=lambda: advance(1))
    print(labels)  # noqa: T201 - the result


VERBS: Final[dict[str, Callable[[Sequence[str]], None]]] = {
    "fit": _fit,
    "test": _test,
    "predict": _predict,
    "synth": _synth,
}
"""Each imports what it needs when it is called, so that a mistake is answered at once."""


def _fail(message: str, code: int) -> int:
    console.print(Text.assemble(("error: ", "bold red"), message))
    return code


def _terminate(number: int, frame: types.FrameType | None) -> None:
    del frame
    sys.exit(128 + number)
