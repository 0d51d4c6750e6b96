"""What an experiment predicts: classes, or values on a scale; and the words of known labels.

``data.targets`` gives each target its classes (null for those that occur) or its scale:
``{gender: [female, male], emotion: null, arousal: {kind: continuous, range: [1, 5]}}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.schema import decode
from speechnet.core.wording import all_of, listing, plural

GENDERS: Final = ("female", "male")

EMOTIONS: Final = (
    *("angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised", "bored"),
    "contempt",
)

VOCABULARY: Final[dict[str, tuple[str, ...]]] = {"gender": GENDERS, "emotion": EMOTIONS}
"""The closed label sets. A corpus's own codes are translated into these when it is read."""

TargetSetting = Sequence[str] | Mapping[str, Any] | None
"""The value of a target in ``data.targets``."""


@dataclass(frozen=True)
class Categorical:
    """A target of ordered classes; None for those that occur in the corpus."""

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
        """Read values, with a decimal point or comma.

        Args:
            name: the target's.
            cells: text, or anything else where a value is missing.
            where: the place of each cell, for messages.

        Returns:
            The values in the target's unit; NaN where one is missing.

        Raises:
            DataError: a cell isn't a number, or lies beyond the scale.
        """
        low, high = self.range
        values, wrong = [], []
        for cell, row in zip(cells, where, strict=True):
            value = math.nan
            if isinstance(cell, str):
                with suppress(ValueError):
                    value = float(cell.replace(",", "."))
                if not low <= value <= high:
                    wrong.append(f"{cell!r} ({row})")
            values.append(value)
        if wrong:
            raise DataError(
                f"data.targets.{name}: expected numbers from {self}, found {listing(wrong, 5)}; "
                "correct the cell or leave it empty, or set another range"
            )
        return values


def parse_targets(
    settings: Mapping[str, TargetSetting],
) -> dict[str, Categorical | Continuous]:
    """Read ``data.targets``.

    Raises:
        ConfigError: a target has an unknown key, or a range that isn't two numbers in order.
    """
    targets: dict[str, Categorical | Continuous] = {}
    for name, setting in settings.items():
        if not isinstance(setting, Mapping):
            targets[name] = Categorical(None if setting is None else list(setting))
            continue
        targets[name] = target = decode(Continuous, setting, f"data.targets.{name}")
        if len(target.range) != 2 or target.range[0] >= target.range[1]:
            raise ConfigError(
                f"data.targets.{name}: range is {list(target.range)}, expected two numbers, the "
                "lower one first"
            )
    return targets


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
    """Refuse targets that no model can learn yet.

    Args:
        targets: the continuous ones.
        models: the kinds of target that each model of the experiment can learn.

    Raises:
        ConfigError: there is a continuous target.
    """
    if targets:
        unable = [name for name, kinds in (models or {}).items() if "continuous" not in kinds]
        said = f" (categorical targets only: {all_of(unable)})" if unable else ""
        are, them = plural(len(targets), "is", "are"), plural(len(targets), "it", "them")
        raise ConfigError(
            f"data.targets: {all_of(targets)} {are} continuous: no model here can do {them} yet"
            f"{said}"
        )
