"""The command ``report``: the figures and the page of a run, from its folder alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pandas as pd

from speechnet.console.messages import output, say
from speechnet.console.progress import progress, working
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors
from speechnet.core.reading import read_regular, read_text, read_yaml
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_info import missing_packages
from speechnet.experiment.run_location import check_writable
from speechnet.report.data import COLUMNS, ReportData
from speechnet.report.figure import Drawing, draw_all, drawings_of
from speechnet.report.html.page import Attachments, page

_MISTAKE_FILE: Final = re.compile(r"mistakes/\d+\.(mp3|svg)")
"""The only files that ``mistakes.csv`` may name."""
_LARGEST: Final = 2**26
"""Bytes of a figure or a clip."""


class _Tables(Mapping[str, pd.DataFrame]):
    """The tables of a run by their file's stem, each read when it is asked for."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._names = {path.stem for path in run.path.glob("*.csv")} | {"predictions", "references"}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name == "references":
            found = self._run.info.get("references", [])
            return pd.DataFrame(found, columns=[*COLUMNS["references"]])
        if name == "predictions":
            return self._run.read_predictions()
        if name not in self._names:
            raise KeyError(name)
        return self._run.read_table(f"{name}.csv")

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)


def report_data(run: RunFolder) -> ReportData:
    """The content of a report; tables that this process has written aren't read again.

    Raises:
        DataError: the run's configuration is damaged.
    """
    config = run.path / "config.yaml"
    return ReportData(
        folder=str(run.path),
        info=run.info,
        tables=_Tables(run),
        config=read_text(config),
        settings=read_yaml(config),
    )


def draw_figures(run: RunFolder, data: ReportData) -> list[Drawing]:
    """Draw every figure that there are tables for, as PNG and SVG below ``figures/``."""
    folder = run.path / "figures"
    figures = drawings_of(data)
    with storage_errors(folder), progress("drawing", sum(map(len, figures.values()))) as advance:
        return draw_all(figures, folder, on_drawn=advance)


def rebuild(path: Path, *, figures: bool = True) -> Path:
    """Draw a finished run's figures again and write its report.

    Args:
        path: the run folder.
        figures: draw the figures; False to show the existing ones.

    Raises:
        DataError: it isn't a run folder, or damaged.
        StorageError: no space, or no permission.
    """
    run = RunFolder.open(path)
    check_writable(path)
    for missing in missing_packages(run.info, metrics=True):
        say(f"The report lacks a metric: {missing}", style="yellow")
    data = report_data(run)
    with _damage_named(run):
        data.check_tables()
        if figures:
            with working("drawing figures"):
                draw_figures(run, data)
        with working("writing the report"):
            written = write_report(run, data)
    say(str(written), to=output)
    return written


def write_report(run: RunFolder, data: ReportData) -> Path:
    """Write ``report.html`` of a finished run, whole or not at all, with its existing figures.

    Raises:
        DataError: a table or a figure is damaged.
        StorageError: no space, or no permission.
    """
    with _damage_named(run):
        run.write("report.html", page(data, _attachments(run, data)).encode())
    return run.path / "report.html"


@contextmanager
def _damage_named(run: RunFolder) -> Iterator[None]:
    """Name the run if its tables are senseless, which correct sums don't rule out."""
    try:
        yield
    except DataError as error:
        if str(run.path) in str(error):
            raise
        raise DataError(f"{run.path} can't be reported: {error}") from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise DataError(
            f"{run.path} can't be reported: its tables are damaged "
            f"({type(error).__name__}: {error}); copy the folder again from where it was made"
        ) from error


def _attachments(run: RunFolder, data: ReportData) -> Attachments:
    files = _mistake_files(run, data.table("mistakes"))
    figures = sorted((run.path / "figures").glob("*.svg"))
    return Attachments(
        figures={path.stem: _drawn(path) for path in figures},
        clips={name: content for name, content in files.items() if name.endswith(".mp3")},
        pictures={
            name: content.decode() for name, content in files.items() if name.endswith(".svg")
        },
        checksums=run.sums or {},
    )


def _mistake_files(run: RunFolder, mistakes: pd.DataFrame) -> dict[str, bytes]:
    """The existing clips and pictures of the mistakes, by their names in the table."""
    found = {}
    names = [mistakes[column] for column in ("clip", "picture") if column in mistakes]
    for name in map(str, pd.concat(names).dropna() if names else []):
        if not _MISTAKE_FILE.fullmatch(name):
            raise DataError(
                f"{run.path}/mistakes.csv is damaged: it names {name!r}, expected "
                "mistakes/<number>.mp3 or .svg"
            )
        if (path := run.path / name).is_file():
            found[name] = read_regular(path, largest=_LARGEST)
    return found


def _drawn(path: Path) -> str:
    """A figure's text; figures have no checksums, since they may be drawn again."""
    try:
        return read_regular(path, largest=_LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise DataError(f"the figure {path} can't be read: {said}; remove it") from error
