"""Networks trained as one: every member is what it would be alone, step by step and at the end."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tables import TARGETS, speech_data
from lightning.pytorch import seed_everything

from speechnet.core.types import Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.joint_training import Member, Table, train_together
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.optimizers import make_optimizer, make_schedule
from speechnet.models.training.rates import MemberRates
from speechnet.models.training.stacked import Batch, Rates, Stack
from speechnet.models.training.trainer import NetworkTrainer

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
BASE = MLP(hidden=[8], dropout=0.0, lr=0.02, batch_size=11)


@pytest.fixture
def hard() -> SpeechDataModule:
    """Classes that overlap, so that the dev score goes up and down."""
    return speech_data(signal=0.5)


def made(config: MLP) -> LightningNetwork:
    torch.manual_seed(0)
    return LightningNetwork(5, TARGETS, "mlp", asdict(config))


def drawn(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    labels = np.stack([np.arange(rows) % 2, np.arange(rows) % 4], axis=1)
    labels[::5, 1] = -1
    return torch.randn(rows, 5), torch.tensor(labels)


class TestSteps:
    @pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
    @pytest.mark.parametrize("norm", ["batch", "layer", "none"])
    def test_as_torch(self, optimizer: str, norm: str) -> None:
        """Loss, weights and running statistics after each of several steps of torch's optimizer."""
        configs = [
            replace(BASE, optimizer=optimizer, norm=norm, lr=lr, weight_decay=decay, momentum=0.6)
            for lr, decay in ((0.1, 0.0), (0.01, 0.3))
        ]
        alone = [made(config) for config in configs]
        stack = Stack([made(config) for config in configs], CPU)
        theirs = [make(one) for one in alone]
        for step in range(1, 6):
            X, labels = drawn(11)
            batch = Batch(
                X.expand(2, -1, -1),
                labels.expand(2, -1, -1),
                share=torch.full((2, 11, 1), 1 / 11),
                rows=torch.full((2, 1, 1), 11.0),
            )
            rates = rates_of(step, [0.1, 0.01], 0.6 if optimizer == "sgd" else 0.9)
            losses = stack.step(batch, rates)
            for member, (network, one) in enumerate(zip(alone, theirs, strict=True)):
                loss = network.loss(network(X), labels)
                one.zero_grad()
                loss.backward()
                one.step()
                torch.testing.assert_close(losses[member], loss.detach())
                assert_same(stack, member, network)

    def test_members_that_take_no_step(self) -> None:
        """Their weights, moments and statistics stay as they are, bit for bit."""
        for optimizer in ("adamw", "adam", "sgd"):
            stack = Stack([made(replace(BASE, optimizer=optimizer))] * 2, CPU)
            X, labels = drawn(11)
            for step, active in ((1, (1.0, 1.0)), (2, (1.0, 0.0))):
                before = {name: one.clone() for name, one in stack.members.items()}
                on = torch.tensor(active)[:, None]
                batch = Batch(
                    X.expand(2, -1, -1),
                    torch.where(on[:, :, None] > 0, labels, -1),
                    share=on[:, :, None].expand(2, 11, 1) / 11,
                    rows=11 * on[:, :, None],
                )
                stack.step(batch, rates_of(step, [0.1, 0.1], 0.9, active))
            for name, one in stack.members.items():
                assert torch.equal(one[1], before[name][1]), name
            assert not torch.equal(stack.members["parameters"][0], before["parameters"][0])


class TestRates:
    @pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
    @pytest.mark.parametrize("schedule", ["none", "cosine", "onecycle", "plateau"])
    def test_as_torch(self, optimizer: str, schedule: str) -> None:
        """Rate and momentum of each step, with epochs of different lengths."""
        base = replace(BASE, optimizer=optimizer, schedule=schedule)
        configs = [base, replace(base, lr=0.5, momentum=0.3), base]
        steps, epochs, scores = [3, 2, 2], 14, [0.5] * 14
        rates = MemberRates(configs, steps, epochs)
        theirs = [make(made(config), config) for config in configs]
        schedules = [
            make_schedule(schedule, one, steps=count * epochs)
            for one, count in zip(theirs, steps, strict=True)
        ]
        for epoch in range(epochs):
            lr, momentum = rates.epoch([0, 1, 2], 3)
            assert lr.shape == (3, 3)
            assert (lr[2, 1:] == 0).all()
            for member, (one, torchs) in enumerate(zip(theirs, schedules, strict=True)):
                for step in range(steps[member]):
                    group = one.param_groups[0]
                    own = group["betas"][0] if optimizer == "adamw" else group["momentum"]
                    assert (lr[step, member], momentum[step, member]) == (group["lr"], own)
                    one.step()
                    if schedule in {"cosine", "onecycle"}:
                        torchs.step()
                if schedule == "plateau":
                    # The last member gets better all the time, the others never.
                    score = scores[epoch] + epoch * (member == 2)
                    torchs.step(score)
                    rates.scored(member, score)
        if schedule == "plateau":
            last = rates.epoch([0, 1, 2], 3)[0][0]
            np.testing.assert_allclose(last, [0.002, 0.05, 0.02])


