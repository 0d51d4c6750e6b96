"""Tests of networks as ONNX, run by onnxruntime beside torch in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32, Float64, Sequences, Targets
from speechnet.models.calibration import Calibrated
from speechnet.models.model import Fitted
from speechnet.models.neural.cnn import CNN
from speechnet.models.neural.crnn import CRNN
from speechnet.models.neural.mlp import MLP
from speechnet.models.scikit.estimators import FittedEstimators
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.onnx import to_onnx
from speechnet.models.training.onnx_graph import Graph

TARGETS: Targets = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad", "calm"]}
WIDTH = 11


def _network(
    seed: int,
    *,
    targets: Targets = TARGETS,
    spread: float = 1.0,
    stacks: Sequence[Sequence[int]] = (),
    **config: Any,
) -> LightningNetwork:
    """A network whose every number is drawn, the statistics of its batches too; one scaling."""
    torch.manual_seed(seed)
    network = LightningNetwork(WIDTH, targets, "mlp", asdict(MLP(**config)), stacks)
    network.set_scaling(torch.linspace(-1e3, 1e3, WIDTH), 10 ** torch.linspace(-3, 3, WIDTH))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for head in network.heads:
            head.weight.mul_(spread)
    for layer in network.trunk:
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean = torch.randn(layer.num_features)
            layer.running_var = torch.rand(layer.num_features) + 0.5
    return network


def _rows(network: LightningNetwork, n: int) -> Float32:
    drawn = torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(1))
    return (network.centre + network.scale * drawn).numpy()


def _run(classifiers: list[Fitted], X: Float32) -> dict[str, Float32]:
    model = to_onnx(classifiers, WIDTH)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    assert [one.name for one in session.get_inputs()] == ["features"]
    names = [one.name for one in session.get_outputs()]
    assert names == list(classifiers[0].targets)
    return dict(zip(names, session.run(None, {"features": X}), strict=True))


def _mean(classifiers: list[Fitted], X: Float32 | Sequences) -> dict[str, Float64]:
    every = [classifier.predict_proba(X) for classifier in classifiers]
    return {target: np.mean([one[target] for one in every], axis=0) for target in every[0]}


@pytest.mark.parametrize(
    "stacks",
    [[[0, 5, 2]], [[1, 2, 5]], [[0, 11, 1]], [[1, 2, 1], [3, 3, 2]], [[0, 2, 2], [4, 2, 2]]],
)
def test_layers_are_mixed(stacks: list[list[int]]) -> None:
    """At either end, everywhere, or several."""
    network = _network(0, stacks=stacks, hidden=[8])
    classifier, X = FittedNetworks([network]), _rows(network, 50)
    found, expected = _run([classifier], X), classifier.predict_proba(X)
    for target in TARGETS:
        np.testing.assert_allclose(found[target], expected[target], atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "silu"])
@pytest.mark.parametrize("hidden", [[], [8], [16, 8]])
def test_every_network(norm: str, activation: str, hidden: list[int]) -> None:
    """Whatever the configuration can ask for comes out as torch has it."""
    network = _network(0, norm=norm, activation=activation, hidden=hidden)
    classifier = FittedNetworks([network])
    X = _rows(network, 50)
    found, expected = _run([classifier], X), classifier.predict_proba(X)
    for target in TARGETS:
        assert found[target].dtype == np.float32
        np.testing.assert_allclose(found[target], expected[target], atol=1e-6)
        assert (found[target].argmax(axis=1) == expected[target].argmax(axis=1)).all()


@pytest.mark.parametrize("n", [0, 1, 7, 500])
def test_folds_and_members(n: int) -> None:
    """Members are averaged, calibrated, then the folds averaged, in batches of any size."""
    temperatures = ({"gender": 0.3, "emotion": 1.0}, {"gender": 2.0, "emotion": 5.0})
    classifiers: list[Fitted] = [
        Calibrated(FittedNetworks([_network(10 * fold + i) for i in range(3)]), values)
        for fold, values in enumerate(temperatures)
    ]
    classifiers.append(FittedNetworks([_network(7, hidden=[32])]))
    X = _rows(_network(0), n)
    found, expected = _run(classifiers, X), _mean(classifiers, X)
    for target in TARGETS:
        assert found[target].shape == (n, len(TARGETS[target]))
        np.testing.assert_allclose(found[target], expected[target], atol=1e-6)


def test_probabilities_that_float32_rounds_to_nothing() -> None:
    """A high temperature brings back what softmax in float32 would have lost: e^-300 and less."""
    network, other = _network(0, spread=60.0), _network(1, spread=60.0)
    X = _rows(network, 200)
    with torch.no_grad():
        logits = network(torch.from_numpy(X))["emotion"]
        spread = (logits.amax(dim=1) - logits.amin(dim=1)).numpy()
    X = X[(spread > 110) & (spread < 600)]
    assert len(X) > 20
    temperatures = {"gender": 20.0, "emotion": 20.0}
    classifiers: list[Fitted] = [
        Calibrated(FittedNetworks(members), temperatures)
        for members in ([network], [network, other])
    ]
    for one in classifiers:
        found, expected = _run([one], X)["emotion"], one.predict_proba(X)["emotion"]
        fine = (FittedNetworks([network]).predict_proba(X)["emotion"] > 0).all(axis=1)
        np.testing.assert_allclose(found[fine], expected[fine], atol=1e-5)


def test_names_of_targets() -> None:
    """A target may be called anything, even as operations and dimensions are."""
    targets = {
        "n": ["a", "b"],
        "Softmax": ["a", "b", "c"],
        "größe, in cm": ["x", "y"],
        "Mean": ["1"],
    }
    network = _network(0, targets=targets)
    classifier = FittedNetworks([network])
    X = _rows(network, 3)
    for target, values in _run([classifier], X).items():
        np.testing.assert_allclose(values, classifier.predict_proba(X)[target], atol=1e-6)


def test_nothing_of_this_machine() -> None:
    """The file names no path and no source line."""
    content = to_onnx([FittedNetworks([_network(0)])], WIDTH).SerializeToString()
    for trace in (b".py", b"/home", b"/root", b"site-packages", b"torch"):
        assert trace not in content


def test_what_can_not_be_translated() -> None:
    """A layer or a model that isn't known is an error, never left out."""
    network = _network(0)
    network.trunk.append(nn.Softplus())
    with pytest.raises(
        ConfigError, match=r"a trunk with a Softplus, expected an nn\.Sequential of"
    ):
        to_onnx([FittedNetworks([network])], WIDTH)
    network.trunk = nn.Sequential(nn.Linear(WIDTH, 4, bias=False))
    with pytest.raises(ConfigError, match=r"a trunk with a Linear, expected .* each with a bias"):
        to_onnx([FittedNetworks([network])], WIDTH)
    network.trunk = nn.Bilinear(WIDTH, WIDTH, 4)
    with pytest.raises(ConfigError, match="can't export a trunk with a Bilinear"):
        to_onnx([FittedNetworks([network])], WIDTH)
    with pytest.raises(ConfigError, match="can't export a FittedEstimators: only networks"):
        to_onnx([FittedEstimators({}, TARGETS)], WIDTH)


