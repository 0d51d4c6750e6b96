"""One call of Lightning's Trainer: how it ends, what it says, what it is plain enough for."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tables import TARGETS, speech_data
from lightning.pytorch import Callback, Trainer
from torch.multiprocessing.spawn import ProcessRaisedException

from speechnet.core.errors import ConfigError, DataError, SpeechnetError
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.lightning_fit import is_plain, quietly, run
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.trainer import NetworkTrainer
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow

Fit = Callable[..., tuple[Path, list[dict[str, float]]]]
SMALL = MLP(hidden=[8], dropout=0.1, lr=0.02, batch_size=16)


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient_clip_val": 1.0},
        {"accumulate_grad_batches": 2},
        {"max_steps": 5},
        {"min_epochs": 2},
        {"limit_train_batches": 1},
        {"limit_val_batches": 0.5},
        {"overfit_batches": 1},
        {"check_val_every_n_epoch": 2},
        {"num_sanity_val_steps": 1},
        {"precision": "bf16-mixed"},
        {"precision": "64-true"},
        {"max_time": "00:01:00:00"},
        {"callbacks": [Callback()]},
        {"profiler": "simple"},
        {"devices": 2},
    ],
)
def test_more_than_epochs_is_not_plain(
    data: SpeechDataModule, trainer_of: Callable[..., NetworkTrainer], settings: dict[str, Any]
) -> None:
    """Whatever has a say in single steps keeps them single, and networks apart."""
    assert is_plain(trainer_of(data).make_trainer([], []))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings that don't go together, which isn't the point
        assert not is_plain(trainer_of(data, **settings).make_trainer([], []))


def test_threads_are_given_back(data: SpeechDataModule, fit: Fit) -> None:
    """A small network takes one thread, and only while it is trained."""
    seen: list[int] = []

    class Spy(Callback):
        def on_train_start(self, *_: Any) -> None:
            seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fit(data, SMALL, callbacks=[Spy()])
        fit(data, replace(SMALL, hidden=[2000, 2000], batch_size=64), callbacks=[Spy()])
        assert seen == [1, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("speechnet.core.errors.SpeechnetError: the loss is nan", "^the loss is nan$"),
        ("RuntimeError: no socket", "^a training process failed: RuntimeError: no socket$"),
    ],
)
def test_another_process_fails(last: str, said: str) -> None:
    """What went wrong there is said as if it were here, without the way it took."""

    def fail(*_: Any, **__: Any) -> None:
        raise ProcessRaisedException(f"-- Process 0 --\nTraceback ...\n{last}\n", 0, 1)

    trainer = SimpleNamespace(max_epochs=1, max_steps=-1, callbacks=[], fit=fail)
    with pytest.raises(SpeechnetError, match=said):
        run(trainer, LightningNetwork(3, TARGETS, "mlp", {}), speech_data(), rows=4)


class TestFailures:
    @pytest.mark.parametrize(
        ("config", "settings", "match"),
        [
            ({"schedule": "plateau"}, {}, "plateau needs a dev part"),
            ({"schedule": "cosine"}, {"max_epochs": -1, "max_time": "00:00:01:00"}, "cosine needs"),
            ({"schedule": "none"}, {"max_epochs": -1}, "training would never end"),
            ({}, {"max_epochs": 0}, "trained for no epoch"),
        ],
    )
    def test_settings(
        self, fit: Fit, config: dict[str, Any], settings: dict[str, Any], match: str
    ) -> None:
        """Settings that can't be followed without a dev part, or at all."""
        data = speech_data(split=SplitConfig(dev=0.0))
        with pytest.raises(ConfigError, match=match):
            fit(data, replace(SMALL, **config), **settings)

    def test_too_few_rows(
        self, data: SpeechDataModule, trainer_of: Callable[..., NetworkTrainer], tmp_path: Path
    ) -> None:
        """One row teaches nothing."""
        rows = np.array([3])
        with pytest.raises(DataError, match="1 training row, a network needs at least two"):
            trainer_of(data).fit(
                SMALL, train=rows, dev=rows[:0], seed=0, folder=tmp_path, name="mlp_0"
            )

    def test_divergence(self, data: SpeechDataModule, fit: Fit) -> None:
        """A loss that is no number ends the training, in words."""
        with pytest.raises(SpeechnetError, match=r"loss is not finite in epoch \d: .* Lower lr"):
            fit(data, replace(SMALL, lr=1e30, norm="none"), max_epochs=10)

    def test_ctrl_c(self, data: SpeechDataModule, fit: Fit) -> None:
        """Ctrl-C arrives as Ctrl-C, and works again afterwards."""

        class Press(Callback):
            def on_train_batch_end(self, *_: Any) -> None:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            fit(data, SMALL, callbacks=[Press()])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_sigterm(self, data: SpeechDataModule, fit: Fit) -> None:
        """Its exit code passes."""

        class Terminate(Callback):
            def on_train_batch_end(self, *_: Any) -> None:
                os.kill(os.getpid(), signal.SIGTERM)

        def leave(number: int, _: Any) -> None:
            sys.exit(128 + number)

        before = signal.signal(signal.SIGTERM, leave)
        try:
            with pytest.raises(SystemExit) as caught:
                fit(data, SMALL, callbacks=[Terminate()])
        finally:
            signal.signal(signal.SIGTERM, before)
        assert caught.value.code == 143


class TestQuiet:
    def test_nothing_is_said(
        self, data: SpeechDataModule, fit: Fit, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No word of a training reaches the terminal (warnings are errors here)."""
        fit(data, SMALL)
        fit(data, SMALL)  # over what is there already
        fit(data, replace(SMALL, schedule="none", patience=1), max_epochs=None)
        assert capfd.readouterr() == ("", "")

    def test_messages_pass_but_no_advertisement(self, caplog: pytest.LogCaptureFixture) -> None:
        """For whoever asked for more messages."""
        with caplog.at_level(logging.INFO), quietly():
            Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
        assert any("GPU available" in said for said in caplog.messages)
        assert not any("pypi.org" in said for said in caplog.messages)

    def test_other_warnings_pass(self) -> None:
        """Only what is said of every training is left out, and only inside."""
        with quietly():
            warnings.warn("The 'train_dataloader' does not have many workers", stacklevel=1)
            with pytest.warns(UserWarning, match="exploding"):
                warnings.warn("gradients are exploding", stacklevel=1)
        with pytest.warns(UserWarning, match="many workers"):
            warnings.warn("The 'train_dataloader' does not have many workers", stacklevel=1)
