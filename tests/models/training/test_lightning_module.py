"""The network itself: its loss, its layers, its optimisers, its dev scores."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tables import TARGETS
from sklearn.metrics import recall_score
from torch import Tensor, nn

from speechnet.core.errors import ConfigError
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.lightning_module import LightningNetwork


def network(
    width: int = 5, targets: dict[str, list[str]] | None = None, **config: Any
) -> LightningNetwork:
    torch.manual_seed(0)
    return LightningNetwork(
        width, targets or TARGETS, "mlp", {"hidden": [7], "dropout": 0.0} | config
    )


def batch(n: int = 12, *, missing: float = 0.0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    labels = np.stack([rng.integers(0, 2, n), rng.integers(0, 4, n)], axis=1)
    labels[rng.random(labels.shape) < missing] = -1
    return torch.tensor(rng.normal(size=(n, 5)).astype(np.float32)), torch.tensor(labels)


def trainer(**settings: Any) -> SimpleNamespace:
    """What a network asks its trainer for; 10 steps."""
    plain = {"estimated_stepping_batches": 10, "max_epochs": 5, "max_steps": -1}
    return SimpleNamespace(**plain | {"precision": "32-true"} | settings)


@pytest.mark.parametrize(("trunk", "found"), [(nn.Linear, r"\[12, 3\]"), (nn.GRU, "tuple")])
def test_a_trunk_that_gives_something_else_than_it_says(
    monkeypatch: pytest.MonkeyPatch, trunk: type[nn.Module], found: str
) -> None:
    """The model, what it said, and what came."""
    monkeypatch.setattr(MLP, "trunk", lambda _, width: (trunk(width, 3), 4))
    said = (
        rf"models\.mlp: trunk\(\) says .* width 4, but gave {found} for 12 rows, expected \[12, 4\]"
    )
    with pytest.raises(ConfigError, match=said):
        network()(batch()[0])


class TestLoss:
    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    @pytest.mark.parametrize("missing", [0.0, 0.4])
    def test_formula(self, smoothing: float, missing: float) -> None:
        """Each head's weighted mean of smoothed cross-entropies, written out row by row."""
        net = network(label_smoothing=smoothing, loss_weights={"emotion": 0.3})
        class_weights = {"gender": [0.5, 2.0], "emotion": [1.0, 0.2, 3.0, 1.5]}
        net.set_class_weights({t: torch.tensor(w) for t, w in class_weights.items()})
        X, labels = batch(missing=missing)
        logits = net(X)
        expected = 0.0
        for column, (target, head_weight) in enumerate({"gender": 1.0, "emotion": 0.3}.items()):
            logs = logits[target].detach().double().log_softmax(dim=1).numpy()
            weights = np.array(class_weights[target])
            k, above, below = len(weights), 0.0, 0.0
            for row, truth in enumerate(labels[:, column].tolist()):
                if truth >= 0:
                    own = (1 - smoothing) * weights[truth] * logs[row, truth]
                    above -= own + smoothing / k * (weights * logs[row]).sum()
                    below += weights[truth]
            expected += head_weight * above / below
        assert net.loss(logits, labels).item() == pytest.approx(expected, rel=1e-5)

    def test_heads_are_logged_one_by_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beside the weighted sum stands each head's own loss, not weighted."""
        net, (X, labels) = network(loss_weights={"emotion": 0.3}).eval(), batch()
        logged: dict[str, torch.Tensor] = {}
        monkeypatch.setattr(net, "log_dict", lambda values, **_: logged.update(values))
        with torch.inference_mode():
            net.validation_step((X, labels), 0)
            logits = net(X)
        each = [
            nn.functional.cross_entropy(logits[target], labels[:, column])
            for column, target in enumerate(TARGETS)
        ]
        expected = dict(
            zip([f"dev_loss_{target}" for target in TARGETS], each, strict=True),
            dev_loss=each[0] + 0.3 * each[1],
        )
        torch.testing.assert_close(logged, expected)

    @pytest.mark.parametrize("columns", [[0], [1], [0, 1]])
    def test_all_labels_missing(self, columns: list[int]) -> None:
        """A batch without any label for a target still takes a step, with no gradient for it."""
        net, (X, labels) = network(), batch()
        labels[:, columns] = -1
        net.loss(net(X), labels).backward()
        for column, head in enumerate(net.heads):
            assert (head.weight.grad == 0).all() == (column in columns)
        assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.requires_grad)


