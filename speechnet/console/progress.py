"""Progress on one line of the terminal.

However deep stages and steps are nested, one line shows them::

    4/8 training, fold 2 of 5, svm, emotion ━━━━╸━━━━━ 120/300 4:10 left

Where no terminal is there to see it, nothing is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeVar

from rich.constrain import Constrain
from rich.progress import Progress, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from speechnet.console.messages import console, tell

Item = TypeVar("Item")


class _Line(Progress):
    """rich's progress display, with one line for the stage, the part and one of the tasks.

    That task is the outermost that is counted; where none is, the innermost.

    Attributes:
        stages: the names of all stages, in order.
        stage: the current one.
        part: describes the current one of several equal parts, such as folds.
        parts_left: estimates the seconds until all parts are done, None before it can.
    """

    stages: Sequence[str] = ()
    stage = ""
    part = ""
    parts_left: Callable[[], float | None] | None = None
    _depth = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the line until the outermost block ends, and leave nothing behind."""
        visible = console.file.isatty() and console.is_interactive and not console.quiet
        self._depth += 1
        try:
            if self._depth == 1 and visible:
                with self:
                    yield
            else:
                yield
        finally:
            self._depth -= 1

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[TaskID]:
        """Draw a task while the block runs."""
        added = self.add_task(name, total=total, hours=0.0, reached=0.0)
        try:
            with self.shown():
                yield added
        finally:
            self.remove_task(added)

    def count(self, task: TaskID, steps: int) -> None:
        """Count steps of a task that were just finished."""
        self.update(task, advance=steps, reached=self._tasks[task].elapsed)

    def add_speech(self, seconds: float) -> None:
        """Add to the hours of speech of the task that is drawn."""
        task = self.drawn
        self.update(task.id, hours=task.fields.get("hours", 0.0) + seconds / 3600)

    @property
    def drawn(self) -> Task:
        """The task on the line."""
        tasks = self.tasks
        return next((task for task in tasks if task.total), tasks[-1])

    @property
    def place(self) -> str:
        """The stage, with its number."""
        if self.stage not in self.stages:
            return self.stage
        return f"{self.stages.index(self.stage) + 1}/{len(self.stages)} {self.stage}"

    def get_renderables(self) -> Iterator[Constrain]:
        """The line as it is now."""
        if not self.tasks:
            return
        task, line = self.drawn, Table.grid(padding=(0, 1))
        line.add_column()  # is cut where the terminal is too narrow
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        words = ", ".join(filter(None, [self.place, self.part, task.description]))
        line.add_row(
            Text(words, no_wrap=True, overflow="ellipsis"),
            ProgressBar(task.total, task.completed, width=10, pulse=not task.total),
            Text(" ".join(filter(None, [_count(task), self._left(task)]))),
        )
        # Behind it a keyboard's ^C is echoed, which must not begin another line.
        yield Constrain(line, console.width - len("^C"))

    def _left(self, task: Task) -> str:
        """The time left for all parts, or for the task until that can be told."""
        own = _seconds_left(task)
        left = self.parts_left() if self.parts_left else own
        if left is None and own is not None:
            return f"{_clock(own)} for this"
        return "" if left is None else f"{_clock(left)} left"


def _count(task: Task) -> str:
    said = [f"{task.completed:,}/{task.total:,}"] if task.total else []
    hours = task.fields.get("hours", 0.0)
    return ", ".join([*said, *([f"{hours:.2f} h of speech"] if hours else [])])


def _seconds_left(task: Task) -> float | None:
    """Seconds, if the remaining steps take as long as those before on average."""
    if not task.total or not 0 < task.completed <= task.total:
        return None
    reached: float = task.fields["reached"]
    whole = reached * (task.total - task.completed) / task.completed
    return max(whole - ((task.elapsed or 0.0) - reached), 0.0)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))).removeprefix("0:")


_line: Final = _Line(
    console=console,
    transient=True,
    refresh_per_second=8,
    redirect_stdout=sys.stdout.isatty(),  # into a pipe or a file lines go as they are
)
_line.add_task("", total=None)  # drawn while there is no other


@contextmanager
def plan(stages: Sequence[str]) -> Iterator[None]:
    """Announce the stages that the block goes through, so that each is drawn with its number.

    Args:
        stages: their names, as ``stage`` is given them, in order.
    """
    _line.stages = stages
    try:
        with _line.shown():
            yield
    finally:
        _line.stages, _line.stage = (), ""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Draw one stage while the block runs, and tell its seconds.

    Args:
        name: what is done.
    """
    before, begun = _line.stage, _line.get_time()
    _line.stage = name
    try:
        with _line.shown():
            yield
            tell(f"{_line.place}: {_line.get_time() - begun:.1f} s")
    finally:
        if before or not _line.stages:  # else it is drawn until the next one begins
            _line.stage = before


def each(items: Sequence[Item], name: str) -> Iterator[Item]:
    """Go through parts that take about as long as each other, such as folds.

    From the second on, the time left is that of all of them.

    Args:
        items: the parts.
        name: what one is called.
    """
    begun = _line.get_time()

    def left() -> float | None:
        mean = (entered - begun) / number if number else None
        return mean and max(mean * (len(items) - number) - (_line.get_time() - entered), 0.0)

    try:
        for number, item in enumerate(items):
            entered = _line.get_time()
            if len(items) > 1:
                _line.part, _line.parts_left = f"{name} {number + 1} of {len(items)}", left
            yield item
    finally:
        _line.part, _line.parts_left = "", None


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Count steps while the block runs. Inside another such block, the outer one is drawn.

    Args:
        name: what is being done; empty where the stage says it.
        total: how many steps there are.

    Yields:
        A function that takes the number of steps just finished.
    """
    with _line.task(name, total) as task:
        yield lambda count: _line.count(task, count)


@contextmanager
def file_progress(name: str, files: int) -> Iterator[Callable[[int, float], None]]:
    """Count files and hours of speech; the hours also where an outer ``progress`` is drawn.

    Args:
        name: what is done with them.
        files: how many there are.

    Yields:
        A function that takes the number of files just finished and their seconds of speech.
    """
    with progress(name, files) as advance:

        def extracted(count: int, seconds: float) -> None:
            advance(count)
            _line.add_speech(seconds)

        yield extracted


@contextmanager
def working(name: str) -> Iterator[None]:
    """Draw that something goes on that can't be counted.

    Args:
        name: what is being done.
    """
    with _line.task(name, None):
        yield
