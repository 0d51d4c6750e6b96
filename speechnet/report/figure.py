"""The figures of a report: what one is, where they are found, and how they are drawn.

A figure is one file in ``speechnet/report/figures``, or in an installed package that names it among
its entry points ``speechnet.figures``. Nothing else has to know of it: the figures of a run folder,
its TensorBoard events and the report find it here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speechnet.core.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from speechnet.report.data import ReportData


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One picture of a run.

    Attributes:
        file: its files' stem below ``figures/``.
        section: where it stands in the report: the id of a section or of a heading, such as
            ``models``; one that the report doesn't have puts it into the last section, "More".
        title: what it is, in a few words; also its text alternative.
        caption: what is to be seen in it, in sentences.
        draw: draws it, when its files are written.
        target: the target it is about; pictures of one target stand together.
        tensorboard: whether TensorBoard shows it.
    """

    file: str
    section: str
    title: str
    caption: str
    draw: Callable[[], Figure]
    target: str = ""
    tensorboard: bool = True

    @classmethod
    def of_target(
        cls,
        name: str,
        target: str,
        section: str,
        title: str,
        caption: str,
        draw: Callable[[], Figure],
    ) -> Drawing:
        """A picture that a figure has for each target, whose name file and title end with."""
        file, title = f"{name}_{file_name(target)}", f"{title}: {target}"
        return cls(
            file=file, section=section, title=title, caption=caption, draw=draw, target=target
        )


FIGURES: Final[Registry[Callable[[ReportData], Iterable[Drawing]]]] = Registry(
    "figure",
    group="speechnet.figures",
    modules=("speechnet.report.figures",),
    missing=lambda found: "" if callable(found) else "a function from ReportData to its drawings",
)
"""Each looks at a run's tables and yields its drawings; none where there is nothing to draw."""


def drawings_of(data: ReportData) -> dict[str, list[Drawing]]:
    """Every drawing that a run has tables for, by the name of its figure."""
    found: dict[str, list[Drawing]] = {}
    for name, figure in FIGURES.items():
        with _plugin_errors(name):
            found[name] = list(figure(data))
    return found


def draw_all(
    figures: Mapping[str, Sequence[Drawing]],
    folder: Path,
    *,
    on_drawn: Callable[[int], None] = lambda _: None,
) -> list[Drawing]:
    """Draw figures as PNG and SVG.

    Args:
        figures: by name, as ``drawings_of`` finds them.
        folder: where to; made if there is none.
        on_drawn: called with the number of pictures just drawn.

    Returns:
        What was drawn.

    Raises:
        DataError: a table lacks what a figure needs.
        StorageError: the folder can't be written to, or there is no space left.
    """
    # Imported here: matplotlib takes a second, which registering a figure need not.
    from speechnet.report.drawing.style import save

    drawn: list[Drawing] = []
    for name, drawings in figures.items():
        with _plugin_errors(name):
            for drawing in drawings:
                save(drawing.draw(), folder, drawing.file)
                drawn.append(drawing)
                on_drawn(1)
    return drawn


@contextmanager
def _plugin_errors(name: str) -> Iterator[None]:
    """Go on without a figure of another package that fails; it is refused."""
    try:
        yield
    except Exception as error:
        if (package := FIGURES.package(name)) == __package__.partition(".")[0]:
            raise
        FIGURES.refuse(name, package, error)


def file_name(name: str) -> str:
    """A target's or a model's name as it stands in the names of its figures."""
    return re.sub(r"[^\w-]+", "_", name)
