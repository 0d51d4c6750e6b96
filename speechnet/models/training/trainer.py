"""Training the network with Lightning's Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from torch import Tensor

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import Int64, Sequences, Targets
from speechnet.core.wording import counted
from speechnet.models.model import MODELS, Rows, Source
from speechnet.models.scaling import affine
from speechnet.models.training.batches import ChosenRows
from speechnet.models.training.lightning_fit import History, is_plain, quietly, run
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.over_time import OverTime
from speechnet.models.training.settings import NetworkSettings

_EPOCHS: Final = 1000
"""Lightning's own limit where none is given."""

_STEPS: Final = 256
"""Steps that the trainer is given at once: an epoch of most corpora, a few MB of features."""

TrainerFactory = Callable[[list[Callback], list[Logger]], Trainer]
"""Makes a Trainer from the configuration's ``trainer:``, with callbacks and loggers added."""


class Limits(NamedTuple):
    """What can be known of trainings before the first.

    Attributes:
        epochs: after which a training ends; Lightning's default where there is no such limit.
        device: where it takes place.
        beside_others: whether one training takes one process on the CPU, so that several may go on
            at once.
        stackable: whether several networks may be trained as one; not where the trainer is asked
            for anything but a number of epochs.
    """

    epochs: int
    device: torch.device
    beside_others: bool
    stackable: bool


@dataclass(frozen=True)
class NetworkTrainer:
    """All that stays the same from one training to the next; picklable.

    Attributes:
        rows: features and labels.
        targets: each target's ordered classes.
        scaling: of the columns.
        make_trainer: see ``TrainerFactory``.
    """

    rows: Source
    targets: Targets
    scaling: str
    make_trainer: TrainerFactory

    def fit(
        self,
        config: NetworkSettings,
        *,
        train: Int64,
        dev: Int64,
        seed: int,
        folder: Path,
        name: str,
        loggers: Sequence[Logger] = (),
        on_epoch: Callable[[int], None] | None = None,
    ) -> tuple[Path, list[dict[str, float]]]:
        """Train one network.

        Args:
            config: its settings.
            train: rows to fit on.
            dev: rows for early stopping and the best epoch; empty keeps the last epoch.
            seed: of the weights, the batches, the noise and the dropout.
            folder: where the checkpoint goes.
            name: of the checkpoint, without ending.
            loggers: Lightning loggers.
            on_epoch: called with 1 after each epoch.

        Returns:
            The checkpoint, and a record of each epoch: epoch, train_loss, dev_loss, dev_uar, each
            of them also by target as in dev_uar_<target>, lr, and whether it was ``chosen``.

        Raises:
            SpeechnetError: the loss became NaN or infinite.
            ConfigError: ``trainer:`` would never end, or makes no checkpoint.
            DataError: fewer than two training rows.
        """
        if len(train) < 2:
            raise DataError(f"{counted(len(train), 'training row')}, a network needs at least two")
        if not (self.rows.labels[dev] >= 0).any():
            dev = dev[:0]
        if config.schedule == "plateau" and not len(dev):
            raise ConfigError("schedule: plateau needs a dev part: set data.split.dev")
        history = History(folder / f"{name}.json", on_epoch)
        with quietly():
            seed_everything(seed, workers=True, verbose=False)
            network = self.network(config, train)
            checkpoint = _checkpoint(folder, name, scored=len(dev) > 0)
            callbacks: list[Callback] = [history, checkpoint, *config.callbacks()]
            if len(dev) and config.patience is not None:
                callbacks.append(EarlyStopping("dev_uar", mode="max", patience=config.patience))
            trainer = self.make_trainer(callbacks, list(loggers))
            at_once = config.batch_size
            if config.takes == "vector" and config.schedule != "plateau" and is_plain(trainer):
                network.take_many_steps(-(-len(train) // config.batch_size))
                at_once *= _STEPS
            features = self.rows.feature_set.of(config.extractor)
            batches = ChosenRows(
                features, self.rows.labels, train=train, dev=dev, batch_size=at_once, seed=seed
            )
            rows = config.batch_size
            if isinstance(features, Sequences):
                rows *= len(features.frames) // len(
                    features.index
                )  # each frame is a row of its own
            run(trainer, network, batches, rows=rows)
        records = history.collect()
        if not checkpoint.best_model_path:
            raise ConfigError("the network was trained for no epoch; see trainer.max_epochs")
        # Lightning makes its paths absolute and follows links: only the name is what was asked for.
        path = folder / Path(checkpoint.best_model_path).name
        # Read from the file: where the dev part is not scored in every epoch, records repeat.
        kept = torch.load(path, map_location="cpu", weights_only=True)["epoch"]
        return path, [one | {"chosen": one["epoch"] == kept} for one in records]

    @cached_property
    def limits(self) -> Limits:
        """What the configuration's ``trainer:`` amounts to."""
        with quietly():
            trainer = self.make_trainer([], [])
        epochs = _EPOCHS if trainer.max_epochs is None else trainer.max_epochs
        return Limits(
            epochs=epochs if epochs >= 1 else _EPOCHS,
            device=trainer.strategy.root_device,
            beside_others=isinstance(trainer.accelerator, CPUAccelerator)
            and trainer.num_devices == 1,
            stackable=epochs >= 1 and is_plain(trainer),
        )

    def network(self, config: NetworkSettings, train: Int64) -> LightningNetwork:
        """An untrained network, with the scaling and the class weights of its training rows."""
        rows = Rows(self.rows, train, config.extractor)
        features, labels = rows.features, rows.labels
        X = features.frames if isinstance(features, Sequences) else features
        stacks = [list(one) for one in rows.stacks]
        name = next(name for name, kind in MODELS.items() if kind is type(config))
        plain = asdict(replace(config, grid={}))
        targets = {target: list(classes) for target, classes in self.targets.items()}
        network = LightningNetwork(X.shape[1], targets, name, plain, stacks)
        centre, scale = affine(self.scaling, X)
        network.set_scaling(torch.from_numpy(centre), torch.from_numpy(scale))
        if isinstance(network.trunk, OverTime):
            network.trunk.rate.fill_(features.rate)
        if config.class_weights == "balanced":
            weights = (
                balanced_weights(codes, len(classes))
                for codes, classes in zip(labels.T, targets.values(), strict=True)
            )
            network.set_class_weights(dict(zip(targets, weights, strict=True)))
        return network


def _checkpoint(folder: Path, name: str, *, scored: bool) -> ModelCheckpoint:
    """Keeps the weights of the epoch with the best dev UAR, or of the last if none is scored."""
    return ModelCheckpoint(
        dirpath=folder,
        filename=name,
        monitor="dev_uar" if scored else None,
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
    )


def balanced_weights(codes: Int64, k: int) -> Tensor:
    """``n / (k * n_class)`` as scikit-learn's ``balanced``; a class without rows gets 0."""
    counts = np.bincount(codes[codes >= 0], minlength=k)
    weights = np.divide(counts.sum(), k * counts, out=np.zeros(k), where=counts > 0)
    return torch.tensor(weights, dtype=torch.float32)
