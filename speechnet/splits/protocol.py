"""Named protocols: published folds of a corpus, and the results they were published with.

Each is a YAML whose keys are those of ``Protocol``, except ``name``, which is the file's. Names of
speakers and files are one text, separated by blanks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final, Literal

from speechnet.core.metrics import METRICS
from speechnet.core.reading import read_yaml
from speechnet.core.registry import YamlRegistry
from speechnet.core.schema import decode
from speechnet.core.wording import counted


@dataclass(frozen=True)
class Reference:
    """A result that was published for a protocol.

    Attributes:
        system: the scored system.
        metric: a registered metric, the mean over the folds unless ``source`` says otherwise.
        value: in per cent.
        source: the publication.
    """

    system: str
    metric: str
    value: float
    source: str

    def __post_init__(self) -> None:
        METRICS[self.metric]  # a ConfigError if there is none


@dataclass(frozen=True)
class Protocol:
    """Fixed folds of one corpus.

    Attributes:
        title: the protocol in words.
        corpora: the corpus definitions that it fits.
        source: the publication of the folds.
        speakers_shared: whether tested speakers are trained on, too.
        classes: the emotions of its references.
        speakers: all speakers of the corpus.
        recordings: the number of recordings in the whole corpus.
        dev: whether a dev part consists of whole speakers or of single recordings.
        name: in ``data.split.protocol``.
        unit: whether ``folds`` hold names of speakers or, without folder and ending, of files.
        folds: the test part of each fold; a name occurs once. By default each speaker is a fold, in
            the order of ``speakers``.
        absent: fold, from 0 -> emotions that its test part lacks even in the whole corpus.
        references: published results.
    """

    title: str
    corpora: tuple[str, ...]
    source: str
    speakers_shared: bool
    classes: tuple[str, ...]
    speakers: tuple[str, ...]
    recordings: int
    dev: Literal["speakers", "recordings"]
    name: str = ""
    unit: Literal["speaker", "file"] = "speaker"
    folds: tuple[tuple[str, ...], ...] = ()
    absent: dict[int, tuple[str, ...]] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()

    def describe(self) -> str:
        """The protocol in words, and whether test speakers are unseen."""
        shared = "speakers shared between train and test"
        return f"{self.title}, {shared if self.speakers_shared else 'unseen speakers'}"

    def departures(self, recordings: int, targets: Mapping[str, Sequence[str]]) -> list[str]:
        """Phrases on what keeps scores from being compared with the references.

        Args:
            recordings: the number of recordings that were used.
            targets: each target's classes.
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


def _read(path: Path) -> Protocol:
    raw = read_yaml(path)
    protocol = replace(decode(Protocol, raw, f"protocol {path.stem}"), name=path.stem)
    loso = tuple((speaker,) for speaker in protocol.speakers)
    return replace(protocol, folds=protocol.folds or loso)


PROTOCOLS: Final = YamlRegistry(
    "protocol", group="speechnet.protocols", folder=Path(__file__).parent / "protocols", check=_read
)


@cache
def load_protocol(name: str) -> Protocol:
    """Read one of ``PROTOCOLS``.

    Raises:
        ConfigError: there is none of this name.
    """
    return _read(PROTOCOLS[name])
