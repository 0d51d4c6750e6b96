"""All figures of a run, written to one folder."""

from __future__ import annotations

from pathlib import Path

from speechnet.console.progress import progress
from speechnet.report.data import ReportData
from speechnet.report.drawing.style import save
from speechnet.report.figure import Drawing, drawings_of, plugin_errors


def draw_all(data: ReportData, folder: Path) -> list[Drawing]:
    """Draw every figure that there are tables for, as PNG and SVG.

    Args:
        data: what to draw.
        folder: where to; made if there is none.

    Returns:
        What was drawn.

    Raises:
        DataError: a table lacks what a figure needs.
        StorageError: the folder can't be written to, or there is no space left.
    """
    figures = drawings_of(data)
    drawn: list[Drawing] = []
    with progress("drawing", sum(map(len, figures.values()))) as advance:
        for name, drawings in figures.items():
            with plugin_errors(name):
                for drawing in drawings:
                    save(drawing.draw(), folder, drawing.file)
                    drawn.append(drawing)
                    advance(1)
    return drawn
