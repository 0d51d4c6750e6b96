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

from speechnet import __version__
from speechnet.console.messages import console, say
from speechnet.console.progress import file_progress, progress, working
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.reading import read_regular
from speechnet.core.safe_text import printable
from speechnet.core.types import NOTES
from speechnet.core.wording import counted, listing
from speechnet.corpus.discovery import ExcludedRow
from speechnet.experiment.novelty import MEASURED, unlike_in_words
from speechnet.experiment.parallel import parallel
from speechnet.experiment.run_location import check_writable
from speechnet.experiment.saved_run import BEST, SavedRun
from speechnet.features.extraction.extract import CorpusExtractor
from speechnet.inference.batch_predict import Answered, Answerer, Speakers
from speechnet.inference.inputs import Recording, by_channel, gather
from speechnet.inference.output import Results, columns_of, open_results, rows_of
from speechnet.inference.prediction import Unlike, check_abstain
from speechnet.inference.predictor import Predictor
from speechnet.inference.timelines import Windowing, Windows
from speechnet.report.terminal import excluded_table

_SMALLEST: Final = 64
_LARGEST: Final = 1024
"""Recordings of a batch: features of so many are in memory."""


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
    windowing: Windowing | None = None,
    each_channel: bool = False,
) -> None:
    """Recognise recordings with a finished run.

    Columns of the CSV: file, model; for each target the likeliest class, then the probability of
    every class as ``<target>_<class>``; novelty, unlike, far and bandwidth (Hz), as
    ``speechnet.inference.prediction.Prediction`` has them; notes, codes of
    ``NOTES`` between blanks; reason. The rows stand in the order of the recordings,
    those of a recording's models together. A recording that can't be used has its reason code and
    nothing else. A name or a label that a spreadsheet would take for a formula has an apostrophe
    before it; see ``speechnet.core.safe_text``.

    A recording longer than ``windowing`` says has the mean probabilities of its windows; those that
    can't be used, such as silence, don't count. A part of a recording is always taken as a whole.

    With ``out`` the rows are kept as they come, and the same command again goes on behind them.
    Beside the names of all recordings no more is in memory than a batch of their features needs;
    where the run standardises features by speaker, those of all recordings are.

    Args:
        run_path: the run folder.
        given: recordings, folders and patterns of them, and ``-``; see
            ``speechnet.inference.inputs``.
        model: a model's name, ``best`` or ``all``.
        out: a file, which is replaced if it is there; None for stdout.
        speakers: who speaks; needed where the run standardises features by speaker, and refused
            elsewhere.
        manifest: a list of recordings; see ``speechnet.inference.inputs``.
        abstain: where a target's likeliest class has a lower probability, its label is empty and
            the reason is ``unsure``.
        unlike: ``abstain`` for no label either where a recording is unlike the training data; its
            reason is ``unlike``.
        windowing: which recordings are taken window by window; by default those of over 20 s.
        each_channel: take each channel of a recording as one of its own, such as the two ends of a
            call; their names end in ``#channel=0`` and so on.

    Raises:
        SpeechnetError: the run, the command or the disk is at fault, or not one of the recordings
            can be used.
    """
    windowing = windowing or Windowing()
    check_abstain(abstain)
    run = SavedRun(run_path)
    _check_speakers(run, speakers, windowing)
    windows = windowing.within(run.config.data.audio)
    if windows.timelines is not None:
        check_writable(windows.timelines)
    run.choose(model)  # a name that isn't there is noticed before a list is read
    recordings, notes = gather(given, manifest)
    for note in notes:
        say(note, style="yellow")
    if each_channel:
        with working("reading headers"):
            recordings = by_channel(recordings)
    with working("reading the run"):
        recogniser = Predictor(run, model=model)
    recogniser.check_unlike(unlike)
    if model == BEST:
        best = run.best()
        say(f"Model: {best.model}, {best.reason}")
    data = run.config.data
    names = [recording.name for recording in recordings]
    with (
        CorpusExtractor(
            Path("/"), data.recipe, cache_dir=data.cache, device="auto", progress=file_progress
        ) as extractor,
        open_results(
            out,
            columns_of(run.targets),
            _settings(
                answerer := Answerer(recogniser, extractor, windows, speakers, abstain, unlike)
            ),
            names=names,
            paths=[recording.path for recording in recordings],
            models=recogniser.models,
        ) as results,
        parallel(run.config.parallel) if len(names) > 1 else nullcontext(),
        _counted(len(names) - results.done, printed=out is None) as advance,
    ):
        _say_done(results, len(names))
        met = _work_off(recordings, answerer, results, advance)
    met.say(run, windows, len(names), labelled=unlike != "abstain")
    if not results.usable:
        raise DataError("none of the recordings can be used; the reason stands in the row of each")


