"""Row 7: an epoch of the network against the same network trained as Lightning's examples do."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from sklearn.datasets import make_classification
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.harness import Bench, Measured, gate, in_turns
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.core.types import FeatureSet, Float32, Int64, Targets
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.lightning_fit import quietly
from speechnet.models.training.trainer import NetworkTrainer

TARGETS: Targets = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad", "neutral"]}
CONFIG = MLP(schedule="none", class_weights="none", patience=None)
ROWS = 11_810


def table(rows: int) -> tuple[Float32, Int64]:
    """Features float32 ``[rows, 65]`` and labels int64 ``[rows, 2]``, with overlapping classes."""
    X, emotion = make_classification(
        rows, 65, n_informative=30, n_redundant=20, n_classes=4, n_clusters_per_class=4,
        class_sep=1.0, flip_y=0.1, random_state=0,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    gender = X @ rng.standard_normal(65) + 8 * rng.standard_normal(rows) > 0
    return X.astype(np.float32), np.stack([gender, emotion], axis=1).astype(np.int64)


class Table(NamedTuple):
    """Features and labels, as a network is trained on."""

    feature_set: FeatureSet
    labels: Int64


class Plain(LightningModule):
    """The same network, loss and optimizer, written as usual."""

    mean: Tensor
    std: Tensor

    def __init__(self, X: Float32) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(X.mean(0)))
        self.register_buffer("std", torch.from_numpy(X.std(0)))
        self.trunk = nn.Sequential(
            nn.Linear(X.shape[1], 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(CONFIG.dropout)
        )
        self.heads = nn.ModuleList(nn.Linear(512, len(classes)) for classes in TARGETS.values())

    def forward(self, x: Tensor) -> list[Tensor]:
        """Logits of both targets."""
        shared = self.trunk((x - self.mean) / self.std)
        return [head(shared) for head in self.heads]

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """One step."""
        X, labels = batch
        losses = [
            nn.functional.cross_entropy(logits, labels[:, column])
            for column, logits in enumerate(self(X))
        ]
        loss = torch.stack(losses).sum()
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=CONFIG.lr, weight_decay=CONFIG.weight_decay)


def epoch(bench: Bench, *, accelerator: str = "cpu", target: float = 2.0) -> list[Measured]:
    """The row, at a small and a large batch."""
    X, labels = table(2 * ROWS)
    train, test = (X[:ROWS], labels[:ROWS]), (X[ROWS:], labels[ROWS:])
    with tempfile.TemporaryDirectory() as folder, quietly():
        run = partial(_epoch, train, test, Path(folder), accelerator=accelerator)
        seconds = {size: run(size, rounds=bench.rounds) for size in (64, 512)}
    return [
        Measured("7", f"an epoch of {ROWS:,} rows, batches of {size}", "Trainer with DataLoader",
                 ours, theirs, target=target, gate=text)
        for size, (ours, theirs, text) in seconds.items()
    ]  # fmt: skip


def _epoch(
    train: tuple[Float32, Int64],
    test: tuple[Float32, Int64],
    folder: Path,
    size: int,
    *,
    rounds: int,
    accelerator: str,
) -> tuple[list[float], list[float], str]:
    """Seconds of an epoch on each side, and what was checked before."""
    (X, y), (X_test, y_test) = train, test

    def ours(epochs: int) -> float:
        config = MLP(**vars(CONFIG) | {"batch_size": size})
        make = TrainerFactory({"max_epochs": epochs, "accelerator": accelerator}, folder)
        trainer = NetworkTrainer(Table(FeatureSet.vectors(X), y), TARGETS, "standard", make)
        rows = np.arange(len(X))
        path, _ = trainer.fit(config, train=rows, dev=rows[:0], seed=0, folder=folder, name="m")
        found = FittedNetworks.from_checkpoints([path]).predict_proba(X_test)
        return _accuracy([found[target].argmax(1) for target in TARGETS], y_test)

    def theirs(epochs: int) -> float:
        seed_everything(0, verbose=False)
        network = Plain(X)
        data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        trainer = Trainer(max_epochs=epochs, accelerator=accelerator, logger=False,
                          enable_checkpointing=False, enable_progress_bar=False,
                          enable_model_summary=False)  # fmt: skip
        trainer.fit(network, DataLoader(data, batch_size=size, shuffle=True))
        with torch.inference_mode():
            logits = network.cpu().eval()(torch.from_numpy(X_test))
        return _accuracy([one.argmax(1).numpy() for one in logits], y_test)

    mine, usual = ours(15), theirs(15)
    text = gate(abs(mine - usual) <= 0.01, f"accuracy after 15 epochs {mine:.3f} and {usual:.3f}")
    seconds = in_turns(lambda: ours(3), lambda: theirs(3), rounds=rounds, warm=False)
    per_epoch = [[value / 3 for value in side] for side in seconds]
    return per_epoch[0], per_epoch[1], text


def _accuracy(predicted: list[Int64], truth: Int64) -> float:
    return float(np.mean([p == truth[:, i] for i, p in enumerate(predicted)]))
