"""The network: a trunk that all targets share, and one head for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics import ConfusionMatrix, Metric

from speechnet.types import Targets

_ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
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


class MLP(LightningModule):
    """Raw features in, one row of logits for each target out.

    The scaler is two buffers, so that the checkpoint holds all that is needed. Hyper-parameters
    are plain types, so that it loads with ``weights_only=True``.

    Args:
        width: number of features, ``d``.
        targets: each target's ordered classes.
        config: an ``MLPConfig`` as a dict of plain types.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, width: int, targets: Targets, config: dict[str, Any]) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.targets = targets
        self.config = MLPConfig(**config)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        for target, classes in targets.items():
            self.register_buffer(f"weight_{target}", torch.ones(len(classes)))
        self.trunk = _trunk(width, self.config)
        out = self.config.hidden[-1] if self.config.hidden else width
        self.heads = nn.ModuleDict(
            {target: nn.Linear(out, len(classes)) for target, classes in targets.items()}
        )
        self.confusion = nn.ModuleDict(
            {target: _confusion(len(classes)) for target, classes in targets.items()}
        )

    def set_scaling(self, centre: Tensor, scale: Tensor) -> None:
        """Take over a scaling fitted on training rows: float32 ``[d]`` each."""
        self.centre.copy_(centre)
        self.scale.copy_(scale)

    def set_class_weights(self, weights: dict[str, Tensor]) -> None:
        """Take over class weights from training rows: float32 ``[k]`` by target."""
        for target, weight in weights.items():
            self.get_buffer(f"weight_{target}").copy_(weight)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits of every target: float ``[n, d] -> [n, k]`` each."""
        x = (x - self.centre) / self.scale
        if self.training and self.config.noise > 0:
            x = x + self.config.noise * torch.randn_like(x)
        shared = self.trunk(x)
        return {target: head(shared) for target, head in self.heads.items()}

    def loss(self, logits: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Weighted sum of the heads' cross-entropies; a row without a label adds nothing.

        Args:
            logits: by target ``[n, k]``.
            labels: int64 ``[n, targets]``, -1 where there is no label.
        """
        total = labels.new_zeros((), dtype=torch.float32)
        for column, (target, scores) in enumerate(logits.items()):
            truth = labels[:, column]
            if (truth >= 0).any():
                total = total + self.config.loss_weights.get(target, 1.0) * (
                    nn.functional.cross_entropy(
                        scores.float(),
                        truth,
                        weight=self.get_buffer(f"weight_{target}"),
                        ignore_index=-1,
                        label_smoothing=self.config.label_smoothing,
                    )
                )
        return total

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """One step on ``(X [b, d], labels [b, targets])``."""
        X, labels = batch
        loss = self.loss(self(X), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(X))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Adds the dev rows to the confusion matrices."""
        X, labels = batch
        logits = self(X)
        self.log(
            "dev_loss", self.loss(logits, labels), on_epoch=True, batch_size=len(X), sync_dist=True
        )
        for column, (target, scores) in enumerate(logits.items()):
            self._metric(target).update(scores.argmax(dim=1), labels[:, column])

    def on_validation_epoch_end(self) -> None:
        """Logs each target's dev UAR, and their mean, which chooses the epoch."""
        recalls = []
        for target in self.targets:
            metric = self._metric(target)
            counts = metric.compute().float()
            rows = counts.sum(dim=1)
            recalls.append((counts.diagonal()[rows > 0] / rows[rows > 0]).mean())
            self.log(f"dev_uar_{target}", recalls[-1])
            metric.reset()
        self.log("dev_uar", torch.stack(recalls).nanmean())

    def _metric(self, target: str) -> Metric:
        metric = self.confusion[target]
        assert isinstance(metric, Metric)  # noqa: S101 - nn.ModuleDict forgets the type
        return metric

    def configure_optimizers(self) -> Any:
        """The optimizer and the schedule that the configuration names."""
        config = self.config
        optimizer = _optimizer(self.parameters(), config)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule: Any
        match config.schedule:
            case "cosine":
                schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
            case "onecycle":
                schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.lr, steps)
            case "plateau":
                schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max")
                return [optimizer], [{"scheduler": schedule, "monitor": "dev_uar"}]
            case _:
                return optimizer
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def _confusion(k: int) -> Metric:
    # ConfusionMatrix is a factory: what it returns is a Metric of another class.
    metric: Any = ConfusionMatrix(task="multiclass", num_classes=k, ignore_index=-1)
    assert isinstance(metric, Metric)  # noqa: S101 - tells the type checker
    return metric


def _trunk(width: int, config: MLPConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in config.hidden:
        layers.append(nn.Linear(width, size))
        if config.norm == "batch":
            layers.append(nn.BatchNorm1d(size))
        elif config.norm == "layer":
            layers.append(nn.LayerNorm(size))
        layers += [_ACTIVATIONS[config.activation](), nn.Dropout(config.dropout)]
        width = size
    return nn.Sequential(*layers)


def _optimizer(parameters: Any, config: MLPConfig) -> torch.optim.Optimizer:
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
        case "adam":
            return torch.optim.Adam(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        parameters, lr=config.lr, weight_decay=config.weight_decay, momentum=config.momentum
    )
