"""What an experiment predicts: classes, or values on a scale; and the words of known labels.

``data.targets`` says of each target its classes (null for those that occur), or its scale:
``{gender: [female, male], emotion: null, arousal: {kind: continuous, range: [1, 5]}}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.schema import decode
from speechnet.core.wording import all_of, listing

GENDERS: Final = ("female", "male")

EMOTIONS: Final = (
    "angry",
    "happy",
    "sad",
    "neutral",
    "calm",
    "fearful",
    "disgust",
    "surprised",
    "bored",
    "contempt",
)

VOCABULARY: Final[dict[str, tuple[str, ...]]] = {"gender": GENDERS, "emotion": EMOTIONS}
"""The closed label sets. A corpus's own codes are translated into these when it is read."""

TargetSetting = Sequence[str] | Mapping[str, Any] | None
"""What ``data.targets`` says of one target."""


@dataclass(frozen=True)
class Categorical:
    """A target of ordered classes.

    Attributes:
        classes: in order; None for those that occur in the corpus.
    """

    classes: list[str] | None = None
    kind: ClassVar[str] = "categorical"

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a table of answers, each with what it holds."""
        by_class = {
            f"{name}_{label}": f"the class {label} of {name}" for label in self.classes or ()
        }
        return {name: f"the target {name}"} | by_class


@dataclass(frozen=True)
class Continuous:
    """A target whose values lie on a scale.

    Attributes:
        kind: that of the target.
        range: the ends of the scale, the lower one first.
        unit: of the values, for display.
    """

    kind: Literal["continuous"]
    range: tuple[float, ...]
    unit: str = ""

    def __str__(self) -> str:
        low, high = self.range
        return f"{low:g} to {high:g}{self.unit and f' {self.unit}'}"

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a table of answers, each with what it holds."""
        return {name: f"the target {name}"}

    def encode(self, name: str, cells: Iterable[object], where: Iterable[str]) -> list[float]:
        """Read values.

        Args:
            name: the target's.
            cells: text, or anything else where a value is missing.
            where: what each is the value of, for messages.

        Returns:
            The values in the target's unit; NaN where one is missing.

        Raises:
            DataError: a cell isn't a number, or it lies beyond the scale.
        """
        low, high = self.range
        values, wrong = [], []
        for cell, row in zip(cells, where, strict=True):
            values.append(_number(cell) if isinstance(cell, str) else math.nan)
            if isinstance(cell, str) and not low <= values[-1] <= high:
                wrong.append(f"{cell!r} ({row})")
        if wrong:
            raise DataError(
                f"data.targets.{name}: expected numbers from {self}, found {listing(wrong, 5)}; "
                "correct the cell or leave it empty, or set another range"
            )
        return values


def _number(cell: str) -> float:
    """A number with a decimal point or comma; NaN if it is none."""
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return math.nan


Target = Categorical | Continuous


def parse_targets(settings: Mapping[str, TargetSetting]) -> dict[str, Target]:
    """Read ``data.targets``.

    Raises:
        ConfigError: a target has an unknown key, or a range whose ends are no two numbers in order.
    """
    return {name: _parse(name, setting) for name, setting in settings.items()}


def _parse(name: str, setting: TargetSetting) -> Target:
    if not isinstance(setting, Mapping):
        return Categorical(None if setting is None else list(setting))
    target = decode(Continuous, setting, f"data.targets.{name}")
    ends = target.range
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ConfigError(
            f"data.targets.{name}: range is {list(ends)}, expected two numbers, the lower one first"
        )
    return target


def by_kind(
    settings: Mapping[str, TargetSetting],
) -> tuple[dict[str, list[str] | None], dict[str, Continuous]]:
    """Read ``data.targets``: the classes of the categorical targets, and the continuous ones.

    Raises:
        ConfigError: see ``parse_targets``.
    """
    targets = parse_targets(settings)
    classes = {n: t.classes for n, t in targets.items() if isinstance(t, Categorical)}
    return classes, {n: t for n, t in targets.items() if isinstance(t, Continuous)}


def refuse_continuous(
    targets: Mapping[str, Continuous], models: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Refuse targets that nothing here can learn yet.

    Args:
        targets: those that are continuous.
        models: the kinds of target that each model of the experiment can do.

    Raises:
        ConfigError: there is one.
    """
    if targets:
        unable = [name for name, kinds in (models or {}).items() if "continuous" not in kinds]
        said = f" (categorical targets only: {all_of(unable)})" if unable else ""
        one = len(targets) == 1
        raise ConfigError(
            f"data.targets: {all_of(targets)} {'is' if one else 'are'} continuous: no model here "
            f"can do {'it' if one else 'them'} yet{said}"
        )
