"""The contract of an extractor: what a class must have to be registered, and what it then gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pytest

from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.registry import Registry
from speechnet.core.types import FeatureMatrix, Float32, Sequences
from speechnet.features.extraction.compute import gather
from speechnet.features.extractor import EXTRACTORS, Extractor, Sound, _missing


@dataclass
class Loudness(Extractor):
    """How loud.

    Attributes:
        reference: the amplitude of 1.
    """

    reference: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        return ("loudness_mean", "loudness_00_p10")

    def extract(self, clips: Sequence[Float32], _: Sound) -> list[Float32 | Excluded]:
        return [np.array([np.abs(y).mean(), 0], np.float32) / self.reference for y in clips]


class NoDataclass(Loudness):
    pass


@dataclass
class Required(Extractor):
    needed: str

    columns = ("a",)

    def extract(self, clips: Sequence[Float32], _: Sound) -> list[Float32 | Excluded]:
        return [*clips]


@dataclass
class NoLine(Loudness):
    """Its base class documents one setting."""

    width: int = 1


@dataclass
class NoRate(Loudness):
    kind: ClassVar[Literal["vector", "sequence"]] = "sequence"


@dataclass
class NoNames(Loudness):
    by_name = True


@dataclass
class NoColumns(Extractor):
    def extract(self, clips: Sequence[Float32], _: Sound) -> list[Float32 | Excluded]:
        return [*clips]


@pytest.mark.parametrize(
    ("thing", "lacks"),
    [
        (int, "the base class speechnet.features.extractor.Extractor"),
        (NoColumns, "columns"),
        (NoDataclass, "the decorator @dataclass"),
        (Required, "a default of needed"),
        (NoLine, "a line for width under Attributes:"),
        (NoNames, "look_up, which an extractor that goes by name needs"),
        (NoRate, "frame_rate, which a sequence needs"),
    ],
)
def test_what_is_missing_is_named(thing: type, lacks: str) -> None:
    """As a plugin's author reads it."""
    registry: Registry[object] = Registry("thing", group="none", modules=(), missing=_missing)
    registry.register("good")(Loudness)
    with pytest.raises(ValueError, match=f"'bad' lacks {lacks}"):
        registry.register("bad")(thing)


def test_our_own_are_found() -> None:
    """Every module in the room is an extractor; some need what isn't there, which they say."""
    assert {"functionals", "log_mel", "opensmile", "praat", "table"} <= set(EXTRACTORS)
    for kind in EXTRACTORS.values():
        made = kind()
        try:
            made.check(made.sample_rate or 16_000)
        except ConfigError:
            continue
        assert len(set(made.columns)) == len(made.columns) > 0
        assert all(made.group(column) for column in made.columns)


def test_what_is_there_without_asking() -> None:
    """Groups by the columns' names, and a fingerprint of all settings and versions."""
    one = Loudness(reference=2.0)
    assert [one.group(column) for column in one.columns] == ["loudness", "loudness"]
    described = one.fingerprint(16_000)
    assert described["settings"] == {"reference": 2.0}
    assert described["columns"] == list(one.columns)
    assert described["versions"] == {"numpy": np.__version__}
    assert one.highest_frequency(16_000) == 8_000


def test_rows_are_gathered_by_kind() -> None:
    """Into a matrix, or frames one behind the other."""
    matrix = gather(Loudness(), [np.ones(2, np.float32)], ["a"])
    assert isinstance(matrix, FeatureMatrix)
    frames = [np.full((n, 64), n, np.float32) for n in (3, 1)]
    sequences = gather(EXTRACTORS["log_mel"](), frames, ["a", "b"])
    assert isinstance(sequences, Sequences)
    assert sequences.starts.tolist() == [0, 3, 4]
    assert sequences.rate == 100
