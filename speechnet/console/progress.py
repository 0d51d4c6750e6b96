"""Progress on one line of the terminal.

However deeply stages and steps are nested, one line shows them::

    4/8 training, fold 2 of 5, svm, emotion ━━━━╸━━━━━ 120/300 4:10 left

Without a terminal nothing is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
    """rich's progress display on one line: stage, part and one task.

    The task is the outermost one with a total, or else the innermost one.
    """

    stages: Sequence[str] = ()
    stage = ""
    part = ""  # such as "fold 2 of 5"
    parts_left: Callable[[], float | None] | None = None  # seconds until all parts are done
    _depth = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the line until the outermost block ends, then erase it."""
        visible = console.file.isatty() and console.is_interactive and not console.quiet
        self._depth += 1
        try:
            with self if self._depth == 1 and visible else nullcontext():
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
        """Count finished steps of a task."""
        self.update(task, advance=steps, reached=self._tasks[task].elapsed)

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
        line.add_column()  # is cut on a narrow terminal
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        words = ", ".join(filter(None, [self.place, self.part, task.description]))
        line.add_row(
            Text(words, no_wrap=True, overflow="ellipsis"),
            ProgressBar(task.total, task.completed, width=10, pulse=not task.total),
            Text(" ".join(filter(None, [_count(task), self._left(task)]))),
        )
        # Leaves room for the terminal's echo of Ctrl-C, which must not begin another line.
        yield Constrain(line, console.width - len("^C"))

    def _left(self, task: Task) -> str:
        """The time left for all parts, or for the task until that is known."""
        own = _seconds_left(task)
        left = self.parts_left() if self.parts_left else own
        if left is None and own is not None:
            return f"{_clock(own)} for this"
        return "" if left is None else f"{_clock(left)} left"


def _count(task: Task) -> str:
    hours = task.fields.get("hours", 0.0)
    steps = f"{task.completed:,}/{task.total:,}" if task.total else ""
    return ", ".join(filter(None, [steps, f"{hours:.2f} h of speech" if hours else ""]))


def _seconds_left(task: Task) -> float | None:
    """The seconds left if steps take as long as before on average; None if that is unknown."""
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
    redirect_stdout=sys.stdout.isatty(),  # rich would change what goes into a pipe or a file
)
_line.add_task("", total=None)  # drawn if there is no other


@contextmanager
def plan(stages: Sequence[str]) -> Iterator[None]:
    """Announce the names of the stages in the block, so that each is drawn with its number."""
    _line.stages = stages
    try:
        with _line.shown():
            yield
    finally:
        _line.stages, _line.stage = (), ""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Draw one stage while the block runs, and log its seconds."""
    before, begun = _line.stage, _line.get_time()
    _line.stage = name
    try:
        with _line.shown():
            yield
            tell(f"{_line.place}: {_line.get_time() - begun:.1f} s")
    finally:
        if before or not _line.stages:  # a planned stage is drawn until the next one begins
            _line.stage = before


def each(items: Sequence[Item], name: str) -> Iterator[Item]:
    """Iterate over parts of about the same duration, such as folds.

    From the second part on, the time left is that of all parts.

    Args:
        items: the parts.
        name: of one part, such as ``fold``.
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
    """Count ``total`` steps while the block runs. Of nested blocks, the outermost is drawn.

    Yields:
        A function that takes the number of steps just finished.
    """
    with _line.task(name, total) as task:
        yield lambda count: _line.count(task, count)


@contextmanager
def file_progress(name: str, files: int) -> Iterator[Callable[[int, float], None]]:
    """Count files and hours of speech; the hours also if an outer ``progress`` is drawn.

    Yields:
        A function that takes the number of files just finished and their seconds of speech.
    """
    with progress(name, files) as advance:

        def extracted(count: int, seconds: float) -> None:
            advance(count)
            task = _line.drawn
            _line.update(task.id, hours=task.fields.get("hours", 0.0) + seconds / 3600)

        yield extracted


@contextmanager
def working(name: str) -> Iterator[None]:
    """Draw work that can't be counted."""
    with _line.task(name, None):
        yield
