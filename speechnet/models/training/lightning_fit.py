"""One call of Lightning's Trainer: its threads, its messages, its interruptions, its records."""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer
from lightning.pytorch.profilers import PassThroughProfiler
from torch.multiprocessing.spawn import ProcessRaisedException

from speechnet.core.errors import ConfigError, SpeechnetError

if not torch.cuda.is_available():
    # Lightning sets it, and each step of an optimizer then looks for NVIDIA's library again, which
    # takes a tenth of the step.
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)

_QUIET: Final = (
    "does not have many workers",
    "The number of training batches",
    "GPU available but not used",
    "Checkpoint directory .* exists and is not empty",
    "isinstance\\(treespec, LeafSpec\\)",
    "`max_epochs` was not set",
    "Total length of `list` across ranks is zero",
)
"""Warnings of Lightning's that don't apply here: the table is in memory, runs are short."""

_ONE_THREAD: Final = 1e9
"""Multiplications and additions a step below which threads cost more than they save."""


def run(
    trainer: Trainer, network: LightningModule, batches: LightningDataModule, *, rows: int
) -> None:
    """``trainer.fit``, with as many threads as the network is worth and errors of our own.

    Args:
        trainer: one that has not fitted anything yet.
        network: is changed.
        batches: of ``(X, labels)``.
        rows: per step, or frames of sequences.

    Raises:
        ConfigError: training would never end.
        SpeechnetError: a process that the strategy started failed.
        KeyboardInterrupt: Ctrl-C.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined] # set where mypy doesn't look
    ends = any(isinstance(callback, EarlyStopping | Timer) for callback in callbacks)
    if trainer.max_epochs == -1 and trainer.max_steps == -1 and not ends:
        raise ConfigError(
            "training would never end: set trainer.max_epochs, or patience and a dev part "
            "(data.split.dev)"
        )
    try:
        with threads(1, network, rows):
            trainer.fit(network, datamodule=batches)
    except SystemExit as error:
        # Lightning turns Ctrl-C into exit code 1; SIGTERM arrives with a code of its own.
        if error.code == 1:
            raise KeyboardInterrupt from error
        raise
    except ProcessRaisedException as error:
        kind, _, text = str(error).strip().splitlines()[-1].partition(": ")
        raise SpeechnetError(
            text if kind.startswith("speechnet.") else f"a training process failed: {kind}: {text}"
        ) from error


def is_plain(trainer: Trainer) -> bool:
    """Whether a trainer only counts epochs: on one device, in float32, without other limits.

    Only then can many steps be taken at once, or many networks be trained at once: a callback, a
    profiler or a limit may want to see each step by itself.
    """
    trainer_: Any = trainer  # much of it is set where mypy doesn't look
    return (
        trainer.world_size == 1
        and trainer.precision == "32-true"
        and isinstance(trainer_.profiler, PassThroughProfiler)
        and all(isinstance(one, _OURS) for one in trainer_.callbacks)
        # By their text: 1 is one batch, 1.0 all of them.
        and all(repr(getattr(trainer, name)) == repr(value) for name, value in _PLAIN.items())
    )


def diverged(epoch: int) -> str:
    """The message about a network whose loss became NaN or infinite."""
    return (
        f"the network's loss is not finite in epoch {epoch}: training diverged. Lower lr, or "
        "set trainer.gradient_clip_val"
    )


class History(Callback):
    """Keeps what is logged, epoch by epoch, and stops a training that diverged.

    Args:
        file: takes the records, which may be made in a process that the strategy started.
        on_epoch: called with 1 after each epoch, in this process.
    """

    def __init__(self, file: Path, on_epoch: Callable[[int], None] | None) -> None:
        self._records: list[dict[str, float]] = []
        self._file = file
        self._on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Runs after the validation of the same epoch."""
        del pl_module
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not math.isfinite(values.get("train_loss", 0.0)):
            raise SpeechnetError(diverged(trainer.current_epoch))
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        self._records.append({"epoch": float(trainer.current_epoch), "lr": float(lr)} | values)
        if self._on_epoch is not None:
            self._on_epoch(1)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Runs in the process that trained."""
        del pl_module
        if trainer.is_global_zero:
            self._file.write_text(json.dumps(self._records), encoding="utf-8")

    def collect(self) -> list[dict[str, float]]:
        """The records of a training that has ended."""
        records: list[dict[str, float]] = json.loads(self._file.read_text(encoding="utf-8"))
        self._file.unlink()
        return records

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_on_epoch": None}  # a progress bar can't follow

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        quietly().__enter__()  # in that process too


_PLAIN: Final = {
    "gradient_clip_val": None,
    "accumulate_grad_batches": 1,
    "limit_train_batches": 1.0,
    "limit_val_batches": 1.0,
    "overfit_batches": 0.0,
    "val_check_interval": 1.0,
    "check_val_every_n_epoch": 1,
    "num_sanity_val_steps": 0,
    "max_steps": -1,
    "min_epochs": None,
    "min_steps": None,
}
"""The settings of a trainer that only counts epochs."""

_OURS: Final = (History, ModelCheckpoint, EarlyStopping)
"""Callbacks that look at whole epochs."""


class quietly(warnings.catch_warnings):  # noqa: N801 - a context manager, read as an adverb
    """Leaves out what Lightning says about every training, and nothing else."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        for message in _QUIET:
            warnings.filterwarnings("ignore", message=f".*{message}")
        quiet()
        return entered


def quiet() -> None:
    """Silence Lightning, which reports each Trainer's hardware and advertises.

    Where the root logger is set to INFO, somebody wants to read it, but no advertisement.
    """
    logging.getLogger("lightning").handlers.clear()  # else the root logger repeats it
    wanted = logging.getLogger().isEnabledFor(logging.INFO)
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.INFO if wanted else logging.WARNING)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_no_advertisement)


def _no_advertisement(record: logging.LogRecord) -> bool:
    return "Tip: For seamless" not in record.getMessage()


@contextmanager
def threads(networks: int, network: LightningModule, rows: int) -> Iterator[None]:
    """One thread for small networks: most of a step is calls, and threads wait for each other.

    Args:
        networks: how many are trained at once.
        network: one of them.
        rows: per step, or frames of sequences.
    """
    before = torch.get_num_threads()
    parameters = networks * sum(parameter.numel() for parameter in network.parameters())
    # Forward, and backward to the inputs and to the weights: a product and a sum each.
    if 6 * rows * parameters < _ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
