"""The contract of a model, and the registry of all models.

A model is a dataclass whose fields are its settings, registered under the name by which ``models``
in the configuration asks for it. Its module is imported whenever a command line is read, so it
imports NumPy, scikit-learn, torch and the like inside the functions that compute. An estimator of
scikit-learn needs little code: see ``speechnet.models.scikit.model``. For a network see
``speechnet.models.training.model``.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Protocol

from speechnet.core.errors import ConfigError
from speechnet.core.registry import Registry, settings_lack
from speechnet.models.candidates import Candidate, InnerFolds, Tried

if TYPE_CHECKING:
    from speechnet.core.types import FeatureSet, Float64, Int64, Stack, Targets

SEQUENCE: Final = "sequence"
"""What a model takes if it takes one row per frame."""

ALL: Final = "*"
"""Stands for the features of all extractors, which models made of other models take."""


class Source(Protocol):
    """A table of features and labels."""

    @property
    def feature_set(self) -> FeatureSet:
        """The features of every extractor."""

    @property
    def labels(self) -> Int64:
        """int64 ``[n, targets]``, -1 where there is no label."""


@dataclass(frozen=True)
class Rows:
    """Rows that a model is fitted on, or stopped by.

    ``positions`` are their places in the table, int64 ``[n]``. For the extractor see ``Model``.
    """

    source: Source
    positions: Int64
    extractor: str | None = None

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def features(self) -> Any:
        """float32 ``[n, d]``, raw, or ``Sequences`` of ``n`` recordings; see ``inputs``."""
        taken = inputs(self.source.feature_set, self.extractor)
        return taken.take(self.positions) if hasattr(taken, "index") else taken[self.positions]

    @property
    def stacks(self) -> Sequence[Stack]:
        """The columns of ``features`` that hold several layers of an encoder."""
        return self.source.feature_set.of(self.extractor).stacks

    @cached_property
    def labels(self) -> Int64:
        """int64 ``[n, targets]``, positions in the classes, -1 where there is no label."""
        return self.source.labels[self.positions]


class Divider(Protocol):
    """Divides training rows into inner folds."""

    def __call__(self, folds: int, among: Int64 | None = None) -> InnerFolds:
        """Divide all training rows, or some.

        Args:
            folds: the most inner folds.
            among: positions among the training rows, int64 ``[n]``; None for all.

        Returns:
            Positions among the rows that are divided.
        """


@dataclass(frozen=True)
class Context:
    """What a model needs to be fitted, apart from its rows.

    Attributes:
        targets: each target's ordered classes.
        scaling: of the columns: ``minmax``, ``standard``, ``robust`` or ``none``.
        seed: of whatever is random.
        metric: what a search maximises.
        inner_folds: divides the training rows, or some of them, into inner folds. Each recording is
            held out once; changed copies, which stand behind the recordings, are only fitted on,
            and only where their recording is.
        folder: for checkpoints, logs and temporary files.
        name: of the model; the names of its files begin with it.
        make_trainer: makes a Lightning Trainer with callbacks and loggers beside the configured.
        loggers: Lightning loggers for a member of a network.
        processes: whether several processes may train at once.
        chosen: hyper-parameters that an earlier search chose, by target, or under ``""`` those that
            all targets share; None to search.
        probabilities: whether good probabilities are needed, or only ``Fitted.predict``.
        fitted: the models fitted before, calibrated, by name.
        choices: what each of these has chosen, by its name; see ``chosen``.
        models: all models of the experiment, by name.
        progress: ``with progress(what, total) as advance`` shows how far a search has come.
        searched: called with each target's candidates once they are scored.
        trained: called with the epochs of each member once it is trained.
        noted: called with a sentence about what could not be done as asked.
    """

    targets: Targets
    scaling: str
    seed: int
    metric: str
    inner_folds: Divider
    folder: Path
    name: str
    make_trainer: Callable[[list[Any], list[Any]], Any]
    loggers: Callable[[int], list[Any]] = lambda _: []
    processes: bool = True
    chosen: Mapping[str, Candidate] | None = None
    probabilities: bool = True
    fitted: Mapping[str, Fitted] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, Candidate]] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]] = lambda *_: (
        nullcontext(lambda _: None)
    )
    searched: Callable[[str, list[Tried]], None] = lambda *_: None
    trained: Callable[[int, list[dict[str, float]]], None] = lambda *_: None
    noted: Callable[[str], None] = lambda _: None


class LayerWeights(NamedTuple):
    """How much each layer of a stack counts.

    Attributes:
        target: for which; empty for all.
        member: which network of several.
        weights: of the layers, with the sum 1.
    """

    target: str
    member: int
    weights: Sequence[float]


class Fitted:
    """A fitted model. It takes raw features: the scaling is part of it.

    Attributes:
        targets: each target's ordered classes.
    """

    targets: Targets

    def predict_proba(self, features: Any) -> dict[str, Float64]:
        """Probabilities of every class of every target.

        Args:
            features: what ``inputs`` gives: float32 ``[n, d]``, raw, ``Sequences`` of ``n``
                recordings, or all features for a model made of others.

        Returns:
            For each target float64 ``[n, k]``, columns in the order of its classes, rows sum to 1.
        """
        raise NotImplementedError

    def predict(self, features: Any) -> Int64:
        """The likeliest class of each target: int64 ``[n, targets]``."""
        import numpy as np

        probabilities = self.predict_proba(features)
        return np.stack([probabilities[name].argmax(axis=1) for name in self.targets], axis=1)

    def predict_without(self, features: Any) -> dict[str, Int64]:
        """What it would predict without each of the models that it is made of.

        Returns:
            By the model's name int64 ``[n, targets]``, the likeliest classes; empty if it is made
            of none, or was read from a file.
        """
        del features
        return {}

    def layer_weights(self) -> list[LayerWeights]:
        """Those of each stack of its features, in their order, for each target or member."""
        return []

    def save(self, folder: Path, name: str) -> None:
        """Write files to ``folder`` whose names begin with ``name``.

        Raises:
            OSError: there is no space or no permission.
        """
        raise NotImplementedError


@dataclass
class Model(metaclass=ABCMeta):  # not ABC: all bases must be dataclasses for jsonargparse
    """A model and its settings; subclasses are dataclasses of settings that all have defaults.

    Attributes:
        label: its name in tables and figures.
        default: whether it is fitted where a configuration names no models.
        takes: ``vector``, one row per recording, or ``sequence``, one row per frame. A model of
            sequences has a setting ``features: str | None = None``, which names the extractor.
        kinds: the kinds of target that it can learn.
        joint: whether one model learns all targets, with a head for each.
        exportable: whether it can be written as ONNX, a model of sequences with the log-mel that it
            takes; see ``speechnet.models.training.onnx``.
    """

    label: ClassVar[str]
    default: ClassVar[bool] = False
    takes: ClassVar[Literal["vector", "sequence"]] = "vector"
    kinds: ClassVar[tuple[str, ...]] = ("categorical",)
    joint: ClassVar[bool] = False
    exportable: ClassVar[bool] = False

    @property
    def extractor(self) -> str | None:
        """The extractor whose features it takes; None for all vectors, joined; ``ALL`` for all."""
        return ALL if self.made_of else getattr(self, "features", None)

    @property
    def made_of(self) -> Sequence[str]:
        """The models that it is made of; they are fitted before it."""
        return ()

    @property
    def search_folds(self) -> int:
        """How many inner folds its search takes; 0 where nothing is searched."""
        return 0

    def check(self, targets: Sequence[str], *, dev: bool) -> None:  # noqa: B027 - may have nothing to refuse
        """Refuse settings that are wrong for any recordings, given the targets' names.

        Raises:
            ConfigError: a setting is wrong. The message begins with the setting's key below the
                model's: ``lr is -1, expected 0 or more``.
        """

    @abstractmethod
    def fit(self, train: Rows, dev: Rows, context: Context) -> Fitted:
        """Fit all targets on ``train``, and stop or choose epochs by ``dev``, which may be empty.

        Raises:
            SpeechnetError: it can't be fitted.
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> Fitted:
        """Read what ``Fitted.save`` wrote.

        Raises:
            DataError: a file is missing, damaged, or made for other classes.
        """


