"""The settings of runs, and which of them differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.reading import read_yaml

SEED: Final = "seed_everything"

_WITHOUT_EFFECT: Final = frozenset({"out", "experiment", "root", "cache_dir", "verify"})
"""Last parts of keys that say where things are and what they are called."""

_SECTIONS_WITHOUT_EFFECT: Final = frozenset({"evaluation", "parallel", "report"})
"""What is made of the predictions, and by how many processes."""

_SECTION: Final = "(set)"

Settings = Mapping[str, Any]
"""Dotted keys and plain values."""


def read_settings(run: Path) -> dict[str, Any]:
    """What a run was told that can change an answer.

    Where files lie, what is drawn of the predictions and how many processes there are play no part.

    Args:
        run: the run folder.

    Returns:
        Plain values by dotted key; a list of sections is numbered, ``data.corpora.0.name``.

    Raises:
        DataError: ``config.yaml`` is missing or damaged.
    """
    try:
        config = read_yaml(run / "config.yaml")
    except ConfigError as error:
        raise DataError(f"{run} can't be used: {error}") from error
    return dict(_flat(config))


def _flat(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    elif path and path[0] not in _SECTIONS_WITHOUT_EFFECT and path[-1] not in _WITHOUT_EFFECT:
        yield ".".join(path), value


def differing(runs: Mapping[str, Settings]) -> pd.DataFrame:
    """The settings that are not the same in all runs.

    Args:
        runs: the settings of each, by its name.

    Returns:
        Columns ``key, run, value``: a row for each run and each such key, in the order of the
        first run's keys; values as text, ``(not set)`` where a run has no such key. A section that
        some run lacks, or has as null, is one key, ``(set)`` in the others.
    """
    rows = []
    every = dict.fromkeys(key for settings in runs.values() for key in settings)
    for key in dict.fromkeys(_outermost(key, runs) for key in every):
        values = [_value(settings, key) for settings in runs.values()]
        if len(set(values)) > 1:
            rows += [(key, name, value) for name, value in zip(runs, values, strict=True)]
    return pd.DataFrame(rows, columns=["key", "run", "value"])


def same_experiment(first: Settings, second: Settings) -> bool:
    """Whether two runs differ in nothing but their seed, if in that."""
    one, other = ({k: v for k, v in run.items() if k != SEED} for run in (first, second))
    return one == other


def _value(settings: Settings, key: str) -> str:
    """A value as a YAML has it, in one line."""
    if key not in settings:
        below = any(other.startswith(f"{key}.") for other in settings)
        return _SECTION if below else "(not set)"
    value = settings[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _outermost(key: str, runs: Mapping[str, Settings]) -> str:
    """The outermost section of a key that some run lacks as a whole; else the key itself."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        section = ".".join(parts[:length])
        if any(_value(settings, section) != _SECTION for settings in runs.values()):
            return section
    return key
