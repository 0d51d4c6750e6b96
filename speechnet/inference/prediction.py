"""What a model says of a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from speechnet.core.types import Float64, Targets

Unlike = Literal["keep", "abstain"]
"""Whether recordings that are unlike the training data keep their labels or lose them."""

UNSURE: Final = "unsure"
UNLIKE: Final = "unlike"
"""Why a label is missing: no class is likely enough, or the recording is unlike the training
data."""


@dataclass(frozen=True)
class Prediction:
    """What one model says of one recording.

    Attributes:
        labels: the likeliest class of each target, None where it is not likely enough.
        probabilities: by target and class; those of a target sum to 1.
        novelty: distance of the recording's features from the training data, divided by a limit:
            above 1 for about 1 % of the recordings of an unseen speaker of the same corpus, more
            with few training speakers (see ``speechnet.models.novelty``). NaN where the run has
            no vectors.
        far: the columns that lie far from the training data, in words; empty for a recording that
            is not unlike it.
        bandwidth: upper end of the recording's band in Hz; NaN where nothing sounds.
        reason: why a label is missing, ``unsure`` or ``unlike``; empty where none is.
        notes: remarks on the recording, codes of ``speechnet.core.types.NOTES``.
    """

    labels: dict[str, str | None]
    probabilities: dict[str, dict[str, float]]
    novelty: float = math.nan
    far: str = ""
    bandwidth: float = math.nan
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def unlike(self) -> bool:
        """Whether the recording is unlike the training data: its labels then mean little."""
        return self.novelty > 1

    @property
    def answers(self) -> list[str | float]:
        """The cells of ``answer_columns``; a missing label is empty."""
        cells: list[str | float] = []
        for target, label in self.labels.items():
            cells += [label or "", *self.probabilities[target].values()]
        return cells

    @property
    def unlike_as_word(self) -> str:
        """``yes`` or ``no``; empty where the novelty is unknown."""
        return "" if math.isnan(self.novelty) else "yes" if self.unlike else "no"


def answer_columns(targets: Targets) -> list[str]:
    """Columns for the label of each target and the probability of each class."""
    answers = ((target, *class_columns(target, targets)) for target in targets)
    return [column for columns in answers for column in columns]


def class_columns(target: str, targets: Targets) -> list[str]:
    """The columns of a target's probabilities, ``<target>_<class>``."""
    return [f"{target}_{name}" for name in targets[target]]


def recognition(
    probabilities: Mapping[str, Float64],
    targets: Targets,
    *,
    abstain: float,
    unlike: Unlike,
    novelty: float,
    far: str,
    bandwidth: float,
    notes: tuple[str, ...],
) -> Prediction:
    """The prediction that follows from one recording's probabilities.

    ``probabilities`` holds float64 ``[k]`` of each target. A label needs at least the probability
    ``abstain``; with ``unlike="abstain"`` there is none where the novelty is above 1. The other
    arguments become what ``Prediction`` calls them.
    """
    silent = unlike == "abstain" and novelty > 1
    labels: dict[str, str | None] = {}
    named: dict[str, dict[str, float]] = {}
    for target, classes in targets.items():
        values = probabilities[target]
        sure = not silent and values.max() >= abstain
        labels[target] = classes[values.argmax()] if sure else None
        named[target] = dict(zip(classes, values.tolist(), strict=True))
    reason = UNLIKE if silent else UNSURE if None in labels.values() else ""
    return Prediction(labels, named, float(novelty), far, float(bandwidth), reason, notes)
