"""The settings of Lightning's Trainer (``trainer``), without Lightning.

``speechnet.config.trainer_factory`` makes Trainers from them. A test compares names, types and
defaults with the signature of the Trainer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Annotated, Final, Literal, get_args, get_type_hints

from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError
from speechnet.core.wording import did_you_mean

DECIDED_HERE: Final = {
    "logger": "the run folder decides what is logged where",
    "default_root_dir": "the run folder decides where files go",
    "enable_checkpointing": "the best network is always kept",
    "barebones": "the best network could not be found",
    "fast_dev_run": "nothing would be trained",
}
"""Trainer arguments that can't be set, and why."""

Precision = (
    Literal[64, 32, 16]
    | Literal[
        "transformer-engine",
        "transformer-engine-float16",
        "16-true",
        "16-mixed",
        "bf16-true",
        "bf16-mixed",
        "32-true",
        "64-true",
    ]
    | Literal["64", "32", "16", "bf16"]
)


_NoLimit = Annotated[int, Number(ge=-1)]
_Batches = Annotated[int, Number(ge=0)] | Annotated[float, Number(ge=0, le=1)]
_Count = Annotated[int, Number(ge=1)]


class LightningObject:
    """An object of Lightning's: its name, or ``class_path`` and ``init_args``."""


@dataclass
class TrainerConfig:
    """Lightning's Trainer; its documentation explains each key in full.

    Attributes:
        accelerator: the kind of device: cpu, gpu and so on; auto takes the best available.
        strategy: how several devices share the work.
        devices: the number of devices, or a list of them.
        num_nodes: the number of machines.
        precision: of floating-point numbers; null for 32 bits.
        callbacks: callbacks of Lightning's, in addition to ours.
        max_epochs: the epoch at which training ends; -1 for no limit.
        min_epochs: the epoch before which training doesn't stop early.
        max_steps: the step at which training ends; -1 for no limit.
        min_steps: the step before which training doesn't stop early.
        max_time: the time at which training ends, as ``DD:HH:MM:SS``.
        limit_train_batches: training batches per epoch: a number or a share.
        limit_val_batches: validation batches, of the dev part: a number or a share.
        limit_test_batches: unused, because Lightning tests nothing here.
        limit_predict_batches: unused, because Lightning predicts nothing here.
        overfit_batches: batches for both training and validation: a number or a share; 0 for all.
        val_check_interval: training batches between validations: a number, or a share of an epoch.
        check_val_every_n_epoch: epochs between validations.
        num_sanity_val_steps: validation batches to try before training.
        log_every_n_steps: steps between log entries.
        enable_progress_bar: show Lightning's progress bar.
        enable_model_summary: print a summary of the layers.
        accumulate_grad_batches: batches whose gradients are added up for one step.
        gradient_clip_val: the bound of gradients; null for none.
        gradient_clip_algorithm: clip by norm or by value.
        deterministic: use only deterministic operations; ``warn`` only warns of others.
        benchmark: let cuDNN choose its fastest algorithms first.
        inference_mode: validate in torch's inference mode.
        use_distributed_sampler: give each of several devices rows of its own.
        profiler: simple, advanced, or a profiler of Lightning's.
        detect_anomaly: let autograd detect NaN.
        plugins: plugins of Lightning's.
        sync_batchnorm: synchronise batch normalisation between devices.
        reload_dataloaders_every_n_epochs: epochs between new data loaders; 0 for never.
        enable_autolog_hparams: log hyper-parameters.
        model_registry: a model registry of Lightning's cloud.
    """

    accelerator: str | LightningObject = "auto"
    strategy: str | LightningObject = "auto"
    devices: list[int] | str | int = 1
    num_nodes: int = 1
    precision: Precision | None = None
    callbacks: list[LightningObject] | LightningObject | None = None
    max_epochs: _NoLimit | None = 150
    min_epochs: int | None = None
    max_steps: _NoLimit = -1
    min_steps: int | None = None
    max_time: str | timedelta | dict[str, int] | None = None
    limit_train_batches: _Batches | None = None
    limit_val_batches: _Batches | None = None
    limit_test_batches: int | float | None = None
    limit_predict_batches: int | float | None = None
    overfit_batches: _Batches = 0.0
    val_check_interval: int | float | str | timedelta | dict[str, int] | None = None
    check_val_every_n_epoch: _Count | None = 1
    num_sanity_val_steps: int | None = 0
    log_every_n_steps: int | None = None
    enable_progress_bar: bool | None = False
    enable_model_summary: bool | None = False
    accumulate_grad_batches: _Count = 1
    gradient_clip_val: int | float | None = None
    gradient_clip_algorithm: str | None = None
    deterministic: bool | Literal["warn"] | None = None
    benchmark: bool | None = None
    inference_mode: bool = True
    use_distributed_sampler: bool = True
    profiler: LightningObject | str | None = None
    detect_anomaly: bool = False
    plugins: LightningObject | list[LightningObject] | None = None
    sync_batchnorm: bool = False
    reload_dataloaders_every_n_epochs: int = 0
    enable_autolog_hparams: bool = True
    model_registry: str | None = None


ACCELERATORS: Final = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
"""The values of ``accelerator``."""

DEFAULTS: Final = {each.name: each.default for each in fields(TrainerConfig)}

_KINDS: Final = get_type_hints(TrainerConfig)


def check_accelerator(name: object) -> None:
    """Refuse an unknown accelerator before Lightning is imported, which checks all but texts.

    Raises:
        ConfigError: Lightning has none of this name.
    """
    if isinstance(name, str) and name.casefold() not in ACCELERATORS:
        raise ConfigError(
            f"trainer.accelerator is {name!r}, expected one of {', '.join(ACCELERATORS)}"
            f"{did_you_mean(name, ACCELERATORS)}"
        )


def names_an_object(key: str, value: object) -> bool:
    """Whether a value of ``trainer:`` names an object of Lightning's, which alone can check it.

    Args:
        key: one of the fields, perhaps with more behind it: ``callbacks.monitor``.
        value: a plain value.
    """
    name, _, below = key.partition(".")
    kinds = get_args(_KINDS.get(name))
    if LightningObject not in kinds:
        return False
    return bool(below) or not (value is None or (isinstance(value, str) and str in kinds))
