"""The terminal: results on stdout, all else on stderr, and a line of progress where somebody looks.

However deep stages and steps are nested, one line shows them, redrawn in place::

    4/8 training, fold 2 of 5, svm, emotion ━━━━╸━━━━━ 120/300 4:10 left

Without a terminal there is no such line, and nothing in its stead; what is said is said all the
same. See ``volume`` for more and for less.
"""

from __future__ import annotations

import logging
import textwrap
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from speechnet.console.display import Display, Part, Step, now
from speechnet.core.files import shortened
from speechnet.core.safe_text import visible


class SafeConsole(Console):
    """A console that prints text from strangers: none of it is markup, none steers the terminal.

    Args:
        stderr: whether it is standard error.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """As rich does it, with escapes shown; those of styles come later, of rich itself."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


console = SafeConsole(stderr=True)
"""Where everything is said that is not a result."""

output = SafeConsole()
"""Where results go."""

_errors: Final = SafeConsole(stderr=True)
"""Is never quiet."""

Volume = Literal["quiet", "normal", "verbose"]
Item = TypeVar("Item")

_LEVELS: Final[dict[Volume, str]] = {"quiet": "ERROR", "normal": "WARNING", "verbose": "INFO"}
_REMEMBERED: Final = 1_000
_LOG: Final = logging.getLogger(__name__)
_display: Final = Display(console)


def say(message: str, *, style: str = "", to: Console = console) -> None:
    """Print a message; only a terminal's lines are broken, and only between words.

    A path, to be copied from there, stays in one piece; below the current folder it is relative.

    Args:
        message: printed as it stands, never taken for markup.
        style: such as ``yellow`` for what deserves attention.
        to: ``console`` or ``output``.
    """
    message = shortened(message)
    if to.is_terminal:
        words = textwrap.TextWrapper(to.width, break_long_words=False, break_on_hyphens=False)
        message = "\n".join(words.fill(line) for line in message.split("\n"))
    to.print(Text(message, style=style), soft_wrap=True)


def complain(message: str) -> None:
    """Say what ended the program, or is about to; ``quiet`` or not."""
    say(message, style="red", to=_errors)


def tell(message: str) -> None:
    """Say what only a ``verbose`` run says; of the same words once."""
    _LOG.info(message)


@contextmanager
def volume(chosen: Volume) -> Iterator[None]:
    """How much is said while the block runs.

    Args:
        chosen: ``quiet`` leaves results and errors; ``verbose`` adds what ``tell`` says and what
            libraries log at level INFO.
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
    """What libraries log, as this program speaks: each of it once, above the line of progress."""

    def __init__(self, level: str) -> None:
        super().__init__(level)
        self._said: deque[str] = deque(maxlen=_REMEMBERED)

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._said:
            return
        self._said.append(message)
        if record.levelno >= logging.ERROR:
            complain(message)
        else:
            say(message, style="yellow" if record.levelno >= logging.WARNING else "dim")


@contextmanager
def plan(stages: Sequence[str]) -> Iterator[None]:
    """Announce the stages that the block goes through, so that each is shown with its number.

    Args:
        stages: their names, as ``stage`` is given them, in order.
    """
    _display.stages = tuple(stages)
    try:
        with _display.shown():
            yield
    finally:
        _display.stages, _display.stage = (), ""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One stage of a plan; ``verbose`` tells its seconds.

    Args:
        name: what is done.
    """
    before, begun = _display.stage, now()
    _display.stage = name
    try:
        with _display.shown():
            yield
            tell(f"{_display.place}: {now() - begun:.1f} s")
    finally:
        if before or not _display.stages:  # else it is shown until the next one begins
            _display.stage = before


def each(items: Sequence[Item], name: str) -> Iterator[Item]:
    """Go through pieces of work that take about as long as each other, such as folds.

    From the second on the time left is that of all of them.

    Args:
        items: the pieces.
        name: what one is called.
    """
    begun = now()
    try:
        for number, item in enumerate(items):
            if len(items) > 1:
                _display.part = Part(name, number, len(items), begun)
            yield item
    finally:
        _display.part = None


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Count steps while the block runs. Within another such block, only the outer is shown.

    Args:
        name: what is being done; empty where the stage says it.
        total: how many steps there are.

    Yields:
        A function that takes the number of steps just finished.
    """
    with _display.during(Step(name, total)) as step:
        yield step.advance


@contextmanager
def extraction_progress(files: int) -> Iterator[Callable[[int, float], None]]:
    """Count files and hours of speech; the hours also where an outer ``progress`` is shown.

    Args:
        files: how many there are.

    Yields:
        A function that takes the number of files just finished and their seconds of speech.
    """
    with _display.during(Step("extracting", files, unit="file")) as step:

        def advance(count: int, seconds: float) -> None:
            step.advance(count)
            _display.step.speech += seconds / 3600

        yield advance


@contextmanager
def working(name: str) -> Iterator[None]:
    """Show that something goes on whose end can't be foreseen.

    Args:
        name: what is being done.
    """
    with _display.during(Step(name)):
        yield
