"""The terminal: results on stdout, all else on stderr, and a line of progress where somebody looks.

However deep stages and steps are nested, one line shows them, redrawn in place::

    4/8 training, fold 2 of 5, SVM, emotion ━━━━━━━╸━━━━━━━━━ 120/300 4:10 left

Without a terminal there is no such line, and nothing in its stead; what is said is said all the
same. See ``volume`` for more and for less.
"""

from __future__ import annotations

import logging
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

console = Console(stderr=True)
"""Where everything is said that is not a result."""

output = Console()
"""Where results go."""

_errors: Final = Console(stderr=True)
"""Is never quiet."""

_BAR: Final = 14
"""Characters."""

_SEEN_A_SECOND: Final = 8
"""How often the line is redrawn: enough to look alive, too seldom to cost anything."""

Volume = Literal["quiet", "normal", "verbose"]
_LEVELS: Final[dict[Volume, str]] = {"quiet": "ERROR", "normal": "WARNING", "verbose": "INFO"}
Item = TypeVar("Item")


def say(message: str, *, style: str = "", to: Console = console) -> None:
    """Print a message; only a terminal's lines are broken, and only between words.

    A path, to be copied from there, stays whole.

    Args:
        message: printed as it stands, never taken for markup.
        style: such as ``yellow`` for what deserves attention.
        to: ``console`` or ``output``.
    """
    if to.is_terminal:
        words = textwrap.TextWrapper(to.width, break_long_words=False, break_on_hyphens=False)
        message = "\n".join(words.fill(line) for line in message.split("\n"))
    to.print(Text(message, style=style), soft_wrap=True)


def complain(message: str) -> None:
    """Say what ended the program, or is about to; ``quiet`` or not."""
    say(message, style="red", to=_errors)


def tell(message: str) -> None:
    """Say what only a ``verbose`` run says."""
    if _display.volume == "verbose":
        say(message, style="dim")


@contextmanager
def volume(chosen: Volume) -> Iterator[None]:
    """How much is said while the block runs.

    Args:
        chosen: ``quiet`` leaves results and errors; ``verbose`` adds what ``tell`` says and what
            libraries log at level INFO.
    """
    before, root = (_display.volume, console.quiet), logging.getLogger()
    level, log = (
        root.level,
        _Log({"quiet": "ERROR", "normal": "WARNING", "verbose": "INFO"}[chosen]),
    )
    _display.volume, console.quiet = chosen, chosen == "quiet"
    root.addHandler(log)
    root.setLevel(log.level)
    try:
        with warnings.catch_warnings():
            if chosen == "quiet":
                warnings.simplefilter("ignore")
            yield
    finally:
        _display.volume, console.quiet = before
        root.removeHandler(log)
        root.setLevel(level)


