"""The figures of a report: what one is, where they are found, and how they are drawn.

A figure is one file in ``speechnet/report/figures``, or in an installed package that names it among
its entry points ``speechnet.figures``. Nothing else has to know of it: the figures of a run folder,
its TensorBoard events and the report find it here.
"""

from __future__ import annotations

import inspect
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from speechnet.core.errors import StorageError
from speechnet.core.registry import Registry
from speechnet.core.wording import did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from speechnet.report.data import ReportData

_LOG: Final = logging.getLogger(__name__)

SECTIONS: Final = (
    *("corpus", "models", "pairs", "members", "confusion", "network", "people", "clusters"),
    *("ablation", "importance", "robustness", "inflation", "cross", "more"),
)
"""The sections and headings of the report at which figures stand; ``more`` is for all others."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One picture of a run.

    Attributes:
        file: its files' stem below ``figures/``, which no other drawing has; other characters
            than letters, digits, ``_`` and ``-`` become ``_``.
        section: where it stands in the report, one of ``SECTIONS``.
        title: what it is, in a few words; stands above the picture unless that has a title.
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
        file, title = f"{name}_{target}", f"{title}: {target}"
        return cls(
            file=file, section=section, title=title, caption=caption, draw=draw, target=target
        )


FIGURES: Final[Registry[Callable[[ReportData], Iterable[Drawing]]]] = Registry(
    "figure",
    group="speechnet.figures",
    modules=("speechnet.report.figures",),
    missing=lambda it: "" if inspect.isfunction(it) else "a function from ReportData to drawings",
)
"""Each looks at a run's tables and yields its drawings; none where there is nothing to draw."""


def drawings_of(data: ReportData) -> dict[str, list[Drawing]]:
    """Every drawing that a run has tables for, by the name of its figure, each of its own file."""
    found: dict[str, list[Drawing]] = {}
    owners: dict[str, str] = {}
    for name, figure in FIGURES.items():
        found[name] = []
        with _left_out_if_it_fails(name):
            for drawing in list(figure(data)):
                file = re.sub(r"[^\w-]+", "_", drawing.file)
                if owner := owners.get(file):
                    raise ValueError(f"the figure {owner!r} has the file {file!r} already")
                owners[file] = name
                found[name].append(replace(drawing, file=file))
                _check_section(name, drawing.section)
    return found


def _check_section(name: str, section: str) -> None:
    if section not in SECTIONS:
        meant = did_you_mean(section, SECTIONS) or f"; known: {', '.join(SECTIONS)}"
        _LOG.warning(f"the figure {name!r} stands in More: there is no section {section!r}{meant}")


def draw_all(
    figures: Mapping[str, Sequence[Drawing]],
    folder: Path,
    *,
    on_drawn: Callable[[int], None] = lambda _: None,
) -> list[Drawing]:
    """Draw figures as PNG and SVG, and leave out those that fail.

    Args:
        figures: by name, as ``drawings_of`` finds them.
        folder: where to; made if there is none.
        on_drawn: called with the number of pictures just drawn.

    Returns:
        What was drawn.

    Raises:
        StorageError: the folder can't be written to, or there is no space left.
    """
    # Imported here: matplotlib takes a second, which registering a figure need not.
    from speechnet.report.drawing.style import save, styled

    drawn: list[Drawing] = []
    for name, drawings in figures.items():
        with _left_out_if_it_fails(name):
            for drawing in drawings:
                save(styled(drawing.draw)(), folder, drawing.file, title=drawing.title)
                drawn.append(drawing)
                on_drawn(1)
    return drawn


@contextmanager
def _left_out_if_it_fails(name: str) -> Iterator[None]:
    """Go on without a figure that fails: a picture is not worth a run."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        FIGURES.refuse(name, FIGURES.package(name), error, place=_place(FIGURES[name], error))


def _place(figure: Callable[..., object], error: Exception) -> str:
    """File and line: the last of the figure's own that ran, or else the one where it begins."""
    code = inspect.unwrap(figure).__code__
    ran = traceback.extract_tb(error.__traceback__)
    lines = [step.lineno for step in ran if step.filename == code.co_filename]
    return f"{code.co_filename}:{lines[-1] if lines else code.co_firstlineno}"
