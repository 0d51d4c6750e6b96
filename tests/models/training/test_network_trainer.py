"""Training the network: what is kept, when it stops, what it says, how it fails."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tables import TARGETS, speech_data
from lightning.pytorch import Callback
from sklearn.utils.class_weight import compute_class_weight

from speechnet.core.errors import ConfigError
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.neural.mlp import MLP
from speechnet.models.scaling import affine
from speechnet.models.search import score
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.trainer import balanced_weights
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow

Fit = Callable[..., tuple[Path, list[dict[str, float]]]]
SMALL = MLP(hidden=[8], dropout=0.1, lr=0.02, batch_size=16)


def state_of(path: Path) -> dict[str, torch.Tensor]:
    state = torch.load(path, weights_only=True)["state_dict"]
    assert isinstance(state, dict)
    return state


def by_target(*names: str) -> set[str]:
    """What stands in a record for all targets and for each."""
    return {*names, *(f"{name}_{target}" for name in names for target in TARGETS)}


def dev_uar(data: SpeechDataModule, path: Path) -> float:
    dev = data.folds[0].dev
    proba = FittedNetworks.from_checkpoints([path]).predict_proba(data.X[dev])
    uars = [
        score(data.labels[dev, column], proba[target].argmax(axis=1), "uar")
        for column, target in enumerate(TARGETS)
    ]
    return float(np.mean(uars))


class TestWhatIsKept:
    def test_the_epoch_of_the_highest_dev_uar(self, hard: SpeechDataModule, fit: Fit) -> None:
        """The checkpoint scores what the best epoch was recorded with, and no other is left."""
        config = replace(SMALL, lr=0.1, schedule="none", patience=None)
        path, records = fit(hard, config, max_epochs=15)
        scores = [record["dev_uar"] for record in records]
        assert len(scores) == 15
        assert np.argmax(scores) < 14  # so that the last epoch is not the one to be kept
        assert dev_uar(hard, path) == pytest.approx(max(scores))
        assert torch.load(path, weights_only=True)["epoch"] == int(np.argmax(scores))
        assert [record["epoch"] for record in records if record["chosen"]] == [np.argmax(scores)]
        assert [file.name for file in path.parent.glob("*.ckpt")] == ["mlp_0.ckpt"]

    def test_a_dev_part_scored_now_and_then(self, hard: SpeechDataModule, fit: Fit) -> None:
        """The epoch marked is the checkpoint's, though others have no score or an older one."""
        config = replace(SMALL, lr=0.1, schedule="none", patience=None)
        path, records = fit(hard, config, max_epochs=9, check_val_every_n_epoch=3)
        (chosen,) = (record["epoch"] for record in records if record["chosen"])
        assert chosen in {2, 5, 8}
        assert chosen == torch.load(path, weights_only=True)["epoch"]

    def test_no_dev_part_keeps_the_last_epoch(self, fit: Fit) -> None:
        """Without dev rows there is nothing to choose by."""
        data = speech_data(split=SplitConfig(dev=0.0))
        path, records = fit(data, SMALL, max_epochs=4)
        assert torch.load(path, weights_only=True)["epoch"] == 3
        assert len(records) == 4
        assert set(records[0]) == {"epoch", "lr", "chosen", *by_target("train_loss")}

    def test_a_dev_part_without_labels_is_none(self, data: SpeechDataModule, fit: Fit) -> None:
        """Dev rows that say nothing must not stop the training."""
        data.labels[data.folds[0].dev] = -1
        _, records = fit(data, SMALL, max_epochs=4)
        assert len(records) == 4
        assert "dev_uar" not in records[0]

    @pytest.mark.parametrize("patience", [0, 2, 5])
    def test_patience(self, hard: SpeechDataModule, fit: Fit, patience: int) -> None:
        """Training goes on for that many epochs after the best one, and no longer."""
        config = replace(SMALL, patience=patience, schedule="none")
        _, records = fit(hard, config, max_epochs=60)
        scores = [record["dev_uar"] for record in records]
        waited = [
            epoch - int(np.argmax(scores[: epoch + 1])) for epoch in range(len(scores))
        ]  # np.argmax: the first of equals
        assert waited[-1] == max(patience, 1)
        assert max(waited[:-1], default=0) < max(patience, 1)

    def test_records(self, data: SpeechDataModule, fit: Fit) -> None:
        """Every epoch once, in order, with plain numbers and the schedule's rate."""
        _, records = fit(data, replace(SMALL, patience=None), max_epochs=4)
        assert [record["epoch"] for record in records] == [0, 1, 2, 3]
        names = by_target("train_loss", "dev_loss", "dev_uar")
        for record in records:
            assert set(record) == {"epoch", "lr", "chosen", *names}
            for loss in ("train_loss", "dev_loss"):
                heads = sum(record[f"{loss}_{target}"] for target in TARGETS)
                assert record[loss] == pytest.approx(heads, rel=1e-5)
            assert all(type(record[name]) is float for name in ("epoch", "lr", *names))
        rates = [SMALL.lr * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in (1, 2, 3, 4)]
        np.testing.assert_allclose([record["lr"] for record in records], rates, atol=1e-9)

    def test_train_loss(self, data: SpeechDataModule, fit: Fit) -> None:
        """The mean over the epoch's steps: one whole batch, seen before the first step."""
        rows = data.folds[0].train
        config = replace(SMALL, batch_size=1000, dropout=0.0, class_weights="none")
        torch.manual_seed(0)
        path, records = fit(data, replace(config, lr=0.0), max_epochs=1)
        net = LightningNetwork.load_from_checkpoint(path, weights_only=True).train()
        loss = net.loss(net(torch.tensor(data.X[rows])), torch.tensor(data.labels[rows]))
        assert records[0]["train_loss"] == pytest.approx(loss.item(), rel=1e-5)

    def test_hyper_parameters_are_plain(self, data: SpeechDataModule, fit: Fit) -> None:
        """They load weights-only and make the same network again."""
        path, _ = fit(data, replace(SMALL, grid={"lr": [0.1]}, loss_weights={"gender": 0.5}))
        saved = torch.load(path, weights_only=True)["hyper_parameters"]
        assert json.loads(json.dumps(saved)) == saved
        assert saved["targets"] == TARGETS
        assert MLP(**saved["config"]) == replace(SMALL, loss_weights={"gender": 0.5})


