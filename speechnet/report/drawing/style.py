"""The look that all figures share, their frame of panels, and how they are written to disk."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.style import context
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from speechnet.core.files import storage_errors, write_whole
from speechnet.core.types import Float64
from speechnet.report.names import in_line

T = TypeVar("T")
Look = dict[str, Any]
"""How something is drawn: keyword arguments for matplotlib."""

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
SKY: Final = "#56B4E9"
PURPLE: Final = "#CC79A7"
BLACK: Final = "#000000"
GREY: Final = "#767676"
NAVY: Final = "#084A8C"  # what shares are drawn in, the paler the smaller

# Okabe and Ito (2008), "Color universal design", without the yellow, which is too pale for lines;
# wine and olive from Tol (2021), "Colour schemes", SRON/EPS/TN/09-002.
PALETTE: Final = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, "#882255", "#999933")
LINES: Final = ("-", "--", "-.", (0, (3, 1, 1, 1, 1, 1)))
HATCHES: Final = ("", "///", "...", "xxx")
MARKERS: Final = ("o", "^", "s", "D", "v", "P", "X", "<")

# See-through rather than pale, so that in an SVG it goes with any background; few enough steps for
# its key to be drawn as vectors.
_SHARES: Final = LinearSegmentedColormap.from_list("shares", [(NAVY, 0.0), (NAVY, 1.0)], N=48)
_DARK: Final = 0.7  # a share above which white is easier to read on its colour than black

PNG_DPI: Final = 200
SVG_DPI: Final = 120  # only of the clouds of points, the one part that isn't drawn as vectors

STYLE: Final = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same layout on every machine
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 11,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.6,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.06,
    "text.parse_math": False,  # a class may be called "$a$"
    "svg.hashsalt": "speechnet",  # the same figure gives the same bytes
}

styled = context(STYLE, after_reset=True)
"""Decorates what draws or saves: the style above on matplotlib's defaults, undone afterwards."""


def colour(position: int) -> str:
    """The colour at a position; the palette starts again after eight."""
    return PALETTE[position % len(PALETTE)]


def line_style(position: int) -> Look:
    """Colour and dashes of the line at a position; the first 32 all differ."""
    place = (position + position // len(PALETTE)) % len(LINES)
    return {"color": colour(position), "linestyle": LINES[place]}


def marker_style(position: int) -> Look:
    """Colour and shape of the points at a position; the first 64 all differ."""
    place = (position + position // len(PALETTE)) % len(MARKERS)
    return {"color": colour(position), "marker": MARKERS[place]}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sized in inches, that no global state knows of."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def set_title(figure: Figure, text: str) -> None:
    """Give the figure a title, in as many lines as its width asks for."""
    figure.suptitle(textwrap.fill(text, width=int(10.5 * figure.get_figwidth())))


def add_footer(figure: Figure, axes: Sequence[Axes], *, note: str = "") -> None:
    """Add one legend for all panels below them, under a note in small print.

    Equal labels are listed once.
    """
    handles: dict[str, Any] = {}
    for ax in axes:
        artists, labels = ax.get_legend_handles_labels()
        handles |= dict(zip(labels, artists, strict=True))
    longest = max((len(line) for label in handles for line in label.split("\n")), default=0)
    width = 0.75 + 0.065 * longest  # inches of an entry
    legend = figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=max(1, min(len(handles), int(figure.get_figwidth() / width))),
        title=textwrap.fill(note, width=int(16 * figure.get_figwidth())) or None,
        title_fontproperties={"size": 7.5},
    )
    legend.get_title().set_color("#505050")


def legend_below(ax: Axes, *, columns: int = 2, gap: float = 36, size: float = 8) -> None:
    """Add a legend below a panel, where it can't hide anything; none without labelled artists.

    ``gap`` is that from the lower edge of the axes, for the labels there; it and the text's
    ``size`` are in points.
    """
    if ax.get_legend_handles_labels()[0]:
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            borderaxespad=gap / size,
            ncols=columns,
            fontsize=size,
            columnspacing=1.0,
            labelspacing=0.3,
        )


