"""What a model says of a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float64, Targets

Unlike = Literal["keep", "abstain"]
"""Whether recordings that are unlike the training data keep their labels, or have none."""

UNSURE: Final = "unsure"
UNLIKE: Final = "unlike"
"""Why a label is missing: no class is likely enough; the recording is unlike the training data."""


@dataclass(frozen=True)
class Prediction:
    """What one model says of one recording.

    Attributes:
        labels: by target the likeliest class, None where it is not likely enough.
        probabilities: by target, then by class; of a target they sum to 1.
        novelty: how far the recording's features lie from those trained on, in limits: above 1
            for about 1 % of the recordings of an unseen speaker of the same corpus, more with few
            training speakers (see ``speechnet.models.novelty``). NaN where the run
            has no vectors.
        far: which columns lie far, in words; empty where it is not unlike the training data.
        bandwidth: where the recording's band ends, in Hz; NaN where nothing sounds.
        reason: why a label is missing, ``unsure`` or ``unlike``; empty where none is.
        notes: what should be known of the recording, codes of ``speechnet.core.types.NOTES``.
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


def recognition(
    probabilities: Mapping[str, Float64],
    targets: Targets,
    *,
    abstain: float,
    unlike: Unlike = "keep",
    novelty: float = math.nan,
    far: str = "",
    bandwidth: float = math.nan,
    notes: tuple[str, ...] = (),
) -> Prediction:
    """One recording's probabilities by the names of their classes.

    Args:
        probabilities: by target float64 ``[k]``.
        targets: each target's ordered classes.
        abstain: a class less likely than this is no label.
        unlike: whether there is a label where the novelty is above 1.
        novelty: of the recording; see ``Prediction``, as for the rest.
        far: which columns lie far.
        bandwidth: in Hz.
        notes: of the recording.
    """
    silent = unlike == "abstain" and novelty > 1
    labels: dict[str, str | None] = {}
    named: dict[str, dict[str, float]] = {}
    for target, classes in targets.items():
        values = probabilities[target]
        label = likeliest(values[None], classes, abstain=abstain)[0]
        labels[target] = None if silent else label
        named[target] = dict(zip(classes, values.tolist(), strict=True))
    reason = UNLIKE if silent else UNSURE if None in labels.values() else ""
    return Prediction(labels, named, float(novelty), far, float(bandwidth), reason, notes)


def unlike_as_word(novelty: float) -> str:
    """Whether a recording is unlike the training data: yes, no, or nothing where it's unknown."""
    return "" if math.isnan(novelty) else "yes" if novelty > 1 else "no"


def likeliest(
    probability: Float64, classes: Sequence[str], *, abstain: float
) -> NDArray[np.object_]:
    """The likeliest class of each row, the first of several; None where it is not likely enough.

    Args:
        probability: float64 ``[n, k]``; a row of NaN has no likeliest class.
        classes: ``[k]``.
        abstain: the least probability that is trusted.

    Returns:
        Strings or None, ``[n]``.
    """
    labels: NDArray[np.object_] = np.array(classes, dtype=object)[probability.argmax(axis=1)]
    labels[~(probability.max(axis=1) >= abstain)] = None
    return labels


def check_abstain(abstain: float) -> None:
    """Refuse a threshold that is no probability.

    Raises:
        ConfigError: it isn't.
    """
    if not 0 <= abstain <= 1:
        raise ConfigError(f"abstain is {abstain}, expected a probability, 0 to 1")
