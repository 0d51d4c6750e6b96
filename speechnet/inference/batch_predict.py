"""What the models say of recordings, a batch at a time: of whole ones, or window by window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import pandas as pd

from speechnet.audio.blocks import notes_of
from speechnet.audio.channels import channel_notes
from speechnet.audio.decode import header
from speechnet.console.progress import working
from speechnet.core.errors import DataError, Excluded
from speechnet.features.extraction.extract import CorpusExtractor
from speechnet.features.extraction.speaker_norm import by_speaker
from speechnet.inference.inputs import Recording
from speechnet.inference.prediction import Prediction, Unlike
from speechnet.inference.predictor import Predictor
from speechnet.inference.windows import Windows, summarise, write_timeline

Speakers = Literal["one", "folder"]
"""Who speaks: one person in all recordings, or one in each folder."""

Answer = Mapping[str, Prediction] | Excluded
"""What each model says of a recording, by its name; or why none does."""


@dataclass(frozen=True)
class Answerer:
    """Recognises batches of recordings.

    The extractor takes paths below the root of the file system. ``timelines`` is the folder for
    every recording's windows, ``speakers`` is for a run that standardises features by speaker,
    which takes every recording as a whole.
    """

    predictor: Predictor
    extractor: CorpusExtractor
    windows: Windows
    timelines: Path | None
    speakers: Speakers | None
    abstain: float
    unlike: Unlike

    def answer(
        self, batch: Sequence[Recording], *, first: int, skip: int
    ) -> Iterator[tuple[Recording, Answer, bool]]:
        """Recognise some recordings; those that are taken as a whole all at once.

        Args:
            batch: the recordings.
            first: the place of the first among all, counted from 0, for the timelines' names.
            skip: how many at the beginning need no answer.

        Yields:
            Each recording in order, its answer, and whether it was taken window by window for its
            length.

        Raises:
            DataError: features are standardised by speaker, and one has a single recording.
            StorageError: no space for the cache or a timeline.
        """
        long = {r.name for r in batch if self._is_long(r)}
        answers = self._whole([r for r in batch if r.name not in long and r.refused is None])
        for place, recording in enumerate(batch[skip:], first + skip + 1):
            answer = recording.refused or answers.get(recording.name)
            drawn = self.timelines is not None and recording.whole
            if answer is None or (drawn and not isinstance(answer, Excluded)):
                mean = self._mean(recording, place)
                answer = mean if answer is None else answer
            yield recording, answer, recording.name in long

    def _is_long(self, recording: Recording) -> bool:
        by_name = self.predictor.run.config.data.recipe.by_name
        if self.speakers or by_name or recording.refused or not recording.whole:
            return False
        return header(Path(recording.path)).duration > self.windows.longer_than

    def _whole(self, recordings: Sequence[Recording]) -> dict[str, Answer]:
        """Answers from features of whole recordings, cached like all others."""
        if not recordings:
            return {}
        table = pd.DataFrame(
            [(r.path, r.start, r.end) for r in recordings],
            index=pd.Index([r.name for r in recordings], dtype=object),
            columns=["path", "start", "end"],
            dtype=object,  # no other holds names that are not UTF-8
        )
        extraction = self.extractor.extract(
            table, keep_duplicates=True, channels=[r.channel for r in recordings]
        )
        refused = extraction.excluded.itertuples(index=False)
        answers: dict[str, Answer] = {file: Excluded(why, more) for file, why, more in refused}
        files, features = extraction.index, extraction.features
        if not files:
            return answers
        if self.speakers:
            features = by_speaker(features, _who(files, self.speakers))
        channels = extraction.statistics[["channel_taken", "channel_correlation"]]
        found = self.predictor.recognise(
            features,
            extraction.statistics["bandwidth"].tolist(),
            notes=[channel_notes(*measured) for measured in channels.itertuples(index=False)],
            abstain=self.abstain,
            unlike=self.unlike,
        )
        return answers | dict(zip(files, found, strict=True))

    def _mean(self, recording: Recording, place: int) -> Answer:
        """The mean over a recording's windows, which are written where there are timelines."""
        predictor, path = self.predictor, Path(recording.path)
        try:
            with working(f"{recording.name}, window by window"):
                timeline = predictor.timeline_of_file(
                    path,
                    window=self.windows.length,
                    hop=self.windows.hop,
                    abstain=self.abstain,
                    channel=recording.channel,
                    unlike=self.unlike,
                )
                single = recording.channel is not None
                notes = () if single else notes_of(path, predictor.run.config.data.audio)
            if self.timelines is not None:
                write_timeline(
                    self.timelines,
                    timeline,
                    predictor.targets,
                    name=recording.name,
                    number=place,
                    labels=predictor.run.folder.labels,
                )
            return summarise(
                timeline, predictor.targets, abstain=self.abstain, unlike=self.unlike, notes=notes
            )
        except Excluded as why:
            return why


def _who(files: Sequence[str], speakers: Speakers) -> list[str]:
    """Who speaks in each file.

    Raises:
        DataError: a speaker has one recording: standardised by itself it is zero in every feature.
    """
    who = ["" if speakers == "one" else str(PurePath(file).parent) for file in files]
    alone = [name for name, count in Counter(who).items() if count == 1]
    if alone:
        where = f" in {', '.join(alone[:5])}" if any(alone) else ""
        raise DataError(
            f"there is a single recording of a speaker{where}; this run standardises features by "
            "speaker and needs several of each, the more the better"
        )
    return who
