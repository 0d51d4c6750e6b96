"""Tests of the check of plain values against types."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from speechnet.config.experiment import fit_schema
from speechnet.core.bounds import Number, Values
from speechnet.core.errors import ConfigError
from speechnet.core.schema import Schema, decode


@dataclass
class Inner:
    """A section."""

    width: int = 1
    rate: float = 0.5
    kind: Literal["round", "square"] = "round"
    names: list[str] = field(default_factory=list)
    classes: dict[str, list[str] | None] = field(default_factory=dict)
    note: str | None = None
    share: Annotated[float, Number(ge=0, le=1)] | None = None
    sizes: Annotated[list[Annotated[int, Number(ge=1)]], Values(once=True)] | None = None
    gamma: list[Literal["scale"] | float] = field(default_factory=list)


@dataclass
class Outer:
    """A section with sections."""

    inner: Inner = field(default_factory=Inner)
    maybe: Inner | None = None
    on: bool = True


SCHEMA = Schema(
    {"outer": Outer, "seed": int, "trainer": {"max_epochs": int | None, "plugin": Path | None}},
    refused={"trainer.logger": "it is decided elsewhere"},
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"outer": {}},
        {"outer": {"inner": {"width": 3, "rate": 1, "kind": "square", "names": ["a"]}}},
        {"outer": {"inner": {"classes": {"x": None, "y": ["b"]}, "note": None}}},
        {"outer": {"maybe": None, "on": False}},
        {"outer": {"maybe": {"gamma": ["scale", 2, 0.5]}}},
        {"outer": {"inner": {"share": 1, "sizes": [3, 1]}, "maybe": {"share": None}}},
        {"trainer": {"max_epochs": None, "plugin": object()}},
    ],
)
def test_fitting(settings: dict[str, Any]) -> None:
    """What the types allow passes; types that aren't known are left to others."""
    SCHEMA.check(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": 1}, "unknown key 'seeds'; the nearest known one is 'seed'"),
        ({"nonsense": 1}, "unknown key 'nonsense'; known are outer, seed, trainer"),
        ({"outer": {"onward": 1}}, "unknown key 'outer.onward'; outer has inner, maybe, on"),
        ({"outer": {"iner": {}}}, "unknown key 'outer.iner'.* 'outer.inner'"),
        ({"outer": {"inner": {"WIDTH": 1}}}, "'outer.inner.WIDTH'.* 'outer.inner.width'"),
        ({"max_epochs": 1}, "'max_epochs'.* 'trainer.max_epochs'"),
        ({"trainer": {"logger": 1}}, "trainer.logger can't be set: it is decided elsewhere"),
        ({"seed": "x"}, "seed is 'x', expected a whole number"),
        ({"seed": True}, "seed is true, expected a whole number"),
        ({"seed": 1.5}, "seed is 1.5, expected a whole number"),
        ({"outer": 3}, r"outer is 3, expected keys with values \(inner, maybe, on\)"),
        ({"outer": None}, "outer is null, expected keys with values"),
        ({"outer": {"on": "maybe"}}, "outer.on is 'maybe', expected true or false"),
        ({"outer": {"maybe": [1]}}, r"outer.maybe is \[1\], expected keys .* or null"),
        ({"outer": {"inner": {"rate": float("nan")}}}, "rate is nan, expected a number"),
        ({"outer": {"inner": {"kind": "rounds"}}}, "one of round, square; did you mean round"),
        ({"outer": {"inner": {"names": "a"}}}, r"names is 'a', expected a list \[text, ...\]"),
        ({"outer": {"inner": {"names": ["a", 2]}}}, r"names\[1\] is 2, .*put it in quotes"),
        ({"outer": {"inner": {"classes": {"x": "b"}}}}, r"classes.x is 'b', .* \[text, ...\] or"),
        ({"outer": {"inner": {"gamma": ["auto"]}}}, r"gamma\[0\] is 'auto', expected scale or a n"),
        ({"outer": {"inner": {"share": 1.5}}}, "inner.share is 1.5, expected 0 to 1 or null"),
        ({"outer": {"inner": {"share": "x"}}}, "is 'x', expected a number, 0 to 1 or null"),
        ({"outer": {"inner": {"sizes": [2, 0]}}}, r"sizes\[1\] is 0, expected 1 or more"),
        ({"outer": {"inner": {"sizes": []}}}, r"sizes is \[\], expected at least 1, each once"),
        ({"outer": {"inner": {"sizes": [2, 2]}}}, r"sizes is \[2, 2\], expected .* each once"),
        ({"trainer": {"max_epochs": "many"}}, "'many', expected a whole number or null"),
    ],
)
def test_refused(settings: dict[str, Any], message: str) -> None:
    """What is wrong is named with its whole key, what was found and what is expected."""
    with pytest.raises(ConfigError, match=message) as caught:
        SCHEMA.check(settings)
    assert "\n" not in str(caught.value)


