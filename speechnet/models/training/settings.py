"""The settings of a network, and the trunk that they make."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from speechnet.core.bounds import Number, Values
from speechnet.core.errors import ConfigError
from speechnet.core.wording import did_you_mean
from speechnet.models.candidates import Candidate, combinations
from speechnet.models.model import Model

if TYPE_CHECKING:
    from torch import nn

_NOT_SEARCHED: Final = frozenset({"features", "grid", "folds", "members", "loss_weights"})


@dataclass
class NetworkSettings(Model):
    """What a ``NetworkModel`` is set to.

    Attributes:
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
        batch_size: rows per step.
        patience: epochs without a better dev UAR before training stops; null never stops early.
        members: networks trained from different seeds; their probabilities are averaged.
        grid: values to search on the inner folds, by the name of a key above.
        folds: inner folds of that search.
        stackable: whether a search may train networks of several settings as one, with
            ``torch.func.vmap``; their trunk then has no other dropout than ``layers.Dropout``.
    """

    joint = True
    stackable: ClassVar[bool] = False

    dropout: Annotated[float, Number(ge=0, lt=1)] = 0.5
    noise: Annotated[float, Number(ge=0)] = 0.0
    loss_weights: dict[str, Annotated[float, Number(ge=0)]] = field(default_factory=dict)
    class_weights: Literal["balanced", "none"] = "balanced"
    label_smoothing: Annotated[float, Number(ge=0, lt=1)] = 0.0
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: Annotated[float, Number(ge=0)] = 0.001
    weight_decay: Annotated[float, Number(ge=0)] = 0.01
    momentum: Annotated[float, Number(ge=0)] = 0.9
    schedule: Literal["none", "cosine", "onecycle", "plateau"] = "cosine"
    batch_size: Annotated[int, Number(ge=1)] = 64
    patience: Annotated[int, Number(ge=0)] | None = 40
    members: Annotated[int, Number(ge=1)] = 1
    grid: dict[str, Annotated[list[Any], Values()]] = field(default_factory=dict)
    folds: Annotated[int, Number(ge=2)] = 5

    @abstractmethod
    def trunk(self, width: int) -> tuple[nn.Module, int]:
        """Make the trunk, untrained.

        Args:
            width: of the input, ``d``.

        Returns:
            A module that takes scaled features, float32 ``[n, d]``, or for sequences
            ``[n, frames, d]`` padded with zeros and their lengths, int64 ``[n]``, and gives
            ``[n, k]``; and ``k``.
        """

    def callbacks(self) -> list[Any]:
        """Lightning callbacks that its training takes."""
        return []

    def candidates(self) -> list[Candidate]:
        """Every combination of ``grid``.

        Raises:
            ConfigError: a key that can't be searched.
        """
        known = {each.name for each in fields(self)} - _NOT_SEARCHED
        if unknown := sorted(set(self.grid) - known):
            raise ConfigError(
                f"grid: {unknown[0]!r} can't be searched; known: {', '.join(sorted(known))}"
            )
        return combinations(self.grid)

    @property
    def search_folds(self) -> int:
        """See ``Model``."""
        return self.folds if self.grid else 0

    def check(self, targets: Sequence[str], *, dev: bool) -> None:
        """See ``Model``."""
        if self.grid and not dev:
            raise ConfigError("grid needs a dev part to stop by: set data.split.dev")
        if "plateau" in self.grid.get("schedule", [self.schedule]) and not dev:
            raise ConfigError("schedule is plateau, which needs a dev part: set data.split.dev")
        if unknown := [name for name in self.loss_weights if name not in targets]:
            raise ConfigError(
                f"loss_weights.{unknown[0]}: there is no such target; known: {', '.join(targets)}"
                f"{did_you_mean(unknown[0], targets)}"
            )
        self.candidates()  # refuses keys that can't be searched
