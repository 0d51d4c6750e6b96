"""Training the network with Lightning's Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer, seed_everything
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from torch import Tensor

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import Float32, Int64, Targets
from speechnet.core.wording import counted
from speechnet.models.scaling import affine
from speechnet.models.training.config import MLPConfig
from speechnet.models.training.lightning_fit import History, is_plain, quietly, run
from speechnet.models.training.lightning_module import MLP

_STEPS: Final = 256
"""Steps that the trainer is given at once: an epoch of most corpora, a few MB of features."""


class Rows(Protocol):
    """What the network is trained from: a table of features and labels.

    Attributes:
        X: float32 ``[n, d]``, raw.
        labels: int64 ``[n, targets]``, -1 where there is no label.
    """

    @property
    def X(self) -> Float32:  # noqa: N802 - the field's name for it
        """See above."""

    @property
    def labels(self) -> Int64:
        """See above."""

    def loaders(
        self, *, train: Int64, dev: Int64, batch_size: int, seed: int
    ) -> LightningDataModule:
        """Batches of ``(X, labels)`` of those rows, in an order that the seed decides."""
        ...


TrainerFactory = Callable[[list[Callback], list[Logger]], Trainer]
"""Makes a Trainer from the configuration's ``trainer:``, with callbacks and loggers added."""


class _Settled(NamedTuple):
    """What is known of every trainer before one is used."""

    beside_others: bool
    stackable: tuple[int, torch.device] | None


@dataclass(frozen=True)
class NetworkTrainer:
    """All that stays the same from one training to the next; picklable.

    Attributes:
        rows: features and labels.
        targets: each target's ordered classes.
        scaling: of the columns.
        make_trainer: see ``TrainerFactory``.
    """

    rows: Rows
    targets: Targets
    scaling: str
    make_trainer: TrainerFactory

    def fit(
        self,
        config: MLPConfig,
        *,
        train: Int64,
        dev: Int64,
        seed: int,
        folder: Path,
        name: str,
        loggers: Sequence[Logger] = (),
        on_epoch: Callable[[int], None] = lambda _: None,
    ) -> tuple[Path, list[dict[str, float]]]:
        """Train one network.

        Args:
            config: its shape and optimiser.
            train: rows to fit on.
            dev: rows for early stopping and the best epoch; empty keeps the last epoch.
            seed: of the weights, the batches, the noise and the dropout.
            folder: where the checkpoint goes.
            name: of the checkpoint, without ending.
            loggers: Lightning loggers.
            on_epoch: told of each finished epoch.

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
            raise ConfigError("model.schedule: plateau needs a dev part: set data.split.dev")
        history = History(folder / f"{name}.json", on_epoch)
        with quietly():
            seed_everything(seed, workers=True, verbose=False)
            network = self.network(config, train)
            checkpoint = ModelCheckpoint(
                dirpath=folder,
                filename=name,
                monitor="dev_uar" if len(dev) else None,
                mode="max",
                save_weights_only=True,
                enable_version_counter=False,
            )
            callbacks: list[Callback] = [history, checkpoint]
            if len(dev) and config.patience is not None:
                callbacks.append(EarlyStopping("dev_uar", mode="max", patience=config.patience))
            trainer = self.make_trainer(callbacks, list(loggers))
            at_once = config.batch_size
            if config.schedule != "plateau" and is_plain(trainer):
                network.take_many_steps(-(-len(train) // config.batch_size))
                at_once *= _STEPS
            batches = self.rows.loaders(train=train, dev=dev, batch_size=at_once, seed=seed)
            run(trainer, network, batches, batch_size=config.batch_size)
        if not checkpoint.best_model_path:
            raise ConfigError("the network was trained for no epoch; see trainer.max_epochs")
        # Lightning makes its paths absolute and follows links: only the name is what was asked for.
        path = folder / Path(checkpoint.best_model_path).name
        # Asked of the file: where the dev part is not scored in every epoch, records repeat.
        kept = torch.load(path, map_location="cpu", weights_only=True)["epoch"]
        return path, [one | {"chosen": one["epoch"] == kept} for one in history.collect()]

    def fits_beside_others(self) -> bool:
        """Whether one training takes one process on the CPU, so that several may go on at once."""
        return self._settled.beside_others

    def stackable(self) -> tuple[int, torch.device] | None:
        """How many epochs a network is trained for at most, and where.

        Returns:
            None where networks have to be trained one by one: where more than epochs is asked of
            the trainer, or there is no last one.
        """
        return self._settled.stackable

    @cached_property
    def _settled(self) -> _Settled:
        with quietly():
            trainer = self.make_trainer([], [])
        epochs = 1000 if trainer.max_epochs is None else trainer.max_epochs  # as Lightning has it
        counts = epochs >= 1 and is_plain(trainer)
        return _Settled(
            isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices == 1,
            (epochs, trainer.strategy.root_device) if counts else None,
        )

    def network(self, config: MLPConfig, train: Int64) -> MLP:
        """An untrained network, with the scaling and the class weights of its training rows."""
        X, labels = self.rows.X[train], self.rows.labels[train]
        plain = asdict(replace(config, grid={}))
        network = MLP(X.shape[1], {t: list(c) for t, c in self.targets.items()}, plain)
        centre, scale = affine(self.scaling, X)
        network.set_scaling(torch.from_numpy(centre), torch.from_numpy(scale))
        if config.class_weights == "balanced":
            network.set_class_weights(
                {
                    target: balanced_weights(labels[:, column], len(classes))
                    for column, (target, classes) in enumerate(self.targets.items())
                }
            )
        return network


def balanced_weights(codes: Int64, k: int) -> Tensor:
    """``n / (k * n_class)`` as scikit-learn's ``balanced``; a class without rows gets 0."""
    counts = np.bincount(codes[codes >= 0], minlength=k)
    weights = np.divide(counts.sum(), k * counts, out=np.zeros(k), where=counts > 0)
    return torch.tensor(weights, dtype=torch.float32)
