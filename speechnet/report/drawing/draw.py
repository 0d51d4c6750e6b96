"""All figures of a run, written to one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from speechnet.report.drawing.style import save
from speechnet.report.figure import Drawing, plugin_errors


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
    drawn: list[Drawing] = []
    for name, drawings in figures.items():
        with plugin_errors(name):
            for drawing in drawings:
                save(drawing.draw(), folder, drawing.file)
                drawn.append(drawing)
                on_drawn(1)
    return drawn
