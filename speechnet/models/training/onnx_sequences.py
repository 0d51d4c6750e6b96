"""A network over time in an ONNX graph, for one recording, which needs no padding."""

from __future__ import annotations

from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from speechnet.core.errors import ConfigError
from speechnet.models.training.onnx_graph import Graph
from speechnet.models.training.over_time import OverTime, crop_shares
from speechnet.models.training.residual import (
    BothWays,
    ConvRecurrent,
    MaskedConvolution,
    ResidualBlock,
)
from speechnet.models.training.sequences import EPS, AttentiveStatistics

_GATES: Final = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""ONNX's order of the gates (input, output, forget, cell; update, reset, hidden), as torch's."""


def described(graph: Graph, x: str, trunk: OverTime) -> str:
    """Adds a trunk to scaled frames ``[1, frames, d]``; returns the name of its output ``[1, k]``.

    Raises:
        ConfigError: its layers aren't known here.
    """
    if not isinstance(trunk.layers, ConvRecurrent):
        raise ConfigError(
            f"can't export a network over time of {type(trunk.layers).__name__}, expected "
            "ConvRecurrent"
        )
    if trunk.config.normalise == "recording":
        mean, spread = _statistics(graph, x, None)
        x = graph.add("Div", graph.add("Sub", x, mean), spread)
    if (size := trunk.crop_frames) is not None:
        x = _crops(graph, x, size, trunk.config.crops)
    return graph.add("ReduceMean", _layers(graph, x, trunk.layers), _axis(0), keepdims=1)


def _layers(graph: Graph, x: str, layers: ConvRecurrent) -> str:
    """``[n, frames, d]`` -> ``[n, k]``, all rows of the same length."""
    x = graph.add("Unsqueeze", x, _axis(1))
    stem = layers.stem
    x = graph.add("Conv", x, stem.weight, stem.bias, strides=[2, 2], pads=[1, 1, 1, 1])  # type: ignore[arg-type] # it has a bias
    x = graph.add("Relu", x)
    for block in cast("list[ResidualBlock]", layers.blocks):
        inner = graph.add("Relu", _convolved(graph, x, block.first))
        inner = _convolved(graph, inner, block.second)
        beside = graph.add("Conv", x, block.shortcut.weight, strides=list(block.stride))
        x = graph.add("Relu", graph.add("Add", inner, beside))
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Reshape", x, torch.tensor([0, 0, -1]))
    return _pooled(graph, _recurrent(graph, x, layers.recurrent), layers.pool)


def _convolved(graph: Graph, x: str, layer: MaskedConvolution) -> str:
    weight = layer.convolution.weight
    x = graph.add("Conv", x, weight, strides=list(layer.stride), pads=[1, 1, 1, 1])
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    norm = layer.norm
    x = graph.add("LayerNormalization", x, norm.weight, norm.bias, axis=-1, epsilon=norm.eps)
    return graph.add("Transpose", x, perm=[0, 3, 1, 2])


def _recurrent(graph: Graph, x: str, layer: BothWays) -> str:
    kind = "LSTM" if isinstance(layer.forth, nn.LSTM) else "GRU"
    both = (layer.forth, layer.back)

    def sorted_gates(name: str) -> list[Tensor]:
        gates = (getattr(one, name).chunk(len(_GATES[kind])) for one in both)
        return [torch.cat([each[gate] for gate in _GATES[kind]]) for each in gates]

    weights = [torch.stack(sorted_gates(f"weight_{name}_l0")) for name in ("ih", "hh")]
    biases = [torch.stack(sorted_gates(f"bias_{name}_l0")) for name in ("ih", "hh")]
    options: dict[str, Any] = {"linear_before_reset": 1} if kind == "GRU" else {}
    x = graph.add("Transpose", x, perm=[1, 0, 2])
    x = graph.add(
        kind,
        x,
        *weights,
        torch.cat(biases, dim=1),
        direction="bidirectional",
        hidden_size=layer.forth.hidden_size,
        **options,
    )
    x = graph.add("Transpose", x, perm=[2, 0, 1, 3])  # from [frames, directions, n, hidden]
    return graph.add("Reshape", x, torch.tensor([0, 0, -1]))


def _pooled(graph: Graph, x: str, pool: AttentiveStatistics) -> str:
    hidden = graph.add("MatMul", x, pool.hidden.weight.T.contiguous())
    hidden = graph.add("Tanh", graph.add("Add", hidden, pool.hidden.bias))
    scores = graph.add("MatMul", hidden, pool.score.weight.T.contiguous())
    mean, spread = _statistics(graph, x, graph.add("Softmax", scores, axis=1))
    return graph.add("Squeeze", graph.add("Concat", mean, spread, axis=2), _axis(1))


def _statistics(graph: Graph, x: str, weights: str | None) -> tuple[str, str]:
    """Weighted mean and standard deviation over the frames, ``[n, 1, k]``; see ``sequences``."""

    def mean(values: str) -> str:
        if weights is None:
            return graph.add("ReduceMean", values, _axis(1), keepdims=1)
        return graph.add("ReduceSum", graph.add("Mul", weights, values), _axis(1), keepdims=1)

    centre = mean(x)
    centred = graph.add("Sub", x, centre)
    variance = mean(graph.add("Mul", centred, centred))
    return centre, graph.add("Sqrt", graph.add("Add", variance, Tensor([EPS])))


def _crops(graph: Graph, x: str, size: int, count: int) -> str:
    """``[1, frames, d]`` -> ``[count, up to size, d]``; see ``over_time.crop``."""
    frames = graph.add("Squeeze", graph.add("Shape", x, start=1, end=2), _axis(0))
    width = graph.add("Min", frames, torch.tensor(size))
    room = graph.add("Cast", graph.add("Sub", frames, width), to=1)
    starts = graph.add("Mul", crop_shares(count)[:, None], room)
    starts = graph.add("Cast", graph.add("Round", starts), to=7)
    steps = graph.add("Range", torch.tensor(0), width, torch.tensor(1))
    places = graph.add("Add", starts, steps)  # [count, size]
    return graph.add("Gather", graph.add("Squeeze", x, _axis(0)), places, axis=0)


def _axis(number: int) -> Tensor:
    return torch.tensor([number])
