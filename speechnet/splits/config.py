"""How recordings are divided (``data.split``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final, Literal

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError
from speechnet.core.wording import counted
from speechnet.splits.protocol import PROTOCOLS, Protocol, load_protocol

ProtocolName = str
if not TYPE_CHECKING:  # known names depend on files and installed packages
    ProtocolName = Literal[("speaker", "kfold", "loso", "predefined", "random", *PROTOCOLS)]

_USES: Final = {
    "speaker": ("test",),
    "kfold": ("folds",),
    "random": ("folds", "test"),
    "predefined": ("column", "speakers"),
}
"""The settings that a protocol uses beside ``dev``; the others have none."""

_DOES: Final = {
    "speaker": "makes one split",
    "kfold": "tests each speaker once",
    "loso": "leaves each speaker out once",
    "random": "shuffles recordings",
    "predefined": "takes its folds from column or speakers",
}


@dataclass
class SplitConfig:
    """How recordings are divided into train, dev and test parts.

    Attributes:
        protocol: ``speaker``: some speakers are held out; ``kfold``: each speaker is tested once;
            ``loso``: each speaker is a test part; ``predefined``: by ``column`` or ``speakers``;
            ``random``: recordings are shuffled without regard to speakers. The others are published
            folds of one corpus each, with results to compare with.
        folds: number of folds of ``kfold`` and ``random``; 1 makes ``random`` one holdout.
        test: share of rows held out by ``speaker`` and by ``random`` with one fold.
        dev: share of the remaining rows for early stopping and the choice between models, of
            speakers of their own except for ``random`` and ``emobox-emodb-5``; 0 for none.
        column: predefined: a column of the corpus table that holds train, dev and test (or other
            usual words for them, such as Validation), or names of folds, each tested once.
        speakers: predefined: the test speakers of each fold.
    """

    protocol: ProtocolName = "speaker"
    folds: Annotated[int, Number(ge=1)] = 5
    test: Annotated[float, Number(gt=0, lt=1)] = 0.25
    dev: Annotated[float, Number(ge=0, lt=1)] = 0.15
    column: str | None = None
    speakers: list[list[str]] = field(default_factory=list)

    @property
    def named(self) -> Protocol | None:
        """The published protocol; None if the folds are made for the corpus at hand."""
        return load_protocol(self.protocol) if self.protocol in PROTOCOLS else None

    @property
    def grouped(self) -> bool:
        """Whether the protocol keeps speakers apart."""
        named = self.named
        return not named.speakers_shared if named else self.protocol != "random"

    @property
    def unused(self) -> list[str]:
        """The settings that change nothing under this protocol."""
        used = _USES.get(self.protocol, ())
        if self.protocol == "random" and self.folds > 1:
            used = ("folds",)
        if self.protocol == "speaker" and self.folds == 1:
            used = (*used, "folds")  # one split is what it makes
        return [name for name in ("folds", "test", "column", "speakers") if name not in used]

    def refusal(self, name: str) -> str:
        """The message about a setting in ``unused`` that is given."""
        does = _DOES.get(self.protocol, "has folds of its own")
        remedy = next(f"protocol {one}" for one, uses in _USES.items() if name in uses)
        if self.protocol == "random" and name == "test":
            does, remedy = f"tests each recording once in {self.folds} folds", "folds 1"
        return (
            f"data.split.{name} is {getattr(self, name)}, but the protocol {self.protocol} {does}: "
            f"leave {name} out, or set data.split.{remedy}"
        )

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            ConfigError: two settings do.
        """
        if self.protocol == "kfold" and self.folds < 2:
            raise ConfigError(f"data.split.folds is {self.folds}, expected 2 or more for kfold")
        if self.protocol == "predefined" and (self.column is None) == (not self.speakers):
            raise ConfigError(
                "data.split: the predefined protocol takes either column or speakers, not both"
            )
        if self.named and (self.column is not None or self.speakers):
            raise ConfigError(self.refusal("speakers" if self.speakers else "column"))


def describe(config: SplitConfig) -> str:
    """The protocol in words, for a caption."""
    if config.named:
        return config.named.describe()
    match config.protocol:
        case "speaker":
            return "one split, unseen speakers"
        case "kfold":
            return f"{counted(config.folds, 'fold')}, unseen speakers"
        case "loso":
            return "each speaker left out once, unseen speakers"
        case "predefined" if config.speakers:
            return f"{counted(len(config.speakers), 'fold')} as listed, unseen speakers"
        case "predefined" if config.column == "corpus":
            return "tested on each corpus, trained on the others"
        case "predefined":
            return f"folds of the column {config.column}"
        case _:
            many = f", {config.folds} folds" if config.folds > 1 else ""
            return f"random split{many}, without regard to speakers"
