"""The network in training: its losses, its steps, and what it logs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from speechnet.core.errors import ConfigError
from speechnet.core.types import Targets
from speechnet.models.training.augmentation import Mixing
from speechnet.models.training.layers import seed_epoch
from speechnet.models.training.network import Network
from speechnet.models.training.objective import (
    count_hits,
    head_loss,
    make_optimizer,
    make_schedule,
    recall,
)
from speechnet.models.training.over_time import OverTime


class LightningNetwork(Network, LightningModule):
    """The network as Lightning trains it.

    Hyper-parameters are plain types, so that its checkpoint loads with ``weights_only=True``, and
    as a ``Network`` without Lightning.

    Noise and dropout are drawn for a whole batch, however few rows there are, and seeded for each
    epoch, so that networks trained together draw the same.

    Args:
        width: number of features, ``d``.
        targets: each target's ordered classes.
        model: the name of a ``NetworkModel``.
        config: its settings, as a dict of plain types.
        stacks: see ``Network``.

    Attributes:
        automatic_optimization: false where a batch of the trainer's is many steps at once: most
            of a small step is what Lightning does around it.
    """

    def __init__(
        self,
        width: int,
        targets: Targets,
        model: str,
        config: dict[str, Any],
        stacks: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__(width, targets, model, config, stacks)
        self.save_hyperparameters()
        self._losses: list[Tensor] = []  # [1 + targets] a step: the sum, and each head's
        self._counts: list[tuple[Tensor, Tensor]] = []
        self._seed = 0
        self._epoch_steps = 0

    def take_many_steps(self, steps: int) -> None:
        """Expect batches of many steps each, ``steps`` in an epoch."""
        self.automatic_optimization = False
        self._epoch_steps = steps

    def loss(self, logits: dict[str, Tensor], labels: Tensor) -> Tensor:
        """What is minimised: the sum of the heads' losses, weighted; see ``head_loss``.

        Args:
            logits: by target ``[n, k]``, or ``[m, n, k]`` of several networks.
            labels: int64 ``[n, targets]``, -1 where there is no label.

        Returns:
            float32 scalar, or ``[m]``.
        """
        return self._all_losses(logits, labels)[0]

    def _all_losses(self, logits: dict[str, Tensor], labels: Tensor) -> list[Tensor]:
        """The weighted sum, then each head's own loss."""
        smoothing, weights = self.config.label_smoothing, self.config.loss_weights
        losses = [
            head_loss(
                scores, labels[:, column], self.class_weights(column).float(), smoothing=smoothing
            )
            for column, scores in enumerate(logits.values())
        ]
        weighted = (weights.get(name, 1.0) * one for name, one in zip(logits, losses, strict=True))
        return [reduce(torch.add, weighted), *losses]

    def on_fit_start(self) -> None:
        """Takes over the seed that was set."""
        self._seed = torch.initial_seed()

    def on_train_epoch_start(self) -> None:
        """Seeds the noise and the dropout."""
        seed_epoch(self._seed, self.current_epoch)

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor | None:
        """One step on ``(X [b, d], labels [b, targets])``, or many on ``batch_size`` rows each.

        Of sequences ``(x [b, frames, d], lengths [b], labels [b, targets])``.
        """
        if self.automatic_optimization:
            loss = self._step(*batch)
        else:
            loss = None
            self._steps_on(*batch)
        # Once an epoch: a log call costs as much as the forward pass.
        if self.trainer.is_last_batch:
            means = torch.stack(self._losses).mean(dim=0)
            self._log("train_loss", means, on_step=False, on_epoch=True)
            self._losses.clear()
        return loss

    def _step(self, *batch: Tensor) -> Tensor:
        *inputs, labels = batch
        mixing = self._mixing(labels)
        if mixing is None:
            losses = self._all_losses(self(*inputs), labels)
        else:
            logits = self(*inputs, mixing)
            both = (self._all_losses(logits, one) for one in (labels, labels[mixing.order]))
            losses = [torch.lerp(b, a, mixing.share) for a, b in zip(*both, strict=True)]
        self._losses.append(torch.stack(losses).detach())
        return losses[0]

    def _mixing(self, labels: Tensor) -> Mixing | None:
        trunk = self.trunk
        return trunk.mixing(len(labels)) if isinstance(trunk, OverTime) else None

    def _steps_on(self, X: Tensor, labels: Tensor) -> None:
        optimizer: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        size = self.config.batch_size
        for rows, truth in zip(torch.split(X, size), torch.split(labels, size), strict=True):
            loss = self._step(rows, truth)
            loss.backward()  # type: ignore[no-untyped-call] # torch's own
            optimizer.step()
            optimizer.zero_grad()
            if schedule is not None:
                schedule.step()

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        """Counts the dev rows that are recognised, and logs their losses."""
        *inputs, labels = batch
        logits = self(*inputs)
        losses = torch.stack(self._all_losses(logits, labels))
        self._log("dev_loss", losses, on_epoch=True, batch_size=len(labels))
        for column, scores in enumerate(logits.values()):
            self._counts.append(
                count_hits(scores.argmax(dim=1), labels[:, column], scores.shape[1])
            )

    def on_validation_epoch_end(self) -> None:
        """Logs each target's dev UAR, and their mean, which chooses the epoch."""
        means = torch.stack([recall(*self._counted(column)) for column in range(len(self.targets))])
        self._counts.clear()
        self._log("dev_uar", torch.cat([means.nanmean(dim=0, keepdim=True), means]))

    def _counted(self, column: int) -> tuple[Tensor, Tensor]:
        """A target's dev rows of each class, recognised and all, float32 ``[k]`` each."""
        hits, rows = zip(*self._counts[column :: len(self.targets)], strict=True)
        return _over_devices(torch.stack(hits).sum(0)), _over_devices(torch.stack(rows).sum(0))

    def _log(self, name: str, values: Tensor, **options: Any) -> None:
        """Log the value for all heads as ``name``, then each head's as ``<name>_<target>``."""
        names = [name, *(f"{name}_{target}" for target in self.targets)]
        self.log_dict(dict(zip(names, values, strict=True)), sync_dist=True, **options)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps averaged weights where they are averaged.

        Lightning does so itself in checkpoints that hold more than weights.
        """
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined] # as in run
            if isinstance(callback, WeightAveraging):
                callback.on_save_checkpoint(self.trainer, self, checkpoint)
                del checkpoint["current_model_state"], checkpoint["averaging_state"]

    def configure_optimizers(self) -> Any:
        """The optimizer and the schedule that the configuration names.

        Raises:
            ConfigError: the schedule needs an end that the trainer doesn't have.
        """
        name = self.config.schedule
        # A fused one would unscale the gradients itself, too late for clipping them.
        fused = self.trainer.precision != "16-mixed"
        optimizer = make_optimizer(self.config, self.parameters(), fused=fused)
        if name == "none":
            return optimizer
        if name == "plateau":
            plateau = ReduceLROnPlateau(optimizer, mode="max")
            return [optimizer], [{"scheduler": plateau, "monitor": "dev_uar"}]
        schedule = make_schedule(name, optimizer, steps=self._steps())
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _steps(self) -> int:
        """Steps of the whole training."""
        trainer = self.trainer
        if trainer.max_epochs == -1 and trainer.max_steps == -1:
            raise ConfigError(
                f"schedule: {self.config.schedule} needs to know when training ends: set "
                "trainer.max_epochs or trainer.max_steps, or schedule: none"
            )
        if self.automatic_optimization or trainer.max_epochs is None:
            return int(trainer.estimated_stepping_batches)
        return trainer.max_epochs * self._epoch_steps


def _over_devices(count: Tensor) -> Tensor:
    """The sum over all processes that train this network."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(count)
    return count
