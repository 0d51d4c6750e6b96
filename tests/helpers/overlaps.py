"""The texts of a figure: which are seen, lie on top of each other, or leave the page."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text


def clashes(figure: Figure, found: list[Text]) -> list[tuple[str, str]]:
    """Pairs of texts that share more than a pixel each way, or of which one is under a legend."""
    boxes = extents(found)
    pairs = overlapping(boxes) + under_legends(figure, found, boxes)
    return [(found[i].get_text(), found[j].get_text()) for i, j in pairs]


def off_the_page(figure: Figure, found: list[Text]) -> list[str]:
    """The texts that leave the page."""
    boxes = extents(found)
    page = figure.bbox.extents + np.array([-1, -1, 1, 1])
    outside = (boxes[:, :2] < page[:2]).any(axis=1) | (boxes[:, 2:] > page[2:]).any(axis=1)
    return [found[i].get_text() for i in np.flatnonzero(outside)]


def extents(found: list[Text]) -> np.ndarray:
    """The boxes of texts in pixels, ``[n, 4]`` (x0, y0, x1, y1)."""
    return np.array([text.get_window_extent().extents for text in found]).reshape(-1, 4)


def under_legends(figure: Figure, found: list[Text], boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of a legend's first text and a text from elsewhere that reaches into the legend."""
    pairs = []
    for legend in figure.findobj(Legend):
        texts = [legend.get_title(), *legend.get_texts()]
        own = {found.index(text) for text in texts if text in found}
        everything = np.vstack([boxes, legend.get_window_extent().extents])
        inside = {i for i, j in overlapping(everything) if j == len(boxes)}
        pairs += [(min(own), i) for i in inside - own]
    return pairs


def overlapping(boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of boxes ``[n, 4]`` (x0, y0, x1, y1) that share more than a pixel each way."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = ((high - low) > 1).all(axis=2)
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(shared, k=1))]


def visible_texts(figure: Figure) -> list[Text]:
    """Every text that is drawn: tick labels count only where their tick is in view."""
    figure.draw_without_rendering()
    ticks, in_view = set(), []
    for ax in figure.findobj(Axes):  # also those within another
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                ticks |= {tick.label1, tick.label2}
                if low <= tick.get_loc() <= high and ax.axison:
                    in_view += [tick.label1, tick.label2]
    others = [text for text in figure.findobj(Text) if text not in ticks]
    return [text for text in in_view + others if text.get_visible() and text.get_text().strip()]
