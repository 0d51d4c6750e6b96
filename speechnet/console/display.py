"""The line of progress: what stands in it, and when it is there."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from speechnet.core.wording import counted

_BAR: Final = 10
"""Characters."""

_REDRAWN: Final = 8
"""Times a second: enough to look alive, too seldom to cost anything."""


def now() -> float:
    """Seconds of the monotonic clock."""
    return time.monotonic()


@dataclass(eq=False)
class Step:
    """Something that goes on.

    Attributes:
        name: what is said of it.
        total: steps; 0 where they can't be counted.
        unit: what one is called; nothing for steps.
        done: steps.
        speech: hours.
        begun: when; see ``now``.
    """

    name: str
    total: int = 0
    unit: str = ""
    done: int = 0
    speech: float = 0.0
    begun: float = field(default_factory=now)
    _last: float = 0.0

    def advance(self, count: int) -> None:
        """Take note of steps just finished."""
        self.done += count
        self._last = now()

    def count(self) -> str:
        """What is done, in words; empty where that can't be told."""
        said = (
            [f"{self.done:,}/{counted(self.total, self.unit) if self.unit else f'{self.total:,}'}"]
            if self.total
            else []
        )
        return ", ".join([*said, *([f"{self.speech:.2f} h of speech"] if self.speech else [])])

    def left(self) -> float | None:
        """Seconds, if the rest goes on as it did so far."""
        if not 0 < self.done <= self.total:
            return None
        whole = (self._last - self.begun) * (self.total - self.done) / self.done
        return max(whole - (now() - self._last), 0.0)


@dataclass(frozen=True)
class Part:
    """One of several equal pieces.

    Attributes:
        name: what one is called.
        number: which one, from 0.
        total: how many.
        begun: when the first one was.
        entered: when this one was.
    """

    name: str
    number: int
    total: int
    begun: float
    entered: float = field(default_factory=now)

    def __str__(self) -> str:
        return f"{self.name} {self.number + 1} of {self.total}"

    def left(self) -> float | None:
        """Seconds for all that is left of them, by the mean of those that are done."""
        if not self.number:
            return None
        mean = (self.entered - self.begun) / self.number
        return max(mean * (self.total - self.number) - (now() - self.entered), 0.0)


class Display:
    """The line of progress, and what stands in it.

    Args:
        console: where it is drawn.

    Attributes:
        stages: the plan's.
        stage: the one that goes on.
        part: of it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.stages: tuple[str, ...] = ()
        self.stage = ""
        self.part: Part | None = None
        self._steps: list[Step] = []
        self._depth = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The line stays until the outermost block ends, and leaves nothing behind."""
        console = self._console
        looked_at = console.file.isatty() and console.is_interactive and not console.quiet
        self._depth += 1
        try:
            if self._depth > 1 or not looked_at:
                yield
                return
            with Live(
                console=console,
                get_renderable=self.line,
                refresh_per_second=_REDRAWN,
                transient=True,
                # Into a pipe or a file they go as they are.
                redirect_stdout=sys.stdout.isatty(),
            ):
                yield
        finally:
            self._depth -= 1

    @contextmanager
    def during(self, step: Step) -> Iterator[Step]:
        """Show a step, unless an outer one is counted."""
        self._steps.append(step)
        try:
            with self.shown():
                yield step
        finally:
            self._steps.remove(step)

    @property
    def step(self) -> Step:
        """The step that is shown."""
        steps = [*self._steps]
        return next((one for one in steps if one.total), steps[-1] if steps else Step(""))

    @property
    def place(self) -> str:
        """The stage, with its number in the plan."""
        if self.stage not in self.stages:
            return self.stage
        return f"{self.stages.index(self.stage) + 1}/{len(self.stages)} {self.stage}"

    def line(self) -> Constrain:
        """All of it, as it is now."""
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
        # A keyboard's ^C is written behind it, and must not begin another line.
        return Constrain(line, self._console.width - len("^C"))


def _left(step: Step, part: Part | None) -> str:
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