class TestFittedOnTrainingRows:
    def test_scaling_and_class_weights(self, data: SpeechDataModule, fit: Fit) -> None:
        """The buffers hold the training rows' scaling and balance, and nothing of other rows."""
        train = data.folds[0].train
        data.labels[train[:5], 1] = -1
        state = state_of(fit(data, SMALL)[0])
        centre, scale = affine("standard", data.X[train])
        np.testing.assert_array_equal(state["centre"], centre)
        np.testing.assert_array_equal(state["scale"], scale)
        for column in range(2):
            known = data.labels[train, column]
            known = known[known >= 0]
            expected = compute_class_weight("balanced", classes=np.unique(known), y=known)
            np.testing.assert_allclose(state[f"class_weights_{column}"], expected, rtol=1e-6)

    def test_outliers_elsewhere_change_nothing(self, data: SpeechDataModule, fit: Fit) -> None:
        """Other features and labels in the test part give the same network, bit for bit."""
        state = state_of(fit(data, SMALL)[0])
        planted = data.X.copy()
        planted[data.folds[0].test] = 1e6
        other = speech_data(X=planted)
        other.labels[data.folds[0].test] = 0
        for name, value in state_of(fit(other, SMALL, name="other")[0]).items():
            assert torch.equal(value, state[name]), name

    def test_no_class_weights(self, data: SpeechDataModule, fit: Fit) -> None:
        """Unbalanced is 1 for every class."""
        state = state_of(fit(data, replace(SMALL, class_weights="none"))[0])
        assert (state["class_weights_1"] == 1).all()

    def test_balanced_weights(self) -> None:
        """As scikit-learn has them; a class without rows gets 0, a missing label no say."""
        codes = np.array([0, 0, 0, 1, 2, 2, -1, -1])
        expected = compute_class_weight("balanced", classes=np.arange(3), y=codes[codes >= 0])
        np.testing.assert_allclose(balanced_weights(codes, 3), expected, rtol=1e-6)
        assert balanced_weights(codes, 4).tolist()[3] == 0


class TestManySteps:
    @pytest.mark.parametrize("schedule", ["none", "cosine", "onecycle"])
    def test_as_single_steps(
        self, hard: SpeechDataModule, fit: Fit, monkeypatch: pytest.MonkeyPatch, schedule: str
    ) -> None:
        """Steps taken one by one by the trainer, as a callback makes it, give the same bits."""
        monkeypatch.setattr("speechnet.models.training.trainer._STEPS", 2)
        config = replace(SMALL, schedule=schedule, batch_size=5, noise=0.1)
        many, records = fit(hard, config, max_epochs=4)
        single, others = fit(hard, config, max_epochs=4, name="single", callbacks=[Callback()])
        assert records == others
        states = state_of(many), state_of(single)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
        steps = [torch.load(path, weights_only=True)["global_step"] for path in (many, single)]
        assert steps[0] == steps[1] > 0


