"""Networks that weigh the layers of an encoder."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.tables import TARGETS, corpus_table, layered, speech_data

from speechnet.models.model import Rows
from speechnet.models.neural.cnn import CNN
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.network import Network
from speechnet.models.training.trainer import NetworkTrainer

STACKS = [[1, 3, 2], [8, 2, 2]]
"""Of 13 columns: 0, 7 and 12 belong to no layer."""


def network(stacks: list[list[int]], width: int = 13, **config: Any) -> Network:
    torch.manual_seed(0)
    return Network(width, TARGETS, "mlp", asdict(MLP(hidden=[8], **config)), stacks).eval()


@pytest.mark.parametrize("shape", [(5,), (5, 4)])
def test_formula(shape: tuple[int, ...]) -> None:
    """``sum_l w_l x_l`` with the softmax of what is learnt, of rows and of frames; others stay."""
    mix = network(STACKS).mix
    x = torch.randn(*shape, 13, dtype=torch.float64)
    with torch.no_grad():
        for one in mix.logits:
            one.copy_(torch.randn(len(one)) / 30)
    (a, b, c), (d, e) = ((30 * one.detach().double()).exp() for one in mix.logits)
    first = (a * x[..., 1:3] + b * x[..., 3:5] + c * x[..., 5:7]) / (a + b + c)
    second = (d * x[..., 8:10] + e * x[..., 10:12]) / (d + e)
    expected = torch.cat([x[..., :1], first, x[..., 7:8], second, x[..., 12:]], dim=-1)
    torch.testing.assert_close(mix(x), expected, rtol=1e-5, atol=1e-6)


def test_as_a_network_of_mixed_columns() -> None:
    """With fixed weights it is the same network on columns that were mixed before."""
    mixing, plain = network(STACKS), network([], width=7)
    torch.nn.init.normal_(mixing.mix.logits[0], std=0.1)
    scaling = torch.linspace(-5, 5, 13), torch.linspace(1, 9, 13)
    mixing.set_scaling(*scaling)
    own = mixing.state_dict()
    plain.load_state_dict(
        {key: own.get(key, one) for key, one in plain.state_dict().items()}
        | {"centre": torch.zeros(7), "scale": torch.ones(7)}
    )
    x = torch.randn(6, 13)
    with torch.no_grad():
        mixed = mixing.mix((x - scaling[0]) / scaling[1])
        for target, logits in mixing(x).items():
            torch.testing.assert_close(logits, plain(mixed)[target])


def test_noise_is_added_to_the_mix() -> None:
    """As much as where there are no layers: a mean of many noises would be nearly none."""
    seen: list[torch.Tensor] = []
    one = network([[0, 100, 2]], width=200, noise=1.0).train()
    one.trunk.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    one(torch.zeros(2000, 200))
    assert float(seen[0].detach().std()) == pytest.approx(1, abs=0.05)


def test_nothing_is_there_without_layers() -> None:
    """No parameter, the same first weights, and checkpoints that know of no layers are read."""
    assert not [name for name in network([]).state_dict() if name.startswith("mix")]
    torch.manual_seed(0)
    older = Network(13, TARGETS, "mlp", asdict(MLP(hidden=[8])))
    for name, value in network([]).state_dict().items():
        assert torch.equal(older.state_dict()[name], value)
    x = torch.randn(3, 13)
    assert older.mix(x) is x


@pytest.mark.slow
@pytest.mark.parametrize("model", [MLP(hidden=[32]), CNN(features="encoder", channels=[16])])
def test_the_layer_that_tells_gets_the_weight(
    model: MLP | CNN, trainer_of: Callable[..., NetworkTrainer], tmp_path: Path
) -> None:
    """Of five layers, of rows and of frames, and its checkpoint is read back with its weights."""
    table = corpus_table(speakers=12, each=16)
    frames = 0 if isinstance(model, MLP) else 3
    data = layered(speech_data(table, width=12, signal=2.0), 5, told=3, frames=frames)
    model.batch_size, fold = 16, data.folds[0]
    path, _ = trainer_of(data, max_epochs=25).fit(
        model, train=fold.train, dev=fold.dev, seed=0, folder=tmp_path, name="one"
    )
    fitted = FittedNetworks.from_checkpoints([path])
    [found] = fitted.layer_weights()
    assert (found.target, found.member, len(found.weights)) == ("", 0, 5)
    assert sum(found.weights) == pytest.approx(1, abs=1e-6)
    assert found.weights[3] > 0.5
    test = Rows(data, fold.test, model.extractor)
    assert (fitted.predict(test.features) == test.labels).mean() > 0.8


def test_hyper_parameters_are_plain(tmp_path: Path) -> None:
    """A checkpoint is read with weights only."""
    one = LightningNetwork(13, TARGETS, "mlp", asdict(MLP(hidden=[8])), STACKS)
    saved = {"hyper_parameters": dict(one.hparams), "state_dict": one.state_dict()}
    torch.save(saved, tmp_path / "mlp_0.ckpt")
    [read] = FittedNetworks.load(tmp_path, "mlp", TARGETS).networks
    assert [list(stack) for stack in read.mix.stacks] == STACKS
