"""Named protocols: published folds of a corpus, and the results they were published with.

Each is a YAML whose keys are those of ``Protocol``, but for ``name``, which is the file's. Names of
speakers and files stand in one text, separated by blanks.
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
        system: what was scored.
        metric: a registered metric, the mean over the folds unless ``source`` says otherwise.
        value: in per cent.
        source: where it stands.
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
        corpora: the corpus definitions it is for.
        source: where its folds come from.
        speakers_shared: whether speakers who are tested are trained on too.
        classes: the emotions its references are about.
        speakers: all speakers of the corpus.
        recordings: how many recordings the whole corpus has.
        dev: whether a dev part is made of whole speakers or of single recordings.
        name: what ``data.split.protocol`` calls it.
        unit: whether ``folds`` hold names of speakers or, without folder and ending, of files.
        folds: what is tested in each fold; each name stands in one fold. By default each speaker is
            a fold, in the order of ``speakers``.
        absent: fold, from 0 -> emotions that its test part lacks in the whole corpus.
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


def _read(path: Path) -> Protocol:
    raw = read_yaml(path)
    protocol = replace(decode(Protocol, raw, f"protocol {path.stem}"), name=path.stem)
    loso = tuple((speaker,) for speaker in protocol.speakers)
    return replace(protocol, folds=protocol.folds or loso)


PROTOCOLS: Final = YamlRegistry(
    "protocol", group="speechnet.protocols", folder=Path(__file__).parent / "protocols", check=_read
)
"""The files of named protocols, by name."""


@cache
def load_protocol(name: str) -> Protocol:
    """Read a protocol.

    Args:
        name: one of ``PROTOCOLS``.

    Raises:
        ConfigError: there is none of this name.
    """
    return _read(PROTOCOLS[name])
