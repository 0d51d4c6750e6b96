"""The corpus that is read (``data.corpus``) or synthesised (``data.synthetic``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from speechnet.core.bounds import Number
from speechnet.corpus.definition import CORPORA

CorpusName = str
if not TYPE_CHECKING:  # known names depend on files and installed packages
    CorpusName = Literal[tuple(CORPORA)] | str


@dataclass
class CorpusConfig:
    """A corpus, its folder, and the mapping of its labels.

    Attributes:
        name: a known corpus, or the path of your own definition, ending in ``.yaml`` (see
            ``speechnet.corpus.definition``).
        root: its folder; nothing outside it is read.
        table: for a corpus with a table, the CSV's path relative to ``root``; by default that of
            the definition.
        columns: for a corpus with a table, our name for a column -> the CSV's name for it, such as
            ``{speaker: SubjectID}``, or several in braces, such as
            ``{file: 'dia{Dialogue_ID}_utt{Utterance_ID}'}``. Overrides the definition.
        labels: by column, applied after the definition: label -> its new name, or null to drop its
            rows, such as ``{emotion: {calm: neutral, bored: null}}``. NA, -, '' and the like are
            missing labels, as is Unknown for speakers and genders, unless they are named here or in
            ``data.targets``.
    """

    name: CorpusName = "synthetic"
    root: str | None = None
    table: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class SynthConfig:
    """The synthetic corpus: ``speakers * sentences * 4`` recordings.

    Attributes:
        speakers: their number; women and men alternate.
        sentences: the number of sentences that each speaker says.
        seed: another seed gives other speakers; a larger corpus of the same seed has the same first
            speakers.
        sample_rate: in Hz, 8,000 to 48,000.
    """

    speakers: Annotated[int, Number(ge=1)] = 400
    sentences: Annotated[int, Number(ge=1, le=10)] = 10
    seed: Annotated[int, Number(ge=0)] = 0
    sample_rate: Annotated[int, Number(ge=8_000, le=48_000)] = 22_050
