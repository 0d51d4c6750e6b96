"""What the configuration says to Lightning's Trainer (``trainer``), without Lightning.

``speechnet.config.trainer_factory`` makes Trainers of it. A test holds names, types and defaults
against the signature of the Trainer itself.
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
    """Something of Lightning's: its name, or ``class_path`` and ``init_args``."""


@dataclass
class TrainerConfig:
    """Lightning's Trainer; its documentation says more of each key.

    Attributes:
        accelerator: kind of device to train on: cpu, gpu and so on; auto takes the best there is.
        strategy: how several devices share the work.
        devices: how many, or which.
        num_nodes: machines.
        precision: of the numbers; null for 32 bits.
        callbacks: Lightning's own, beside those of this program.
        max_epochs: after which training ends; -1 for no such limit.
        min_epochs: before which training doesn't stop early.
        max_steps: after which training ends; -1 for no such limit.
        min_steps: before which training doesn't stop early.
        max_time: after which training ends, as ``DD:HH:MM:SS``.
        limit_train_batches: batches of an epoch that are trained on: a number, or a share.
        limit_val_batches: batches of the dev part that are looked at: a number, or a share.
        limit_test_batches: without effect here, as Lightning tests nothing.
        limit_predict_batches: without effect here, as Lightning predicts nothing.
        overfit_batches: batches that alone are trained on and looked at: a number, or a share.
        val_check_interval: training batches between two looks at the dev part: a number, or a
            share of an epoch.
        check_val_every_n_epoch: epochs from one look at the dev part to the next.
        num_sanity_val_steps: batches of the dev part to try before training.
        log_every_n_steps: steps from one line of the log to the next.
        enable_progress_bar: whether Lightning shows its own.
        enable_model_summary: whether Lightning prints the layers.
        accumulate_grad_batches: batches whose gradients make one step.
        gradient_clip_val: bound on gradients; null for none.
        gradient_clip_algorithm: what is bounded: norm or value.
        deterministic: whether only deterministic operations are used; ``warn`` only tells.
        benchmark: whether cuDNN looks for its fastest algorithms first.
        inference_mode: whether the dev part is looked at in torch's inference mode.
        use_distributed_sampler: whether each of several devices gets rows of its own.
        profiler: what measures where the time goes: simple, advanced, or Lightning's own.
        detect_anomaly: whether autograd looks for NaN.
        plugins: Lightning's own.
        sync_batchnorm: whether batch normalisation counts over all devices.
        reload_dataloaders_every_n_epochs: epochs after which batches are set up anew; 0 for never.
        enable_autolog_hparams: whether hyper-parameters are logged.
        model_registry: of Lightning's cloud.
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
"""What ``accelerator`` may be called."""

DEFAULTS: Final = {each.name: each.default for each in fields(TrainerConfig)}
"""Of every key."""

_KINDS: Final = get_type_hints(TrainerConfig)


def check_accelerator(name: object) -> None:
    """Refuse an accelerator that no machine has, before Lightning is imported.

    Args:
        name: ``accelerator``, in any case; anything but text is left to Lightning.

    Raises:
        ConfigError: Lightning knows none of this name.
    """
    if isinstance(name, str) and name.casefold() not in ACCELERATORS:
        raise ConfigError(
            f"trainer.accelerator is {name!r}, expected one of {', '.join(ACCELERATORS)}"
            f"{did_you_mean(name, ACCELERATORS)}"
        )


def names_an_object(key: str, value: object) -> bool:
    """Whether a value of ``trainer:`` names something of Lightning's, which alone can check it.

    Args:
        key: one of the fields, perhaps with more behind it: ``callbacks.monitor``.
        value: a plain value.
    """
    name, _, below = key.partition(".")
    kinds = get_args(_KINDS.get(name.removesuffix("+")))
    if LightningObject not in kinds:
        return False
    return bool(below) or not (value is None or (isinstance(value, str) and str in kinds))
