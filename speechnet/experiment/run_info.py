"""``run.json``: the values that it may hold, and the packages that a run needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from speechnet.config.data import check_names
from speechnet.core.bounds import Number, Values
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.metrics import METRICS
from speechnet.core.registry import Registry
from speechnet.core.schema import decode, hints_of
from speechnet.core.version import __version__
from speechnet.features.extractor import EXTRACTORS
from speechnet.models.model import MODELS

if TYPE_CHECKING:
    from speechnet.config.experiment import ExperimentConfig  # imports what trains

FORMAT: Final = 3
"""Raised whenever a change makes old run folders unreadable for this version, or new ones for older
versions."""

_REGISTRIES: Final[tuple[Registry[Any], ...]] = (EXTRACTORS, MODELS, METRICS)
_OURS: Final = "speechnet"

_MODEL: Final = re.compile(r"[a-z0-9_]+")
"""A model's files are named after it."""
_PERCENTILES: Final = frozenset(["p5", "p50", "p95"])


@dataclass(frozen=True)
class _Provenance:
    what: str
    licence: str
    source: str
    seen: list[str]


@dataclass(frozen=True)
class _Feature:
    kind: Literal["vector", "sequence"]
    columns: list[str]
    fingerprint: str
    recipe: dict[str, Any]
    provenance: _Provenance | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.recipe.get("versions"), dict):
            raise ConfigError("a recipe lacks the versions of its packages")


@dataclass(frozen=True)
class _Corpus:
    name: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    recordings: int = 0
    speakers: int = 0
    bandwidth: dict[str, Annotated[float, Number(gt=0)]] = field(default_factory=dict)
    hours: float | None = None
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    excluded: int = 0
    computed: int = 0
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if self.bandwidth and not self.bandwidth.keys() >= _PERCENTILES:
            raise ConfigError(
                f"corpus.bandwidth is {self.bandwidth}, expected p5, p50 and p95 in Hz, or nothing"
            )


@dataclass(frozen=True)
class _Clustering:
    explained: Annotated[list[float], Values(2)] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Plugin:
    """Something of another package that a run was made with."""

    kind: str
    name: str
    package: str
    version: str

    @property
    def missing(self) -> bool:
        return any(one.kind == self.kind and self.name not in one for one in _REGISTRIES)


@dataclass(frozen=True)
class _RunInfo:
    """The keys that are read; there may be more."""

    format: int
    targets: dict[str, list[str]]
    models: list[str]
    folds: Annotated[int, Number(ge=1)]
    protocol: str
    features: dict[str, _Feature]
    corpus: _Corpus
    labels: dict[str, str] = field(default_factory=dict)
    unit: str | None = None
    plugins: list[_Plugin] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    chance: dict[str, Annotated[list[float | None], Values(2)]] = field(default_factory=dict)
    clustering: _Clustering = field(default_factory=_Clustering)
    departures: list[str] = field(default_factory=list)
    references: list[dict[str, Any]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.targets)
        for model in self.models:
            if not _MODEL.fullmatch(model):
                raise ConfigError(
                    f"it names a model {model!r:.99}, expected a name of small letters, digits and "
                    "underscores"
                )


def check_info(path: Path, info: Any) -> None:
    """Refuse the content of a ``run.json`` that this version can't read.

    Raises:
        DataError: the run was made by an older or a newer speechnet, or ``run.json`` lacks a key or
            holds an unexpected value.
    """
    _check_format(path, info)
    hints = hints_of(_RunInfo)
    known = {key: info[key] for key in hints if key in info} if isinstance(info, dict) else {}
    try:
        decode(_RunInfo, known, f"{path}/run.json is damaged")
    except ConfigError as error:
        raise DataError(str(error)) from error


def _check_format(path: Path, info: Any) -> None:
    if not isinstance(info, dict) or not info.keys() & {"format", "speechnet"}:
        return
    written = info.get("format", 1)  # the first runs had no number
    if type(written) is not int or written == FORMAT:
        return
    older = written < FORMAT
    remedy = "train it again with python -m speechnet fit, its config's keys as they are now"
    raise DataError(
        f"{path} was made by {'an older' if older else 'a newer'} speechnet, "
        f"{info.get('speechnet', 'unnamed')} (format {written}; this one, {__version__}, reads "
        f"{FORMAT}): {remedy if older else 'update speechnet'}"
    )


def plugins_of(config: ExperimentConfig) -> list[dict[str, str]]:
    """The extractors, models and metrics of other packages: ``plugins`` of ``run.json``."""
    used: Iterator[tuple[Registry[Any], Iterable[str]]] = zip(
        _REGISTRIES, (config.data.recipe.extractors, config.models, METRICS), strict=True
    )
    return [
        asdict(_Plugin(registry.kind, name, package, _version(package)))
        for registry, names in used
        for name in names
        if (package := registry.package(name)) != _OURS
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # an entry point without a distribution
        return "unknown"


def missing_packages(info: Mapping[str, Any], *, metrics: bool = False) -> list[str]:
    """A sentence for each metric of a run that isn't installed, or for each extractor and model.

    Without a metric a run can be used, without an extractor or a model it can't be applied.
    """
    plugins = [_Plugin(**one) for one in info.get("plugins", [])]
    return [
        f"this run needs the package {one.package} ({one.version}), which provides the {one.kind} "
        f"{one.name}; pip install {one.package}"
        for one in plugins
        if (one.kind == METRICS.kind) == metrics and one.missing
    ]
