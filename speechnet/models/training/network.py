"""The network: a trunk that all targets share, and one head for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from speechnet.core.errors import ConfigError
from speechnet.core.types import Targets
from speechnet.models.model import MODELS
from speechnet.models.training.layer_mix import LayerMix
from speechnet.models.training.settings import NetworkSettings


class Network(nn.Module):
    """Raw features in, one row of logits for each target out.

    The scaler is two buffers, so that the checkpoint holds all that is needed.

    Args:
        width: number of features, ``d``.
        targets: each target's ordered classes.
        model: the name of a ``NetworkModel``.
        config: its settings, as a dict of plain types.
        stacks: the columns of which it mixes the layers, each ``Stack`` as three numbers.
    """

    centre: Tensor
    scale: Tensor
    noise: Tensor
    trunk: Any  # each model's own

    def __init__(
        self,
        width: int,
        targets: Targets,
        model: str,
        config: dict[str, Any],
        stacks: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        self.targets = targets
        self.config = cast("NetworkSettings", MODELS[model](**config))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        # A tensor, so that networks trained together may each have their own.
        self.register_buffer("noise", torch.tensor(self.config.noise), persistent=False)
        # By position: a target's name may be one that a module already uses, such as "type".
        for column, classes in enumerate(targets.values()):
            self.register_buffer(f"class_weights_{column}", torch.ones(len(classes)))
        self.model = model
        self.mix = LayerMix(width, stacks)
        self.trunk, self.out = self.config.trunk(self.mix.out)
        made = (nn.Linear(self.out, len(classes)) for classes in targets.values())
        self.heads = nn.ModuleList(made)

    def set_scaling(self, centre: Tensor, scale: Tensor) -> None:
        """Take over a scaling fitted on training rows: float32 ``[d]`` each."""
        self.centre.copy_(centre)
        self.scale.copy_(scale)

    def set_class_weights(self, weights: dict[str, Tensor]) -> None:
        """Take over class weights from training rows: float32 ``[k]`` by target."""
        for column, target in enumerate(self.targets):
            self.class_weights(column).copy_(weights[target])

    def forward(self, x: Tensor, *more: Any) -> dict[str, Tensor]:
        """Logits of every target, ``[n, k]`` each.

        Args:
            x: float ``[n, d]``; of sequences ``[n, frames, d]``, padded.
            more: of sequences the frames of each, int64 ``[n]``, and whatever else the trunk takes.

        Raises:
            ConfigError: the trunk's output isn't as wide as ``trunk`` said.
        """
        x = self.mix((x - self.centre) / self.scale)
        if self.training and self.config.noise > 0:
            drawn = torch.randn(
                max(len(x), self.config.batch_size), *x.shape[1:], dtype=x.dtype, device=x.device
            )
            x = x + self.noise * drawn[: len(x)]
        shared = self.trunk(x, *more)
        self._check(shared, len(x))
        return {target: head(shared) for target, head in zip(self.targets, self.heads, strict=True)}

    def _check(self, shared: object, rows: int) -> None:
        """Refuse what a trunk gave for some rows if it isn't what ``trunk`` said."""
        found = list(shared.shape) if isinstance(shared, Tensor) else type(shared).__name__
        if found != [rows, self.out]:
            raise ConfigError(
                f"models.{self.model}: trunk() says that its output has the width {self.out}, but "
                f"gave {found} for {rows} rows, expected {[rows, self.out]}"
            )

    def class_weights(self, column: int) -> Tensor:
        """Of the target at a position: float32 ``[k]``."""
        return self.get_buffer(f"class_weights_{column}")
