"""The networks of several folds as one ONNX graph, which needs neither torch nor speechnet.

The graph is built operation by operation. ``torch.onnx.export`` makes the same graph, but takes
half a second per network, and writes paths of the machine into the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

from speechnet.core.errors import ConfigError
from speechnet.models.calibration import Calibrated
from speechnet.models.model import Fitted
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.layer_mix import LayerMix
from speechnet.models.training.layers import Dropout
from speechnet.models.training.network import Network
from speechnet.models.training.onnx_graph import Graph
from speechnet.models.training.onnx_sequences import described
from speechnet.models.training.over_time import OverTime

if TYPE_CHECKING:
    import onnx

INPUT: Final = "features"
"""Name of the graph's input; its outputs have the names of the targets."""

SAMPLES: Final = "samples"
"""The same of networks over time, whose graph makes the features itself."""

_OPSET: Final = 20
"""Of ONNX's operations: the first that has GELU; onnxruntime 1.17 and later know it."""

_KNOWN: Final = (
    "an nn.Sequential of Linear, LayerNorm and BatchNorm1d, each with a bias, Dropout, ReLU, Tanh, "
    "GELU and SiLU"
)
_PLAIN: Final = {nn.ReLU: "Relu", nn.Tanh: "Tanh", nn.GELU: "Gelu"}
"""Layers without parameters that ONNX has under a name of its own."""


def to_onnx(
    models: Sequence[Fitted], width: int, front: Callable[[Graph, str], str] | None = None
) -> onnx.ModelProto:
    """Translate the networks of some folds, for any batch size, or for one sound of any length.

    For each target ``p = mean_f softmax(log(sum_m softmax(z_fm)) / T_f)`` over the folds ``f`` and
    their members ``m``, with the logits ``z`` and the temperatures ``T``. That is ``Calibrated`` in
    logarithms, so that float32 suffices where ``predict`` computes in float64. The two differ only
    where logits of one row lie more than 700 apart, and float64 rounds a probability to 0.

    Args:
        models: one of each fold, of the same targets.
        width: number of features, ``d``.
        front: of networks over time: adds to a graph what makes frames ``[1, frames, d]`` of
            samples ``[n]``, both by their names.

    Returns:
        A model with an output of each target's name, float32 ``[n, k]``, and the input
        ``features``, float32 ``[n, d]``, raw. With a ``front`` the outputs are ``[k]``, and the
        input is ``samples``, float32 mono ``[n]``.

    Raises:
        ImportError: onnx is not installed.
        ConfigError: a model isn't a network, or has a layer that is not known here.
    """
    from onnx import TensorProto, helper

    graph = Graph()
    targets = models[0].targets
    name, x = (INPUT, INPUT) if front is None else (SAMPLES, front(graph, SAMPLES))
    folds = [_fold(graph, x, one) for one in models]
    for target in targets:
        means = [fold[target] for fold in folds]
        if front is None:
            graph.add("Mean", *means, output=target)
        else:
            graph.add("Squeeze", graph.add("Mean", *means), Tensor([0]).long(), output=target)
    rows, columns = (["n"], [width]) if front is None else ([], [])
    made = helper.make_graph(
        graph.nodes,
        "speechnet",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *columns])],
        [
            helper.make_tensor_value_info(target, TensorProto.FLOAT, [*rows, len(classes)])
            for target, classes in targets.items()
        ],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    oldest = helper.find_min_ir_version_for(opsets)
    return helper.make_model(
        made, opset_imports=opsets, ir_version=oldest, producer_name="speechnet"
    )


def networks(fitted: Fitted) -> list[Network]:
    """The networks that a fitted model averages.

    Raises:
        ConfigError: it has none.
    """
    inner = fitted.fitted if isinstance(fitted, Calibrated) else fitted
    if not isinstance(inner, FittedNetworks):
        raise ConfigError(f"can't export a {type(inner).__name__}: only networks can be exported")
    return inner.networks