def _missing(thing: Any) -> str:
    """What a class lacks of the contract; an empty text if nothing."""
    if not (isinstance(thing, type) and issubclass(thing, Model)):
        return "the base class speechnet.models.model.Model"
    if absent := sorted(thing.__abstractmethods__):
        return " and ".join(absent)
    if not hasattr(thing, "label"):
        return "a label"
    return settings_lack(thing)


MODELS: Final[Registry[type[Model]]] = Registry(
    "model",
    group="speechnet.models",
    modules=(
        "speechnet.models.neural",
        "speechnet.models.classical",
        "speechnet.models.ensemble",
    ),
    missing=_missing,
)


def inputs(features: FeatureSet, extractor: str | None) -> Any:
    """What a model takes of the features of some recordings; see ``Model.extractor``."""
    if extractor == ALL:
        return features
    return features.matrix.X if extractor is None else features.of(extractor)


def fitting_order(models: Mapping[str, Model]) -> list[str]:
    """The names of models, each behind those that it is made of.

    Raises:
        ConfigError: a model is made of one that is not there, or of itself.
    """
    order: list[str] = []
    left = dict(models)
    for name, model in models.items():
        if absent := [one for one in model.made_of if one not in models]:
            raise ConfigError(
                f"models.{name} is made of {absent[0]}, which isn't among the models: "
                f"{', '.join(models)}"
            )
    while left:
        ready = [name for name, model in left.items() if set(model.made_of) <= set(order)]
        if not ready:
            raise ConfigError(f"models: {', '.join(left)} are made of each other")
        order += ready
        for name in ready:
            del left[name]
    return order
