"""Messages: results on stdout, everything else on stderr; ``volume`` sets how much."""

from __future__ import annotations

import logging
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from speechnet.core.files import shortened
from speechnet.core.safe_text import visible


class SafeConsole(Console):
    """A console for untrusted text: none of it is markup or controls the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render with escape characters shown; rich adds its own styles later."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


console = SafeConsole(stderr=True)  # for everything but results
output = SafeConsole()  # for results
_errors: Final = SafeConsole(stderr=True)  # is never quiet

Volume = Literal["quiet", "normal", "verbose"]

_LEVELS: Final[dict[Volume, str]] = {"quiet": "ERROR", "normal": "WARNING", "verbose": "INFO"}
_LOG: Final = logging.getLogger(__name__)


def say(message: str, *, style: str = "", to: Console = console) -> None:
    """Print a message. On a terminal lines are broken between words only, to keep paths whole.

    Args:
        message: printed as it is, without markup; paths below the current folder become relative.
        style: of rich, such as ``yellow`` for a warning.
        to: ``console`` or ``output``.
    """
    message = shortened(message)
    if to.is_terminal:
        words = textwrap.TextWrapper(to.width, break_long_words=False, break_on_hyphens=False)
        message = "\n".join(words.fill(line) for line in message.split("\n"))
    to.print(Text(message, style=style), soft_wrap=True)


def complain(message: str) -> None:
    """Print an error, even when the program is quiet."""
    say(message, style="red", to=_errors)


def tell(message: str) -> None:
    """Print a message when the program is verbose, and the same message only once."""
    _LOG.info(message)


@contextmanager
def volume(chosen: Volume) -> Iterator[None]:
    """Set how much is printed while the block runs.

    ``quiet`` prints only results and errors; ``verbose`` adds the messages of ``tell`` and those
    that libraries log at level INFO.
    """
    root, log = logging.getLogger(), _Log(_LEVELS[chosen])
    before = console.quiet, root.level
    console.quiet = chosen == "quiet"
    root.addHandler(log)
    root.setLevel(log.level)
    try:
        with warnings.catch_warnings():
            if chosen == "quiet":
                warnings.simplefilter("ignore")
            yield
    finally:
        console.quiet, level = before
        root.removeHandler(log)
        root.setLevel(level)


class _Log(logging.Handler):
    """Prints logged messages, each once."""

    def __init__(self, level: str) -> None:
        super().__init__(level)
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._printed:
            return
        self._printed.add(message)
        if record.levelno >= logging.ERROR:
            complain(message)
        else:
            say(message, style="yellow" if record.levelno >= logging.WARNING else "dim")