def _fold(graph: Graph, x: str, fitted: Fitted) -> dict[str, str]:
    """Adds a fold's networks; returns the name of each target's probabilities."""
    logits = [_network(graph, x, network) for network in networks(fitted)]
    temperatures = fitted.temperatures if isinstance(fitted, Calibrated) else {}
    probabilities = {}
    for target in fitted.targets:
        summed = _log_sum(graph, [member[target] for member in logits])
        divided = graph.add("Div", summed, Tensor([temperatures.get(target, 1.0)]))
        probabilities[target] = graph.add("Softmax", divided, axis=1)
    return probabilities


def _log_sum(graph: Graph, logits: Sequence[str]) -> str:
    """Logarithm of the members' summed probabilities, up to a constant that no softmax sees."""
    if len(logits) == 1:
        return logits[0]
    logs = [graph.add("LogSoftmax", one, axis=1) for one in logits]
    axis = Tensor([0]).long()
    stacked = [graph.add("Unsqueeze", one, axis) for one in logs]  # [n, k] -> [1, n, k]
    together = graph.add("Concat", *stacked, axis=0)
    return graph.add("ReduceLogSumExp", together, axis, keepdims=0)


def _network(graph: Graph, x: str, network: Network) -> dict[str, str]:
    """Adds one network; returns the name of each target's logits."""
    x = graph.add("Div", graph.add("Sub", x, network.centre), network.scale)
    x = _mix(graph, x, network.mix)
    trunk = network.trunk
    if isinstance(trunk, OverTime):
        x = described(graph, x, trunk)
    else:
        for layer in trunk if isinstance(trunk, nn.Sequential) else [trunk]:
            x = _layer(graph, x, layer)
    heads = zip(network.targets, network.heads, strict=True)
    return {target: _layer(graph, x, head) for target, head in heads}


def _mix(graph: Graph, x: str, mix: LayerMix) -> str:
    """Adds the weighted sum of each stack's layers."""
    pieces, end = [], 0
    for stack, weights in zip(mix.stacks, mix.weights(), strict=True):
        if stack.start > end:
            pieces.append(_columns(graph, x, end, stack.start))
        columns = _columns(graph, x, stack.start, stack.end)
        shape = Tensor([0, stack.layers, stack.width]).long()  # 0 keeps the rows
        layers = graph.add("Reshape", columns, shape)
        pieces.append(graph.add("MatMul", weights, layers))
        end = stack.end
    if not pieces:
        return x
    if end < mix.width:
        pieces.append(_columns(graph, x, end, mix.width))
    return graph.add("Concat", *pieces, axis=1)


def _columns(graph: Graph, x: str, start: int, end: int) -> str:
    axis = 1
    return graph.add("Slice", x, *(Tensor([one]).long() for one in (start, end, axis)))


def _layer(graph: Graph, x: str, layer: nn.Module) -> str:
    match layer:
        case Dropout() | nn.Dropout():
            return x
        case nn.Linear(bias=Tensor()):
            return graph.add("Gemm", x, layer.weight, layer.bias, transB=1)
        case nn.LayerNorm(bias=Tensor()):
            learnt = (layer.weight, layer.bias)
            return graph.add("LayerNormalization", x, *learnt, axis=-1, epsilon=layer.eps)
        case nn.BatchNorm1d(
            bias=Tensor(), running_mean=Tensor() as mean, running_var=Tensor() as variance
        ):
            columns = (layer.weight, layer.bias, mean, variance)
            return graph.add("BatchNormalization", x, *columns, epsilon=layer.eps)
        case nn.SiLU():
            return graph.add("Mul", x, graph.add("Sigmoid", x))
    if type(layer) not in _PLAIN:
        raise ConfigError(f"can't export a trunk with a {type(layer).__name__}, expected {_KNOWN}")
    return graph.add(_PLAIN[type(layer)], x)
