"""Networks trained as one: each is what it would be if it were trained alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.tables import layered
from lightning.pytorch import seed_everything

from speechnet.core.types import Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.joint_training import Member, train_together
from speechnet.models.training.trainer import NetworkTrainer

pytestmark = pytest.mark.slow

BASE = MLP(hidden=[8], dropout=0.0, lr=0.02, batch_size=11)


class TestTogether:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"dropout": 0.3, "noise": 0.2, "patience": 1},
            {"norm": "layer", "activation": "gelu", "hidden": [8, 5], "dropout": 0.2},
            {"optimizer": "adam", "schedule": "onecycle", "label_smoothing": 0.2},
            {"optimizer": "sgd", "schedule": "onecycle", "activation": "silu"},
            {"schedule": "none", "norm": "none", "class_weights": "none", "activation": "tanh"},
            {"hidden": [], "loss_weights": {"gender": 0.3}},
            {"dropout": 0.3, "noise": 0.2, "layers": 3},
        ],
    )
    def test_as_alone(
        self,
        hard: SpeechDataModule,
        trainer_of: Callable[..., NetworkTrainer],
        tmp_path: Path,
        settings: dict[str, Any],
    ) -> None:
        """The same epoch, and weights equal to rounding, for rows of different lengths.

        Two of the three members share their rates; each drops its own share and adds its own noise.
        """
        settings = settings.copy()
        if layers := settings.pop("layers", 0):
            hard = layered(hard, layers, told=1)
        trainer = trainer_of(hard, max_epochs=6)
        hard.labels[::7, 0] = -1
        rows, dev = hard.folds[0].train, hard.folds[0].dev
        # Of 11 rows at once: a last batch of 10 rows, and one of a single row.
        for fit in (rows, rows[:-9]):
            members, alone = [], []
            for lr, share in ((0.02, 1.0), (0.005, 0.7), (0.02, 0.4)):
                own = {name: share * settings.get(name, 0.0) for name in ("dropout", "noise")}
                rates = {"lr": lr, "weight_decay": lr, "momentum": 30 * lr}
                config = replace(BASE, **settings | own | rates)
                members.append(member_of(trainer, config, fit))
                path, _ = trainer.fit(
                    config, train=fit, dev=dev, seed=0, folder=tmp_path, name="mlp"
                )
                alone.append(torch.load(path, weights_only=True))
            train(members, hard, fit, dev, epochs=6)
            assert [one.epoch for one in members] == [one["epoch"] for one in alone]
            for member, kept in zip(members, alone, strict=True):
                expected = kept["state_dict"]
                for name, value in member.network.state_dict().items():
                    torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)

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
        together = [member_of(trainer, config, fold.train) for config in configs]
        train(together, hard, fold.train, fold.dev, epochs=8)
        for config, member in zip(configs, together, strict=True):
            single = member_of(trainer, config, fold.train)
            train([single], hard, fold.train, fold.dev, epochs=8)
            assert (single.epoch, single.diverged) == (member.epoch, member.diverged)
            if member.diverged is None:
                for own, other in zip(
                    single.network.parameters(), member.network.parameters(), strict=True
                ):
                    torch.testing.assert_close(own, other)
        assert [one.diverged is None for one in together] == [True, False, True, True]
        assert together[3].epoch == 0


def member_of(trainer: NetworkTrainer, config: MLP, fit: Int64) -> Member:
    seed_everything(0, verbose=False)
    return Member(trainer.network(config, fit))


def train(
    members: list[Member], data: SpeechDataModule, fit: Int64, dev: Int64, *, epochs: int
) -> None:
    train_together(
        members,
        data.X,
        data.labels,
        train=fit,
        dev=dev,
        seed=0,
        epochs=epochs,
        device=torch.device("cpu"),
    )
