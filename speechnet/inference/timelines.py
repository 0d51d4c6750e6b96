"""Which recordings are taken window by window, and where their timelines go.

``<folder>/<number>_<name>.csv`` holds the windows of a recording, as
``sliding_windows.timeline_of_file`` gives them. From two windows on ``.svg`` and ``.png`` of the
same name show them, one for each model where there are several. The number is the recording's place
in the table of all, counted from 1; of the name only what any file system takes is left.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

import pandas as pd

from speechnet.audio.config import AudioConfig
from speechnet.core.errors import ConfigError
from speechnet.core.files import storage_errors, write_whole
from speechnet.core.types import Targets
from speechnet.corpus.discovery import without_ending
from speechnet.experiment.run_tables import csv_text
from speechnet.inference.sliding_windows import check_layout

_WINDOW: Final = 3.0
_TO_SHOW: Final = 2
"""Windows from which on a figure says more than the table."""

_LONGEST_NAME: Final = 40
"""Characters of a recording's name: with four bytes each a file's name stays within 255."""


@dataclass(frozen=True)
class Windowing:
    """Which recordings are taken window by window, and how. Times are in seconds.

    Attributes:
        longer_than: recordings that last longer; None for none of them. What is longer than
            ``data.audio.max_duration`` always is, for the run takes it in no other way.
        window: how long a window is; None for 3, or the nearest that the run takes.
        hop: from the start of one to the start of the next; None for half a window.
        timelines: a folder for the windows of every recording, long or not.
    """

    longer_than: float | None = 20.0
    window: float | None = None
    hop: float | None = None
    timelines: Path | None = None

    def within(self, audio: AudioConfig) -> Windows:
        """What is meant for a run.

        Args:
            audio: the run's bounds; each window is held to them.

        Raises:
            ConfigError: the run takes no such windows, or they leave gaps.
        """
        for flag, value in (("long", self.longer_than), ("window", self.window), ("hop", self.hop)):
            if value is not None and not value > 0:  # or no number at all
                raise ConfigError(f"--{flag} is {value:g} s, expected more than 0")
        longest = math.inf if audio.max_duration is None else audio.max_duration
        window = self.window or min(max(_WINDOW, audio.min_duration), longest)
        hop = self.hop or window / 2
        check_layout(audio, window=window, hop=hop)
        bound = math.inf if self.longer_than is None else self.longer_than
        return Windows(min(bound, longest), window, hop, self.timelines)


@dataclass(frozen=True)
class Windows:
    """What ``Windowing`` means for a run, in seconds.

    Attributes:
        longer_than: infinite for no recording.
        window: how long.
        hop: from start to start.
        timelines: a folder for the windows of every recording, or None.
    """

    longer_than: float
    window: float
    hop: float
    timelines: Path | None


def write_timeline(
    folder: Path,
    timeline: pd.DataFrame,
    targets: Targets,
    *,
    name: str,
    number: int,
) -> None:
    """Write the windows of a recording as a table and as figures.

    Args:
        folder: where to; made if there is none.
        timeline: as ``timeline_of_file`` gives it.
        targets: the run's.
        name: the recording's.
        number: its place among all, counted from 1.

    Raises:
        StorageError: no space or no permission.
    """
    # Imported here: matplotlib takes a second, which a run without timelines need not spend.
    from speechnet.report.drawing.style import save
    from speechnet.report.drawing.timeline import draw_timeline

    stem = f"{number:04d}_{_harmless(name)}"
    written: dict[str, pd.Series] = {
        column: timeline[column].map("{:.3f}".format) for column in ("start", "end")
    }
    written["bandwidth"] = timeline["bandwidth"].round().astype("Int64")
    text = csv_text(timeline.assign(**written), float_format="%.6f")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{stem}.csv", text.encode())
    models = list(timeline["model"].unique())
    for model in models if len(timeline) >= _TO_SHOW * len(models) else ():
        ending = f"_{model}" if len(models) > 1 else ""
        save(draw_timeline(timeline, targets, model=model), folder, stem + ending)


def _harmless(name: str) -> str:
    """What is left of a name that leads nowhere, hides nothing and means nothing to a shell."""
    words = re.findall(r"\w+", without_ending(PurePath(name).name))
    return "_".join(words)[-_LONGEST_NAME:] or "recording"
