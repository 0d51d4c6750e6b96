"""Recordings of any length in overlapping windows, each taken as a recording of its own.

A window is cut from the recording as it is, and goes through the same steps as a file: mixing,
resampling, trimming, denoising, features. A window that can't be used, such as silence, has a
reason instead of probabilities. Nothing is smoothed and no windows are merged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from speechnet.audio.blocks import Stream
from speechnet.audio.config import AudioConfig
from speechnet.audio.prepare import check_size
from speechnet.audio.signal_statistics import bandwidth
from speechnet.core.columns import TIMELINE_BEGINS, TIMELINE_ENDS
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.files import storage_errors, write_whole
from speechnet.core.types import FeatureSet, Float32, Targets
from speechnet.core.wording import counted
from speechnet.corpus.discovery import without_ending
from speechnet.experiment.run_tables import csv_text
from speechnet.inference.prediction import (
    Prediction,
    Unlike,
    answer_columns,
    class_columns,
    recognition,
)
from speechnet.report.names import NO_LABELS

if TYPE_CHECKING:
    from speechnet.inference.predictor import Predictor

_WINDOW: Final = 3.0
_SHORTEST_HOP: Final = 0.1
"""Seconds. Neighbours that share more than this are one window to any listener."""

_AT_ONCE: Final = 256
"""Windows whose features are recognised together."""

_LONGEST_NAME: Final = 40
"""Characters of a recording's name: with four bytes each a file's name stays within 255."""


@dataclass(frozen=True)
class Windows:
    """Windows of a length, and the hop from the start of one to the start of the next, in seconds.

    Recordings that last ``longer_than`` (infinite for none) are taken window by window.
    """

    length: float
    hop: float
    longer_than: float

    @classmethod
    def of(
        cls,
        audio: AudioConfig,
        *,
        length: float | None = None,
        hop: float | None = None,
        longer_than: float | None = 20.0,
    ) -> Windows:
        """The windows that a run can be applied to.

        Args:
            audio: the run's bounds, which each window must keep. A recording longer than its
                ``max_duration`` is always taken window by window.
            length: None for 3 s, or the nearest that the run takes.
            hop: None for half a window.
            longer_than: None for no recording within the bounds.

        Raises:
            ConfigError: the run takes no such windows, or they leave gaps.
        """
        longest = math.inf if audio.max_duration is None else audio.max_duration
        if length is None:
            length = min(max(_WINDOW, audio.min_duration), longest)
        if hop is None:
            hop = length / 2
        if not audio.min_duration <= length <= longest or math.isinf(length):
            raise ConfigError(
                f"window is {length:g} s, the run takes {audio.min_duration:g} to {longest:g} s "
                "(data.audio.min_duration, max_duration)"
            )
        if not _SHORTEST_HOP <= hop <= length:
            raise ConfigError(
                f"hop is {hop:g} s, expected {_SHORTEST_HOP:g} s to the window's {length:g} s"
            )
        return cls(length, hop, longest if longer_than is None else min(longer_than, longest))

    def cut(
        self, blocks: Iterable[Float32], rate: int, *, shortest: float
    ) -> Iterator[tuple[int, Float32]]:
        """Cut a recording into windows, with little more than one of them in memory.

        Window ``k`` begins at frame ``round(k hop rate)``; the last is the first to reach the end.
        Where that would be too short, the one before extends to the end.

        Args:
            blocks: float32 ``[n, channels]`` each, end to end.
            rate: in Hz.
            shortest: seconds that the last window must have.

        Yields:
            The first frame and the samples, float32 ``[m, channels]``, of each window.
        """
        blocks = iter(blocks)
        held, first, k = next(blocks), 0, 0
        length, least = round(self.length * rate), math.ceil(shortest * rate)
        while True:
            following = round((k + 1) * self.hop * rate)
            needed = max(length + 1, following - first + least)
            while len(held) < needed and (block := next(blocks, None)) is not None:
                held = np.concatenate([held, block])
            if len(held) < needed:
                yield first, held
                return
            yield first, held[:length]
            held, first, k = held[following - first :], following, k + 1


class _Window(NamedTuple):
    """A window, times in seconds; one that can't be used has a reason instead of features."""

    start: float
    end: float
    features: FeatureSet | None
    bandwidth: float = math.nan
    reason: str = ""


def timeline(
    predictor: Predictor, sound: Stream, windows: Windows, *, abstain: float, unlike: Unlike
) -> pd.DataFrame:
    """Recognise a recording window by window; see ``Predictor.timeline``."""
    audio, rate = predictor.run.config.data.audio, sound.rate
    # Too short for a window, or too large in one.
    in_one = min(sound.frames, round(windows.length * rate))
    check_size(in_one, sound.channels, rate=rate, config=audio)
    cut = windows.cut(sound.blocks, rate, shortest=audio.min_duration)
    described = (_describe(predictor, first, samples, rate) for first, samples in cut)
    pieces = []
    while some := list(islice(described, _AT_ONCE)):
        sets = [one.features for one in some if one.features is not None]
        bandwidths = [one.bandwidth for one in some if one.features is not None]
        found: list[dict[str, Prediction]] = []
        if sets:
            features = FeatureSet.stacked(sets)
            found = predictor.recognise(features, bandwidths, abstain=abstain, unlike=unlike)
        pieces.append(_table(some, found, predictor))
    return pd.concat(pieces, ignore_index=True)