class TestLayers:
    def test_scaling_is_inside(self) -> None:
        """Raw features with the scaling set give what scaled features give without."""
        net, (X, _) = network(), batch()
        net.eval()
        expected = net(X)
        net.set_scaling(torch.full((5,), 100.0), torch.full((5,), 4.0))
        for target, logits in net(100 + 4 * X).items():
            torch.testing.assert_close(logits, expected[target], rtol=1e-4, atol=1e-4)

    def test_noise_in_training_only(self) -> None:
        """Gaussian noise of the asked for deviation on the scaled features, never in use."""
        net = network(hidden=[], noise=0.5)
        net.heads[0].weight.data = torch.tensor([[1.0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
        net.set_scaling(torch.zeros(5), torch.full((5,), 10.0))
        X = torch.zeros(20_000, 5)
        noisy = net(X)["gender"][:, 0]
        assert noisy.std().item() == pytest.approx(0.5, rel=0.05)
        net.eval()
        assert torch.unique(net(X)["gender"][:, 0]).numel() == 1

    @pytest.mark.parametrize("hidden", [[], [4], [6, 3]])
    @pytest.mark.parametrize("norm", ["batch", "layer", "none"])
    @pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "silu"])
    def test_shapes(self, hidden: list[int], norm: str, activation: str) -> None:
        """Every trunk takes rows to logits, and learns from one row as from many."""
        net = network(hidden=hidden, norm=norm, activation=activation, dropout=0.2)
        kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": ()}
        layers = list(net.trunk)
        assert sum(isinstance(layer, kinds[norm]) for layer in layers) == (
            0 if norm == "none" else len(hidden)
        )
        for n in (1, 3):
            X, labels = batch(n)
            logits = net.train()(X)
            assert [tuple(scores.shape) for scores in logits.values()] == [(n, 2), (n, 4)]
            net.loss(logits, labels).backward()
            assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.requires_grad)

    def test_a_single_row_is_normalised_as_in_use(self) -> None:
        """It has no statistics of its own: the running ones are taken, and left as they are."""
        net, (X, _) = network(), batch()
        net(X)
        before = {name: value.clone() for name, value in net.trunk[1].named_buffers()}
        alone = net(X[:1])
        for name, value in net.trunk[1].named_buffers():
            torch.testing.assert_close(value, before[name])
        torch.testing.assert_close(alone, net.eval()(X[:1]))

    def test_no_bias_before_batch_normalisation(self) -> None:
        """Its gradient is nothing but rounding: it stays 0, and the file has it as ever."""
        net, (X, labels) = network(), batch()
        bias = net.state_dict()["trunk.0.bias"]
        assert (bias == 0).all()
        net.loss(net(X), labels).backward()
        assert net.trunk[0].bias.grad is None
        assert network(norm="layer").trunk[0].bias.requires_grad

    @pytest.mark.parametrize("name", ["type", "training", "keys", "age.group", "confusion"])
    def test_any_column_can_be_a_target(self, name: str) -> None:
        """A target's name may be one that modules use themselves."""
        net = network(targets={name: ["a", "b", "c"]})
        net.set_class_weights({name: torch.tensor([1.0, 2.0, 3.0])})
        assert net(batch()[0])[name].shape == (12, 3)


class TestOptimizers:
    @pytest.mark.parametrize("schedule", ["none", "cosine", "onecycle", "plateau"])
    @pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
    def test_step(self, optimizer: str, schedule: str) -> None:
        """Every optimiser with every schedule moves the weights downhill."""
        net, (X, labels) = network(optimizer=optimizer, schedule=schedule, lr=0.01), batch()
        net._trainer = trainer()
        made = net.configure_optimizers()
        chosen = made if schedule == "none" else made[0][0]
        assert type(chosen).__name__.lower() == optimizer
        losses = []
        for _ in range(10):
            chosen.zero_grad()
            loss = net.loss(net(X), labels)
            loss.backward()
            chosen.step()
            losses.append(loss.item())
            if schedule in {"cosine", "onecycle"}:
                made[1][0]["scheduler"].step()
        assert losses[-1] < losses[0]
        if schedule in {"cosine", "onecycle"}:
            assert chosen.param_groups[0]["lr"] < 1e-6  # the last step ends the schedule

    @pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
    def test_a_schedule_needs_an_end(self, schedule: str) -> None:
        """Without a last epoch no schedule can be spread over all."""
        net = network(schedule=schedule)
        net._trainer = trainer(max_epochs=-1)
        with pytest.raises(ConfigError, match=f"schedule: {schedule} needs to know when"):
            net.configure_optimizers()


def test_dev_uar(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's macro recall of each target over several batches; their mean decides."""
    net = network().eval()
    logged: dict[str, float] = {}
    X, labels = batch(40, missing=0.2)
    with torch.inference_mode():
        for rows in torch.arange(40).split(16):
            monkeypatch.setattr(net, "log_dict", lambda *_, **__: None)
            net.validation_step((X[rows], labels[rows]), 0)
        monkeypatch.setattr(net, "log_dict", lambda values, **_: logged.update(values))
        net.on_validation_epoch_end()
    expected = {}
    for column, (target, scores) in enumerate(net(X).items()):
        known = labels[:, column] >= 0
        predicted = scores.argmax(dim=1)[known]
        expected[f"dev_uar_{target}"] = recall_score(
            labels[known, column], predicted, average="macro"
        )
    expected["dev_uar"] = np.mean(list(expected.values()))
    assert {name: float(value) for name, value in logged.items()} == pytest.approx(expected)


def test_dev_uar_of_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes without dev rows don't count, nor does a target without any."""
    net = network().eval()
    logged: dict[str, float] = {}
    monkeypatch.setattr(net, "log", lambda *_, **__: None)
    monkeypatch.setattr(net, "log_dict", lambda values, **_: logged.update(values))
    X, labels = batch(30)
    labels[:, 0] = -1
    labels[:, 1].clamp_(max=2)
    net.validation_step((X, labels), 0)
    net.on_validation_epoch_end()
    predicted = net(X)["emotion"].argmax(dim=1)
    uar = recall_score(labels[:, 1], predicted, labels=[0, 1, 2], average="macro")
    assert math.isnan(logged["dev_uar_gender"])
    assert float(logged["dev_uar"]) == pytest.approx(uar)
