"""Recordings of any length in overlapping windows, each taken as a recording of its own.

A window is cut from the recording as it is, and goes through all that a file goes through: mixing,
resampling, trimming, denoising, features. What can't be used, such as silence, has its reason
instead of probabilities. Nothing is smoothed and no windows are merged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from speechnet.audio.blocks import stream
from speechnet.audio.config import AudioConfig
from speechnet.audio.prepare import (
    as_rate,
    as_samples,
    check_rate,
    check_size,
    one_channel,
)
from speechnet.audio.signal_statistics import bandwidth
from speechnet.core.columns import TIMELINE_BEGINS, TIMELINE_ENDS
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.types import FeatureSet, Float32, Float64, Targets
from speechnet.core.wording import counted
from speechnet.experiment.saved_run import SavedRun
from speechnet.inference.prediction import (
    Prediction,
    Unlike,
    check_abstain,
    likeliest,
    recognition,
    unlike_as_word,
)
from speechnet.models.novelty import Novelties

_AT_ONCE: Final = 256
"""Windows whose features are recognised together."""

_SHORTEST_HOP: Final = 0.1
"""Seconds. Neighbours that share more than this are one window to any listener."""


class Recogniser(Protocol):
    """What windows are recognised by; ``speechnet.inference.predictor.Predictor`` is one."""

    run: SavedRun
    targets: Targets
    models: list[str]

    def check_alone(self) -> None:
        """Refuse to take a sound by itself where the run compares those of one speaker."""

    def check_unlike(self, unlike: Unlike) -> None:
        """Refuse to abstain where it isn't known what is unlike the training data."""

    def describe(self, samples: Float32, rate: int) -> FeatureSet:
        """Features of one sound, float32 ``[n, channels]``."""

    def probabilities(self, features: FeatureSet) -> dict[str, dict[str, Float64]]:
        """By model and target float64 ``[n, k]``."""

    def novelty(self, features: FeatureSet) -> Novelties:
        """How unlike the training data recordings are."""


def timeline_of_file(
    recogniser: Recogniser,
    path: Path,
    *,
    window: float = 3.0,
    hop: float = 1.5,
    abstain: float = 0.0,
    channel: int | None = None,
    unlike: Unlike = "keep",
) -> pd.DataFrame:
    """Recognise a recording window by window, reading it in blocks: its length takes no memory.

    ``data.audio.max_duration`` and ``max_samples`` bound a window, not the recording.

    Args:
        recogniser: the run.
        path: the recording.
        window: seconds of a window.
        hop: seconds from the start of one window to the start of the next.
        abstain: where the likeliest class has a lower probability the label is empty, 0 to 1.
        channel: the only one that counts, from 0; None for all, mixed as the run does.
        unlike: ``abstain`` for no label either where a window is unlike the training data.

    Returns:
        A row for each window and loaded model, in the order of time: start and end (s), model; for
        each target the label, then the probability of every class as ``<target>_<class>``; novelty,
        unlike (yes or no), far and bandwidth (Hz), as ``Prediction`` has them; reason:
        why a window can't be used (``silent`` and others of ``speechnet.core.types.REASONS``), else
        empty. Such a window has no labels, and NaN for probabilities.

    Raises:
        Excluded: the recording can't be used as a whole.
        ConfigError: the windows don't fit the run's bounds, ``abstain`` is no probability, the run
            doesn't know what is unlike its training data, or standardises features by speaker.
    """
    layout = _Layout.checked(recogniser, window=window, hop=hop)
    check_abstain(abstain)
    recogniser.check_unlike(unlike)
    with stream(path, layout.audio) as sound:
        layout.check_recording(sound.frames, sound.channels, rate=sound.rate)
        blocks = sound.blocks
        if channel is not None:
            blocks = (one_channel(block, channel) for block in blocks)
        windows = layout.cut(blocks, sound.rate)
        return _timeline(recogniser, windows, sound.rate, abstain, unlike)