def _describe(predictor: Predictor, first: int, samples: Float32, rate: int) -> _Window:
    """A window that begins at a frame. No exception is kept, for it would hold the samples."""
    start, end = first / rate, (first + len(samples)) / rate
    try:
        return _Window(start, end, predictor.describe(samples, rate), bandwidth(samples, rate))
    except Excluded as why:
        return _Window(start, end, None, reason=why.reason)


def _table(
    windows: Sequence[_Window], found: Sequence[dict[str, Prediction]], predictor: Predictor
) -> pd.DataFrame:
    """A row for each window and model; ``found`` has the windows with features."""
    targets, predictions = predictor.targets, iter(found)
    missing = [["", *[math.nan] * len(classes)] for classes in targets.values()]
    rows: list[list[object]] = []
    for start, end, features, bandwidth_hz, reason in windows:
        predicted = None if features is None else next(predictions)
        for model in predictor.models:
            cells: list[object] = [*chain(*missing), math.nan, "", ""]
            if predicted is not None:
                one = predicted[model]
                cells = [*one.answers, one.novelty, one.unlike_as_word, one.far]
            rows.append([start, end, model, *cells, bandwidth_hz, reason])
    columns = [*TIMELINE_BEGINS, *answer_columns(targets), *TIMELINE_ENDS]
    return pd.DataFrame(rows, columns=columns)


def summarise(
    timeline: pd.DataFrame,
    targets: Targets,
    *,
    abstain: float = 0.0,
    unlike: Unlike = "keep",
    notes: tuple[str, ...] = (),
) -> dict[str, Prediction]:
    """What each model of a timeline says of the recording as a whole.

    Probabilities and novelty are means over the windows that could be used, with or without a
    label; every window counts the same. ``far`` is that of the most novel window, the bandwidth the
    widest. Labels follow from the means, by ``abstain`` and ``unlike`` as elsewhere.

    Raises:
        Excluded: no window could be used; the reason is the most frequent one.
    """
    usable = timeline[timeline["reason"] == ""]
    if usable.empty:
        reason = str(timeline["reason"].mode()[0])
        raise Excluded(
            reason, f"not one of {counted(timeline['start'].nunique(), 'window')} can be used"
        )
    found = {}
    for model, rows in usable.groupby("model", sort=False):
        means = {t: rows[class_columns(t, targets)].to_numpy(float).mean(axis=0) for t in targets}
        novelty = rows["novelty"].to_numpy(float)
        found[str(model)] = recognition(
            means,
            targets,
            abstain=abstain,
            unlike=unlike,
            novelty=novelty.mean(),
            far=str(rows["far"].iloc[novelty.argmax()]) if novelty.mean() > 1 else "",
            bandwidth=rows["bandwidth"].max(),
            notes=notes,
        )
    return found


def write_timeline(
    folder: Path,
    timeline: pd.DataFrame,
    targets: Targets,
    *,
    name: str,
    number: int,
    labels: Mapping[str, str] = NO_LABELS,
) -> None:
    """Write the windows of a recording as ``<number>_<name>.csv`` into a folder, made if needed.

    From two windows on, ``.svg`` and ``.png`` of the same name show them, one for each model where
    there are several. Of the recording's name only the characters that every file system takes are
    left. The number is its place among all recordings, counted from 1;
    ``labels`` are what the models are called.

    Raises:
        StorageError: no space or no permission.
    """
    # Imported here: matplotlib takes a second, which a run without timelines need not spend.
    from speechnet.report.drawing.style import save
    from speechnet.report.drawing.timeline import draw_timeline

    words = "_".join(re.findall(r"\w+", without_ending(PurePath(name).name)))
    stem = f"{number:04d}_{words[-_LONGEST_NAME:] or 'recording'}"
    written: dict[str, pd.Series] = {
        column: timeline[column].map("{:.3f}".format) for column in ("start", "end")
    }
    written["bandwidth"] = timeline["bandwidth"].round().astype("Int64")
    text = csv_text(timeline.assign(**written), float_format="%.6f")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{stem}.csv", text.encode())
    models = list(timeline["model"].unique())
    several = len(timeline) >= 2 * len(models)  # a figure of one window says no more
    for model in models if several else ():
        ending = f"_{model}" if len(models) > 1 else ""
        save(draw_timeline(timeline, targets, model=model, labels=labels), folder, stem + ending)
