"""Bounds that a setting's annotation carries: ``folds: Annotated[int, Number(ge=2)]``.

``speechnet.core.schema`` checks them wherever settings are read. A bound's ``repr`` says what is
expected, in a message and in ``--help``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Number:
    """Which numbers a setting may be; None is no bound.

    Attributes:
        ge: the least.
        gt: must be exceeded.
        le: the most.
        lt: must not be reached.
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def admits(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def __repr__(self) -> str:
        if self.ge is not None and self.le is not None:
            return f"{self.ge:,} to {self.le:,}"
        said = [] if self.ge is None else [f"{self.ge:,} or more"]
        said += [] if self.gt is None else [f"above {self.gt:,}"]
        said += [] if self.le is None else [f"{self.le:,} or less"]
        said += [] if self.lt is None else [f"below {self.lt:,}"]
        return " and ".join(said)


@dataclass(frozen=True, repr=False)
class Values:
    """How many values a list must have.

    Attributes:
        least: so many, or more.
        once: whether each may be there only once.
    """

    least: int = 1
    once: bool = False

    def admits(self, values: Sequence[object]) -> bool:
        """Whether a list is long enough, and repeats nothing it mustn't."""
        return len(values) >= self.least and not (self.once and len({*values}) < len(values))

    def __repr__(self) -> str:
        least = f"at least {self.least}" if self.least else ""
        return ", ".join(filter(None, [least, "each once" if self.once else ""]))