def timeline_of_samples(
    recogniser: Recogniser,
    y: ArrayLike,
    sr: float | None,
    *,
    window: float,
    hop: float,
    abstain: float,
    unlike: Unlike,
) -> pd.DataFrame:
    """Recognise samples window by window; see ``timeline_of_file`` and ``Predictor.predict``."""
    layout = _Layout.checked(recogniser, window=window, hop=hop)
    check_abstain(abstain)
    recogniser.check_unlike(unlike)
    samples, rate = as_samples(y), as_rate(sr)
    check_rate(rate, layout.audio)
    layout.check_recording(*samples.shape, rate=rate)
    return _timeline(recogniser, layout.cut([samples], rate), rate, abstain, unlike)


def summarise(
    timeline: pd.DataFrame,
    targets: Targets,
    *,
    abstain: float = 0.0,
    unlike: Unlike = "keep",
    notes: tuple[str, ...] = (),
) -> dict[str, Prediction]:
    """What each model of a timeline says of the recording as a whole.

    Args:
        timeline: as ``timeline_of_file`` gives it.
        targets: the run's.
        abstain: where the likeliest class of the whole has a lower probability there is no label.
        unlike: whether there is one where the whole is unlike the training data.
        notes: what should be known of the recording.

    Returns:
        By model the mean probabilities and the mean novelty of the windows that could be used,
        those without a label included; every window counts the same. What lies far is that of the
        most novel window; the bandwidth is the widest one.

    Raises:
        Excluded: no window could be used; for the reason that most of them have.
    """
    check_abstain(abstain)
    usable = timeline[timeline["reason"] == ""]
    if usable.empty:
        reason = str(timeline["reason"].mode()[0])
        raise Excluded(
            reason, f"not one of {counted(timeline['start'].nunique(), 'window')} can be used"
        )
    found = {}
    for model, rows in usable.groupby("model", sort=False):
        means = {t: rows[_columns(t, c)].to_numpy(float).mean(axis=0) for t, c in targets.items()}
        novelty = rows["novelty"].to_numpy(float)
        far = str(rows["far"].iloc[novelty.argmax()]) if novelty.mean() > 1 else ""
        found[str(model)] = recognition(
            means,
            targets,
            abstain=abstain,
            unlike=unlike,
            novelty=float(novelty.mean()),
            far=far,
            notes=notes,
            bandwidth=float(rows["bandwidth"].max()),
        )
    return found


def check_layout(audio: AudioConfig, *, window: float, hop: float) -> None:
    """Refuse windows that a run can't be applied to, or that leave gaps.

    Args:
        audio: the run's bounds, which each window is held to.
        window: seconds of a window.
        hop: seconds from the start of one window to the start of the next.

    Raises:
        ConfigError: one of the two is out of its bounds.
    """
    longest = math.inf if audio.max_duration is None else audio.max_duration
    if not audio.min_duration <= window <= longest or math.isinf(window):
        raise ConfigError(
            f"window is {window:g} s, the run takes {audio.min_duration:g} to {longest:g} s "
            "(data.audio.min_duration, max_duration)"
        )
    if not _SHORTEST_HOP <= hop <= window:
        raise ConfigError(
            f"hop is {hop:g} s, expected {_SHORTEST_HOP:g} s to the window's {window:g} s"
        )