@pytest.mark.parametrize(
    "config",
    [
        CRNN(channels=[3, 4, 5, 6], hidden=4),
        CRNN(channels=[4, 5], hidden=3, recurrent="gru", normalise="recording"),
        CRNN(channels=[4], hidden=3, crop_seconds=0.2, crops=1),
        CRNN(channels=[4, 5], hidden=3, crop_seconds=0.2, crops=3),
    ],
)
def test_over_time(config: CRNN) -> None:
    """Frames of one recording of any length, members and a temperature too."""

    def network(seed: int) -> LightningNetwork:
        torch.manual_seed(seed)
        made = LightningNetwork(WIDTH, TARGETS, "crnn", asdict(config))
        made.set_scaling(torch.linspace(-3, 3, WIDTH), torch.linspace(0.5, 2, WIDTH))
        made.trunk.rate.fill_(100.0)
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return made

    def front(graph: Graph, samples: str) -> str:
        return graph.add("Reshape", samples, torch.tensor([1, -1, WIDTH]))

    temperatures = {"gender": 0.5, "emotion": 2.0}
    fitted = Calibrated(FittedNetworks([network(0), network(1)]), temperatures)
    made = to_onnx([fitted, FittedNetworks([network(2)])], WIDTH, front)
    onnx.checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    for n in (1, 2, 19, 20, 21, 57):
        x = np.random.default_rng(n).normal(size=(n, WIDTH)).astype(np.float32)
        names = tuple(map(str, range(WIDTH)))
        one = Sequences(x, np.array([0, n]), ("a",), names, 100.0)
        expected = _mean([fitted, FittedNetworks([network(2)])], one)
        for target, values in zip(TARGETS, session.run(None, {"samples": x.ravel()}), strict=True):
            np.testing.assert_allclose(values, expected[target][0], atol=1e-5)


def test_only_networks_over_time_that_are_known() -> None:
    """Another one is an error."""
    network = LightningNetwork(WIDTH, TARGETS, "cnn", asdict(CNN()))
    with pytest.raises(ConfigError, match="a network over time of FrameCNN, expected ConvRec"):
        to_onnx([FittedNetworks([network])], WIDTH, lambda _, name: name)