class TestSeeds:
    def test_same_seed_same_network(self, data: SpeechDataModule, fit: Fit) -> None:
        """To the last bit, dropout and noise and shuffling included; another seed, another."""
        config = replace(SMALL, noise=0.1)
        states = [
            state_of(fit(data, config, seed=seed, name=f"mlp_{n}")[0])
            for n, seed in enumerate((1, 1, 2))
        ]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
        assert not torch.equal(states[0]["heads.0.weight"], states[2]["heads.0.weight"])

    def test_ensemble_is_the_mean(self, data: SpeechDataModule, fit: Fit, tmp_path: Path) -> None:
        """The probabilities of several members are averaged."""
        paths = [fit(data, SMALL, seed=n, name=f"mlp_{n}")[0] for n in range(3)]
        single = [FittedNetworks.from_checkpoints([path]).predict_proba(data.X) for path in paths]
        together = FittedNetworks.load(tmp_path, "mlp", TARGETS).predict_proba(data.X)
        for target, proba in together.items():
            mean = np.mean([one[target] for one in single], axis=0)
            np.testing.assert_allclose(proba, mean, rtol=1e-12)

    def test_read_as_lightning_reads_it(self, data: SpeechDataModule, fit: Fit) -> None:
        """A checkpoint gives a plain module with the numbers that Lightning's own loader gives."""
        path, _ = fit(data)
        (network,) = FittedNetworks.from_checkpoints([path]).networks
        theirs = LightningNetwork.load_from_checkpoint(
            path, map_location="cpu", weights_only=True
        ).eval()
        assert not isinstance(network, LightningNetwork)
        assert network.config == theirs.config
        assert network.targets == theirs.targets
        ours = network.state_dict()
        assert list(ours) == list(theirs.state_dict())
        assert all(torch.equal(ours[name], value) for name, value in theirs.state_dict().items())
        X = torch.from_numpy(data.X.copy())
        with torch.inference_mode():
            assert all(torch.equal(network(X)[target], p) for target, p in theirs(X).items())

    def test_many_rows(
        self, data: SpeechDataModule, fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Long tables are worked through in pieces."""
        classifier = FittedNetworks.from_checkpoints([fit(data)[0]])
        whole = classifier.predict_proba(data.X)
        monkeypatch.setattr("speechnet.models.training.fitted._ROWS", 10)
        for target, proba in classifier.predict_proba(data.X).items():
            np.testing.assert_allclose(proba, whole[target], atol=1e-6)


class TestSettings:
    @pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
    def test_precision(self, data: SpeechDataModule, fit: Fit, precision: str) -> None:
        """Other precisions train too, and what is saved is applied in float32."""
        path, records = fit(data, replace(SMALL, label_smoothing=0.1), precision=precision)
        assert np.isfinite([record["train_loss"] for record in records]).all()
        classifier = FittedNetworks.from_checkpoints([path])
        assert {p.dtype for p in classifier.networks[0].parameters()} == {torch.float32}
        for proba in classifier.predict_proba(data.X).values():
            np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)

    @pytest.mark.parametrize("schedule", ["none", "cosine", "onecycle", "plateau"])
    def test_schedules(self, data: SpeechDataModule, fit: Fit, schedule: str) -> None:
        """Every schedule lasts as long as the training."""
        _, records = fit(data, replace(SMALL, schedule=schedule), max_epochs=3)
        assert len(records) == 3
        ends = {"cosine": 0.0, "onecycle": 0.0}
        assert records[-1]["lr"] == pytest.approx(ends.get(schedule, SMALL.lr), abs=1e-6)

    @pytest.mark.parametrize(("epochs", "patience"), [(-1, 1), (None, 1)])
    def test_no_last_epoch(
        self, hard: SpeechDataModule, fit: Fit, epochs: int | None, patience: int
    ) -> None:
        """Without a last epoch the dev part ends it; null is Lightning's thousand."""
        config = replace(SMALL, schedule="none", patience=patience)
        _, records = fit(hard, config, max_epochs=epochs)
        assert 2 <= len(records) < 200

    def test_steps_instead_of_epochs(self, data: SpeechDataModule, fit: Fit) -> None:
        """trainer.max_steps may end in the middle of an epoch."""
        _, records = fit(data, SMALL, max_epochs=-1, max_steps=5)
        assert len(records) == 3  # of two steps each

    def test_beside_others(self, data: SpeechDataModule, trainer_of: Callable[..., Any]) -> None:
        """Several trainings may go on at once where each is one process on the CPU."""
        assert trainer_of(data).limits.beside_others
        assert not trainer_of(data, devices=2).limits.beside_others

    def test_two_devices(self, hard: SpeechDataModule, fit: Fit) -> None:
        """Two processes train one network; its records and its checkpoint come back."""
        config = replace(SMALL, patience=None, batch_size=15)  # a last batch of one row each
        path, records = fit(hard, config, devices=2, max_epochs=3)
        assert [record["epoch"] for record in records] == [0, 1, 2]
        assert dev_uar(hard, path) == pytest.approx(max(r["dev_uar"] for r in records))
        assert sorted(file.suffix for file in path.parent.glob("mlp_0*")) == [".ckpt"]


def test_candidates() -> None:
    """Every combination of the grid; only what shapes one network can be searched."""
    config = MLP(grid={"lr": [0.1, 0.2], "hidden": [[8], [8, 8]]})
    assert len(config.candidates()) == 4
    assert {"lr": 0.2, "hidden": [8, 8]} in config.candidates()
    for key in ("members", "enabled", "folds", "grid", "loss_weights", "depth"):
        with pytest.raises(ConfigError, match=rf"'{key}' can't be searched; known: activation"):
            MLP(grid={key: [1]}).candidates()