class _Log(logging.Handler):
    """What libraries log, as this program speaks: each of it once, above the line of progress."""

    def __init__(self, level: str) -> None:
        super().__init__(level)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._said:
            return
        self._said.add(message)
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
        _display.stages = ()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One stage of a plan; ``verbose`` tells its seconds.

    Args:
        name: what is done.
    """
    before, begun = _display.stage, _now()
    _display.stage = name
    try:
        with _display.shown():
            yield
            tell(f"{_display.place}: {_now() - begun:.1f} s")
    finally:
        _display.stage = before


def each(items: Sequence[Item], name: str) -> Iterator[Item]:
    """Go through pieces of work that take about as long as each other, such as folds.

    From the second on the time left is that of all of them.

    Args:
        items: the pieces.
        name: what one is called.
    """
    begun = _now()
    try:
        for number, item in enumerate(items):
            if len(items) > 1:
                _display.part = _Part(name, number, len(items), begun)
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
    with _display.during(_Step(name, total)) as step:
        yield step.advance


@contextmanager
def extraction_progress(files: int) -> Iterator[Callable[[int, float], None]]:
    """Count files and hours of speech; the hours also where an outer ``progress`` is shown.

    Args:
        files: how many there are.

    Yields:
        A function that takes the number of files just finished and their seconds of speech.
    """
    with _display.during(_Step("extracting", files, unit=" files")) as step:

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
    with _display.during(_Step(name)):
        yield


def _now() -> float:
    return time.monotonic()


@dataclass(eq=False)
class _Step:
    """Something that goes on.

    Attributes:
        name: what is said of it.
        total: steps; 0 where they can't be counted.
        unit: of what, with a space before it.
        done: steps.
        speech: hours.
        begun: when, in seconds of the monotonic clock.
    """

    name: str
    total: int = 0
    unit: str = ""
    done: int = 0
    speech: float = 0.0
    begun: float = field(default_factory=_now)

    def advance(self, count: int) -> None:
        self.done += count

    def count(self) -> str:
        said = [f"{self.done:,}/{self.total:,}{self.unit}"] if self.total else []
        return ", ".join([*said, *([f"{self.speech:.2f} h of speech"] if self.speech else [])])

    def left(self) -> float | None:
        """Seconds, if the rest goes on as it did so far."""
        if not 0 < self.done <= self.total:
            return None
        return (_now() - self.begun) * (self.total - self.done) / self.done


@dataclass(frozen=True)
class _Part:
    """One of several equal pieces; ``number`` counts from 0, ``begun`` is the first one's."""

    name: str
    number: int
    total: int
    begun: float
    now: float = field(default_factory=_now)

    def __str__(self) -> str:
        return f"{self.name} {self.number + 1} of {self.total}"

    def left(self) -> float | None:
        """Seconds for all that is left of them, by the mean of those that are done."""
        if not self.number:
            return None
        mean = (self.now - self.begun) / self.number
        return max(mean * (self.total - self.number) - (_now() - self.now), 0.0)


class _Display:
    """The line of progress, and what stands in it.

    Attributes:
        volume: how much is said.
        stages: the plan's.
        stage: the one that goes on.
        part: of it.
    """

    def __init__(self) -> None:
        self.volume: Volume = "normal"
        self.stages: tuple[str, ...] = ()
        self.stage = ""
        self.part: _Part | None = None
        self._steps: list[_Step] = []
        self._depth = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The line stays until the outermost block ends, and leaves nothing behind."""
        looked_at = console.file.isatty() and console.is_interactive and not console.quiet
        self._depth += 1
        try:
            if self._depth > 1 or not looked_at:
                yield
                return
            with Live(
                console=console,
                get_renderable=self._line,
                refresh_per_second=_SEEN_A_SECOND,
                transient=True,
                # Into a pipe or a file they go as they are.
                redirect_stdout=sys.stdout.isatty(),
            ):
                yield
        finally:
            self._depth -= 1

    @contextmanager
    def during(self, step: _Step) -> Iterator[_Step]:
        """Show a step, unless an outer one is counted."""
        self._steps.append(step)
        try:
            with self.shown():
                yield step
        finally:
            self._steps.remove(step)

    @property
    def step(self) -> _Step:
        """The step that is shown."""
        steps = [*self._steps]
        return next((one for one in steps if one.total), steps[-1] if steps else _Step(""))

    @property
    def place(self) -> str:
        """The stage, with its number in the plan."""
        if self.stage not in self.stages:
            return self.stage
        return f"{self.stages.index(self.stage) + 1}/{len(self.stages)} {self.stage}"

    def _line(self) -> Table:
        step, part = self.step, self.part
        where = [self.place, str(part or ""), step.name]
        line = Table.grid(padding=(0, 1))
        line.add_column()  # gives way where it is too narrow
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        words = ", ".join(word for word in where if word)
        line.add_row(
            Text(words, no_wrap=True, overflow="ellipsis"),
            ProgressBar(step.total or None, step.done, width=_BAR, pulse=not step.total),
            Text(" ".join(word for word in (step.count(), _left(step, part)) if word)),
        )
        return line


def _left(step: _Step, part: _Part | None) -> str:
    """The time left of all parts; of the step alone before it is known how long a part takes."""
    whole = part.left() if part else step.left()
    if whole is not None:
        return f"{_clock(whole)} left"
    own = step.left()
    return "" if own is None else f"{_clock(own)} for this"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_display: Final = _Display()
