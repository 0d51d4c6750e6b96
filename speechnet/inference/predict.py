"""The command ``predict``: a CSV with the probability of every class for each recording."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from speechnet.console.messages import console, say
from speechnet.console.progress import file_progress, progress, working
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.reading import read_regular
from speechnet.core.safe_text import printable
from speechnet.core.types import NOTES
from speechnet.core.version import __version__
from speechnet.core.wording import counted, listing
from speechnet.corpus.discovery import ExcludedRow
from speechnet.experiment.novelty import MEASURED, unlike_in_words
from speechnet.experiment.parallel import parallel
from speechnet.experiment.run_location import check_writable
from speechnet.experiment.saved_run import BEST, SavedRun
from speechnet.features.extraction.extract import CorpusExtractor
from speechnet.inference.batch_predict import Answer, Answerer, Speakers
from speechnet.inference.inputs import Recording, by_channel, gather
from speechnet.inference.output import Results, columns_of, open_results, rows_of
from speechnet.inference.prediction import Unlike
from speechnet.inference.predictor import Predictor
from speechnet.inference.windows import Windows
from speechnet.report.terminal import excluded_table

_SMALLEST: Final = 64
_LARGEST: Final = 1024
"""Recordings of a batch: the features of so many are in memory."""


def recognise(
    run_path: Path,
    given: Sequence[str | Path],
    *,
    model: str,
    out: Path | None,
    speakers: Speakers | None = None,
    manifest: Path | None = None,
    abstain: float = 0.0,
    unlike: Unlike = "keep",
    long: float | None = 20.0,
    window: float | None = None,
    hop: float | None = None,
    timeline: Path | None = None,
    each_channel: bool = False,
) -> None:
    """Recognise recordings with a finished run.

    Columns of the CSV: file, model; for each target the likeliest class, then the probability of
    every class as ``<target>_<class>``; novelty, unlike, far and bandwidth (Hz), as
    ``speechnet.inference.prediction.Prediction`` has them; notes, codes of ``NOTES`` between
    blanks; reason. The rows are in the order of the recordings, those of a recording's models
    together. A recording that can't be used has its reason code, and what was found in its notes.
    Names and labels that a spreadsheet would take for a formula have an apostrophe before them; see
    ``speechnet.core.safe_text``.

    A long recording has the mean probabilities of its windows; windows that can't be used, such as
    silence, don't count. A part of a recording is always taken as a whole.

    With ``out`` the rows are kept as they come, and the same command continues after them.
    Apart from the names of all recordings, the memory holds the features of one batch; where the
    run standardises features by speaker, those of all recordings.

    The arguments are the options of the command, as ``speechnet.cli.predict`` describes them;
    ``given`` and ``manifest`` are read by ``speechnet.inference.inputs``.

    Raises:
        SpeechnetError: the run, the command or the disk is at fault, or not one of the recordings
            can be used.
    """
    run = SavedRun(run_path)
    data = run.config.data
    _check_speakers(run, speakers, timeline)
    windows = Windows.of(data.audio, length=window, hop=hop, longer_than=long)
    if data.recipe.by_name and (timeline is not None or each_channel):
        raise ConfigError(
            f"{run.folder.path} takes features by the names of recordings (data.features."
            f"{data.recipe.by_name[0]}), which windows and channels don't have: leave out "
            f"{'--channels' if timeline is None else '--timeline'}"
        )
    if timeline is not None:
        check_writable(timeline)
    run.choose(model)  # a name that isn't there is noticed before a list is read
    recordings, notes = gather(given, manifest)
    for note in notes:
        say(note, style="yellow")
    if each_channel:
        with working("reading headers"):
            recordings = by_channel(recordings)
    with working("reading the run"):
        predictor = Predictor(run, model=model)
    predictor.check_unlike(unlike)
    if model == BEST:
        best = run.best()
        say(f"Model: {best.model}, {best.reason}")
    with (
        CorpusExtractor(
            Path("/"), data.recipe, cache_dir=data.cache, device="auto", progress=file_progress
        ) as extractor,
        parallel(run.config.parallel) if len(recordings) > 1 else nullcontext(),
    ):
        answerer = Answerer(predictor, extractor, windows, timeline, speakers, abstain, unlike)
        summary = _write_rows(recordings, answerer, out)
    summary.print(run, windows, len(recordings), labelled=unlike != "abstain")
    if not summary.usable:
        raise DataError("none of the recordings can be used; the reason stands in the row of each")


@dataclass
class _Summary:
    """What is printed after the last row.

    ``usable`` tells whether any recording could be recognised, by an earlier call too; ``averaged``
    counts those that have the mean over their windows; ``remarks`` names recordings by the code of
    their note; ``novelties`` are novelty, far and bandwidth of each that could be used.
    """

    usable: bool
    excluded: list[ExcludedRow] = field(default_factory=list)
    averaged: int = 0
    remarks: dict[str, list[str]] = field(default_factory=dict)
    novelties: list[tuple[float, str, float]] = field(default_factory=list)

    def note(self, name: str, answer: Answer, *, long: bool) -> None:
        if isinstance(answer, Excluded):
            self.excluded.append((name, answer.reason, answer.detail))
            return
        self.usable = True
        self.averaged += long
        one = next(iter(answer.values()))
        self.novelties.append((one.novelty, one.far, one.bandwidth))
        for code in one.notes:
            self.remarks.setdefault(code, []).append(name)

    def print(self, run: SavedRun, windows: Windows, total: int, *, labelled: bool) -> None:
        if self.averaged:
            say(
                f"Longer than {windows.longer_than:g} s, and the mean over windows of "
                f"{windows.length:g} s: {self.averaged:,} of {counted(total, 'recording')}"
            )
        for code, names in self.remarks.items():
            words = f"{counted(len(names), 'recording')} with {NOTES[code]}: {listing(names, 3)}"
            if code == "channels_differ":
                words += ". They were mixed; --channels each takes them apart"
            say(words, style="yellow")
        if self.excluded:
            rows = pd.DataFrame(self.excluded, columns=["file", "reason", "detail"], dtype=object)
            console.print(excluded_table(rows))
        table = pd.DataFrame(self.novelties, columns=MEASURED)
        trained = run.folder.info["corpus"].get("bandwidth", {})
        if unlike := unlike_in_words(table, run.config.data, trained, labelled=labelled):
            say(unlike, style="yellow")


def _write_rows(recordings: Sequence[Recording], answerer: Answerer, out: Path | None) -> _Summary:
    """Add the rows of all recordings that have none yet.

    The batches are the same wherever an earlier call stopped: linear algebra rounds differently
    with another number of rows, and the table would show it.
    """
    total, targets = len(recordings), answerer.predictor.targets
    batches = [(0, total)] if answerer.speakers else _batches(total)
    with (
        open_results(
            out,
            columns_of(targets),
            _settings(answerer),
            names=[recording.name for recording in recordings],
            paths=[recording.path for recording in recordings],
            models=answerer.predictor.models,
        ) as results,
        _counted(total - results.done, printed=out is None) as advance,
    ):
        _say_done(results, total)
        summary = _Summary(results.usable)
        for first, end in batches:
            if end <= results.done:
                continue
            rows: list[list[str]] = []
            skip = max(results.done - first, 0)
            answers = answerer.answer(recordings[first:end], first=first, skip=skip)
            for recording, answer, long in answers:
                summary.note(recording.name, answer, long=long)
                rows += rows_of(recording.name, answer, targets)
                if long or answerer.timelines:  # it took its time, and isn't cached
                    results.append(rows)
                    rows = []
                advance(1)
            results.append(rows)
    return summary


def _batches(count: int) -> Iterator[tuple[int, int]]:
    """Where batches begin and end: small at first, for rows to look at; then a fifth of all."""
    first = 0
    while first < count:
        end = min(first + min(max(first // 4, _SMALLEST), _LARGEST), count)
        yield first, end
        first = end


@contextmanager
def _counted(total: int, *, printed: bool) -> Iterator[Callable[[int], None]]:
    """Count recordings, but not between rows on a terminal, nor to one."""
    if total == 1 or (printed and sys.stdout.isatty()):
        yield lambda _: None
        return
    with progress("recognising", total) as advance:
        yield advance


def _settings(answerer: Answerer) -> dict[str, object]:
    """Everything that decides what the rows say; what relative names mean depends on the folder."""
    run, windows, timelines = answerer.predictor.run, answerer.windows, answerer.timelines
    return {
        "speechnet": __version__,
        "--run": printable(str(run.folder.path.resolve())),
        "run.json": hashlib.sha256(read_regular(run.folder.path / "run.json")).hexdigest(),
        "folder": printable(str(Path.cwd())),
        "--model": answerer.predictor.models,
        "--speakers": answerer.speakers,
        "--abstain": answerer.abstain,
        "--unlike": answerer.unlike,
        "--long": windows.longer_than,
        "--window": windows.length,
        "--hop": windows.hop,
        "--timeline": None if timelines is None else printable(str(timelines)),
    }


def _say_done(results: Results, total: int) -> None:
    if results.done:
        say(f"{counted(total, 'recording')}, {results.done:,} of them done before")
    if results.changed:
        say(
            "The recordings have changed since, or their order has: the rows after the first "
            f"{results.done:,} are made again",
            style="yellow",
        )


def _check_speakers(run: SavedRun, speakers: Speakers | None, timeline: Path | None) -> None:
    per_speaker = run.config.data.per_speaker
    if per_speaker and speakers is None:
        raise ConfigError(
            f"{run.folder.path} standardises the features of each speaker (data."
            "per_speaker): say who speaks with --speakers one (the same person in all recordings) "
            "or --speakers folder (one person in each folder), several recordings each"
        )
    if per_speaker and timeline is not None:
        raise ConfigError(
            f"{run.folder.path} standardises the features of each speaker over whole recordings "
            "(data.per_speaker), and has nothing to say of a window; leave --timeline out"
        )
    if speakers is not None and not per_speaker:
        raise ConfigError(
            f"--speakers {speakers}: {run.folder.path} takes each recording by itself "
            "(data.per_speaker: false); leave the option out"
        )