@dataclass(frozen=True)
class _Layout:
    """How long the windows are, and how far apart, in seconds; ``audio`` bounds each of them."""

    window: float
    hop: float
    audio: AudioConfig

    @classmethod
    def checked(cls, recogniser: Recogniser, *, window: float, hop: float) -> _Layout:
        """The layout, if the run can be applied to such windows."""
        recogniser.check_alone()
        audio = recogniser.run.config.data.audio
        check_layout(audio, window=window, hop=hop)
        return cls(window, hop, audio)

    def check_recording(self, frames: int, channels: int, *, rate: int) -> None:
        """Refuse a recording that is too short for a window, or too large in one."""
        check_size(min(frames, round(self.window * rate)), channels, rate=rate, config=self.audio)

    def cut(self, blocks: Iterable[Float32], rate: int) -> Iterator[tuple[int, Float32]]:
        """Cut a recording into windows, holding little more of it than one of them.

        Window ``k`` begins at frame ``round(k hop rate)``; the last is the first to reach the end.
        Where that would be shorter than ``min_duration`` the one before takes it in.

        Args:
            blocks: float32 ``[n, channels]`` each, end to end.
            rate: in Hz.

        Yields:
            The first frame and the samples, float32 ``[m, channels]``, of each window.
        """
        blocks = iter(blocks)
        held, first, k = next(blocks), 0, 0
        length, shortest = round(self.window * rate), math.ceil(self.audio.min_duration * rate)
        while True:
            following = round((k + 1) * self.hop * rate)
            needed = max(length + 1, following - first + shortest)
            while len(held) < needed and (block := next(blocks, None)) is not None:
                held = np.concatenate([held, block])
            if len(held) < needed:
                yield first, held
                return
            yield first, held[:length]
            held, first, k = held[following - first :], following, k + 1


def _timeline(
    recogniser: Recogniser,
    windows: Iterator[tuple[int, Float32]],
    rate: int,
    abstain: float,
    unlike: Unlike,
) -> pd.DataFrame:
    described = (
        _Described(
            first / rate, (first + len(samples)) / rate, *_describe(recogniser, samples, rate)
        )
        for first, samples in windows
    )
    pieces = []
    while some := list(islice(described, _AT_ONCE)):
        pieces.append(_table(recogniser, some, abstain, unlike))
    return pd.concat(pieces, ignore_index=True)


class _Described(NamedTuple):
    start: float
    end: float
    features: FeatureSet | None
    reason: str
    bandwidth: float


def _describe(
    recogniser: Recogniser, samples: Float32, rate: int
) -> tuple[FeatureSet | None, str, float]:
    """A window's features, or why there are none: not the exception, which would hold samples.

    And its bandwidth in Hz.
    """
    try:
        return recogniser.describe(samples, rate), "", bandwidth(samples, rate)
    except Excluded as why:
        return None, why.reason, math.nan


def _table(
    recogniser: Recogniser, some: list[_Described], abstain: float, unlike: Unlike
) -> pd.DataFrame:
    """Rows of some windows, those of a window's models together."""
    usable = np.array([one.features is not None for one in some])
    sets = [one.features for one in some if one.features is not None]
    rows = FeatureSet.stacked(sets) if sets else None
    found = recogniser.probabilities(rows) if rows else {}
    novelty, far = np.full(len(some), np.nan), np.full(len(some), "", dtype=object)
    if rows:
        new = recogniser.novelty(rows)
        novelty[usable], far[usable] = new.novelty, new.far
    silent = (novelty > 1) & (unlike == "abstain")
    ends = (
        novelty,
        [unlike_as_word(value) for value in novelty],
        far,
        [one.bandwidth for one in some],
        [one.reason for one in some],
    )
    tables = []
    for model in recogniser.models:
        begins = ([one.start for one in some], [one.end for one in some], model)
        columns: dict[str, object] = dict(zip(TIMELINE_BEGINS, begins, strict=True))
        for target, classes in recogniser.targets.items():
            probability = np.full((len(some), len(classes)), np.nan)
            if rows:
                probability[usable] = found[model][target]
            labels = likeliest(probability, classes, abstain=abstain)
            labels[silent] = None
            columns[target] = ["" if label is None else label for label in labels]
            columns |= dict(zip(_columns(target, classes), probability.T, strict=True))
        columns |= dict(zip(TIMELINE_ENDS, ends, strict=True))
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables).sort_values("start", kind="stable")


def _columns(target: str, classes: Iterable[str]) -> list[str]:
    return [f"{target}_{name}" for name in classes]