def panels(
    count: int,
    *,
    size: tuple[float, float],
    margin: tuple[float, float] = (0.6, 0.6),
    max_width: float = 13.0,
    share: bool = True,
) -> tuple[Figure, list[Axes]]:
    """A figure with a grid of panels, filled row by row, as square as its width allows.

    Args:
        count: number of panels, at least 1.
        size: width and height of a panel in inches.
        margin: what the figure needs besides, in inches.
        max_width: of the whole figure, in inches, unless one panel is wider.
        share: whether the panels share their axes; tick labels then stand only at the grid's
            left and lower edge.
    """
    most = max(1, min(count, 4, int((max_width - margin[0]) / size[0])))
    rows = math.ceil(count / most)
    columns = math.ceil(count / rows)
    figure = new_figure(margin[0] + columns * size[0], margin[1] + rows * size[1])
    axes = figure.subplots(rows, columns, sharex=share, sharey=share, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.remove()
    for above in axes[max(count - columns, 0) : count]:
        above.tick_params(labelbottom=True)  # the panel below it may have been removed
    return figure, list(axes[:count])


@styled
def draw_panels(
    items: Sequence[T],
    draw: Callable[[Axes, T], None],
    title: str,
    *,
    size: tuple[float, float],
    note: str | None = None,
    **frame: Any,
) -> Figure:
    """Draw a grid of panels of ``size`` inches, one for each item.

    ``note`` is the small print above the common legend, None for neither of the two; ``frame`` are
    ``margin``, ``max_width`` and ``share`` of ``panels``.
    """
    figure, axes = panels(max(1, len(items)), size=size, **frame)
    for ax, item in zip(axes, items, strict=False):
        draw(ax, item)
    if note is not None:
        add_footer(figure, axes, note=note)
    set_title(figure, title)
    return figure


def panel_below(ax: Axes, *, gap: float, height: float) -> Axes:
    """A panel below another, as wide as that, on the same x axis.

    ``gap`` and ``height`` are in inches: as a share of the panel above, the new one would grow
    while the page is laid out.
    """
    # The stubs ask for an affine transform; any that maps a point will do.
    corner = ScaledTranslation(0, 0, ax.transAxes)  # type: ignore[arg-type]
    inches = ax.figure.dpi_scale_trans + corner
    across = blended_transform_factory(ax.transAxes, inches)
    return ax.inset_axes((0, -gap - height, 1, height), transform=across, sharex=ax)


def draw_shares(ax: Axes, shares: Float64) -> None:
    """Fill a panel with a grid of cells, the darker the larger the share.

    Cell ``(i, j)`` of ``shares``, in [0, 1], has its middle at ``x = j, y = i``, row 0 at the top.
    """
    rows, columns = shares.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    ax.pcolormesh(*edges, shares, cmap=_SHARES, vmin=0, vmax=1)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def ink_on(share: float) -> str:
    """The colour of text on a cell of ``draw_shares``."""
    return "white" if share > _DARK else "black"


def share_bar(figure: Figure, label: str) -> None:
    """The key to the colours of ``draw_shares``, beside the panels."""
    axes = figure.axes
    shrink = min(1, 2.4 / figure.get_figheight())
    bar = figure.colorbar(axes[0].collections[0], ax=axes, shrink=shrink, aspect=16, label=label)
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
    bar.outline.set_visible(False)


def mark_undefined(
    ax: Axes,
    corner: tuple[float, float] = (0, 0),
    *,
    width: float = 1,
    height: float = 1,
    text: str = "undefined",
) -> None:
    """Fill a place that has no value, in data units, with a pale hatch and say so."""
    hatch: Look = {"facecolor": "white", "edgecolor": "#B0B0B0", "hatch": "////", "linewidth": 0}
    ax.add_patch(Rectangle(corner, width, height, **hatch))
    centre = (corner[0] + width / 2, corner[1] + height / 2)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    ax.text(*centre, text, ha="center", va="center", fontsize=7, color="#505050", bbox=box)


@styled
def save(figure: Figure, folder: Path, name: str, *, title: str = "") -> list[Path]:
    """Write ``name.png`` and ``name.svg``, each whole or not at all, and clear the figure.

    Equal figures give equal bytes. A figure without a title of its own gets ``title``.

    Returns:
        The paths of the PNG and of the SVG.

    Raises:
        StorageError: the folder can't be written to, or there is no space left.
    """
    if title and not figure.get_suptitle():
        set_title(figure, in_line(title))
    contents = {}
    for suffix, dpi, metadata in (
        ("png", PNG_DPI, {"Software": None}),
        ("svg", SVG_DPI, {"Date": None}),
    ):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, dpi=dpi, metadata=metadata)
        figure.set_layout_engine("none")  # laid out once: both files look the same
        contents[folder / f"{name}.{suffix}"] = buffer.getvalue()
    figure.clear()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            write_whole(path, content)
    return list(contents)
