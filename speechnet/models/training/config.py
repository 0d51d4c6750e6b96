"""What the configuration says about the network (``model``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from speechnet.core.errors import ConfigError
from speechnet.models.tuning.grid import Candidate, combinations

_LEAST: Final = {
    "noise": 0,
    "lr": 0,
    "weight_decay": 0,
    "momentum": 0,
    "batch_size": 1,
    "patience": 0,
    "members": 1,
    "folds": 2,
}


@dataclass
class MLPConfig:
    """The network's shape and how it is trained.

    Attributes:
        enabled: false leaves the network out.
        hidden: widths of the trunk's layers.
        activation: after each layer of the trunk.
        norm: normalisation of each layer of the trunk.
        dropout: share of the trunk's activations dropped.
        noise: standard deviation of Gaussian noise added to the scaled features in training.
        loss_weights: weight of each head's loss; 1 for a target not named.
        class_weights: ``balanced`` weighs each class by the inverse of its share of the training
            rows; ``none`` does not.
        label_smoothing: of the cross-entropy.
        optimizer: which one.
        lr: learning rate.
        weight_decay: of the optimizer.
        momentum: of ``sgd``.
        schedule: of the learning rate, over ``trainer.max_epochs``.
        batch_size: rows a step.
        patience: epochs without a better dev UAR before training stops; null never stops early.
        members: networks trained from different seeds; their probabilities are averaged.
        grid: values to search on the inner folds, by the name of a key above.
        folds: inner folds of that search.
    """

    enabled: bool = True
    hidden: list[int] = field(default_factory=lambda: [512])
    activation: Literal["relu", "gelu", "tanh", "silu"] = "relu"
    norm: Literal["batch", "layer", "none"] = "batch"
    dropout: float = 0.5
    noise: float = 0.0
    loss_weights: dict[str, float] = field(default_factory=dict)
    class_weights: Literal["balanced", "none"] = "balanced"
    label_smoothing: float = 0.0
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 0.001
    weight_decay: float = 0.01
    momentum: float = 0.9
    schedule: Literal["none", "cosine", "onecycle", "plateau"] = "cosine"
    batch_size: int = 64
    patience: int | None = 40
    members: int = 1
    grid: dict[str, list[Any]] = field(default_factory=dict)
    folds: int = 5

    def __post_init__(self) -> None:
        """Refuse numbers that no network can be made or trained with.

        Raises:
            ConfigError: which one, and what is expected.
        """
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"model.{name} is {value:g}, expected at least {least}")
        for name in ("dropout", "label_smoothing"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ConfigError(f"model.{name} is {value:g}, expected 0 or more and below 1")
        if min(self.hidden, default=1) < 1:
            raise ConfigError(f"model.hidden is {self.hidden}, expected widths of at least 1")
        for target, weight in self.loss_weights.items():
            if weight < 0:
                raise ConfigError(f"model.loss_weights.{target} is {weight:g}, expected at least 0")


_SEARCHABLE: Final = frozenset(asdict(MLPConfig())) - {
    "enabled",
    "grid",
    "folds",
    "members",
    "loss_weights",
}


def network_candidates(config: MLPConfig) -> list[Candidate]:
    """Every combination of ``config.grid``.

    Raises:
        ValueError: a key that can't be searched.
        ConfigError: a value that no network can be made or trained with.
    """
    unknown = sorted(set(config.grid) - _SEARCHABLE)
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} can't be searched; known: {', '.join(sorted(_SEARCHABLE))}"
        )
    choices = combinations(config.grid)
    for choice in choices:
        replace(config, **choice)  # which checks it
    return choices
