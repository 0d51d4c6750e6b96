"""Bounds that a setting's annotation carries: ``folds: Annotated[int, Number(ge=2)]``.

``speechnet.core.schema`` checks them wherever settings are read. A bound's ``repr`` says what is
expected, in messages and in ``--help``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SAID: Final = {
    "ge": "{:,} or more",
    "gt": "above {:,}",
    "le": "{:,} or less",
    "lt": "below {:,}",
}


@dataclass(frozen=True, repr=False)
class Number:
    """The range of a number; each bound is named like its comparison in ``operator``."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def admits(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        bounds = {name: bound for name, bound in vars(self).items() if bound is not None}
        return all(getattr(operator, name)(value, bound) for name, bound in bounds.items())

    def __repr__(self) -> str:
        if self.ge is not None and self.le is not None:
            return f"{self.ge:,} to {self.le:,}"
        said = (
            _SAID[name].format(bound) for name, bound in vars(self).items() if bound is not None
        )
        return " and ".join(said)


@dataclass(frozen=True, repr=False)
class Values:
    """How many values a list must have at least, and whether each may occur only once."""

    least: int = 1
    once: bool = False

    def admits(self, values: Sequence[object]) -> bool:
        """Whether a list is long enough and repeats nothing that it mustn't."""
        return len(values) >= self.least and not (self.once and len({*values}) < len(values))

    def __repr__(self) -> str:
        least = f"at least {self.least}" if self.least else ""
        return ", ".join(filter(None, [least, "each once" if self.once else ""]))


@dataclass(frozen=True, repr=False)
class Written:
    """How a value is written, for a type that can't be read aloud: ``a mapping such as {a: 1}``."""

    how: str

    def admits(self, value: object) -> bool:  # noqa: ARG002 - the type alone decides
        """Always true."""
        return True

    def __repr__(self) -> str:
        return self.how
