"""The shared look and the writing of figures."""

import errno
import os
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from speechnet.core.errors import StorageError
from speechnet.report.drawing.style import (
    line_style,
    marker_style,
    new_figure,
    panels,
    save,
    styled,
)


def drawing() -> Figure:
    figure = new_figure(2, 2)
    figure.subplots().plot([0, 1], [1, 0], label="$a$_b")
    return figure


def settings() -> dict[str, object]:
    """All but the backend: looking at it would choose one."""
    return {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}


def test_both_formats_are_written_whole(tmp_path: Path) -> None:
    """A PNG of at least 150 dpi and an SVG stand in the folder, and nothing else."""
    paths = save(drawing(), tmp_path / "new", "x")
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    png, svg = (path.read_bytes() for path in paths)
    assert png.startswith(b"\x89PNG")
    assert png.rstrip().endswith(b"IEND\xaeB`\x82")
    assert int.from_bytes(png[16:20], "big") >= 2 * 150
    assert svg.rstrip().endswith(b"</svg>")


def test_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    """Neither a date nor a random id gets into the files."""
    first, second = (save(drawing(), tmp_path / name, "x") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_saved_figure_is_cleared(tmp_path: Path) -> None:
    """The artists are let go as soon as they are on disk."""
    figure = drawing()
    save(figure, tmp_path, "x")
    assert not figure.axes


def test_a_figure_that_fails_to_draw_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PNG isn't written when the SVG after it fails."""
    savefig = Figure.savefig

    def fail_on_svg(figure: Figure, target: object, **options: object) -> None:
        if options["format"] == "svg":
            raise RuntimeError("no SVG today")
        savefig(figure, target, **options)

    monkeypatch.setattr(Figure, "savefig", fail_on_svg)
    with pytest.raises(RuntimeError, match="no SVG today"):
        save(drawing(), tmp_path, "x")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When space runs out in the second file, the first is whole and alone."""
    calls = []

    def full(_descriptor: int) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        save(drawing(), tmp_path, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_the_style_does_not_leak(tmp_path: Path) -> None:
    """Settings of the caller are the same before and after, and don't change the figure."""
    plain = [path.read_bytes() for path in save(styled(drawing)(), tmp_path / "plain", "x")]
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "svg.hashsalt": "other"}):
        before = settings()
        paths = save(styled(drawing)(), tmp_path / "odd", "x")
        assert settings() == before
    assert [path.read_bytes() for path in paths] == plain


def test_lines_and_markers_differ() -> None:
    """32 lines and 64 markers can be told apart, neighbours without their colour."""
    lines = [str(line_style(position)) for position in range(32)]
    markers = [str(marker_style(position)) for position in range(64)]
    assert len(set(lines)) == 32
    assert len(set(markers)) == 64
    assert all(
        line_style(position)["linestyle"] != line_style(position + 1)["linestyle"]
        for position in range(7)
    )


@pytest.mark.parametrize(
    ("count", "columns"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (6, 3), (9, 3)]
)
def test_panels_fill_a_grid(count: int, columns: int) -> None:
    """There are as many panels as asked for, in even rows."""
    figure, axes = panels(count, size=(3, 3))
    assert len(axes) == len(figure.axes) == count
    assert len({ax.get_subplotspec().colspan.start for ax in axes}) == columns
    assert figure.get_figwidth() <= 13
