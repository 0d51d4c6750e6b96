"""What a named protocol consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from speechnet.core.wording import counted


@dataclass(frozen=True)
class Reference:
    """A result that was published for a protocol.

    Attributes:
        system: what was scored.
        metric: ``uar`` or ``accuracy``, the mean over the folds unless ``source`` says otherwise.
        value: in per cent.
        source: where it stands.
    """

    system: str
    metric: Literal["uar", "accuracy"]
    value: float
    source: str


@dataclass(frozen=True)
class Protocol:
    """Fixed folds of one corpus.

    Attributes:
        name: what ``data.split.protocol`` calls it.
        title: the same in words.
        corpora: the corpus definitions it is for.
        source: where its folds come from.
        speakers_shared: whether speakers who are tested are trained on too.
        classes: the emotions its references are about.
        speakers: all speakers of the corpus.
        recordings: how many recordings the whole corpus has.
        unit: whether ``folds`` hold names of speakers or, without folder and ending, of files.
        folds: what is tested in each fold; each name stands in one fold.
        dev: whether a dev part is made of whole speakers or of single recordings.
        absent: fold, from 0 -> emotions that its test part lacks in the whole corpus.
        references: published results.
    """

    name: str
    title: str
    corpora: tuple[str, ...]
    source: str
    speakers_shared: bool
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    recordings: int
    unit: Literal["speaker", "file"]
    folds: tuple[tuple[str, ...], ...]
    dev: Literal["speakers", "recordings"]
    absent: Mapping[int, tuple[str, ...]]
    references: tuple[Reference, ...]

    def describe(self) -> str:
        """The protocol in words, with what it says about unseen speakers."""
        shared = "speakers shared between train and test"
        return f"{self.title}, {shared if self.speakers_shared else 'unseen speakers'}"

    def departures(self, recordings: int, targets: Mapping[str, Sequence[str]]) -> list[str]:
        """Why scores can't be held against the references, or not quite; empty if they can.

        Args:
            recordings: how many were used.
            targets: what was predicted, each with its classes.

        Returns:
            One phrase for each difference.
        """
        found = []
        emotions = targets.get("emotion", [])
        if set(emotions) != set(self.classes):
            found.append(
                f"{len(emotions)} emotions ({', '.join(emotions)}), published are results for "
                f"{len(self.classes)} ({', '.join(self.classes)})"
            )
        if recordings != self.recordings:
            found.append(f"{counted(recordings, 'recording')} of {self.recordings:,}")
        return found
