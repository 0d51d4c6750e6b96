"""The contract of a model: what a class must have to be registered."""

from dataclasses import dataclass
from typing import Any

import pytest

from speechnet.core.registry import Registry
from speechnet.models.model import _missing
from speechnet.models.training.model import NetworkModel


@dataclass
class OverTime(NetworkModel):
    """A network over time."""

    label = "network"
    takes = "sequence"

    def trunk(self, width: int) -> tuple[Any, int]:
        raise NotImplementedError


@dataclass
class NoLine(OverTime):
    """Its base classes document the other settings."""

    units: int = 16


@pytest.mark.parametrize(
    ("thing", "lacks"),
    [
        (NoLine, "a line for units under Attributes:"),
    ],
)
def test_what_is_missing_is_named(thing: type, lacks: str) -> None:
    """As a plugin's author reads it."""
    registry: Registry[object] = Registry("thing", group="none", modules=(), missing=_missing)
    with pytest.raises(ValueError, match=f"'bad' lacks {lacks}"):
        registry.register("bad")(thing)
