"""The trainer's keys are those of Lightning's Trainer, which is not imported to read them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry

from speechnet.config.experiment import fit_schema
from speechnet.config.trainer import (
    ACCELERATORS,
    DECIDED_HERE,
    DEFAULTS,
    LightningObject,
    TrainerConfig,
    check_accelerator,
    names_an_object,
)
from speechnet.core.errors import ConfigError

OURS = {
    "devices": 1,
    "max_epochs": 150,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}
"""Defaults that are not Lightning's."""

PLAIN = {bool, int, float, str, NoneType, timedelta, LightningObject}


def _alternatives(kind: Any) -> Iterator[Any]:
    """What a key may hold: plain types, choices, and ``LightningObject`` for any class."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        for each in inner:
            yield from _alternatives(each)
    elif origin is Literal:
        yield from (("one of", each) for each in inner)
    elif origin is list:
        yield list, frozenset(_alternatives(inner[0]))
    elif origin is dict:
        yield kind
    else:
        yield kind if kind in PLAIN else LightningObject


def test_keys_defaults_and_types_are_lightnings() -> None:
    """Compared with the signature of the installed Trainer."""
    signature = inspect.signature(Trainer.__init__).parameters
    kept = [name for name in signature if name not in {"self", *DECIDED_HERE}]
    assert set(DECIDED_HERE) <= set(signature)
    assert [field.name for field in fields(TrainerConfig)] == kept
    theirs, ours = get_type_hints(Trainer.__init__), get_type_hints(TrainerConfig)
    for field in fields(TrainerConfig):
        name = field.name
        assert field.default == OURS.get(name, signature[name].default), name
        assert set(_alternatives(ours[name])) == set(_alternatives(theirs[name])), name


def test_accelerators_are_lightnings() -> None:
    """Its own, and the two words that stand for whichever is there."""
    assert set(ACCELERATORS) == {"auto", "gpu", *AcceleratorRegistry.available_accelerators()}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_epochs", -3),
        ("max_steps", -2),
        ("limit_train_batches", 1.5),
        ("limit_val_batches", -1),
        ("overfit_batches", -0.5),
    ],
)
def test_what_no_trainer_takes(key: str, value: Any) -> None:
    """Our sentence names the key and the value; Lightning refuses the same."""
    with pytest.raises(ConfigError, match=rf"trainer\.{key} is {value}, expected"):
        fit_schema().check({"trainer": {key: value}})
    with pytest.raises((MisconfigurationException, ValueError)):
        Trainer(logger=False, enable_progress_bar=False, accelerator="cpu", **{key: value})


def test_an_accelerator_that_no_machine_has() -> None:
    """The nearest known one is named."""
    with pytest.raises(ConfigError, match=r"trainer\.accelerator is 'tpux'.*mean 'tpu'"):
        check_accelerator("tpux")
    check_accelerator("CUDA")


def test_what_a_trainer_takes() -> None:
    """Defaults, the ends of the ranges, whole numbers of batches."""
    fit_schema().check({"trainer": DEFAULTS})
    fit_schema().check({"trainer": {"max_epochs": -1, "limit_train_batches": 1.0}})
    fit_schema().check({"trainer": {"limit_val_batches": 7, "overfit_batches": 3}})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("max_epochs", 3, False),
        ("strategy", "ddp", False),
        ("strategy", {"class_path": "DDPStrategy"}, True),
        ("callbacks", None, False),
        ("callbacks", "LearningRateMonitor", True),
        ("callbacks", ["LearningRateMonitor"], True),
        ("callbacks.logging_interval", "epoch", True),
        ("profiler", "simple", False),
        ("max_epoch", 3, False),
    ],
)
def test_what_only_lightning_can_check(key: str, value: object, expected: bool) -> None:
    """A class is named by anything but a word where a word will do."""
    assert names_an_object(key, value) == expected
