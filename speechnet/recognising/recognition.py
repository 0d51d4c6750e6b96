"""What a model says of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechnet.errors import ConfigError
from speechnet.types import Float64, Targets


@dataclass(frozen=True)
class Recognition:
    """What one model says of one recording.

    Attributes:
        labels: by target the likeliest class, None where it is not likely enough.
        probabilities: by target, then by class; of a target they sum to 1.
        notes: what should be known of the recording, codes of ``speechnet.types.NOTES``.
    """

    labels: dict[str, str | None]
    probabilities: dict[str, dict[str, float]]
    notes: tuple[str, ...] = ()


def recognition(
    probabilities: Mapping[str, Float64],
    targets: Targets,
    *,
    abstain: float,
    notes: tuple[str, ...] = (),
) -> Recognition:
    """One recording's probabilities by the names of their classes.

    Args:
        probabilities: by target float64 ``[k]``.
        targets: each target's ordered classes.
        abstain: a class less likely than this is no label.
        notes: of the recording.
    """
    labels: dict[str, str | None] = {}
    named: dict[str, dict[str, float]] = {}
    for target, classes in targets.items():
        values = probabilities[target]
        labels[target] = likeliest(values[None], classes, abstain=abstain)[0]
        named[target] = dict(zip(classes, values.tolist(), strict=True))
    return Recognition(labels, named, notes)


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