def test_text_of_a_command_line() -> None:
    """A word is a YAML value, or text where text is expected."""
    assert SCHEMA.read("outer.inner.note", "3") == "3"
    assert SCHEMA.read("outer.inner.names", "[a, b]") == ["a", "b"]
    assert SCHEMA.read("outer.inner.classes.x", "[a]") == ["a"]
    assert SCHEMA.read("trainer.plugin.anything", "x") == "x"
    assert fit_schema().read("trainer.max_time", "00:01:00:00") == "00:01:00:00"  # 3600 in YAML
    with pytest.raises(ConfigError, match=r"outer\.inner\.names is 'a', expected a list"):
        SCHEMA.read("outer.inner.names", "a")
    with pytest.raises(ConfigError, match=r"unknown key 'seed\.x'"):
        SCHEMA.read("seed.x", "1")


def test_nothing_far_fetched_is_suggested() -> None:
    """Of an experiment's keys none is near; those of the section are listed."""
    with pytest.raises(ConfigError, match=r"evaluation\.audit has .*\bsilence\b"):
        fit_schema().expected("evaluation.audit.inflation")


@dataclass
class Record:
    """As a YAML of a corpus or a protocol gives one."""

    name: str
    folds: tuple[tuple[str, ...], ...]
    codes: dict[str, float] = field(default_factory=dict)
    inner: tuple[Inner, ...] = ()


def test_a_record() -> None:
    """Texts in one text, codes written as numbers, whole numbers for floats, records in records."""
    raw = {"name": "x", "folds": ["a b", ["c"]], "codes": {1: 2}, "inner": [{"rate": 1}]}
    found = decode(Record, raw, "a record")
    assert found == Record("x", (("a", "b"), ("c",)), {"1": 2.0}, (Inner(rate=1.0),))
    with pytest.raises(ConfigError, match=r"^a record: name is missing$"):
        decode(Record, {"folds": []}, "a record")
    with pytest.raises(ConfigError, match=r"^a record: the whole is 3, expected keys with values"):
        decode(Record, 3, "a record")
    with pytest.raises(ConfigError, match=r"inner\[0\]\.width is 'x', expected a whole number"):
        decode(Record, raw | {"inner": [{"width": "x"}]}, "a record")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("seed_everything", -1, "0 to 4,294,957,296"),
        ("data.max_bad_share", 1.5, "0 to 1"),
        ("data.audio.sample_rate", 3_999, "4,000 or more"),
        ("data.audio.min_duration", -0.1, "0 or more"),
        ("data.audio.trim_db", 0, "above 0 or null"),
        ("data.denoise.prop_decrease", 1.1, "0 to 1"),
        ("data.denoise.time_constant_s", 0.0, "above 0"),
        ("data.synthetic.sentences", 11, "1 to 10"),
        ("data.synthetic.sample_rate", 96_000, "8,000 to 48,000"),
        ("data.split.test", 1, "above 0 and below 1"),
        ("data.split.dev", 1.0, "0 or more and below 1"),
        ("evaluation.resamples", 99, "100 or more"),
        ("evaluation.audit.quiet", 3.0, "0 or less"),
        ("evaluation.audit.clipped", 5.0, "0 to 1"),
        ("evaluation.audit.snr", float("inf"), "a number"),
        ("evaluation.audit.near_duplicate_ratio", 1.0, "above 0 and below 1"),
        ("evaluation.ablate.parts", ["denoise", "denoise"], "each once"),
        ("evaluation.ablate.models", [], "at least 1, each once or null"),
        ("evaluation.clustering.k", [2, 1], "2 or more"),
        ("evaluation.clustering.methods", [], "at least 1"),
        ("report.mistakes", 51, "0 to 50"),
        ("models.svm.folds", 1, "2 or more"),
        ("models.svm.C", [], "at least 1"),
        ("models.mlp.dropout", 1.0, "0 or more and below 1"),
        ("models.mlp.label_smoothing", -0.1, "0 or more and below 1"),
        ("models.mlp.batch_size", 0, "1 or more"),
        ("models.mlp.members", 0, "1 or more"),
        ("models.mlp.lr", -1.0, "0 or more"),
        ("models.mlp.noise", -1.0, "0 or more"),
        ("models.mlp.patience", -1, "0 or more or null"),
        ("models.mlp.folds", 1, "2 or more"),
        ("models.mlp.hidden", [8, 0], "1 or more"),
        ("models.mlp.loss_weights", {"gender": -1.0}, "0 or more"),
        ("models.mlp.grid", {"lr": []}, "at least 1"),
    ],
)
def test_bounds_of_an_experiment(key: str, value: object, expected: str) -> None:
    """A setting out of its bounds is refused where it is read, with its key and the bounds."""
    with pytest.raises(ConfigError, match=re.escape(key)) as caught:
        fit_schema().check(value, key)
    assert str(caught.value).endswith(f"expected {expected}")