class TestTogether:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"dropout": 0.3, "noise": 0.2, "patience": 1},
            {"norm": "layer", "activation": "gelu", "hidden": [8, 5], "dropout": 0.2},
            {"optimizer": "adam", "schedule": "onecycle", "label_smoothing": 0.2},
            {"optimizer": "sgd", "schedule": "onecycle", "activation": "silu"},
            {"optimizer": "sgd", "schedule": "plateau", "activation": "tanh"},
            {"schedule": "none", "norm": "none", "class_weights": "none"},
            {"hidden": [], "loss_weights": {"gender": 0.3}},
        ],
    )
    def test_as_alone(
        self,
        hard: SpeechDataModule,
        trainer_of: Callable[..., NetworkTrainer],
        tmp_path: Path,
        settings: dict[str, Any],
    ) -> None:
        """The same epoch, and weights equal to rounding, for rows of different lengths."""
        trainer = trainer_of(hard, max_epochs=6)
        hard.labels[::7, 0] = -1
        rows, dev = hard.folds[0].train, hard.folds[0].dev
        # Of 11 rows at once: a last batch of 10 rows, one of a single row, and a step fewer.
        fits = [rows, rows[:-9], rows[4:-8]]
        members, alone = [], []
        for fit in fits:
            for lr in (0.02, 0.005):
                config = replace(BASE, **settings, lr=lr)
                members.append(member_of(trainer, config, fit))
                alone.append(
                    trainer.fit(config, train=fit, dev=dev, seed=0, folder=tmp_path, name="mlp")
                )
                state = torch.load(alone[-1][0], weights_only=True)
                alone[-1] = (state["epoch"], state["state_dict"])
        train_together(members, Table.of(hard.X, hard.labels, CPU), dev=dev, seed=0, epochs=6)
        assert [one.epoch for one in members] == [epoch for epoch, _ in alone]
        for member, (_, state) in zip(members, alone, strict=True):
            for name, value in member.network.state_dict().items():
                if "num_batches" not in name:
                    torch.testing.assert_close(value, state[name], rtol=1e-4, atol=1e-5)

    def test_each_stops_by_itself(
        self, hard: SpeechDataModule, trainer_of: Callable[..., NetworkTrainer]
    ) -> None:
        """Patience, divergence and the last epoch end members one by one; others go on."""
        trainer, fold = trainer_of(hard), hard.folds[0]
        base = replace(BASE, schedule="none", norm="none")
        configs = [
            replace(base, patience=1),
            replace(base, lr=1e30),
            replace(base, patience=None),
            replace(base, lr=1e-12, patience=2),
        ]
        table = Table.of(hard.X, hard.labels, CPU)
        together = [member_of(trainer, config, fold.train) for config in configs]
        train_together(together, table, dev=fold.dev, seed=0, epochs=8)
        for config, member in zip(configs, together, strict=True):
            single = member_of(trainer, config, fold.train)
            train_together([single], table, dev=fold.dev, seed=0, epochs=8)
            assert (single.epoch, single.diverged) == (member.epoch, member.diverged)
            if member.diverged is None:
                for own, other in zip(
                    single.network.parameters(), member.network.parameters(), strict=True
                ):
                    torch.testing.assert_close(own, other)
        assert [one.diverged is None for one in together] == [True, False, True, True]
        assert together[3].epoch == 0

    def test_no_dev_rows(
        self, hard: SpeechDataModule, trainer_of: Callable[..., NetworkTrainer]
    ) -> None:
        """The last epoch is kept."""
        fold = hard.folds[0]
        member = member_of(trainer_of(hard), replace(BASE, patience=1), fold.train)
        table = Table.of(hard.X, hard.labels, CPU)
        train_together([member], table, dev=fold.dev[:0], seed=0, epochs=5)
        assert member.epoch == 4


def make(network: LightningNetwork, config: MLP | None = None) -> torch.optim.Optimizer:
    config = config or network.config
    return make_optimizer(
        config.optimizer,
        network.parameters(),
        lr=config.lr,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
    )


def rates_of(
    step: int, lr: list[float], momentum: float, active: tuple[float, float] = (1.0, 1.0)
) -> Rates:
    (rates,) = Rates.each(
        np.array([lr]),
        np.full((1, 2), momentum),
        active=np.array([active]) > 0,
        taken=np.full(2, step - 1),
        device=CPU,
    )
    return rates


def member_of(trainer: NetworkTrainer, config: MLP, fit: Int64) -> Member:
    seed_everything(0, verbose=False)
    return Member(trainer.network(config, fit), fit)


def assert_same(stack: Stack, member: int, network: LightningNetwork) -> None:
    copy = made(network.config)
    stack.write(copy, stack.weights(), member)
    for name, value in copy.state_dict().items():
        if "num_batches" not in name:
            torch.testing.assert_close(value, network.state_dict()[name], rtol=1e-4, atol=1e-6)
