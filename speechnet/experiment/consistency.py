"""Whether what a run folder says of itself can be read, and agrees with itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow.parquet

from speechnet import __version__
from speechnet.config.data import check_names
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.reading import open_regular, read_yaml
from speechnet.core.schema import Schema
from speechnet.core.types import Targets

FORMAT: Final = 3
"""Raised whenever an older speechnet could not read, or would misread, a run folder, or this one
those of an older."""

_MODEL: Final = re.compile(r"[a-z0-9_]+")
"""A model's files are named after it."""
_NEEDED: Final = (
    "format",
    "targets",
    "models",
    "folds",
    "protocol",
    "features",
    "corpus",
)
_KINDS: Final = {
    "targets": dict[str, list[str]],
    "models": list[str],
    "labels": dict[str, str],
    "folds": int,
    "features": dict[str, dict[str, Any]],
    "protocol": str,
    "corpus": dict[str, Any],
    "format": int,
    "unit": str | None,
    "chance": dict[str, list[float | None]],
    "seconds": dict[str, float],
    "machine": dict[str, Any],
    "versions": dict[str, str],
    "departures": list[str],
    "references": list[dict[str, Any]],
}
_FEATURE: Final[Mapping[str, Any]] = {
    "kind": Literal["vector", "sequence"],
    "columns": list[str],
    "fingerprint": str,
    "recipe": dict[str, Any],
}
"""What stands below ``features`` of each extractor."""
_PERCENTILES: Final = frozenset(["p5", "p50", "p95"])
_INNER: Final[Mapping[str, Mapping[str, Any]]] = {
    "corpus": {
        "name": str | None,
        "recordings": int,
        "speakers": int,
        "hours": float | None,
        "excluded": int,
        "fingerprint": str,
        "bandwidth": dict[str, float],
    },
    "clustering": {"explained": list[float], "findings": list[str], "notes": list[str]},
}
"""Below those keys what is read; there may be more."""


def check_info(path: Path, info: Any) -> None:
    """Refuse a ``run.json`` that this version can't read.

    Args:
        path: the run folder.
        info: what its ``run.json`` holds.

    Raises:
        DataError: it was made by an older or a newer speechnet, lacks something, or holds something
            else than it should.
    """
    _check_format(path, info)
    missing = [key for key in _NEEDED if not _has(info, key.split("."))]
    if missing:
        raise DataError(f"{path}/run.json is damaged: it lacks {', '.join(missing)}")
    try:
        Schema(_KINDS).check({key: info[key] for key in _KINDS if key in info})
        Schema(_INNER).check({key: _known(info[key], _INNER[key]) for key in _INNER if key in info})
        for name, one in info["features"].items():
            Schema({name: _FEATURE}).check({name: one})
            if absent := [key for key in _FEATURE if key not in one]:
                raise ConfigError(f"features.{name} lacks {', '.join(absent)}")
        check_names(info["targets"])
    except ConfigError as error:
        raise DataError(f"{path}/run.json is damaged: {error}") from error
    if info["folds"] < 1:
        raise DataError(f"{path}/run.json is damaged: folds is {info['folds']}, expected 1 or more")
    band = info["corpus"].get("bandwidth", {})
    if band and not (band.keys() >= _PERCENTILES and all(band[p] > 0 for p in _PERCENTILES)):
        raise DataError(
            f"{path}/run.json is damaged: corpus.bandwidth is {band}, expected "
            f"{', '.join(sorted(_PERCENTILES))} in Hz, or nothing"
        )
    _check_models(path, info["models"])
    pairs = {f"chance.{target}": ends for target, ends in info.get("chance", {}).items()}
    if "explained" in info.get("clustering", {}):
        pairs["clustering.explained"] = info["clustering"]["explained"]
    for key, pair in pairs.items():
        if len(pair) < 2:
            raise DataError(f"{path}/run.json is damaged: {key} has {len(pair)} of 2 numbers")


def _check_format(path: Path, info: Any) -> None:
    if not isinstance(info, dict) or not info.keys() & {"format", "speechnet"}:
        return
    written = info.get("format", 1)  # runs had no number before
    if type(written) is not int or written == FORMAT:
        return
    older = written < FORMAT
    remedy = "train it again with python -m speechnet fit, its config's keys as they are now"
    raise DataError(
        f"{path} was made by {'an older' if older else 'a newer'} speechnet, "
        f"{info.get('speechnet', 'unnamed')} (format {written}; this one, {__version__}, reads "
        f"{FORMAT}): {remedy if older else 'update speechnet'}"
    )


def _check_models(path: Path, models: Sequence[str]) -> None:
    for model in models:
        if not _MODEL.fullmatch(model):
            raise DataError(
                f"{path}/run.json is damaged: it names a model {model!r:.99}, expected a name of "
                "small letters, digits and underscores"
            )


def _has(info: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(info, dict) or key not in info:
            return False
        info = info[key]
    return True


def _known(value: Any, kinds: Mapping[str, Any]) -> Any:
    """A section without the keys that nothing is known of."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if key in kinds}


def check_classes(path: Path, targets: Targets) -> None:
    """Refuse a run whose parts don't name the same classes in the same order.

    Each model is compared when it is loaded; here it is the configuration and the predictions.

    Args:
        path: the run folder.
        targets: what ``run.json`` says.

    Raises:
        DataError: they differ, which mislabels every prediction, or can't be read.
    """
    for target, classes in _configured(path).items():
        if classes is not None and classes != targets.get(target):
            raise _disagree(path, target, targets.get(target, []), "config.yaml", classes)
    every = list(dict.fromkeys(name for names in targets.values() for name in names))
    try:
        with open_regular(path / "predictions.parquet") as file:
            names = pyarrow.parquet.read_schema(file).names
    except (OSError, ValueError) as error:
        raise DataError(f"{path}/predictions.parquet can't be read: {error}") from error
    found = [name.removeprefix("p_") for name in names if name.startswith("p_")]
    if found != every:
        raise _disagree(path, "all targets", every, "predictions.parquet", found)


def _configured(path: Path) -> Targets:
    """The targets of the configuration; those whose classes it leaves open are left out."""
    try:
        data = read_yaml(path / "config.yaml").get("data")
    except ConfigError as error:
        raise DataError(f"{path} can't be used: {error}") from error
    targets = data.get("targets") if isinstance(data, dict) else None
    return targets if isinstance(targets, dict) else {}


def _disagree(
    path: Path, target: str, classes: list[str], file: str, found: list[str]
) -> DataError:
    return DataError(
        f"{path} contradicts itself: of {target}, run.json has the classes {', '.join(classes)}, "
        f"{file} has {', '.join(map(str, found))}"
    )