_REMEDIES: Final = {"channels_differ": ". They were mixed; --channels each takes them apart"}


@dataclass
class _Met:
    """What deserves a word at the end.

    Attributes:
        excluded: what couldn't be used.
        averaged: how many recordings have the mean over their windows.
        remarks: the recordings that have a note, by its code.
        news: of the others novelty, what lies far and bandwidth.
    """

    excluded: list[ExcludedRow] = field(default_factory=list)
    averaged: int = 0
    remarks: dict[str, list[str]] = field(default_factory=dict)
    news: list[tuple[float, str, float]] = field(default_factory=list)

    def note(self, answered: Answered) -> None:
        if isinstance(answered.answer, Excluded):
            why = answered.answer
            self.excluded.append((answered.name, why.reason, why.detail))
        else:
            self.averaged += answered.long
            one = next(iter(answered.answer.values()))
            self.news.append((one.novelty, one.far, one.bandwidth))
            for code in one.notes:
                self.remarks.setdefault(code, []).append(answered.name)

    def say(self, run: SavedRun, windows: Windows, total: int, *, labelled: bool) -> None:
        if self.averaged:
            say(
                f"Longer than {windows.longer_than:g} s, and the mean over windows of "
                f"{windows.window:g} s: {self.averaged:,} of {counted(total, 'recording')}"
            )
        for code, names in self.remarks.items():
            what = f"{counted(len(names), 'recording')} with {NOTES[code]}"
            say(f"{what}: {listing(names, 3)}{_REMEDIES.get(code, '')}", style="yellow")
        if self.excluded:
            rows = pd.DataFrame(self.excluded, columns=["file", "reason", "detail"], dtype=object)
            console.print(excluded_table(rows))
        news = pd.DataFrame(self.news, columns=MEASURED)
        trained = run.folder.info["corpus"].get("bandwidth", {})
        if words := unlike_in_words(news, run.config.data, trained, labelled=labelled):
            say(words, style="yellow")


def _work_off(
    recordings: Sequence[Recording],
    answerer: Answerer,
    results: Results,
    advance: Callable[[int], None],
) -> _Met:
    """Add the rows of all recordings that have none yet.

    The batches are the same wherever an earlier call stopped: linear algebra rounds by how many
    rows there are, and the table would tell.
    """
    met, done = _Met(), results.done
    batches = [(0, len(recordings))] if answerer.speakers else _batches(len(recordings))
    for first, end in batches:
        if end <= done:
            continue
        rows: list[list[str]] = []
        skip = max(done - first, 0)
        for answered in answerer.answer(recordings[first:end], first=first, skip=skip):
            met.note(answered)
            rows += rows_of(answered.name, answered.answer, answerer.recogniser.targets)
            if answered.long or answerer.windows.timelines:  # it took its time, and isn't cached
                results.append(rows)
                rows = []
            advance(1)
        results.append(rows)
    return met


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
    """Everything that decides on the rows; what relative names mean depends on the folder."""
    run, windows = answerer.recogniser.run, answerer.windows
    return {
        "speechnet": __version__,
        "--run": printable(str(run.folder.path.resolve())),
        "run.json": hashlib.sha256(read_regular(run.folder.path / "run.json")).hexdigest(),
        "folder": printable(str(Path.cwd())),
        "--model": answerer.recogniser.models,
        "--speakers": answerer.speakers,
        "--abstain": answerer.abstain,
        "--unlike": answerer.unlike,
        "--long": windows.longer_than,
        "--window": windows.window,
        "--hop": windows.hop,
        "--timeline": None if windows.timelines is None else printable(str(windows.timelines)),
    }


def _say_done(results: Results, total: int) -> None:
    if results.done:
        say(f"{counted(total, 'recording')}, {results.done:,} of them done before")
    if results.changed:
        say(
            "The recordings have changed since, or their order has: the rows behind the first "
            f"{results.done:,} are made anew",
            style="yellow",
        )


def _check_speakers(run: SavedRun, speakers: Speakers | None, windowing: Windowing) -> None:
    per_speaker = run.config.data.per_speaker
    if per_speaker and speakers is None:
        raise ConfigError(
            f"{run.folder.path} standardises the features of each speaker (data."
            "per_speaker): say who speaks with --speakers one (the same person in all recordings) "
            "or --speakers folder (one person in each folder), several recordings each"
        )
    if per_speaker and windowing.timelines is not None:
        raise ConfigError(
            f"{run.folder.path} standardises the features of each speaker over whole recordings "
            "(data.per_speaker), and has nothing to say of a window; leave --timeline out"
        )
    if speakers is not None and not per_speaker:
        raise ConfigError(
            f"--speakers {speakers}: {run.folder.path} takes each recording by itself "
            "(data.per_speaker: false); leave the option out"
        )
